"""One loaded project: project.conf in its passes (format section 4.2).

The pre-pass reads what may be neither included nor conditional.  The first
pass, made at once, knows local includes only and serves junctions and links.
The second pass is made when the first ordinary element is loaded.
"""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from .._dataclass import dataclass
from .._exceptions import LoadError
from .._remotespec import RemoteSpec, relative_to, remote_spec_from_node
from ..exceptions import LoadErrorReason
from ..node import MappingNode, Node, ScalarNode, _assert_symbol_name
from . import projectkeys
from .aliases import AliasTable
from .includes import Includes
from .options import OptionPool
from .pluginregistry import PluginType, register_origins
from .projectpath import check_project_path
from .refs import load_refs_file
from .settings import LoadSettings, ProjectOverride
from .variables import Variables
from .yaml import load_file

if TYPE_CHECKING:
    from .loader import Loader
    from .pluginregistry import PluginRegistry
    from .services import Services

DEFAULTS_PATH = os.path.join(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data", "projectconfig.yaml"
)


@dataclass(slots=True)
class PassResult:
    """What one pass over project.conf gives."""

    options: OptionPool
    variables: MappingNode  # composed base variables, automatic ones included
    resolved: Variables  # the same, for substitution
    aliases: AliasTable
    elements: MappingNode  # kind -> overrides
    sources: MappingNode  # kind -> overrides


@dataclass(slots=True)
class SecondPass:
    """The sections that only the second pass reads."""

    environment: MappingNode
    environment_nocache: list[str]
    sandbox: MappingNode
    split_rules: MappingNode
    artifact_caches: tuple[RemoteSpec, ...]  # recommended by the project
    source_caches: tuple[RemoteSpec, ...]
    shell: projectkeys.ShellSettings
    source_provenance_attributes: MappingNode


@dataclass(frozen=True, slots=True)
class JunctionLink:
    """How a subproject hangs below its parent."""

    full_name: str  # of the junction element, from the toplevel project
    local_name: str  # of the junction element in its own project
    parent: "Project"
    options: MappingNode | None
    parent_alias: Callable[[str], str | None]  # alias of the subproject -> alias of the parent
    overrides: Mapping[str, ScalarNode]  # element path in the subproject -> element path in the parent
    provenance: str  # of the junction element
    requested_by: str | None  # provenance of what needed the project first, None for the command line


