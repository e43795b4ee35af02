"""`python3 -m buildstream`."""

from ._cli.main import run

if __name__ == "__main__":
    run()
