"""The `sandbox` section of an element, validated (format section 6.7)."""

import os

from .._dataclass import dataclass
from .._exceptions import LoadError
from .._model.platform import canonical_arch, host_arch, host_os
from ..exceptions import LoadErrorReason
from ..node import MappingNode


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """What an element asks of the sandbox that its commands run in."""

    build_os: str
    build_arch: str
    build_uid: int | None = None
    build_gid: int | None = None
    remote_apis_socket_path: str | None = None
    remote_apis_action_cache_update: bool = False

    def key_value(self) -> dict[str, object]:
        """What enters the cache key."""
        value: dict[str, object] = {"build-os": self.build_os, "build-arch": self.build_arch}
        if self.build_uid is not None:
            value["build-uid"] = self.build_uid
        if self.build_gid is not None:
            value["build-gid"] = self.build_gid
        if self.remote_apis_socket_path is not None:
            socket: dict[str, object] = {"path": self.remote_apis_socket_path}
            if self.remote_apis_action_cache_update:
                socket["action-cache-enable-update"] = True
            value["remote-apis-socket"] = socket
        return value


def read_sandbox(node: MappingNode) -> SandboxSettings:
    """Validates NODE, whose variables have been expanded.

    Raises:
        LoadError: An unknown key or a value of the wrong type.
        PlatformError: An unknown architecture.
    """
    node.validate_keys(["build-uid", "build-gid", "build-os", "build-arch", "remote-apis-socket"])
    build_os = node.get_str("build-os", None)
    build_arch = node.get_str("build-arch", None)
    socket = node.get_mapping("remote-apis-socket", None)
    socket_path, updates = None, False
    if socket is not None:
        socket.validate_keys(["path", "action-cache-enable-update"])
        socket_path = socket.get_str("path")
        updates = socket.get_bool("action-cache-enable-update", False)
    return SandboxSettings(
        build_os=host_os(os.uname()) if build_os is None else build_os.lower(),
        build_arch=host_arch(os.uname()) if build_arch is None else canonical_arch(build_arch),
        build_uid=_read_id(node, "build-uid"),
        build_gid=_read_id(node, "build-gid"),
        remote_apis_socket_path=socket_path,
        remote_apis_action_cache_update=updates,
    )


def _read_id(node: MappingNode, key: str) -> int | None:
    """The number of a user or a group at KEY, None if it is not given."""
    number = node.get_int(key, None)
    if number is not None and not -(2**31) <= number < 2**31:
        raise LoadError(
            f"{node.get_scalar(key).get_provenance()}: Value of '{key}' is out of range: {number}",
            LoadErrorReason.INVALID_DATA,
        )
    return number
