"""Which ways to make the roots of sandboxes this machine has."""

import functools
import os
import tempfile

import pytest

from buildstream._sandbox.client import SandboxLauncher
from buildstream._sandbox.probe import RootMethod, SandboxProbe


@functools.cache
def _best_method() -> RootMethod:
    launcher = SandboxLauncher()
    try:
        with tempfile.TemporaryDirectory(dir=os.environ.get("PYTEST_DEBUG_TEMPROOT")) as directory:
            return SandboxProbe(launcher, directory, os.environ["PATH"]).capabilities().method
    finally:
        launcher.close()


def require(method: RootMethod) -> None:
    """Skips the test where METHOD needs a newer kernel: Linux 6.16 for stubs."""
    if method is RootMethod.STUBS and _best_method() is not method:
        pytest.skip("the kernel shows no contents of stubs")
