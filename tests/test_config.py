"""The user configuration."""

from pathlib import Path

import pytest

from buildstream._config import (
    CacheBuildtrees,
    DiskShare,
    Durability,
    OnError,
    SourceUriPolicy,
    UserConfig,
    load_user_config,
)
from buildstream._exceptions import LoadError
from buildstream._remotespec import ConnectionConfig, RemoteAuth, RemoteSpec, RemoteType
from buildstream.exceptions import LoadErrorReason

ENVIRONMENT = {"HOME": "/home/me", "XDG_CACHE_HOME": "/c", "XDG_CONFIG_HOME": "/nowhere", "PLACE": "/p"}


def load(tmp_path: Path, text: str) -> UserConfig:
    path = tmp_path / "user.conf"
    path.write_text(text)
    return load_user_config(str(path), ENVIRONMENT)


def error_of(tmp_path: Path, text: str) -> str:
    """The message of the error, without the path of the file."""
    with pytest.raises(LoadError) as caught:
        load(tmp_path, text)
    assert caught.value.reason is LoadErrorReason.INVALID_DATA
    return str(caught.value).replace(f"{tmp_path}/", "")


def test_defaults() -> None:
    config = load_user_config(None, ENVIRONMENT)
    assert config.path is None
    assert (config.cachedir, config.logdir) == ("/c/buildstream", "/c/buildstream/logs")
    assert (config.sourcedir, config.workspacedir) == ("/c/buildstream/sources", ".")
    assert config.scheduler.builders == 4
    assert config.scheduler.on_error is OnError.QUIT
    assert config.cache.quota is None
    assert config.cache.reserved_disk_space == DiskShare(None, 5.0)
    assert config.cache.cache_buildtrees is CacheBuildtrees.AUTO
    assert config.cache.durability is Durability.SAFE
    assert (config.fetch_policy, config.track_policy) == (SourceUriPolicy.ALL, SourceUriPolicy.ALIASES)


def test_file_is_searched(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": ""}  # empty counts as unset
    directory = tmp_path / ".config"
    directory.mkdir()
    (directory / "buildstream.conf").write_text("cachedir: /one\n")
    assert load_user_config(None, environment).cachedir == "/one"
    (directory / "buildstream2.conf").write_text("cachedir: /two\n")
    config = load_user_config(None, environment)
    assert (config.path, config.cachedir) == (str(directory / "buildstream2.conf"), "/two")


def test_empty_file_is_valid(tmp_path: Path) -> None:
    assert load(tmp_path, "# nothing\n").path == str(tmp_path / "user.conf")


def test_directories_are_expanded(tmp_path: Path) -> None:
    config = load(tmp_path, "cachedir: ${PLACE}/x/../y\nlogdir: ~/logs\nsourcedir: /a/$NOT_SET\n")
    assert (config.cachedir, config.logdir, config.sourcedir) == ("/p/y", "/home/me/logs", "/a/$NOT_SET")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1000", DiskShare(1000, None)),
        ("2K", DiskShare(2048, None)),
        ("1.5G", DiskShare(3 << 29, None)),
        ("12.5%", DiskShare(None, 12.5)),
        ("infinity", None),
    ],
)
def test_quota(tmp_path: Path, text: str, expected: DiskShare | None) -> None:
    assert load(tmp_path, f"cache:\n  quota: {text}\n").cache.quota == expected


def test_remote(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        """
artifacts:
  override-project-caches: True
  servers:
  - url: https://cache
    instance-name: main
    type: index
    push: true
    auth:
      client-key: ~/key
      client-cert: here/cert
      access-token-reload-interval: 5
    connection-config:
      retry-limit: 3
""",
    )
    assert config.artifacts.override_project_caches
    assert config.artifacts.servers == (
        RemoteSpec(
            "https://cache",
            "main",
            RemoteType.INDEX,
            push=True,
            auth=RemoteAuth(
                client_key="/home/me/key", client_cert="here/cert", access_token_reload_interval_min=5
            ),
            connection=ConnectionConfig(retry_limit=3),
        ),
    )


