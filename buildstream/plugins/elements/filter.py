"""filter - a part of another element

An artifact made of some split domains of exactly one build dependency.

Configuration:

    include: []               split domains to take, all by default
    exclude: []               split domains to leave out
    include-orphans: False    whether files of no domain are taken
    pass-integration: False   whether the integration commands of the dependency are taken over

Tracking a filter and opening a workspace for it mean its build dependency.
"""

from typing import Any

from buildstream import Element, ElementError, MappingNode, Node, Sandbox, SequenceNode


class FilterElement(Element):
    """Takes some of the files of another element."""

    BST_MIN_VERSION = "2.0"
    BST_ARTIFACT_VERSION = 1
    BST_STRICT_REBUILD = True
    BST_FORBID_SOURCES = True
    BST_RUN_COMMANDS = False

    def configure(self, node: MappingNode) -> None:
        node.validate_keys(["include", "exclude", "include-orphans", "pass-integration"])
        self.include_node: SequenceNode = node.get_sequence("include")
        self.exclude_node: SequenceNode = node.get_sequence("exclude")
        self.include: list[str] = self.include_node.as_str_list()
        self.exclude: list[str] = self.exclude_node.as_str_list()
        self.include_orphans: bool = node.get_bool("include-orphans")
        self.pass_integration: bool = node.get_bool("pass-integration", False)

    def preflight(self) -> None:
        build, runtime = self._host.build_dependency_types()
        if len(build) != 1:
            raise ElementError(
                f"{self}: {type(self).__name__} element must have exactly 1 build-dependency, "
                f"actually have {len(build)}",
                detail="\n".join(
                    ["Full list of build-depends:", *(f"  {element.name}" for element in build)]
                ),
                reason="filter-bdepend-wrong-count",
            )
        dependency = build[0]
        if dependency in runtime:
            raise ElementError(
                f"{self}: {type(self).__name__} element's build dependency must not also be "
                f"a runtime dependency: {dependency.name}",
                reason="filter-bdepend-also-rdepend",
            )
        if not dependency.BST_ELEMENT_HAS_ARTIFACT:
            raise ElementError(
                f"{self}: The build dependency has no files to filter: {dependency.name}",
                detail=f"Elements of the kind '{dependency.get_kind()}' have no files of their own.",
                reason="filter-bdepend-no-artifact",
            )

    def get_unique_key(self) -> Any:
        return {
            "include": sorted(self.include),
            "exclude": sorted(self.exclude),
            "orphans": self.include_orphans,
        }

    def configure_sandbox(self, sandbox: Sandbox) -> None:
        pass

    def stage(self, sandbox: Sandbox) -> None:
        with self.timed_activity("Staging artifact", silent_nested=True):
            dependency = self._dependency()
            self._check_domains(dependency)
            dependency.stage_artifact(
                sandbox, include=self.include, exclude=self.exclude, orphans=self.include_orphans
            )

    def assemble(self, sandbox: Sandbox) -> str:
        if self.pass_integration:
            public = self.get_public_data("bst") or MappingNode.from_dict({})
            passed = self._dependency().get_public_data("bst") or MappingNode.from_dict({})
            public["integration-commands"] = [
                *passed.get_str_list("integration-commands", []),
                *public.get_str_list("integration-commands", []),
            ]
            self.set_public_data("bst", public)
        return ""

    def generate_script(self) -> str:
        return ""

    def _dependency(self) -> Element:
        """The one build dependency."""
        return next(self.dependencies(recurse=False))

    def _get_source_element(self) -> Element:
        return self._host.build_dependency_types()[0][0]._get_source_element()

    def _check_domains(self, dependency: Element) -> None:
        """Checks that DEPENDENCY has all the domains that the configuration names."""
        public = dependency.get_public_data("bst") or MappingNode.from_dict({})
        domains = set(public.get_mapping("split-rules", MappingNode.from_dict({})).keys())
        lines: list[str] = []
        for names, node in ((self.include, self.include_node), (self.exclude, self.exclude_node)):
            unknown = [name for name in names if name not in domains]
            if unknown:
                lines += _describe_unknown(unknown, node)
        if lines:
            raise ElementError("Unknown domains declared.", detail="\n".join(lines))


def _describe_unknown(domains: list[str], node: Node) -> list[str]:
    return [
        f"Unknown domains were used in {node.get_provenance()}",
        *(f" - {domain}" for domain in domains),
    ]


def setup() -> type[Element]:
    """The class, for the plugin loader."""
    return FilterElement
