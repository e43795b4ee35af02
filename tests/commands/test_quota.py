"""The limits of the cache: what goes, what stays, and what happens when nothing can go."""

import os

import pytest

from tests.testutils.space import TestSpace

CONTENT_BYTES = 300_000


@pytest.fixture
def project(space: TestSpace) -> TestSpace:
    space.project()
    return space


def add_import(space: TestSpace, name: str, *, size_bytes: int = CONTENT_BYTES, depends: str = "") -> None:
    """Adds the element NAME, whose one file has a content of its own."""
    space.write(f"files/{name}/{name}", (name * size_bytes)[:size_bytes])
    dependency = f"depends: [{depends}]\n" if depends else ""
    space.element(f"{name}.bst", f"kind: import\nsources:\n- kind: local\n  path: files/{name}\n{dependency}")


def limit(space: TestSpace, quota: str, *, watermark: str = "80%") -> None:
    space.configure(f"cache:\n  quota: {quota}\n  low-watermark: {watermark}\n  reserved-disk-space: 0\n")


def cached(space: TestSpace) -> set[str]:
    """The elements with an artifact whose content is in the cache."""
    refs = space.cache_directory / "artifacts" / "refs" / "test"
    return {path.name for path in refs.iterdir()} if refs.exists() else set()


def objects_bytes(space: TestSpace) -> int:
    return sum(
        path.lstat().st_size
        for path in (space.cache_directory / "cas" / "objects").rglob("*")
        if path.is_file()
    )


def test_least_recently_used_artifact_goes(project: TestSpace) -> None:
    limit(project, "1M")
    for name in "abcd":
        add_import(project, name)
        project.bst("build", f"{name}.bst")
        # no clean-up may count on what happened within one tick of the clock
        age(project)
    assert "d" in cached(project)
    assert "a" not in cached(project)
    assert objects_bytes(project) <= 1 << 20


def test_use_refreshes_an_artifact(project: TestSpace) -> None:
    limit(project, "1M")
    for name in "abc":
        add_import(project, name)
        project.bst("build", f"{name}.bst")
        age(project)
    project.bst("artifact", "checkout", "--directory", "out", "a.bst")
    age(project)
    add_import(project, "d")
    project.bst("build", "d.bst")
    assert {"a", "d"} <= cached(project)
    assert "b" not in cached(project)


def test_low_watermark_says_how_much_is_left(project: TestSpace) -> None:
    limit(project, "1M", watermark="50%")
    # the clean-up begins with 65 % of the way from 50 % to the quota: after three of them
    for name in "abcd":
        add_import(project, name)
        project.bst("build", f"{name}.bst")
        age(project)
    assert cached(project) == {"c", "d"}


def test_what_the_running_build_needs_stays(project: TestSpace) -> None:
    limit(project, "1M")
    add_import(project, "old")
    project.bst("build", "old.bst")
    age(project)
    add_import(project, "low")
    add_import(project, "middle", depends="low.bst")
    add_import(project, "top", depends="middle.bst")
    project.bst("build", "top.bst")
    assert cached(project) == {"low", "middle", "top"}


def test_too_much_is_an_error_that_says_what_to_do(project: TestSpace) -> None:
    limit(project, "1M")
    add_import(project, "huge", size_bytes=2_000_000)
    result = project.bst("build", "huge.bst", expect=255)
    assert result.error is not None
    assert (result.error.domain, result.error.reason) == ("CAS", "cache-too-full")
    assert "Cache too full" in result.stderr
    assert "Raise 'quota'" in result.stderr


def test_artifact_beyond_the_quota_fails_its_job(project: TestSpace) -> None:
    project.shell_base()
    project.bst("build", "base.bst")
    limit(project, str(objects_bytes(project) + 1_000_000))
    project.element(
        "huge.bst",
        "kind: manual\nbuild-depends: [base.bst]\nconfig:\n  install-commands:\n"
        "  - |\n    mkdir -p %{install-root}\n    text=0123456789\n    for i in 1 2 3 4 5 6; do\n"
        "      text=$text$text$text$text$text$text$text$text\n    done\n"
        "    printf %s $text > %{install-root}/huge\n",
    )
    result = project.bst("build", "huge.bst", expect=255)
    assert result.task_error is not None
    assert (result.task_error.domain, result.task_error.reason) == ("CAS", "cache-too-full")


def test_smaller_quota_is_applied_by_the_next_session(project: TestSpace) -> None:
    for name in "abc":
        add_import(project, name)
        project.bst("build", f"{name}.bst")
        age(project)
    limit(project, "700K")
    add_import(project, "d", size_bytes=10)
    project.bst("build", "d.bst")
    assert "a" not in cached(project)
    assert objects_bytes(project) <= 700 << 10


def test_reserve_of_the_whole_disk_is_too_much(project: TestSpace) -> None:
    project.configure("cache:\n  reserved-disk-space: 100%\n")
    add_import(project, "a", size_bytes=5_000_000)
    result = project.bst("build", "a.bst", expect=255)
    assert result.error is not None
    assert result.error.reason == "cache-too-full"
    assert "reserved-disk-space" in result.stderr


def age(space: TestSpace) -> None:
    """Makes all that was used so far an hour older."""
    for top in ("artifacts/refs", "elementsources", "source_protos", "cas/objects"):
        for path in (space.cache_directory / top).rglob("*"):
            if path.is_file():
                status = path.lstat()
                is_object = top == "cas/objects"
                mtime_ns = status.st_mtime_ns - (0 if is_object else 3600 * 10**9)
                os.utime(path, ns=(status.st_atime_ns - 3600 * 10**9, mtime_ns))
