"""The base of elements that run a script over their dependencies."""

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
from .element import Element

if TYPE_CHECKING:
    from ._hosts import ElementHost
    from .sandbox import Sandbox


class ScriptElement(Element):
    """Base of elements that run commands over staged dependencies and have no sources.

    A plugin writes its own `configure()` and calls the methods below from there
    or from `configure_dependencies()`.
    """

    BST_STRICT_REBUILD = True
    BST_FORBID_RDEPENDS = True
    BST_FORBID_SOURCES = True

    def __init__(self, host: "ElementHost", name: str) -> None:
        super().__init__(host, name)
        # Name-mangled: plugins have private names of their own.
        self.__commands: dict[str, list[str]] | None = None
        self.__layout: Layout = {}
        self.__work_directory = os.sep
        self.__install_root = os.sep
        self.__is_root_read_only = False

    # for plugins to call

    def set_work_dir(self, work_dir: str | None = None) -> None:
        """Sets where commands run, by default `%{cwd}` or else the root."""
        self.__work_directory = work_dir if work_dir is not None else self.get_variable("cwd") or os.sep

    def set_install_root(self, install_root: str | None = None) -> None:
        """Sets which directory becomes the artifact, by default `%{install-root}` or else the root."""
        if install_root is None:
            install_root = self.get_variable("install-root") or os.sep
        self.__install_root = install_root

    def set_root_read_only(self, root_read_only: bool) -> None:
        """Sets whether commands may write only below the install root."""
        self.__is_root_read_only = root_read_only

    def layout_add(self, element: Element, dependency_path: str, location: str) -> None:
        """Has ELEMENT, and what it needs at run time, staged at LOCATION.

        If this is never called, all dependencies are staged at the root.

        Args:
            element: A dependency.
            dependency_path: The dependency as it was written.
            location: Absolute path in the sandbox.
        """
        add_to_layout(self.__layout, element, dependency_path, location)

    def add_commands(self, group_name: str, command_list: Sequence[str]) -> None:
        """Has the commands run after those of the groups added before.

        Args:
            group_name: A unique name; commands added under it before are replaced.
            command_list: Shell commands.
        """
        if self.__commands is None:
            self.__commands = {}
        self.__commands[group_name] = list(command_list)

    # what the core calls

    def preflight(self) -> None:
        pass

    def get_unique_key(self) -> Any:
        return {
            "commands": self.__commands,
            "cwd": self.__work_directory,
            "install-root": self.__install_root,
            "layout": layout_key(self.__layout),
            "root-read-only": self.__is_root_read_only,
        }

    def configure_sandbox(self, sandbox: "Sandbox") -> None:
        sandbox.set_work_directory(self.__work_directory)
        sandbox.set_environment(self.get_environment())
        sandbox.mark_directory(self.__install_root)

    def stage(self, sandbox: "Sandbox") -> None:
        if self.__layout:
            stage_layout(self, sandbox, self.__layout)
        else:
            with self.timed_activity("Staging dependencies", silent_nested=True):
                self.stage_dependency_artifacts(sandbox)
            with sandbox.batch(label="Integrating sandbox"):
                for element in self.dependencies():
                    element.integrate(sandbox)
        install_root = self.__install_root.lstrip(os.sep)
        sandbox.get_virtual_directory().open_directory(install_root, create=True)

    def assemble(self, sandbox: "Sandbox") -> str:
        read_only = self.__is_root_read_only
        with sandbox.batch(root_read_only=read_only, collect=self.__install_root):
            for group_name, commands in (self.__commands or {}).items():
                with sandbox.batch(root_read_only=read_only, label=f"Running '{group_name}'"):
                    run_commands(sandbox, commands, root_read_only=read_only)
            self.run_cleanup_commands(sandbox)
        return self.__install_root

    def generate_script(self) -> str:
        return script_from_commands(self.__commands or {})


def setup() -> type[ScriptElement]:
    """The class, as plugin modules give it."""
    return ScriptElement
