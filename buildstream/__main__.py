"""`python3 -m buildstream`."""

import sys

from ._cli.main import run

if __name__ == "__main__":
    sys.exit(run())
