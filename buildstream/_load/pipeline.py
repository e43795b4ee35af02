"""From loaded element files to resolved elements: plugins constructed and configured."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from .._exceptions import BstError, LoadError
from ..element import DependencyConfiguration, Element
from ..exceptions import ErrorDomain, LoadErrorReason
from ..node import MappingNode, ScalarNode
from ..source import Source
from .composition import KindDefaults
from .dependencies import DependencyType
from .elementhost import ElementHost
from .loadelement import LoadElement
from .pluginfaults import plugin_code
from .pluginregistry import PluginType
from .preflight import check_element
from .refs import load_ref
from .resolved import ResolvedElement, ResolvedSource
from .services import Services
from .sourcehost import SourceHost
from .variables import Variables
from .workspaces import Workspace
from .workspacesource import WORKSPACE_KIND, workspace_source

if TYPE_CHECKING:
    from .project import Project

CORE_SOURCE_KEYS = ("kind", "directory", "provenance")


class PipelineResolver:
    """Makes resolved elements, each once, with everything they depend on.

    Args:
        services: The effects that plugins may ask for.
        progress: Called once for each element that has been resolved.
    """

    def __init__(self, services: Services, progress: Callable[[], None]) -> None:
        self._services = services
        self._progress = progress
        # by the full name of the element; may be replaced before anything is resolved
        self.workspaces: Mapping[str, Workspace] = {}
        self._defaults: dict[tuple[Project, str], KindDefaults] = {}
        self._source_defaults: dict[tuple[Project, str], MappingNode] = {}
        self._resolved: dict[int, ResolvedElement] = {}  # by identity of the LoadElement
        self.elements: list[ResolvedElement] = []  # dependencies first

    def resolve(self, element: LoadElement) -> ResolvedElement:
        """The resolved element for ELEMENT; its dependencies are resolved as well.

        An element is constructed before its dependencies, and checked after
        them: the order in which errors surface is part of the format.
        """
        if id(element) in self._resolved:
            return self._resolved[id(element)]
        top = self.construct(element)
        stack: list[tuple[LoadElement, Iterator[LoadElement]]] = [(element, _children(element))]
        while stack:
            current, children = stack[-1]
            for child in children:
                if id(child) not in self._resolved:
                    self.construct(child)
                    stack.append((child, _children(child)))
                    break
            else:
                stack.pop()
                self.finish(current)
        return top

    # construction

    def construct(self, element: LoadElement) -> ResolvedElement:
        """The resolved element for ELEMENT as far as it can be known without its dependencies."""
        project = element.project
        if not element.is_first_pass:
            project.complete()
        node = element.node
        loaded = project.registries[PluginType.ELEMENT].resolve(element.kind, node)
        defaults = self._kind_defaults(element, loaded.defaults_path)
        _check_mappings(node)
        host = ElementHost(project, element.full_name, node.get_provenance(), self._services)
        variables = defaults.compose_variables(node, element.name)
        if not element.is_first_pass:
            variables.check()
        environment = defaults.compose_environment(node, variables)
        nocache = defaults.compose_nocache(node)
        public = defaults.compose_public(node, variables)
        host.set_composed(variables, environment)
        if loaded.plugin_class.BST_PLUGIN_DEPRECATED and not loaded.allow_deprecated:
            self._warn_deprecated(element, loaded.plugin_class)
        plugin = loaded.plugin_class(host, element.name)
        assert isinstance(plugin, Element)
        config = defaults.compose_config(node, variables)
        with plugin_code(plugin, "configure"):
            plugin.configure(config)
        resolved = ResolvedElement(
            index=-1,
            name=element.name,
            full_name=element.full_name,
            project=project,
            kind=element.kind,
            plugin=plugin,
            node=node,
            is_first_pass=element.is_first_pass,
            variables=variables,
            environment=environment,
            environment_nocache=nocache,
            public=public,
            config=config,
            sandbox=defaults.compose_sandbox(node, variables),
            description=node.get_str("description", ""),
        )
        host.bind(resolved)
        self._resolved[id(element)] = resolved
        workspace = self.workspaces.get(element.full_name)
        if workspace is not None:
            resolved.sources.append(workspace_source(element, resolved, workspace, self._services))
            return resolved
        for index, source_node in enumerate(node.get_sequence("sources", None) or ()):
            resolved.sources.append(self._source(element, resolved, index, source_node, variables))
        return resolved

    def _kind_defaults(self, element: LoadElement, defaults_path: str | None) -> KindDefaults:
        key = (element.project, element.kind)
        if key not in self._defaults:
            self._defaults[key] = KindDefaults(
                element.project, element.kind, defaults_path, is_first_pass=element.is_first_pass
            )
        return self._defaults[key]

    def default_variables(self, project: "Project", kind: str) -> MappingNode:
        """What the variables of elements of KIND are composed onto, once one of them is constructed."""
        return self._defaults[project, kind].variables

    def _warn_deprecated(self, element: LoadElement, cls: type) -> None:
        from .._model.message import MessageType

        self._services.send(
            None,
            element.full_name,
            MessageType.WARN,
            f"{element.node.get_provenance()}: Using deprecated plugin '{element.kind}'",
            getattr(cls, "BST_PLUGIN_DEPRECATION_MESSAGE", None),
        )

    # sources

    def _source(
        self,
        element: LoadElement,
        owner: ResolvedElement,
        index: int,
        node: object,
        variables: Variables,
    ) -> ResolvedSource:
        project = element.project
        if not isinstance(node, MappingNode):
            raise LoadError(
                f"{node.get_provenance()}: A source is declared as a dictionary",  # type: ignore[attr-defined]
                LoadErrorReason.INVALID_DATA,
            )
        kind_node = node.get_scalar("kind")
        kind = kind_node.as_str()
        if kind == WORKSPACE_KIND:
            raise LoadError(
                f"{kind_node.get_provenance()}: Invalid usage of workspace source kind",
                LoadErrorReason.INVALID_DATA,
            )
        directory = node.get_str("directory", None) or None
        provenance = node.get_mapping("provenance", None)
        loaded = project.registries[PluginType.SOURCE].resolve(kind, node)
        _check_source_provenance(element, node, provenance, loaded.plugin_class)
        config = self._source_config(element, kind, node)
        variables.expand(config)
        if loaded.plugin_class.BST_PLUGIN_DEPRECATED and not loaded.allow_deprecated:
            self._warn_deprecated(element, loaded.plugin_class)
        host = SourceHost(
            project,
            element.full_name,
            node.get_provenance(),
            self._services,
            kind=kind,
            element_name=element.name,
            source_provenance=provenance,
            is_first_pass=element.is_first_pass,
        )
        host.bind(owner)
        plugin = loaded.plugin_class(host, f"{element.name}-{index}")
        assert isinstance(plugin, Source)
        host.attach(plugin)
        with plugin_code(plugin, "configure"):
            plugin.configure(config)
        host.finish_configuring()
        load_ref(project, element, index, plugin)
        return ResolvedSource(index, plugin.get_kind(), plugin, directory, config, node)

    def _source_config(self, element: LoadElement, kind: str, node: MappingNode) -> MappingNode:
        """The declaration over the project's `sources: <kind>: config`."""
        key = (element.project, kind)
        if key not in self._source_defaults:
            overrides = element.project.pass_for(is_first_pass=element.is_first_pass).sources
            override = overrides.get_mapping(kind, {})
            self._source_defaults[key] = override.get_mapping("config", {})
        config = self._source_defaults[key].clone()
        own = node.clone()
        own.safe_del("kind")
        own.safe_del("provenance")
        if not isinstance(own.get_node("directory", allow_none=True), ScalarNode) or own.get_str("directory"):
            own.safe_del("directory")
        own._composite(config)
        config.safe_del("directory")
        config._assert_fully_composited()
        return config

    # once the dependencies are there

    def finish(self, element: LoadElement) -> None:
        """Gives the constructed ELEMENT its dependencies, which are finished, and checks it."""
        resolved = self._resolved[id(element)]
        strict = set()
        for dependency in element.dependencies:
            target = self._resolved[id(dependency.element)]
            if dependency.kinds & DependencyType.BUILD:
                resolved.build_dependencies.append(target)
            if dependency.kinds & DependencyType.RUNTIME:
                resolved.runtime_dependencies.append(target)
            if dependency.is_strict:
                strict.add(target)
        resolved.strict_dependencies = frozenset(strict)
        resolved.index = len(self.elements)
        self.elements.append(resolved)
        self._configure_dependencies(element, resolved)
        check_element(resolved)
        self._progress()

    def _configure_dependencies(self, element: LoadElement, resolved: ResolvedElement) -> None:
        plugin = resolved.plugin
        is_supported = plugin._overrides_configure_dependencies()
        host = plugin._host
        assert isinstance(host, ElementHost)
        configurations = []
        builds = [
            dependency for dependency in element.dependencies if dependency.kinds & DependencyType.BUILD
        ]
        for dependency, target in zip(builds, resolved.build_dependencies, strict=True):
            if dependency.configs and not is_supported:
                raise LoadError(
                    f"{dependency.configs[0].get_provenance()}: Custom dependency configuration is not "
                    f"supported by element plugin '{plugin.get_kind()}'",
                    LoadErrorReason.INVALID_DEPENDENCY_CONFIG,
                )
            if not is_supported:
                continue
            proxy = host.new_proxy(target)
            for config in dependency.configs:
                expanded = config.clone()
                resolved.variables.expand(expanded)
                configurations.append(DependencyConfiguration(proxy, dependency.path, expanded))
            if not dependency.configs:
                configurations.append(DependencyConfiguration(proxy, dependency.path, None))
        if is_supported:
            with plugin_code(plugin, "configure_dependencies"):
                plugin.configure_dependencies(configurations)


