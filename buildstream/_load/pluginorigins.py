"""The origins that project.conf may name for plugins: a directory, a Python package, another project."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from .._exceptions import LoadError, PluginError
from .._utils_nearmiss import did_you_mean
from ..exceptions import LoadErrorReason
from ..node import MappingNode, Node
from .pluginlocation import PluginLocation, PluginType
from .projectpath import check_project_path

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from importlib.metadata import Distribution, EntryPoint

    from .pluginregistry import PluginRegistry

_COMMON_KEYS = ["origin", "elements", "sources", "source-mirrors", "allow-deprecated"]


class _JunctionName(Protocol):
    @property
    def full_name(self) -> str: ...


class PluginProject(Protocol):
    """What origins ask of a project."""

    @property
    def directory(self) -> str:
        """Absolute, symbolic links resolved."""

    @property
    def junction(self) -> "_JunctionName | None":
        """The junction the project was reached by, None for the toplevel project."""

    @property
    def registries(self) -> "Mapping[PluginType, PluginRegistry]":
        """The kinds that the project declares."""

    def plugin_project(self, path: str, provenance_node: Node) -> "PluginProject":
        """The project behind the junction PATH, loaded so far that its plugins are declared."""


class PluginOrigin(Protocol):
    """Finds the plugins that one item of `plugins` declares."""

    def locate(self, plugin_type: PluginType, kind: str) -> PluginLocation:
        """Where the plugin of KIND is.

        Raises:
            PluginError: it can't be found; the text names the place of the declaration.
        """


def make_origin(project: PluginProject, node: MappingNode) -> PluginOrigin:
    """The origin that NODE, an item of `plugins` of PROJECT, declares.

    Raises:
        LoadError: the declaration is not valid.
    """
    name = node.get_scalar("origin")
    if name.as_str() == "local":
        node.validate_keys([*_COMMON_KEYS, "path"])
        path = check_project_path(
            project.directory, node.get_scalar("path"), check_is_file=False, check_is_dir=True
        )
        return LocalOrigin(project.directory, path)
    if name.as_str() == "pip":
        node.validate_keys([*_COMMON_KEYS, "package-name"])
        return PipOrigin(node)
    if name.as_str() == "junction":
        node.validate_keys([*_COMMON_KEYS, "junction"])
        return JunctionOrigin(project, node)
    raise LoadError(
        f"{name.get_provenance()}: Value of 'origin' should be one of 'local, pip, junction'",
        LoadErrorReason.INVALID_DATA,
        detail=did_you_mean(name.as_str(), ("local", "pip", "junction")),
    )


class LocalOrigin:
    """A directory of the project."""

    def __init__(self, project_directory: str, path: str) -> None:
        self._directory = os.path.join(project_directory, path)
        self._display = f"project directory: {path}"

    def locate(self, plugin_type: PluginType, kind: str) -> PluginLocation:
        defaults = os.path.join(self._directory, f"{kind}.yaml")
        return PluginLocation(self._directory, kind, _if_exists(defaults), self._display)


class PipOrigin:
    """An installed Python package that names its plugins by entry points.

    Args:
        declaration: The item of `plugins`; its `package-name` is a requirement as pip takes it,
            such as "buildstream-plugins>=2.0".
    """

    def __init__(self, declaration: MappingNode) -> None:
        self._declaration = declaration
        self._requirement = declaration.get_str("package-name")
        self._distribution: Distribution | None = None
        self._entry_points: dict[tuple[str, str], EntryPoint] = {}  # by group and name

    def locate(self, plugin_type: PluginType, kind: str) -> PluginLocation:
        distribution = self._find_distribution()
        entry_point = self._entry_points.get((f"buildstream.plugins.{plugin_type.folder}", kind))
        spec = _find_module(entry_point.module) if entry_point is not None else None
        if spec is None or spec.origin is None:
            raise PluginError(
                f"{self._declaration.get_provenance()}: Pip package {self._requirement} "
                f"does not contain a {plugin_type.label} plugin named '{kind}'",
                reason="plugin-not-found",
            )
        directory, file_name = os.path.split(os.path.abspath(spec.origin))
        module_name = os.path.splitext(file_name)[0]
        defaults = _if_exists(os.path.join(directory, f"{module_name}.yaml"))
        if os.path.exists(os.path.join(directory, f"{kind}.py")):
            module_name = kind
        display = (
            f"python package '{distribution.metadata['Name']}' version {distribution.version} at: {directory}"
        )
        return PluginLocation(directory, module_name, defaults, display)

    def _find_distribution(self) -> "Distribution":
        """The installed package, once its version is known to be the one that is wanted."""
        if self._distribution is not None:
            return self._distribution
        from importlib.metadata import PackageNotFoundError, distribution

        from packaging.requirements import InvalidRequirement, Requirement

        provenance = self._declaration.get_provenance()
        try:
            requirement = Requirement(self._requirement)
        except InvalidRequirement as error:
            raise PluginError(
                f"{provenance}: Malformed package-name '{self._requirement}' encountered: {error}",
                reason="package-malformed-requirement",
            ) from error
        try:
            found = distribution(requirement.name)
        except PackageNotFoundError as error:
            raise PluginError(
                f"{provenance}: Failed to load plugins from package '{self._requirement}': "
                "the package is not installed",
                reason="package-not-found",
            ) from error
        if not requirement.specifier.contains(found.version, prereleases=True):
            raise PluginError(
                f"{provenance}: Version conflict encountered while loading plugins "
                f"from package '{requirement.name}'",
                detail=f"{found.metadata['Name']} {found.version} is installed but {requirement} is required",
                reason="package-version-conflict",
            )
        self._entry_points = {(point.group, point.name): point for point in found.entry_points}
        self._distribution = found
        return found


class JunctionOrigin:
    """Another project: the kinds that it declares itself.

    Args:
        project: The project with the declaration.
        declaration: The item of `plugins`; its `junction` leads to the other project.
    """

    def __init__(self, project: PluginProject, declaration: MappingNode) -> None:
        self._project = project
        self._declaration = declaration
        self._path = declaration.get_str("junction")

    def locate(self, plugin_type: PluginType, kind: str) -> PluginLocation:
        other = self._project.plugin_project(self._path, self._declaration)
        try:
            location = other.registries[plugin_type].locate_declared(kind)
        except PluginError as error:
            raise PluginError(
                f"{self._declaration.get_provenance()}: Error loading {plugin_type.label} plugin '{kind}' "
                f"from the project behind junction '{self._path}': {error}",
                reason="junction-plugin-load-error",
                detail=error.detail,
            ) from error
        if location is None:
            raise PluginError(
                f"{self._declaration.get_provenance()}: The project behind junction '{self._path}' "
                f"does not declare a {plugin_type.label} plugin of kind '{kind}'",
                reason="junction-plugin-not-found",
            )
        name = other.junction.full_name if other.junction is not None else "toplevel project"
        display = f"junction: {name} ({location.display})"
        return PluginLocation(location.directory, location.module_name, location.defaults_path, display)


def _if_exists(path: str) -> str | None:
    return path if os.path.exists(path) else None


def _find_module(name: str) -> "ModuleSpec | None":
    """The module NAME, not imported (only its packages are), None if there is none."""
    from importlib.util import find_spec

    try:
        return find_spec(name)
    except (ImportError, ValueError):
        return None
