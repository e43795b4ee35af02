"""A test space whose runs of the program cost a part of the time: forked, with all modules imported."""

from collections.abc import Mapping
from pathlib import Path

from tests.testutils.space import Result, TestSpace
from tests.vectors.forked import run_in_process


class ForkedSpace(TestSpace):
    """As `TestSpace`, for tests with many short commands; they have no standard input."""

    def bst(
        self,
        *arguments: str,
        expect: int = 0,
        cwd: Path | None = None,
        stdin: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> Result:
        """Runs the program in the project directory, or in CWD; fails unless it exits with EXPECT."""
        assert not stdin, "forked runs have none"
        (self.directory / "errors.json").unlink(missing_ok=True)
        result = run_in_process(self, *arguments, cwd=cwd, environment=environment)
        assert result.code == expect, (
            f"bst {' '.join(arguments)}: status {result.code}, expected {expect}\n"
            f"{result.stdout}\n{result.stderr}"
        )
        return result
