"""Composing an element's data from the project, the plugin's defaults and the element file (format 4.5).

What is the same for all elements of a kind is composed once.  Data that an
element does not touch itself is expanded once for each set of values of the
variables that it refers to, and then shared.
"""

import re
from dataclasses import field

from .._dataclass import dataclass
from .._exceptions import LoadError
from ..exceptions import LoadErrorReason
from ..node import MappingNode, Node, ScalarNode, SequenceNode
from .project import Project
from .sandboxsettings import SandboxSettings, read_sandbox
from .variables import Variables
from .yaml import load_file

_REFERENCE = re.compile(r"%\{([a-zA-Z][a-zA-Z0-9_-]*)\}")
_PROTECTED = ("project-name", "element-name", "max-jobs")


def _empty() -> MappingNode:
    return MappingNode.from_dict({})


def _layered(lower: MappingNode, *uppers: MappingNode) -> MappingNode:
    """UPPERS composed onto LOWER in turn; LOWER itself stays as it is."""
    result = lower.clone()
    for upper in uppers:
        upper._composite(result)
    return result


def _references(node: Node, names: set[str]) -> set[str]:
    """Names of the variables that the scalars of NODE refer to."""
    if isinstance(node, ScalarNode):
        names.update(_REFERENCE.findall(node.as_str() or ""))
    elif isinstance(node, MappingNode):
        for value in node.values():
            _references(value, names)
    elif isinstance(node, SequenceNode):
        for value in node:
            _references(value, names)
    return names


@dataclass(slots=True)
class SharedExpansion:
    """A composed section that most elements take as it is, expanded once a set of variable values.

    The variables of all elements have the same parent.
    """

    node: MappingNode
    _names: tuple[str, ...] | None = None
    _expanded: dict[tuple[str | None, ...], MappingNode] = field(default_factory=dict)
    _usual: MappingNode | None = None  # with values that do not differ from those of the kind

    def expanded(self, variables: Variables) -> MappingNode:
        """The section with VARIABLES expanded; not to be changed by the caller.

        Raises:
            LoadError: TRAILING_LIST_DIRECTIVE, or what `Variables.expand` raises.
        """
        if self._names is None:
            self.node._assert_fully_composited()
            self._names = tuple(sorted(_references(self.node, set())))
        is_usual = variables.differing.isdisjoint(self._names)
        if is_usual and self._usual is not None:
            return self._usual
        values = tuple([variables.get(name) for name in self._names])
        result = self._expanded.get(values)
        if result is None or None in values:
            # an undefined variable: expanding raises the error that names the place
            result = self.node.clone()
            variables.expand(result)
            self._expanded[values] = result
        if is_usual:
            self._usual = result
        return result


