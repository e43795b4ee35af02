"""Reading single sections of project.conf into typed values."""

import os
import re
from collections.abc import Mapping

from .._dataclass import dataclass
from .._exceptions import LoadError
from ..exceptions import LoadErrorReason
from ..node import MappingNode, ScalarNode, SequenceNode

# the newest project format this program reads
FORMAT_VERSION = (2, 8)

TOP_LEVEL_KEYS = [
    "min-version",
    "element-path",
    "variables",
    "environment",
    "environment-nocache",
    "split-rules",
    "elements",
    "plugins",
    "aliases",
    "name",
    "defaults",
    "artifacts",
    "options",
    "fail-on-overlap",
    "shell",
    "fatal-warnings",
    "ref-storage",
    "sandbox",
    "mirrors",
    "sources",
    "source-caches",
    "junctions",
    "source-provenance-attributes",
    "(@)",
    "(?)",
]

# keys that a conditional at the root of project.conf may not set, taken or not
UNCONDITIONAL_KEYS = [
    "min-version",
    "name",
    "element-path",
    "junctions",
    "defaults",
    "fatal-warnings",
    "ref-storage",
    "options",
    "plugins",
]


def check_min_version(config: MappingNode) -> None:
    """Checks `min-version` against the format this program reads (format 2.3)."""
    if "min-version" not in config:
        raise LoadError(
            f"{config.get_provenance()}: Dictionary did not contain expected key 'min-version'",
            LoadErrorReason.INVALID_DATA,
            detail="If this is a BuildStream 1 project, it has to be ported to BuildStream 2 first.",
        )
    node = config.get_scalar("min-version")
    text = node.as_str()
    try:
        major, minor = (int(part) for part in text.split(".", 2)[:2])
    except ValueError as error:
        raise LoadError(
            f"{node.get_provenance()}: Malformed version string: {text}",
            LoadErrorReason.INVALID_DATA,
            detail="The minimum version must be given as MAJOR.MINOR, for example 2.0.",
        ) from error
    if major != FORMAT_VERSION[0] or minor > FORMAT_VERSION[1]:
        running = "{}.{}".format(*FORMAT_VERSION)
        raise LoadError(
            f"{node.get_provenance()}: The project requires BuildStream {major}.{minor}, this is {running}",
            LoadErrorReason.UNSUPPORTED_PROJECT,
            detail="Upgrade BuildStream to at least the version that the project asks for."
            if major >= FORMAT_VERSION[0]
            else "Port the project to BuildStream 2 first.",
        )


@dataclass(frozen=True, slots=True)
class HostFile:
    """A file or directory of the host that shells of the project see."""

    path: str  # in the sandbox
    host_path: str
    is_optional: bool


@dataclass(frozen=True, slots=True)
class ShellSettings:
    """The `shell` section of project.conf."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    host_files: tuple[HostFile, ...]


def read_shell(node: MappingNode, host_environment: Mapping[str, str]) -> ShellSettings:
    """Parses the `shell` section (format 2.12)."""
    node.validate_keys(["command", "environment", "host-files"])
    environment = {}
    environment_node = node.get_mapping("environment", {})
    for name in environment_node.keys():
        environment[name] = expand_host_variables(environment_node.get_str(name), host_environment)
    host_files = []
    for item in node.get_sequence("host-files", []):
        if isinstance(item, ScalarNode):
            path = expand_host_variables(item.as_str(), host_environment)
            host_files.append(HostFile(path, path, False))
        elif isinstance(item, MappingNode):
            item.validate_keys(["path", "host_path", "optional"])
            path = expand_host_variables(item.get_str("path"), host_environment)
            host_path = item.get_str("host_path", None)
            host_files.append(
                HostFile(
                    path,
                    path if host_path is None else expand_host_variables(host_path, host_environment),
                    item.get_bool("optional", False),
                )
            )
        else:
            raise LoadError(
                f"{item.get_provenance()}: A host file is given as a path or as a dictionary",
                LoadErrorReason.INVALID_DATA,
            )
    return ShellSettings(tuple(node.get_str_list("command")), environment, tuple(host_files))


_HOST_VARIABLE = re.compile(r"\$(\w+|\{[^}]*\})", re.ASCII)


def expand_host_variables(text: str, environment: Mapping[str, str]) -> str:
    """TEXT with $NAME and ${NAME} replaced; unknown names stay as they are (as os.path.expandvars)."""

    def value(match: re.Match[str]) -> str:
        return environment.get(match.group(1).strip("{}"), match.group(0))

    return _HOST_VARIABLE.sub(value, text)


@dataclass(frozen=True, slots=True)
class JunctionRules:
    """The `junctions` section of project.conf."""

    duplicates: MappingNode  # project name -> junction paths; looked at once such a project is loaded
    internal: SequenceNode  # junction paths
    disallow_subproject_uris: bool


def read_junction_rules(node: MappingNode) -> JunctionRules:
    """Parses the `junctions` section (format 2.11)."""
    node.validate_keys(["duplicates", "internal", "disallow-subproject-uris"])
    node.get_str_list("internal", [])
    return JunctionRules(
        node.get_mapping("duplicates", {}),
        node.get_sequence("internal", []),
        node.get_bool("disallow-subproject-uris", False),
    )


def find_project_conf(start: str) -> tuple[str | None, str | None]:
    """Walks up from START to a project: (directory, default element), (None, None) if there is none.

    project.conf wins over the .bstproject.yaml that a workspace holds.
    """
    directory = os.path.abspath(start)
    while True:
        if os.path.isfile(os.path.join(directory, "project.conf")):
            return directory, None
        workspace_file = os.path.join(directory, ".bstproject.yaml")
        if os.path.isfile(workspace_file):
            from .workspaceproject import read_owners

            owner = read_owners(workspace_file)[0]
            return owner.project_directory, owner.element_name
        parent = os.path.dirname(directory)
        if parent == directory:
            return None, None
        directory = parent
