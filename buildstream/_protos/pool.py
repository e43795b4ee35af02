"""A descriptor pool of our own.

The default pool of a process has each message name once.  A plugin may load
another package that brings `google.rpc.Status` or the Remote Execution API
along; with one pool for both, whoever comes second fails to import.

The well-known types of this pool have classes of their own as well: fill a
`Timestamp` or `Duration` of a message in place, or from a dictionary, rather
than assigning one made by `timestamp_pb2`.
"""

from google.protobuf import any_pb2, duration_pb2, empty_pb2, timestamp_pb2, wrappers_pb2
from google.protobuf.descriptor_pool import DescriptorPool


def _pool_with_well_known_types() -> DescriptorPool:
    pool = DescriptorPool()
    for module in (any_pb2, duration_pb2, empty_pb2, timestamp_pb2, wrappers_pb2):
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    return pool


# Filled by the generated modules as they are imported, and by nothing else.
POOL = _pool_with_well_known_types()
