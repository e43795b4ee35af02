"""Descriptions of remote services: where a cache or an execution service is and how to talk to it.

The same blocks occur in the user configuration, in project.conf and, as a
shorter text form, on the command line.
"""

import os
from collections.abc import Callable
from dataclasses import field
from enum import Enum
from typing import TYPE_CHECKING

from ._dataclass import dataclass
from ._exceptions import LoadError
from .exceptions import LoadErrorReason

if TYPE_CHECKING:
    from .node import MappingNode, Node


class RemoteType(Enum):
    """What a cache server offers."""

    INDEX = "index"  # which content a name stands for
    STORAGE = "storage"  # the content
    ENDPOINT = "endpoint"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class RemoteAuth:
    """Files with credentials, as host paths; they are read when the remote is first used."""

    server_cert: str | None = None
    client_key: str | None = None
    client_cert: str | None = None
    access_token: str | None = None
    access_token_reload_interval_min: int | None = None  # minutes


@dataclass(frozen=True, slots=True)
class ConnectionConfig:
    """How patient to be with a remote; None leaves the choice to the client."""

    keepalive_time_s: int | None = None
    retry_limit: int | None = None
    retry_delay_ms: int | None = None
    request_timeout_s: int | None = None


@dataclass(frozen=True, slots=True)
class RemoteSpec:
    """One remote service.  Equal descriptions mean the same remote."""

    url: str
    instance_name: str | None = None
    type: RemoteType = RemoteType.ALL
    push: bool = False  # whether content may be uploaded
    auth: RemoteAuth = field(default_factory=RemoteAuth)
    connection: ConnectionConfig = field(default_factory=ConnectionConfig)
    # where it was read: "command line", or file, line and column
    loaded_from: str = field(default="command line", compare=False)


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """Remote caches of one kind, for one project or for all."""

    override_project_caches: bool = False  # do not add what projects recommend
    servers: tuple[RemoteSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class RemoteExecutionSettings:
    """Services that builds run on; at least one of the first two is there."""

    execution_service: RemoteSpec | None
    action_cache_service: RemoteSpec | None
    storage_service: RemoteSpec | None  # None: that of the cache section


PathExpansion = Callable[[str], str]


def cache_settings_from_node(node: "MappingNode", expand_path: PathExpansion) -> CacheSettings:
    """Reads a section `artifacts` or `source-caches`.

    Raises:
        LoadError: INVALID_DATA
    """
    node.validate_keys(["override-project-caches", "servers"])
    servers = node.get_sequence("servers", [])
    return CacheSettings(
        override_project_caches=node.get_bool("override-project-caches", False),
        servers=tuple(
            remote_spec_from_node(servers.mapping_at(index), expand_path) for index in range(len(servers))
        ),
    )


def remote_execution_from_node(
    node: "MappingNode", expand_path: PathExpansion, *, has_cache_storage: bool
) -> RemoteExecutionSettings:
    """Reads a section `remote-execution`; HAS_CACHE_STORAGE: the cache section names a storage service.

    Raises:
        LoadError: INVALID_DATA
    """
    node.validate_keys(["execution-service", "storage-service", "action-cache-service"])
    if "storage-service" not in node and not has_cache_storage:
        raise _invalid(
            node,
            "Remote execution requires 'storage-service' to be specified in the 'remote-execution' section "
            "if not already specified globally in the 'cache' section",
        )
    if "execution-service" not in node and "action-cache-service" not in node:
        raise _invalid(
            node,
            "At least one of `execution-service` or `action-cache-service` need to be specified "
            "in the 'remote-execution' section",
        )

    def service(key: str, *, allow_push: bool = False) -> RemoteSpec | None:
        block = node.get_mapping(key, None)
        if block is None:
            return None
        return remote_spec_from_node(block, expand_path, allow_type=False, allow_push=allow_push)

    return RemoteExecutionSettings(
        execution_service=service("execution-service"),
        action_cache_service=service("action-cache-service", allow_push=True),
        storage_service=service("storage-service"),
    )


def remote_spec_from_node(
    node: "MappingNode", expand_path: PathExpansion, *, allow_type: bool = True, allow_push: bool = True
) -> RemoteSpec:
    """Reads one service block; EXPAND_PATH makes host paths of the paths in it.

    Raises:
        LoadError: INVALID_DATA
    """
    valid_keys = ["url", "instance-name", "auth", "connection-config"]
    valid_keys += ["type"] if allow_type else []
    valid_keys += ["push"] if allow_push else []
    node.validate_keys(valid_keys)
    url = node.get_str("url")
    if not url:
        raise _invalid(node.get_node("url"), "empty artifact cache URL")
    return RemoteSpec(
        url=url,
        instance_name=node.get_str("instance-name", None),
        type=node.get_enum("type", RemoteType, RemoteType.ALL),
        push=node.get_bool("push", False),
        auth=_auth_from_node(node.get_mapping("auth", {}), expand_path),
        connection=_connection_from_node(node.get_mapping("connection-config", {})),
        loaded_from=str(node.get_provenance()),
    )


def relative_to(directory: str, home: str | None = None) -> PathExpansion:
    """Makes paths absolute from DIRECTORY; with HOME a leading `~` stands for it."""

    def expand(path: str) -> str:
        if home is not None and (path == "~" or path.startswith("~/")):
            path = home + path[1:]
        return os.path.join(directory, path)

    return expand


def _auth_from_node(node: "MappingNode", expand_path: PathExpansion) -> RemoteAuth:
    path_keys = ["server-cert", "client-key", "client-cert", "access-token"]
    node.validate_keys([*path_keys, "access-token-reload-interval"])
    for present, missing in (("client-key", "client-cert"), ("client-cert", "client-key")):
        if present in node and missing not in node:
            raise _invalid(node.get_node(present), f"'{present}' was specified without '{missing}'")
    paths = {key: expand_path(node.get_str(key)) for key in path_keys if key in node}
    return RemoteAuth(
        server_cert=paths.get("server-cert"),
        client_key=paths.get("client-key"),
        client_cert=paths.get("client-cert"),
        access_token=paths.get("access-token"),
        access_token_reload_interval_min=node.get_int("access-token-reload-interval", None),
    )


def _connection_from_node(node: "MappingNode") -> ConnectionConfig:
    return ConnectionConfig(
        keepalive_time_s=node.get_int("keepalive-time", None),
        retry_limit=node.get_int("retry-limit", None),
        retry_delay_ms=node.get_int("retry-delay", None),
        request_timeout_s=node.get_int("request-timeout", None),
    )


def _invalid(node: "Node", text: str) -> LoadError:
    return LoadError(f"{node.get_provenance()}: {text}", LoadErrorReason.INVALID_DATA)