def test_project_override(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        "projects:\n  foo: {strict: False, default-mirror: near, options: {a: b}, mirrors: []}\n",
    )
    project = config.projects["foo"]
    assert project.strict is False
    assert project.artifacts is None
    assert project.loading.default_mirror == "near"
    assert project.loading.options is not None
    assert project.loading.options.strip_node_info() == {"a": "b"}
    assert project.loading.mirrors is not None  # empty: disables those of the project


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("foo: bar", "user.conf [line 1 column 5]: Unexpected key: foo"),
        ("builddir: x", "user.conf [line 1 column 10]: builddir is obsolete, use cachedir"),
        ("artifactdir: x", "user.conf [line 1 column 13]: artifactdir is obsolete"),
        ("cachedir: relative", "user.conf [line 1 column 10]: cachedir must be an absolute path"),
        ("workspacedir: relative", "user.conf [line 1 column 14]: workspacedir must be an absolute path"),
        (
            "projects: x",
            "user.conf [line 1 column 10]: Value of 'projects' is not of the expected type 'dict'",
        ),
        (
            "scheduler:\n  builders: x",
            "user.conf [line 2 column 12]: Value of 'builders' is not of the expected",
        ),
        (
            "scheduler:\n  on-error: x",
            "user.conf [line 2 column 12]: Value of 'on-error' should be one of 'continue, quit, terminate'",
        ),
        (
            "build:\n  dependencies: build",
            "user.conf [line 2 column 16]: Invalid value for 'dependencies'. Choose 'none', 'run', or 'all'.",
        ),
        ("cache:\n  quota: 10X", "user.conf [line 2 column 9]: 10X is not a valid data size."),
        ("cache:\n  quota: 5 G", "user.conf [line 2 column 9]: 5 G is not a valid data size."),
        ("cache:\n  quota: 110%", "user.conf [line 2 column 9]: 110.0% is not a valid percentage value."),
        ("cache:\n  reserved-disk-space: infinity", "user.conf [line 2 column 23]: Please specify the value"),
        ("cache:\n  low-watermark: '10'", "user.conf [line 2 column 17]: 10 is not a valid percentage."),
        ("cache:\n  low-watermark: 110%", "user.conf [line 2 column 17]: 110% is not between 0% and 100%."),
        (
            "artifacts:\n  servers: x",
            "user.conf [line 2 column 11]: Value of 'servers' is not of the expected",
        ),
        ("artifacts:\n  servers:\n  - url: ''", "user.conf [line 3 column 9]: empty artifact cache URL"),
        (
            "artifacts:\n  servers:\n  - type: all",
            "user.conf [line 3 column 4]: Dictionary did not contain expected key 'url'",
        ),
        (
            "artifacts:\n  servers:\n  - url: x\n    type: foo",
            "user.conf [line 4 column 10]: Value of 'type' should be one of 'index, storage, endpoint, all'",
        ),
        (
            "artifacts:\n  servers:\n  - url: x\n    auth:\n      client-key: x",
            "user.conf [line 5 column 18]: 'client-key' was specified without 'client-cert'",
        ),
        (
            "remote-execution:\n  execution-service:\n    url: x",
            "user.conf [line 2 column 2]: Remote execution requires 'storage-service' to be specified",
        ),
        (
            "remote-execution:\n  storage-service:\n    url: x",
            "user.conf [line 2 column 2]: At least one of `execution-service` or `action-cache-service` need",
        ),
        ("projects:\n  foo:\n    bar: x", "user.conf [line 3 column 9]: Unexpected key: bar"),
        (
            "fetch:\n  source: x",
            "user.conf [line 2 column 10]: Value of 'source' should be one of 'all, aliases,",
        ),
        (
            "build:\n  max-jobs: -1\n",
            "user.conf [line 2 column 12]: Invalid value for 'max-jobs': it must be how many jobs one build",
        ),
        (
            "build:\n  timeout: -5\n",
            "user.conf [line 2 column 11]: Invalid value for 'timeout': it must be how many seconds a build",
        ),
    ],
)
def test_wrong_values(tmp_path: Path, text: str, message: str) -> None:
    assert error_of(tmp_path, f"{text}\n").startswith(message)
