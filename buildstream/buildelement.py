"""The base of elements that run commands to configure, build and install their sources.

The configuration has four lists of commands: `configure-commands`,
`build-commands`, `install-commands` and `strip-commands`.  Commands run in
`%{build-root}`, or in the directory `%{command-subdir}` of it, and install below
`%{install-root}`.  A build dependency may be staged elsewhere than at the root
with `location` in its configuration; with `digest-environment` the digest of the
staged dependency is put into the environment variable of that name.
"""

import hashlib
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ._element_layout import (
    Layout,
    add_to_layout,
    layout_key,
    run_commands,
    script_from_commands,
    stage_layout,
)
from .element import DependencyConfiguration, Element

if TYPE_CHECKING:
    from ._hosts import ElementHost
    from .node import MappingNode
    from .sandbox import Sandbox

_CONFIGURE_STEP = "configure-commands"
_STEPS = [_CONFIGURE_STEP, "build-commands", "install-commands", "strip-commands"]

# In a workspace: says that the configure commands have been run there, and which.  It is where
# commands are run, also with a command-subdir, for which BuildStream 2.8 never finds it again.
_PREPARED_MARKER = ".bst-prepared"


class BuildElement(Element):
    """Base of elements that run commands; most of them only have a file with default commands."""

    def __init__(self, host: "ElementHost", name: str) -> None:
        super().__init__(host, name)
        # Name-mangled: plugins have private names of their own.  `__commands` is known to plugins by
        # its mangled name, and may be replaced by them.
        self.__commands: dict[str, list[str]] = {}
        self.__command_subdir: str | None = None
        self.__layout: Layout = {}
        self.__digest_environment: Layout = {}

    def configure(self, node: "MappingNode") -> None:
        node.validate_keys(_STEPS)
        self.__commands = {step: node.get_str_list(step, []) for step in _STEPS}
        self.__command_subdir = self.get_variable("command-subdir")

    def configure_dependencies(self, dependencies: Sequence[DependencyConfiguration]) -> None:
        self.__layout = {}
        self.__digest_environment = {}
        for dependency in dependencies:
            location = os.sep
            variable: str | None = None
            if dependency.config is not None:
                dependency.config.validate_keys(["digest-environment", "location"])
                location = dependency.config.get_str("location", os.sep)
                variable = dependency.config.get_str("digest-environment", None)
            add_to_layout(self.__layout, dependency.element, dependency.path, location)
            if variable:
                add_to_layout(self.__digest_environment, dependency.element, dependency.path, variable)

    def preflight(self) -> None:
        pass

    def get_unique_key(self) -> Any:
        key: dict[str, Any] = dict(self.__commands)
        if self.__command_subdir:
            key["command-subdir"] = self.__command_subdir
        # the variable counts as set whatever its text is, "False" included
        if self.get_variable("notparallel"):
            key["notparallel"] = True
        if any(location != os.sep for location in self.__layout):
            key["layout"] = layout_key(self.__layout)
        if self.__digest_environment:
            # the misspelling is part of the format of cache keys
            key["digest-enviornment"] = layout_key(self.__digest_environment)
        return key

    def configure_sandbox(self, sandbox: "Sandbox") -> None:
        build_root = self.__required_variable("build-root")
        sandbox.mark_directory(build_root)
        sandbox.mark_directory(self.__required_variable("install-root"))
        work_directory = build_root
        if self.__command_subdir:
            work_directory = os.path.join(build_root, self.__command_subdir)
        sandbox.set_work_directory(work_directory)

        environment = self.get_environment()
        for variable, entries in sorted(self.__digest_environment.items()):
            environment[variable] = self.__stage_for_digest(
                sandbox, variable, [element for element, _ in entries]
            )
        sandbox.set_environment(environment)

    def stage(self, sandbox: "Sandbox") -> None:
        stage_layout(self, sandbox, self.__layout)
        self.stage_sources(sandbox, self.__required_variable("build-root"))

    def assemble(self, sandbox: "Sandbox") -> str:
        with sandbox.batch(root_read_only=True, label="Running commands"):
            for step, commands in self.__commands.items():
                if step == _CONFIGURE_STEP:
                    self.__run_configure_step(sandbox, commands)
                else:
                    run_commands(sandbox, commands, root_read_only=True)
            self.run_cleanup_commands(sandbox)
        return self.__required_variable("install-root")

    def generate_script(self) -> str:
        return script_from_commands(self.__commands)

    def __required_variable(self, name: str) -> str:
        value = self.get_variable(name)
        assert value is not None, f"every project defines the variable {name}"
        return value

    def __stage_for_digest(self, sandbox: "Sandbox", variable: str, elements: list[Element]) -> str:
        """The digest of a tree that holds ELEMENTS and what they need at run time."""
        with (
            self.timed_activity(f"Staging dependencies for '{variable}' in subsandbox"),
            self.subsandbox(sandbox) as subsandbox,
        ):
            self.stage_dependency_artifacts(subsandbox, elements)
            digest = self._host.tree_digest(subsandbox.get_virtual_directory())
            return f"{digest.hash}/{digest.size}"

    def __run_configure_step(self, sandbox: "Sandbox", commands: list[str]) -> None:
        """Runs COMMANDS, but in a workspace only once, until they or the environment change."""
        if not self._host.has_workspace:
            run_commands(sandbox, commands, root_read_only=True)
            return
        current = self.__configuration_digest(commands)
        recorded = self.__recorded_configuration(sandbox)
        # BuildStream 2.8 leaves an empty file
        if recorded in ("", current):
            if commands:
                self.info(
                    "Skipping configure-commands: an earlier build has run them",
                    detail=f"To run them again: bst workspace reset --soft {self._host.full_name}",
                )
            return
        if recorded is not None:
            self.info("Running configure-commands again: they or the environment have changed")
        run_commands(sandbox, commands, root_read_only=True)
        sandbox._create_file(_PREPARED_MARKER, current)

    def _configuration_mark(self) -> tuple[str, str] | None:
        """The file below the build root that says that the directory is configured, and its content.

        None if the element has nothing of the kind.
        """
        commands = self.__commands.get(_CONFIGURE_STEP)
        marker = os.path.normpath(os.path.join(self.__command_subdir or "", _PREPARED_MARKER))
        if commands is None or marker.startswith(("..", "/")):
            return None
        return marker, self.__configuration_digest(commands)

    def __configuration_digest(self, commands: list[str]) -> str:
        """Tells whether the directory is configured as it would be now."""
        text = repr([commands, sorted(self._host.keyed_environment.items())])
        return hashlib.sha256(text.encode()).hexdigest()

    @staticmethod
    def __recorded_configuration(sandbox: "Sandbox") -> str | None:
        """What the configure step left in the staged work directory; None if it has not been run."""
        root = sandbox.get_virtual_directory()
        marker = os.path.join(sandbox._get_work_directory(), _PREPARED_MARKER).lstrip(os.sep)
        if not root.isfile(marker):
            return None
        with root.open_file(marker, mode="r") as file:
            text: str = file.read()
        return text
