#!/usr/bin/env python3
"""Records anew the actions that a bst program has a cluster run.

    record.py BST [QUESTION...]

Meant for BuildStream 2.8, started with the environment of the tests: what it writes is what every later
run is measured against.  Needs the shell and the usual programs of a host.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.testutils.executionserver import ExecutionServer, running_executions
from tests.vectors.execution.questions import QUESTIONS, Question, make_tools, settle_workspace, told


def ask(bst: str, question: Question, scratch: Path) -> dict[str, list[dict[str, Any]]]:
    """Gives the actions of each element that has some."""
    project, trees = scratch / "project", scratch / "trees"
    question.write(project)
    trees.mkdir()
    server = ExecutionServer(trees, tools=make_tools(scratch / "tools"))
    with running_executions(server) as address:
        program = [bst, "--no-interactive", "--no-colors", "--config", str(scratch / "user.conf")]
        environment = dict(
            os.environ, XDG_CACHE_HOME=str(scratch / "cache"), XDG_CONFIG_HOME=str(scratch / "config")
        )

        def run(*arguments: str, may_fail: bool = False) -> str:
            result = subprocess.run(
                [*program, *question.options, *arguments],
                cwd=project,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if result.returncode != 0 and not may_fail:
                sys.exit(result.stderr)
            return result.stdout

        (scratch / "user.conf").write_text(user_configuration(address), encoding="utf-8")
        if question.workspace:
            run("workspace", "open", "--directory", str(scratch / "workspace"), question.workspace)
            settle_workspace(scratch / "workspace")
        answer = {}
        for name in run("show", "--deps", "all", "--format", "%{name}", *question.targets).split():
            seen = len(server.requests.get("GetActionResult", ()))
            run("build", name, may_fail=question.fails)
            actions = told(server, server.requests.get("GetActionResult", ())[seen:])
            if actions:
                answer[name] = actions
        return answer


def user_configuration(address: str) -> str:
    """Every service at one address."""
    services = ("execution-service", "storage-service", "action-cache-service")
    return "remote-execution:\n" + "".join(f'  {name}: {{url: "http://{address}"}}\n' for name in services)


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for question in QUESTIONS:
        if sys.argv[2:] and question.name not in sys.argv[2:]:
            continue
        with tempfile.TemporaryDirectory() as scratch:
            answer = ask(sys.argv[1], question, Path(scratch))
        text = json.dumps(answer, indent=1, ensure_ascii=False) + "\n"
        question.answer.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