class KindDefaults:
    """What every element of one kind starts from.

    Args:
        project: The project of the elements.
        kind: The kind, as declared.
        defaults_path: The plugin's YAML file, None if it has none.
        is_first_pass: Whether the kind knows only the first pass of project.conf.
    """

    def __init__(
        self, project: Project, kind: str, defaults_path: str | None, *, is_first_pass: bool
    ) -> None:
        result = project.pass_for(is_first_pass=is_first_pass)
        second = None if is_first_pass else project.second
        defaults = _empty()
        if defaults_path is not None:
            defaults = load_file(defaults_path, defaults_path.rpartition("/")[2], project=project)
        split_rules = second.split_rules.clone() if second else _empty()
        public = defaults.get_mapping("public", {})
        bst = public.get_mapping("bst", {})
        bst.get_mapping("split-rules", {})._composite(split_rules)
        bst["split-rules"] = split_rules
        public["bst"] = bst
        defaults["public"] = public
        if kind in result.elements:
            result.elements.get_mapping(kind)._composite(defaults)

        self._project_variables = result.resolved
        self.variables = _layered(result.variables, defaults.get_mapping("variables", {}))
        self._resolved: Variables | None = None
        environment = second.environment if second else _empty()
        self.environment = SharedExpansion(_layered(environment, defaults.get_mapping("environment", {})))
        self.environment_nocache = frozenset(
            [
                *(second.environment_nocache if second else ()),
                *defaults.get_str_list("environment-nocache", []),
            ]
        )
        bst = defaults.get_mapping("public").get_mapping("bst")
        self.split_rules = SharedExpansion(bst.get_mapping("split-rules"))
        self.config = defaults.get_mapping("config", {})
        sandbox = second.sandbox if second else _empty()
        self.sandbox = SharedExpansion(_layered(sandbox, defaults.get_mapping("sandbox", {})))
        # of elements that declare none: by the identity of the expanded split rules, or section
        self._plain_public: dict[int, MappingNode] = {}
        self._plain_sandbox: dict[int, SandboxSettings] = {}

    def compose_variables(self, element: MappingNode, name: str) -> Variables:
        """The variables of the element NAME, checked but not resolved yet."""
        if self._resolved is None:
            self._resolved = Variables(self.variables, self._project_variables)
        own = element.get_mapping("variables", None)
        changed: tuple[str, ...] | None = None
        if own is not None and own.value:
            composed = _layered(self.variables, own)
            composed._assert_fully_composited()
        else:
            composed = _empty()
            composed.value.update(self.variables.value)
            changed = ("element-name",)
        for protected in _PROTECTED:
            node = composed.get_node(protected, allow_none=True)
            if node is not None and not node._is_synthetic:
                raise LoadError(
                    f"{node.get_provenance()}: invalid redefinition of protected variable '{protected}'",
                    LoadErrorReason.PROTECTED_VARIABLE_REDEFINED,
                )
        composed["element-name"] = name
        if "notparallel" in composed and composed.get_bool("notparallel"):
            composed["max-jobs"] = "1"
            changed = changed and (*changed, "max-jobs")
        return Variables(composed, self._resolved, changed)

    def compose_environment(self, element: MappingNode, variables: Variables) -> dict[str, str]:
        """The environment of an element, expanded."""
        own = element.get_mapping("environment", None)
        if own is not None and own.value:
            node = _layered(self.environment.node, own)
            node._assert_fully_composited()
            variables.expand(node)
        else:
            node = self.environment.expanded(variables)
        # values may be lists as well: they enter the key, but no command can be run with them
        environment: dict[str, str] = node.strip_node_info()
        return environment

    def compose_nocache(self, element: MappingNode) -> frozenset[str]:
        """Names of environment variables that stay out of the cache key."""
        if "environment-nocache" not in element:
            return self.environment_nocache
        return self.environment_nocache | frozenset(element.get_str_list("environment-nocache"))

    def compose_public(self, element: MappingNode, variables: Variables) -> MappingNode:
        """The element's own public data; only split rules are inherited."""
        own = element.get_mapping("public", None)
        if own is None or not own.value:
            rules = self.split_rules.expanded(variables)
            shared = self._plain_public.get(id(rules))
            if shared is None:
                shared = MappingNode.from_dict({"bst": {}})
                shared.get_mapping("bst")["split-rules"] = rules
                self._plain_public[id(rules)] = shared
            return shared
        public = own.clone()
        bst = public.get_mapping("bst", {})
        rules = _layered(self.split_rules.node, bst.get_mapping("split-rules", {}))
        bst["split-rules"] = rules
        public["bst"] = bst
        public._assert_fully_composited()
        variables.expand(public)
        return public

    def compose_config(self, element: MappingNode, variables: Variables) -> MappingNode:
        """The `config` that the plugin is configured with, expanded."""
        config = _layered(self.config, element.get_mapping("config", {}))
        config._assert_fully_composited()
        variables.expand(config)
        return config

    def compose_sandbox(self, element: MappingNode, variables: Variables) -> SandboxSettings:
        """The `sandbox` section.

        Raises:
            LoadError, PlatformError: As :func:`read_sandbox`.
        """
        own = element.get_mapping("sandbox", None)
        if own is not None and own.value:
            node = _layered(self.sandbox.node, own)
            node._assert_fully_composited()
            variables.expand(node)
            return read_sandbox(node)
        shared = self.sandbox.expanded(variables)
        settings = self._plain_sandbox.get(id(shared))
        if settings is None:
            settings = self._plain_sandbox[id(shared)] = read_sandbox(shared)
        return settings
