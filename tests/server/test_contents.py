"""ContentAddressableStorage: batches, presence, trees."""

from grpc import StatusCode

from buildstream._model.digest import Digest, digest_from_bytes
from buildstream._model.tree import DirectoryEntry, TreeDirectory, encode_directory
from buildstream._protos.build.bazel.remote.execution.v2 import remote_execution_pb2 as reapi
from buildstream._zstd import compressed
from tests.server.conftest import Client, Servers, message, status_of

ZSTD = reapi.Compressor.ZSTD


def test_batches_give_each_blob_a_status(client: Client) -> None:
    good, bad = digest_from_bytes(b"good"), digest_from_bytes(b"bad")
    request = reapi.BatchUpdateBlobsRequest()
    request.requests.add(digest=message(good), data=b"good")
    request.requests.add(digest=message(bad), data=b"dab")
    request.requests.add(digest=reapi.Digest(hash="../../x", size_bytes=3), data=b"abc")
    codes = [answer.status.code for answer in client.contents.BatchUpdateBlobs(request).responses]
    assert codes == [0, StatusCode.INVALID_ARGUMENT.value[0], StatusCode.INVALID_ARGUMENT.value[0]]
    assert client.missing(good, bad) == {bad.hash}

    answers = client.contents.BatchReadBlobs(
        reapi.BatchReadBlobsRequest(digests=[message(good), message(bad)])
    ).responses
    assert [(answer.data, answer.status.code) for answer in answers] == [
        (b"good", 0),
        (b"", StatusCode.NOT_FOUND.value[0]),
    ]


def test_batches_are_compressed_when_asked_for(client: Client) -> None:
    content = b"again and again " * 1000
    digest = digest_from_bytes(content)
    request = reapi.BatchUpdateBlobsRequest()
    request.requests.add(digest=message(digest), data=compressed(content), compressor=ZSTD)
    assert client.contents.BatchUpdateBlobs(request).responses[0].status.code == 0
    read = reapi.BatchReadBlobsRequest(digests=[message(digest)], acceptable_compressors=[ZSTD])
    answer = client.contents.BatchReadBlobs(read).responses[0]
    assert answer.compressor == ZSTD
    assert len(answer.data) < 1000
    plain = client.contents.BatchReadBlobs(reapi.BatchReadBlobsRequest(digests=[message(digest)]))
    assert plain.responses[0].data == content


def test_a_batch_that_would_not_fit_into_an_answer_is_refused(client: Client) -> None:
    request = reapi.BatchReadBlobsRequest(digests=[reapi.Digest(hash="0" * 64, size_bytes=1 << 30)])
    assert status_of(lambda: client.contents.BatchReadBlobs(request))[0] is StatusCode.INVALID_ARGUMENT


def test_blobs_are_there_after_a_restart(servers: Servers) -> None:
    (digest,) = servers.start().upload(b"kept")
    servers.stop()
    client = servers.start()
    assert client.missing(digest) == set()
    assert client.read(digest) == b"kept"


def test_a_size_that_is_wrong_is_another_blob(client: Client) -> None:
    (digest,) = client.upload(b"five!")
    assert client.missing(Digest(digest.hash, 6)) == {digest.hash}
    assert client.missing(digest) == set()


def test_malformed_digests_and_other_functions_are_refused(client: Client) -> None:
    bad = reapi.FindMissingBlobsRequest(blob_digests=[reapi.Digest(hash="x" * 64)])
    assert status_of(lambda: client.contents.FindMissingBlobs(bad))[0] is StatusCode.INVALID_ARGUMENT
    other = reapi.FindMissingBlobsRequest(digest_function=reapi.DigestFunction.BLAKE3)
    assert status_of(lambda: client.contents.FindMissingBlobs(other))[0] is StatusCode.INVALID_ARGUMENT


def test_a_tree_is_given_page_by_page(client: Client) -> None:
    leaf = client.upload_tree({"file": b"content"})
    middle = client.upload_tree({"other": b"content"}, a=leaf, b=leaf)
    root = client.upload_tree({}, middle=middle, leaf=leaf)
    request = reapi.GetTreeRequest(root_digest=message(root), page_size=2)
    pages = list(client.contents.GetTree(request))
    assert [len(page.directories) for page in pages] == [2, 1]
    found = {digest_from_bytes(each.SerializeToString()) for page in pages for each in page.directories}
    assert found == {leaf, middle, root}
    request.page_token = pages[0].next_page_token
    assert [page.directories for page in client.contents.GetTree(request)] == [pages[1].directories]


def test_a_tree_that_lacks_a_directory_is_not_found(client: Client) -> None:
    absent = digest_from_bytes(b"never uploaded")
    (root,) = client.upload(encode_directory(TreeDirectory(directories=(DirectoryEntry("d", absent),))))
    request = reapi.GetTreeRequest(root_digest=message(root))
    assert status_of(lambda: list(client.contents.GetTree(request)))[0] is StatusCode.NOT_FOUND


def test_a_damaged_blob_is_missing_and_can_be_uploaded_again(servers: Servers, client: Client) -> None:
    (digest,) = client.upload(b"right")
    servers.objects(digest)[0].write_bytes(b"wrong")
    read = reapi.BatchReadBlobsRequest(digests=[message(digest)])
    assert client.contents.BatchReadBlobs(read).responses[0].status.code == StatusCode.NOT_FOUND.value[0]
    assert client.missing(digest) == {digest.hash}
    client.upload(b"right")
    assert client.read(digest) == b"right"


def test_capabilities_tell_what_clients_need(client: Client) -> None:
    cache = client.capabilities.GetCapabilities(reapi.GetCapabilitiesRequest()).cache_capabilities
    assert list(cache.digest_functions) == [reapi.DigestFunction.SHA256]
    assert 0 < cache.max_batch_total_size_bytes < 4 << 20
    assert list(cache.supported_compressors) == [ZSTD]
    assert cache.action_cache_update_capabilities.update_enabled
