"""The service Capabilities: what clients may rely on."""

from .._protos.build.bazel.remote.execution.v2.remote_execution_pb2 import (
    Compressor,
    DigestFunction,
    GetCapabilitiesRequest,
    ServerCapabilities,
    SymlinkAbsolutePathStrategy,
)
from .calls import Call, Kind, Method
from .contents import BATCH_LIMIT_BYTES
from .names import Instances
from .settings import Right


class Capabilities:
    """Tells clients what the server can do."""

    def __init__(self, instances: Instances) -> None:
        self._instances = instances

    def methods(self) -> list[Method]:
        """What it serves."""
        return [
            Method(
                "build.bazel.remote.execution.v2.Capabilities",
                "GetCapabilities",
                Right.READ,
                Kind.UNARY,
                GetCapabilitiesRequest,
                ServerCapabilities,
                self.get,
            )
        ]

    def get(self, request: GetCapabilitiesRequest, call: Call) -> ServerCapabilities:
        """What the server can do, and whether this client may change results of actions."""
        self._instances.check(request.instance_name)
        capabilities = ServerCapabilities()
        cache = capabilities.cache_capabilities
        cache.digest_functions.append(DigestFunction.SHA256)
        cache.action_cache_update_capabilities.update_enabled = call.right.includes(Right.PUSH)
        cache.max_batch_total_size_bytes = BATCH_LIMIT_BYTES
        cache.symlink_absolute_path_strategy = SymlinkAbsolutePathStrategy.ALLOWED
        cache.supported_compressors.append(Compressor.ZSTD)
        cache.supported_batch_update_compressors.append(Compressor.ZSTD)
        capabilities.low_api_version.major = 2
        capabilities.high_api_version.major = 2
        capabilities.high_api_version.minor = 3
        return capabilities
