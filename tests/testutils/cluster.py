"""A project, and a cluster that builds it."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack

from .executionserver import ExecutionServer, running_executions
from .space import Result, TestSpace

#: The services of a cluster, as the user configuration names them.
SERVICES = ("execution", "storage", "action-cache")

_CALLS = ("GetActionResult", "UpdateActionResult", "Execute", "WaitExecution", "CancelOperation")


class Cluster:
    """A project and a cluster that builds it.

    Attributes:
        server: All of the cluster.
        address: Its host and port.
    """

    def __init__(self, space: TestSpace, stack: ExitStack) -> None:
        self.space = space
        self.stack = stack
        scratch = space.directory / "workers"
        scratch.mkdir(exist_ok=True)
        self.server = ExecutionServer(scratch)
        self.address = stack.enter_context(running_executions(self.server))
        self.configure()

    def configure(
        self,
        services: Sequence[str] = SERVICES,
        more: str = "",
        *,
        retries: int = 1,
        addresses: dict[str, str] | None = None,
    ) -> None:
        """Configures SERVICES of the cluster, at its address or at that of ADDRESSES."""
        lines = ["remote-execution:"]
        for name in services:
            url = f"http://{(addresses or {}).get(name, self.address)}"
            patience = f"connection-config: {{retry-limit: {retries}, retry-delay: 1}}"
            lines.append(f'  {name}-service: {{url: "{url}", {patience}}}')
        self.space.configure("\n".join(lines) + f"\n{more}")

    def build(self, *targets: str, expect: int = 0) -> Result:
        """Builds TARGETS, hello.bst by default."""
        return self.space.bst("build", *(targets or ("hello.bst",)), expect=expect)

    def calls(self) -> list[str]:
        """The calls so far that are about actions."""
        return [name for name in self.server.calls if name in _CALLS]

    def forget(self) -> None:
        """Deletes the local cache, and what is known of calls."""
        shutil.rmtree(self.space.cache_directory)
        self.server.calls.clear()
        self.server.executed.clear()

    def log(self, name: str) -> str:
        """The log in the artifact of NAME."""
        return self.space.bst("artifact", "log", name).stdout


def start_build(cluster: Cluster) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "buildstream", "--no-interactive", "build", "hello.bst"],
        cwd=cluster.space.project_directory,
        env=cluster.space.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def read_until_running(process: "subprocess.Popen[str]") -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if "The remote build is running" in line:
            return
