"""Remote Asset and ActionCache: names are given out while all that belongs to them is there."""

from collections.abc import Callable
from typing import Any

import pytest
from grpc import StatusCode

from buildstream._model.digest import Digest, digest_from_bytes
from buildstream._model.tree import decode_directory
from buildstream._protos.build.bazel.remote.asset.v1 import remote_asset_pb2 as asset
from buildstream._protos.build.bazel.remote.execution.v2 import remote_execution_pb2 as reapi
from buildstream._protos.buildstream.v2.artifact_pb2 import Artifact
from tests.server.conftest import Client, Servers, message, status_of

ARTIFACT_URI = "urn:fdc:buildstream.build:2020:artifact:project/element/key"


def push(client: Client, digest: Digest, *uris: str, **fields: Any) -> None:
    client.push.PushBlob(asset.PushBlobRequest(uris=uris, blob_digest=message(digest), **fields))


def fetched(client: Client, *uris: str, **fields: Any) -> tuple[str, str] | None:
    """URI and hash that the server gives for the first known of URIS; None if there is none."""
    request = asset.FetchBlobRequest(uris=uris, **fields)
    try:
        answer = client.fetch.FetchBlob(request)
    except Exception:  # noqa: BLE001 - the status is looked at next
        assert status_of(lambda: client.fetch.FetchBlob(request))[0] is StatusCode.NOT_FOUND
        return None
    return answer.uri, answer.blob_digest.hash


def test_the_first_known_uri_counts(client: Client) -> None:
    one, two = client.upload(b"one", b"two")
    push(client, one, "urn:a", "urn:b")
    push(client, two, "urn:c")
    assert fetched(client, "urn:?", "urn:c", "urn:a") == ("urn:c", two.hash)
    assert fetched(client, "urn:b") == ("urn:b", one.hash)
    assert fetched(client, "urn:?") is None
    push(client, two, "urn:a")
    assert fetched(client, "urn:a") == ("urn:a", two.hash)


def test_names_are_there_after_a_restart(servers: Servers) -> None:
    client = servers.start()
    push(client, client.upload(b"kept")[0], "urn:a")
    servers.stop()
    assert fetched(servers.start(), "urn:a") == ("urn:a", digest_from_bytes(b"kept").hash)


def test_blobs_and_directories_are_two_worlds(client: Client) -> None:
    tree = client.upload_tree({"file": b"content"})
    client.push.PushDirectory(asset.PushDirectoryRequest(uris=["urn:d"], root_directory_digest=message(tree)))
    answer = client.fetch.FetchDirectory(asset.FetchDirectoryRequest(uris=["urn:d"]))
    assert answer.root_directory_digest.hash == tree.hash
    assert fetched(client, "urn:d") is None


def test_qualifiers_are_part_of_a_name_in_any_order(client: Client) -> None:
    (digest,) = client.upload(b"x")
    first, second = asset.Qualifier(name="a", value="1"), asset.Qualifier(name="b", value="2")
    push(client, digest, "urn:a", qualifiers=[first, second])
    assert fetched(client, "urn:a") is None
    assert fetched(client, "urn:a", qualifiers=[first]) is None
    assert fetched(client, "urn:a", qualifiers=[second, first]) == ("urn:a", digest.hash)


def test_instances_do_not_share_names(servers: Servers) -> None:
    client = servers.start(instances=("one", "two/deep"))
    request = reapi.BatchUpdateBlobsRequest(instance_name="one")
    digest = digest_from_bytes(b"x")
    request.requests.add(digest=message(digest), data=b"x")
    client.contents.BatchUpdateBlobs(request)
    push(client, digest, "urn:a", instance_name="one")
    assert fetched(client, "urn:a", instance_name="one") == ("urn:a", digest.hash)
    assert fetched(client, "urn:a", instance_name="two/deep") is None
    assert fetched(client, "urn:a", instance_name="") is None


def test_what_has_expired_is_not_given_out(servers: Servers, client: Client) -> None:
    (digest,) = client.upload(b"x")
    expiring = asset.PushBlobRequest(uris=["urn:a"], blob_digest=message(digest))
    expiring.expire_at.seconds = servers.clock.now_ns // 10**9 + 100
    client.push.PushBlob(expiring)
    answer = client.fetch.FetchBlob(asset.FetchBlobRequest(uris=["urn:a"]))
    assert answer.expires_at == expiring.expire_at
    servers.clock.forward(101)
    assert fetched(client, "urn:a") is None
    assert status_of(lambda: client.push.PushBlob(expiring))[0] is StatusCode.INVALID_ARGUMENT


def test_too_old_content_is_not_given_out(servers: Servers, client: Client) -> None:
    (digest,) = client.upload(b"x")
    push(client, digest, "urn:a")
    request = asset.FetchBlobRequest(uris=["urn:a"])
    request.oldest_content_accepted.seconds = servers.clock.now_ns // 10**9 + 1
    assert status_of(lambda: client.fetch.FetchBlob(request))[0] is StatusCode.NOT_FOUND