class Project:
    """A project directory, loaded.

    The first pass waits for :meth:`make_first_pass`, since mirrors may be plugins
    of another project and then need the loader.

    Args:
        directory: Where project.conf lies.
        settings: What loading depends on besides files.
        registries: One plugin registry a plugin type, filled from `plugins`.
        services: The effects that mirror plugins may ask for.
        junction: How the project was reached, None for the toplevel project.

    Raises:
        LoadError: project.conf is missing or wrong.
    """

    def __init__(
        self,
        directory: str,
        settings: LoadSettings,
        registries: "dict[PluginType, PluginRegistry]",
        services: "Services",
        *,
        junction: JunctionLink | None = None,
    ) -> None:
        self.directory = os.path.realpath(directory)
        self.settings = settings
        self.registries = registries
        self.services = services
        self.junction = junction
        self.toplevel: Project = junction.parent.toplevel if junction else self
        self.loader: Loader | None = None  # set by the loader of this project
        self.refs_files: dict[str, MappingNode] = {}  # `projects` of project.refs and junction.refs
        self.redundant_refs: list[str] = []  # sources with an inline ref that project.refs overrides
        # projects above that declare this one a duplicate, or internal; known once everything is loaded
        self.duplicated_by: tuple[str, ...] = ()
        self.internal_to: tuple[str, ...] = ()
        # sections of the second pass; None until it is complete
        self.second: SecondPass | None = None
        self._second_pass: PassResult | None = None
        self._is_second_started = False

        self._defaults = load_file(DEFAULTS_PATH, "projectconfig.yaml", project=self)
        self.path = os.path.join(directory, "project.conf")
        self.conf = self._load_conf()
        self._pre_pass()
        self.first: PassResult

    # identity

    def display(self, shortname: str) -> str:
        """The name of a file of this project in messages."""
        return f"{self.junction.local_name}:{shortname}" if self.junction else shortname

    def full_name(self, element_name: str) -> str:
        """The name of an element of this project as seen from the toplevel project."""
        return f"{self.junction.full_name}:{element_name}" if self.junction else element_name

    @property
    def override(self) -> ProjectOverride:
        """What the user configuration says of projects of this name."""
        return self.settings.overrides.get(self.name) or ProjectOverride()

    # passes

    def _load_conf(self) -> MappingNode:
        try:
            conf = load_file(
                self.path, "project.conf", displayname=self.display("project.conf"), project=self
            )
        except LoadError as error:
            if error.reason != LoadErrorReason.MISSING_FILE:
                raise
            raise LoadError(str(error), LoadErrorReason.MISSING_PROJECT_CONF) from error
        self.settings.amend(conf)
        return conf

    def _compose_over_defaults(self, config: MappingNode) -> MappingNode:
        composed = self._defaults.clone()
        config._composite(composed)
        return composed

    def _pre_pass(self) -> None:
        config = self._compose_over_defaults(self.conf)
        projectkeys.check_min_version(self.conf)
        self.conf.validate_keys(projectkeys.TOP_LEVEL_KEYS)

        name_node = config.get_scalar("name")
        self.name: str = name_node.as_str()
        _assert_symbol_name(self.name, "project name", ref_node=name_node)

        element_path = config.get_scalar("element-path")
        relative = check_project_path(self.directory, element_path, check_is_file=False, check_is_dir=True)
        self.element_path = os.path.normpath(os.path.join(self.directory, relative))

        storage = config.get_scalar("ref-storage")
        if storage.as_str() not in ("inline", "project.refs"):
            raise LoadError(
                f"{storage.get_provenance()}: Invalid value '{storage.as_str()}' specified for ref storage",
                LoadErrorReason.INVALID_DATA,
                detail="The refs are kept 'inline' or in 'project.refs'.",
            )
        self.ref_storage: str = storage.as_str()
        fatal = config.get_str_list("fatal-warnings", [])
        defaults = config.get_mapping("defaults")
        defaults.validate_keys(["targets"])
        self.default_targets: list[str] = defaults.get_str_list("targets", [])
        self.junction_rules = projectkeys.read_junction_rules(config.get_mapping("junctions", {}))
        parent = self.junction.parent if self.junction else None
        self.disallows_subproject_uris: bool = self.junction_rules.disallow_subproject_uris or bool(
            parent and parent.disallows_subproject_uris
        )
        if parent and parent.disallows_subproject_uris and "unaliased-url" not in fatal:
            fatal.append("unaliased-url")
        # sorted; duplicates are kept, since they enter the cache keys
        self.fatal_warnings: list[str] = sorted(fatal)
        self.warnings: list[str] = []  # texts to be shown once loading is over

    def make_first_pass(self) -> None:
        """Makes the first pass; to be called once, when the project has its loader."""
        local = self.conf.clone()
        Includes(self).process(local, only_local=True, process_conditionals=False)
        config = self._compose_over_defaults(local)
        origins = config.get_sequence("plugins", [], allowed_types=[MappingNode])
        register_origins(self, origins, self.registries)
        self.first = self._load_pass(config, ignore_unknown_options=True)
        self.first.aliases.load_mirrors()
        self._load_refs("junction.refs", self.first)

    def complete(self) -> PassResult:
        """Makes the second pass, once; the parent project completes its own first."""
        if self._second_pass is None:
            if self.junction:
                self.junction.parent.complete()
            if self._is_second_started:
                # reached again through a junction's include: what the first pass knows has to do
                return self.first
            self._is_second_started = True
            full = self.conf.clone()
            Includes(self).process(full, only_local=False, process_conditionals=False)
            config = self._compose_over_defaults(full)
            replaces_attributes = "source-provenance-attributes" in full
            result = self._load_pass(config, ignore_unknown_options=False)
            config.validate_keys(projectkeys.TOP_LEVEL_KEYS)
            self._check_own_keys(config)
            self.second = self._read_second(config, full if replaces_attributes else None)
            self._second_pass = result
            result.aliases.load_mirrors()
            self._load_refs("project.refs", result)
        return self._second_pass

    def _load_refs(self, name: str, result: PassResult) -> None:
        if self.ref_storage == "project.refs":
            self.refs_files[name] = load_refs_file(self, name, result.options)

    def _check_own_keys(self, config: MappingNode) -> None:
        """Some keys must stand in project.conf itself."""
        for key in ("name", "element-path", "min-version", "plugins"):
            node = config.get_node(key, allow_none=True)
            if node is None or (key == "plugins" and not len(config.get_sequence("plugins"))):
                continue
            provenance = node.get_provenance()
            if provenance._shortname not in ("project.conf", "projectconfig.yaml"):
                raise LoadError(
                    f"{provenance}: Use of this key is only allowed in project.conf itself: {key}",
                    LoadErrorReason.INVALID_DATA,
                )

    def _load_pass(self, config: MappingNode, *, ignore_unknown_options: bool) -> PassResult:
        options = OptionPool(self.element_path)
        options.load(config.get_mapping("options", {}))
        if self.junction and self.junction.options is not None:
            options.load_yaml_values(self.junction.options)
        if self.override.options is not None:
            options.load_yaml_values(self.override.options)
        if self.junction is None:
            options.load_cli_values(list(self.settings.cli_options), ignore_unknown=ignore_unknown_options)
        options.resolve()
        options.process_node(config, restricted=projectkeys.UNCONDITIONAL_KEYS)

        elements = config.get_mapping("elements", {})
        sources = config.get_mapping("sources", {})
        config.safe_del("elements")
        config.safe_del("sources")
        config._assert_fully_composited()

        variables = config.get_mapping("variables", {})
        variables["project-name"] = self.name
        variables["max-jobs"] = str(self.settings.max_jobs)
        options.export_variables(variables)
        resolved = Variables(variables)
        aliases = AliasTable(self, config, variables)
        return PassResult(options, variables, resolved, aliases, elements, sources)

    def _read_second(self, config: MappingNode, own: MappingNode | None) -> SecondPass:
        if "fail-on-overlap" in config:
            self._apply_fail_on_overlap(config)
        attributes = config.get_mapping("source-provenance-attributes")
        if own is not None:
            attributes = own.get_mapping("source-provenance-attributes")
        split_rules = config.get_mapping("split-rules", {})
        for domain in split_rules.keys():
            split_rules.get_str_list(domain)
        return SecondPass(
            environment=config.get_mapping("environment", {}),
            environment_nocache=config.get_str_list("environment-nocache", []),
            sandbox=config.get_mapping("sandbox", {}),
            split_rules=split_rules,
            artifact_caches=self._read_caches(config, "artifacts"),
            source_caches=self._read_caches(config, "source-caches"),
            shell=projectkeys.read_shell(config.get_mapping("shell"), self.settings.host_environment),
            source_provenance_attributes=attributes,
        )

    def _read_caches(self, config: MappingNode, key: str) -> tuple[RemoteSpec, ...]:
        expand = relative_to(self.directory, self.settings.host_environment.get("HOME"))
        nodes = config.get_sequence(key, [], allowed_types=[MappingNode])
        return tuple(remote_spec_from_node(nodes.mapping_at(index), expand) for index in range(len(nodes)))

    def _apply_fail_on_overlap(self, config: MappingNode) -> None:
        node = config.get_node("fail-on-overlap")
        self.warnings.append(
            f"{node.get_provenance()}: Use of fail-on-overlap within project.conf is deprecated. "
            "Consider using fatal-warnings instead."
        )
        if config.get_bool("fail-on-overlap") and "overlaps" not in self.fatal_warnings:
            self.fatal_warnings = sorted([*self.fatal_warnings, "overlaps"])

    # what plugins and includes ask

    @property
    def source_provenance_attributes(self) -> MappingNode:
        """Which keys the `provenance` of a source may hold."""
        if self.second is None:
            return self._defaults.get_mapping("source-provenance-attributes")
        return self.second.source_provenance_attributes

    @property
    def options(self) -> OptionPool:
        """The options as far as they are known: of the second pass once it is complete."""
        return (self._second_pass or self.first).options

    def base_variables(self) -> Variables:
        """The project's own variables, for files that another project includes."""
        return self.complete().resolved

    @property
    def project(self) -> "Project":
        return self

    def junction_context(self, path: str, provenance_node: ScalarNode) -> "Project":
        """The project behind a junction path, its second pass complete."""
        assert self.loader is not None
        project = self.loader.get_loader(path, provenance_node).project
        project.complete()
        return project

    def plugin_project(self, path: str, provenance_node: Node) -> "Project":
        """The project behind a junction path, for plugins that it provides."""
        assert self.loader is not None
        return self.loader.get_loader(path, provenance_node).project

    def pass_for(self, *, is_first_pass: bool) -> PassResult:
        """The pass that serves junctions and links, or the one for everything else."""
        return self.first if is_first_pass else self.complete()
