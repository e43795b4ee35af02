"""compose - put the dependencies together

An artifact made of the files of all build dependencies.

Configuration:

    integrate: True         whether integration commands are run
    include: []             split domains to take, all by default
    exclude: []             split domains to leave out
    include-orphans: True   whether files of no domain are taken
"""

from collections.abc import Iterator
from typing import Any

from buildstream import Element, MappingNode, Sandbox


class ComposeElement(Element):
    """Composes the files of its dependencies."""

    BST_MIN_VERSION = "2.0"
    BST_STRICT_REBUILD = True
    BST_FORBID_RDEPENDS = True
    BST_FORBID_SOURCES = True

    def configure(self, node: MappingNode) -> None:
        node.validate_keys(["integrate", "include", "exclude", "include-orphans"])
        self.integrates: bool = node.get_bool("integrate")
        self.include: list[str] = node.get_str_list("include")
        self.exclude: list[str] = node.get_str_list("exclude")
        self.include_orphans: bool = node.get_bool("include-orphans")
        if not self.integrates:
            self.BST_RUN_COMMANDS = False

    def preflight(self) -> None:
        pass

    def get_unique_key(self) -> Any:
        key: dict[str, Any] = {
            "integrate": self.integrates,
            "include": sorted(self.include),
            "orphans": self.include_orphans,
        }
        if self.exclude:
            key["exclude"] = sorted(self.exclude)
        return key

    def configure_sandbox(self, sandbox: Sandbox) -> None:
        pass

    def stage(self, sandbox: Sandbox) -> None:
        with self.timed_activity("Staging dependencies", silent_nested=True):
            self.stage_dependency_artifacts(sandbox)

    def assemble(self, sandbox: Sandbox) -> str:
        if not self._splits():
            if self.integrates:
                self._integrate_all(sandbox)
            return "/"

        with self.timed_activity("Computing split", silent_nested=True):
            manifest = set(self._compute_split())
        if self.integrates:
            before = set(sandbox.get_virtual_directory().list_relative_paths())
            self._integrate_all(sandbox)
            after = set(sandbox.get_virtual_directory().list_relative_paths())
            added = after - before
            removed = (manifest & before) - after
            self.info(f"Integration added {len(added)} and removed {len(removed)} files")
            manifest = (manifest | added) - removed
        self._compose(sandbox, manifest)
        return "/buildstream/install"

    def generate_script(self) -> str:
        return ""

    def _splits(self) -> bool:
        """Whether only some of the files are taken."""
        return bool(self.include or self.exclude or not self.include_orphans)

    def _compute_split(self) -> Iterator[str]:
        for dependency in self.dependencies():
            yield from dependency.compute_manifest(
                include=self.include, exclude=self.exclude, orphans=self.include_orphans
            )

    def _integrate_all(self, sandbox: Sandbox) -> None:
        with self.timed_activity("Integrating sandbox"), sandbox.batch():
            for dependency in self.dependencies():
                dependency.integrate(sandbox)

    def _compose(self, sandbox: Sandbox, manifest: set[str]) -> None:
        """Puts the files of MANIFEST, and no others, below `buildstream/install`."""
        root = sandbox.get_virtual_directory()
        self.info(f"Composing {len(manifest)} files")
        with self.timed_activity("Creating composition", detail=self._describe(), silent_nested=True):
            install = root.open_directory("buildstream/install", create=True)
            install.import_files(root, filter_callback=manifest.__contains__, collect_result=False)

    def _describe(self) -> str:
        if self.include:
            lines = ["Including files from domains: " + ", ".join(self.include)]
        else:
            lines = ["Including files from all domains"]
        if self.exclude:
            lines.append("Excluding files from domains: " + ", ".join(self.exclude))
        lines.append("Including orphaned files" if self.include_orphans else "Excluding orphaned files")
        return "\n".join(lines)


def setup() -> type[Element]:
    """The class, for the plugin loader."""
    return ComposeElement