def test_a_push_of_what_was_not_uploaded_is_refused(client: Client) -> None:
    absent = digest_from_bytes(b"absent")
    (digest,) = client.upload(b"x")
    assert status_of(lambda: push(client, absent, "urn:a"))[0] is StatusCode.FAILED_PRECONDITION
    with_blobs = {"references_blobs": [message(absent)]}
    assert status_of(lambda: push(client, digest, "urn:a", **with_blobs))[0] is StatusCode.FAILED_PRECONDITION
    no_tree = asset.PushDirectoryRequest(uris=["urn:a"], root_directory_digest=message(digest))
    assert status_of(lambda: client.push.PushDirectory(no_tree))[0] is StatusCode.FAILED_PRECONDITION
    assert fetched(client, "urn:a") is None


@pytest.mark.parametrize("deep", [False, True])
def test_an_asset_that_lost_something_is_not_given_out(servers: Servers, client: Client, deep: bool) -> None:
    leaf = client.upload_tree({"file": b"content"})
    tree = client.upload_tree({}, leaf=leaf)
    (digest,) = client.upload(b"about the tree")
    push(client, digest, "urn:a", references_directories=[message(tree)])
    assert fetched(client, "urn:a") is not None
    lost = digest_from_bytes(b"content") if deep else tree
    servers.objects(lost)[0].unlink()
    assert fetched(client, "urn:a") is None
    client.upload_tree({"file": b"content"})
    client.upload_tree({}, leaf=leaf)
    assert fetched(client, "urn:a") == ("urn:a", digest.hash)


def test_an_artifact_may_lack_its_build_tree_but_not_its_files(client: Client) -> None:
    files = client.upload_tree({"file": b"content"})
    absent = digest_from_bytes(b"a build tree that is not there")
    artifact = Artifact(version=2)
    artifact.files.hash, artifact.files.size_bytes = files
    artifact.buildtree.hash, artifact.buildtree.size_bytes = absent
    (digest,) = client.upload(artifact.SerializeToString())
    references = {"references_directories": [message(files), message(absent)]}
    push(client, digest, ARTIFACT_URI, **references)
    assert fetched(client, ARTIFACT_URI) == (ARTIFACT_URI, digest.hash)

    artifact.files.hash, artifact.files.size_bytes = absent
    (digest,) = client.upload(artifact.SerializeToString())
    code, text = status_of(lambda: push(client, digest, ARTIFACT_URI, **references))
    assert code is StatusCode.FAILED_PRECONDITION
    assert absent.hash in text


def test_requests_without_uris_are_answered_as_clients_expect(client: Client) -> None:
    calls: list[Callable[[], object]] = [
        lambda: client.fetch.FetchBlob(asset.FetchBlobRequest()),
        lambda: client.fetch.FetchDirectory(asset.FetchDirectoryRequest()),
        lambda: client.push.PushBlob(asset.PushBlobRequest()),
        lambda: client.push.PushDirectory(asset.PushDirectoryRequest()),
    ]
    assert [status_of(call)[0] for call in calls] == [StatusCode.INVALID_ARGUMENT] * 4


def test_results_of_actions_are_kept_while_their_outputs_are(servers: Servers, client: Client) -> None:
    tree = client.upload_tree({"file": b"content"})
    stdout, file = client.upload(b"said", b"made")
    action = digest_from_bytes(b"an action")
    result = reapi.ActionResult(exit_code=1, stdout_digest=message(stdout))
    result.output_files.add(path="made", digest=message(file))
    as_tree = reapi.Tree(root=reapi.Directory.FromString(client.read(tree)))
    (tree_message,) = client.upload(as_tree.SerializeToString())
    result.output_directories.add(path="dir", tree_digest=message(tree_message))
    update = reapi.UpdateActionResultRequest(action_digest=message(action), action_result=result)
    get = reapi.GetActionResultRequest(action_digest=message(action))
    assert status_of(lambda: client.actions.GetActionResult(get))[0] is StatusCode.NOT_FOUND
    client.actions.UpdateActionResult(update)
    assert client.actions.GetActionResult(get) == result
    get.inline_stdout = True
    assert client.actions.GetActionResult(get).stdout_raw == b"said"

    lost = decode_directory(client.read(tree)).files[0].digest
    servers.objects(lost)[0].unlink()
    assert status_of(lambda: client.actions.GetActionResult(get))[0] is StatusCode.NOT_FOUND
    assert status_of(lambda: client.actions.UpdateActionResult(update))[0] is StatusCode.FAILED_PRECONDITION


def test_an_index_keeps_names_of_contents_that_are_elsewhere(servers: Servers) -> None:
    client = servers.start(index_only=True)
    elsewhere = digest_from_bytes(b"elsewhere")
    push(client, elsewhere, ARTIFACT_URI, references_directories=[message(elsewhere)])
    assert fetched(client, ARTIFACT_URI) == (ARTIFACT_URI, elsewhere.hash)
    assert status_of(lambda: client.missing(elsewhere))[0] is StatusCode.UNIMPLEMENTED