def _children(element: LoadElement) -> Iterator[LoadElement]:
    return iter([dependency.element for dependency in element.dependencies])


def _check_mappings(node: MappingNode) -> None:
    """Sections that must be mappings if they are given at all."""
    for key in ("variables", "environment", "public", "config", "sandbox"):
        node.get_mapping(key, None)
    public = node.get_mapping("public", None)
    if public is not None:
        public.get_mapping("bst", {}).get_mapping("split-rules", {})


def _check_source_provenance(
    element: LoadElement, source: MappingNode, provenance: MappingNode | None, cls: type
) -> None:
    if provenance is None:
        return
    if getattr(cls, "BST_CUSTOM_SOURCE_PROVENANCE", False):
        raise BstError(
            f"{source.get_provenance()}: Custom source provenance plugin: "
            "Refusing to use top level source provenance",
            domain=ErrorDomain.SOURCE,
            reason="top-level-provenance-on-custom-implementation",
        )
    if not element.is_first_pass:
        allowed = element.project.source_provenance_attributes.keys()
        for key in provenance.keys():
            if key not in allowed:
                place = provenance.get_node(key).get_provenance()
                raise LoadError(
                    f"{place}: Unknown source provenance attribute '{key}'",
                    LoadErrorReason.UNDEFINED_SOURCE_PROVENANCE_ATTRIBUTE,
                    detail=f"The project defines: {', '.join(allowed)}",
                )
    for key in provenance.keys():
        provenance.get_scalar(key)
