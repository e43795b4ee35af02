"""The canonical bytes of directories."""

import random

import pytest

from buildstream._model.digest import EMPTY_DIGEST, Digest, digest_from_bytes
from buildstream._model.directorybytes import TreeDecodeError
from buildstream._model.tree import (
    DirectoryEntry,
    FileEntry,
    SymlinkEntry,
    TreeDirectory,
    decode_directory,
    encode_directory,
)
from buildstream._protos.build.bazel.remote.execution.v2.remote_execution_pb2 import Directory

X = digest_from_bytes(b"x")


def digest_of(directory: TreeDirectory) -> str:
    return str(digest_from_bytes(encode_directory(directory)))


@pytest.mark.parametrize(
    ("directory", "expected"),
    [
        (TreeDirectory(), str(EMPTY_DIGEST)),
        (
            TreeDirectory(subtree_read_only=False),
            "26c02bd88d2bb6ee949cd70dcbcf4a2a3a44c07ddee41d3b06b5ba2afd301aa0/28",
        ),
        (
            TreeDirectory(subtree_read_only=True),
            "e6c4448e14230ebfbd2980f112a1c1120c971c6c1dfa7b6ad8db02f1d5429dad/27",
        ),
        (
            TreeDirectory(files=(FileEntry("a", X, True, 1425445567_123456_000),)),
            "0af554001a3d59574fa713734bcf69baec3cce08be51f55ae8f7a4f637384ad8/92",
        ),
    ],
)
def test_encodes_the_reference_directories(directory: TreeDirectory, expected: str) -> None:
    assert digest_of(directory) == expected
    assert decode_directory(encode_directory(directory)) == directory


def test_encodes_the_bytes_of_the_reference() -> None:
    assert encode_directory(TreeDirectory(subtree_read_only=True)).hex() == (
        "2a190a170a0f53756274726565526561644f6e6c79120474727565"
    )


def test_an_empty_subdirectory_has_no_size() -> None:
    encoded = encode_directory(TreeDirectory(directories=(DirectoryEntry("empty", EMPTY_DIGEST),)))
    assert encoded.endswith(b"\x0a\x40" + EMPTY_DIGEST.hash.encode())


def random_directory(seed: int) -> TreeDirectory:
    source = random.Random(seed)
    names = ["a", "b" * 130, "é", "\U0001f600", "z" * 255, " ", "\n", *(f"n{i}" for i in range(20))]
    source.shuffle(names)

    def digest() -> Digest:
        return Digest(source.randbytes(32).hex(), source.choice((0, 1, 127, 128, 20_000, 1 << 40)))

    def mtime() -> int | None:
        return source.choice((None, None, 0, -1, -5_000_000_000, 1_500_000_000_000_000_000, 1_000))

    return TreeDirectory(
        tuple(FileEntry(name, digest(), source.random() < 0.5, mtime()) for name in names[:9]),
        tuple(DirectoryEntry(name, digest()) for name in names[9:18]),
        tuple(SymlinkEntry(name, source.choice(("", "/", "é" * 200))) for name in names[18:]),
        source.choice((None, True, False)),
        mtime(),
    )


def in_order(directory: TreeDirectory) -> TreeDirectory:
    return directory._replace(
        files=tuple(sorted(directory.files)),
        directories=tuple(sorted(directory.directories)),
        symlinks=tuple(sorted(directory.symlinks)),
    )


@pytest.mark.parametrize("seed", range(50))
def test_the_protocol_buffer_library_agrees(seed: int) -> None:
    directory = random_directory(seed)
    encoded = encode_directory(directory)

    message = Directory.FromString(encoded)

    assert message.SerializeToString(deterministic=True) == encoded
    assert [node.name for node in message.files] == sorted(entry.name for entry in directory.files)
    assert decode_directory(encoded) == in_order(directory)


def test_unknown_fields_and_any_field_order_are_read() -> None:
    # An integer, a string, a 32 and a 64 bit value that we do not know, between reversed fields.
    name, target = b"\x0a\x01n", b"\x12\x01t"
    unknown = b"\x38\x05" + b"\x42\x01?" + b"\x4d" + bytes(4) + b"\x51" + bytes(8)
    symlink = target + unknown + name
    file = b"\x20\x01" + b"\x12\x44" + b"\x10\x01\x0a\x40" + X.hash.encode() + unknown + b"\x0a\x01f"
    data = unknown
    for tag, node in ((b"\x1a", symlink), (b"\x0a", file)):
        data += tag + bytes([len(node)]) + node

    assert decode_directory(data) == TreeDirectory(
        files=(FileEntry("f", X, True),), symlinks=(SymlinkEntry("n", "t"),)
    )


def message(name: str = "n", hash_text: str = X.hash) -> bytes:
    result = Directory()
    result.files.add(name=name).digest.hash = hash_text
    return result.SerializeToString()


@pytest.mark.parametrize(
    "data",
    [
        message(name=""),
        message(name="."),
        message(name=".."),
        message(name="a/b"),
        message(name="a\0b"),
        message(hash_text="../" + "0" * 61),
        message(hash_text="0" * 63),
        message(hash_text=X.hash.upper()),
        message() + message(),  # one name twice
        message()[:-1],
        b"\x0a",
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x07",
        b"\x1a\x04\x0a\x02\xff\xff",  # not UTF-8
    ],
)
def test_refuses_what_can_not_be_written_to_disk(data: bytes) -> None:
    with pytest.raises(TreeDecodeError):
        decode_directory(data)


def test_random_bytes_are_refused_or_read() -> None:
    source = random.Random(1)
    valid = encode_directory(random_directory(1))
    for _ in range(3000):
        damaged = bytearray(valid[: source.randrange(len(valid))])
        for _ in range(source.randrange(4)):
            if damaged:
                damaged[source.randrange(len(damaged))] = source.randrange(256)
        try:
            decode_directory(bytes(damaged))
        except TreeDecodeError:
            continue
