"""The generated messages: field numbers, and living beside other packages that bring the same names."""

import subprocess
import sys

from buildstream._model.digest import digest_from_bytes

# An artifact message, all of whose bytes are known.
_STRONG = "643b69b4ef71fae7fadc155c0fb561e49c24a61877dde9ca7013b2171ea5cd44"
_WEAK = "5df60cb63726b988031c434230f31cd4a3b2c1108af1c43eff7236478e9946e2"


def test_artifact_message_has_the_known_bytes() -> None:
    from buildstream._protos.buildstream.v2.artifact_pb2 import Artifact

    artifact = Artifact(
        version=2,
        build_success=True,
        build_error="succeeded",
        strong_key=_STRONG,
        strict_key=_STRONG,
        weak_key=_WEAK,
    )
    for field, hash_text, size in (
        (artifact.files, "b4c34bf59b024b63b40cdcfbf3b180dcdbd8f742b9dda2bcab10183bda32e3d4", 231),
        (artifact.public_data, "6a3919181b0d8ff1d45139559a8fa1593bd190154bd3caf758c0d36ee2fbde6f", 50),
        (
            artifact.low_diversity_meta,
            "026a8b99a3bc242e6d247ebc9a677c1b8323f2dd1733f613e071adfeece8087f",
            108,
        ),
        (
            artifact.high_diversity_meta,
            "737001029bc1f49281760032400323f9b121530a98f3fc76d451a951c472059b",
            86,
        ),
    ):
        field.hash = hash_text
        field.size_bytes = size
    log = artifact.logs.add(name="x.log")
    log.digest.hash = "7f2d92e125c51cc287bbde0166043656bbbfbda2285750e950d8498652393cf5"
    log.digest.size_bytes = 9

    digest = digest_from_bytes(artifact.SerializeToString())

    assert str(digest) == "e4be8852c46c2537ec5a71cf3dda8edf3b75af8dd7515bc95353bffb395f14a6/574"


def test_source_message_of_the_empty_directory_has_the_known_digest() -> None:
    from buildstream._model.digest import EMPTY_DIGEST
    from buildstream._protos.buildstream.v2.source_pb2 import Source

    source = Source()
    source.files.hash = EMPTY_DIGEST.hash

    digest = digest_from_bytes(source.SerializeToString())

    assert str(digest) == "b5399431f9e930694ed815011cdf68cbd38c1ec04aaaa33b23a75be9bc2f62c2/68"


_SAME_NAMES_IN_THE_DEFAULT_POOL = """
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto
file = FileDescriptorProto(name="google/rpc/status.proto", package="google.rpc")
file.message_type.add(name="Status")
descriptor_pool.Default().Add(file) if hasattr(descriptor_pool.Default(), "Add") else (
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString()))
from buildstream._protos.build.bazel.remote.asset.v1 import remote_asset_pb2, remote_asset_pb2_grpc
from buildstream._protos.build.bazel.remote.execution.v2 import remote_execution_pb2
from buildstream._protos.build.bazel.remote.execution.v2 import remote_execution_pb2_grpc
from buildstream._protos.google.bytestream import bytestream_pb2_grpc
from buildstream._protos.google.longrunning.operations_pb2 import Operation
from buildstream._protos.google.rpc.status_pb2 import Status

operation = Operation(name="n", done=True)
operation.response.Pack(remote_execution_pb2.ExecuteResponse(message="hello", status=Status(code=5)))
operation = Operation.FromString(operation.SerializeToString())
assert operation.response.type_url == "type.googleapis.com/build.bazel.remote.execution.v2.ExecuteResponse"
response = remote_execution_pb2.ExecuteResponse()
assert operation.response.Unpack(response) and response.status.code == 5
request = remote_asset_pb2.FetchBlobRequest(timeout={"seconds": 3})
assert request.timeout.ToSeconds() == 3
"""


def test_another_package_may_have_registered_the_same_names() -> None:
    # The default pool of the process knows google.rpc.Status already; ours must not care.
    subprocess.run([sys.executable, "-W", "error", "-c", _SAME_NAMES_IN_THE_DEFAULT_POOL], check=True)
