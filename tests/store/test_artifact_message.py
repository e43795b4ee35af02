"""Artifact messages that are read by hand: as the protocol buffer library reads them."""

import random

import pytest
from google.protobuf.message import DecodeError

from buildstream._act.artifactmessage import bytes_from_view, view_from_bytes
from buildstream._act.sourcemessage import files_of_message, message_of_files
from buildstream._model.digest import EMPTY_DIGEST, digest_from_bytes
from buildstream._plan.artifactview import ArtifactView
from buildstream._protos.buildstream.v2.artifact_pb2 import Artifact
from buildstream._protos.buildstream.v2.source_pb2 import Source


def test_every_field() -> None:
    view = view_from_bytes(random_message(random.Random(3), fill=1.0).SerializeToString())
    assert view is not None
    values = [getattr(view, name) for name in ArtifactView.__dataclass_fields__]
    assert all(values), "nothing is forgotten"


@pytest.mark.parametrize("seed", range(60))
def test_same_as_the_library(seed: int) -> None:
    chance = random.Random(seed)
    message = random_message(chance, fill=chance.random())
    data = message.SerializeToString()
    check(data)
    check(data + random_message(chance, fill=0.5).SerializeToString())  # merged


@pytest.mark.parametrize("seed", range(60))
def test_written_as_the_library_writes(seed: int) -> None:
    chance = random.Random(seed)
    message = random_message(chance, fill=chance.random())
    for name in ("public_data", "low_diversity_meta", "high_diversity_meta"):  # which an artifact has
        getattr(message, name).hash = f"{seed:064x}"
    view = view_from_bytes(message.SerializeToString())
    assert view is not None
    assert bytes_from_view(view) == message.SerializeToString(deterministic=True)


def test_messages_of_sources() -> None:
    digest = digest_from_bytes(b"x")
    message = Source()
    message.files.hash, message.files.size_bytes = digest.hash, digest.size
    data = message.SerializeToString(deterministic=True)
    assert message_of_files(digest) == data
    assert files_of_message(data) == digest
    message.files.hash, message.files.size_bytes = EMPTY_DIGEST.hash, 0
    assert message_of_files(EMPTY_DIGEST) == message.SerializeToString()
    for size in range(len(data)):
        assert files_of_message(data[:size]) is None
    assert files_of_message(bytes(50)) is None
    assert files_of_message(Source(version=1).SerializeToString()) is None


def test_message_cut_at_every_byte() -> None:
    data = random_message(random.Random(1), fill=1.0).SerializeToString()
    for size in range(len(data)):
        check(data[:size])
    check(data + bytes(100))  # as a loss of power may leave it
    assert view_from_bytes(bytes(100)) is None


def test_changed_bytes() -> None:
    chance = random.Random(2)
    data = random_message(chance, fill=0.9).SerializeToString()
    for _ in range(2000):
        damaged = bytearray(data)
        for _ in range(chance.randint(1, 3)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        view = view_from_bytes(bytes(damaged))
        expected = parsed(bytes(damaged))
        if view is None or expected is None:
            continue  # the library accepts what nobody writes, such as groups
        assert same(view, expected)


def check(data: bytes) -> None:
    """Compares what both make of DATA."""
    view, expected = view_from_bytes(data), parsed(data)
    if expected is None:
        assert view is None
    else:
        assert view is not None
        assert same(view, expected)


def parsed(data: bytes) -> Artifact | None:
    """What the library makes of DATA."""
    message = Artifact()
    try:
        message.ParseFromString(data)
    except DecodeError:
        return None
    return message


def same(view: ArtifactView, message: Artifact) -> bool:
    """Whether both say the same."""
    assert (view.is_success, view.error, view.error_detail) == (
        message.build_success,
        message.build_error,
        message.build_error_details,
    )
    assert (view.strong_key, view.strict_key, view.weak_key, view.was_workspaced) == (
        message.strong_key,
        message.strict_key,
        message.weak_key,
        message.was_workspaced,
    )
    for name in ("files", "buildtree", "sources", "buildroot"):
        digest = getattr(message, name)
        expected = (digest.hash, digest.size_bytes) if message.HasField(name) else None
        assert getattr(view, name) == expected
    for name in ("public_data", "low_diversity_meta", "high_diversity_meta"):
        digest = getattr(message, name)
        assert getattr(view, name) == (digest.hash, digest.size_bytes)
    assert [
        (each.project_name, each.element_name, each.key, each.was_workspaced)
        for each in view.build_dependencies
    ] == [
        (each.project_name, each.element_name, each.cache_key, each.was_workspaced)
        for each in message.build_deps
    ]
    assert list(view.logs) == [(log.name, (log.digest.hash, log.digest.size_bytes)) for log in message.logs]
    assert (view.build_sandbox is not None) == message.HasField("buildsandbox")
    if view.build_sandbox is not None:
        state = message.buildsandbox
        assert list(view.build_sandbox.environment) == [(each.name, each.value) for each in state.environment]
        assert view.build_sandbox.working_directory == state.working_directory
        assert list(view.build_sandbox.marked_directories) == list(state.marked_directories)
        assert list(view.build_sandbox.subsandboxes) == [
            (digest.hash, digest.size_bytes) for digest in state.subsandbox_digests
        ]
    return True


def random_message(chance: random.Random, *, fill: float) -> Artifact:
    """A message in which each field is set with the probability FILL."""
    message = Artifact(version=2)

    def text() -> str:
        return "".join(chance.choice("abcä€\U0001f600/-") for _ in range(chance.randint(1, 70)))

    def fill_digest(digest: object) -> None:
        digest.hash = f"{chance.getrandbits(256):064x}"  # type: ignore[attr-defined] # a message
        digest.size_bytes = chance.choice([0, 1, 200, 1 << 40])  # type: ignore[attr-defined] # as above

    for name in ("build_success", "was_workspaced"):
        setattr(message, name, chance.random() < fill)
    for name in ("build_error", "build_error_details", "strong_key", "strict_key", "weak_key"):
        if chance.random() < fill:
            setattr(message, name, text())
    for name in (
        "files",
        "buildtree",
        "sources",
        "buildroot",
        "public_data",
        "low_diversity_meta",
        "high_diversity_meta",
    ):
        if chance.random() < fill:
            fill_digest(getattr(message, name))
    for _ in range(3 if chance.random() < fill else 0):
        message.build_deps.add(
            project_name=text(), element_name=text(), cache_key=text(), was_workspaced=chance.random() < 0.5
        )
        fill_digest(message.logs.add(name=text()).digest)
    if chance.random() < fill:
        message.buildsandbox.working_directory = text()
        message.buildsandbox.environment.add(name=text(), value=text())
        message.buildsandbox.marked_directories.extend([text(), text()])
        fill_digest(message.buildsandbox.subsandbox_digests.add())
    return message
