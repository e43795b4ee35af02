"""Sections of the user configuration, from nodes to values."""

from .._load.settings import ProjectOverride
from .._model.messageformat import MessageFormatError, split_message_format
from .._remotespec import (
    CacheSettings,
    PathExpansion,
    RemoteExecutionSettings,
    cache_settings_from_node,
    remote_execution_from_node,
    remote_spec_from_node,
)
from ..node import MappingNode, ScalarNode
from .defaults import DEFAULTS
from .sizes import SIZE_ADVICE, disk_share_from_text, invalid, located, watermark_from_text
from .values import (
    BuildConfig,
    CacheBuildtrees,
    CacheConfig,
    DiskShare,
    Durability,
    LoggingConfig,
    OnError,
    ProjectConfig,
    SchedulerConfig,
    SourceUriPolicy,
)


def cache_config(node: MappingNode, expand_path: PathExpansion) -> CacheConfig:
    node.validate_keys([*DEFAULTS["cache"], "storage-service"])
    storage = node.get_mapping("storage-service", None)
    quota = node.get_scalar("quota")
    return CacheConfig(
        quota=None if quota.as_str() == "infinity" else _disk_share(quota, "infinity 2G 5%"),
        reserved_disk_space=_reserved_disk_space(node),
        low_watermark_percent=_watermark(node.get_scalar("low-watermark")),
        pull_buildtrees=node.get_bool("pull-buildtrees"),
        cache_buildtrees=node.get_enum("cache-buildtrees", CacheBuildtrees),
        durability=node.get_enum("durability", Durability),
        storage_service=None if storage is None else remote_spec_from_node(storage, expand_path),
    )


def _reserved_disk_space(node: MappingNode) -> DiskShare:
    scalar = node.get_scalar("reserved-disk-space")
    if scalar.as_str() == "infinity":
        raise invalid(scalar, f"{SIZE_ADVICE}2G 5%")
    return _disk_share(scalar, "2G 5%")


def _disk_share(node: ScalarNode, examples: str) -> DiskShare:
    with located(node):
        return disk_share_from_text(node.as_str(), examples)


def _watermark(node: ScalarNode) -> float:
    with located(node):
        return watermark_from_text(node.as_str())


def scheduler_config(node: MappingNode) -> SchedulerConfig:
    node.validate_keys([*DEFAULTS["scheduler"]])
    return SchedulerConfig(
        fetchers=node.get_int("fetchers"),
        builders=node.get_int("builders"),
        pushers=node.get_int("pushers"),
        network_retries=node.get_int("network-retries"),
        on_error=node.get_enum("on-error", OnError),
    )


def build_config(node: MappingNode) -> BuildConfig:
    node.validate_keys([*DEFAULTS["build"]])
    dependencies = node.get_scalar("dependencies")
    if dependencies.as_str() not in ("none", "run", "all"):
        raise invalid(dependencies, "Invalid value for 'dependencies'. Choose 'none', 'run', or 'all'.")
    return BuildConfig(
        max_jobs=_limit(node, "max-jobs", "how many jobs one build may run", zero="what suits the machine"),
        jobserver=_limit(node, "jobserver", "how many jobs may run"),
        timeout_s=_limit(node, "timeout", "how many seconds a build may take"),
        retry_failed=node.get_bool("retry-failed"),
        dependencies=dependencies.as_str(),
    )


def _limit(node: MappingNode, key: str, meaning: str, *, zero: str = "no limit") -> int:
    """A number that is not negative; zero stands for no limit, or what ZERO says."""
    value = node.get_int(key)
    if value < 0:
        text = f"Invalid value for '{key}': it must be {meaning}, or 0 for {zero}."
        raise invalid(node.get_scalar(key), text)
    return value


def source_policy(node: MappingNode) -> SourceUriPolicy:
    node.validate_keys(["source"])
    return node.get_enum("source", SourceUriPolicy)


def logging_config(node: MappingNode) -> LoggingConfig:
    node.validate_keys([*DEFAULTS["logging"]])
    return LoggingConfig(
        key_length=node.get_int("key-length"),
        verbose=node.get_bool("verbose"),
        debug=node.get_bool("debug"),
        error_lines=node.get_int("error-lines"),
        message_lines=node.get_int("message-lines"),
        throttle_ui_updates=node.get_bool("throttle-ui-updates"),
        element_format=node.get_str("element-format"),
        message_format=_message_format(node.get_scalar("message-format")),
    )


def _message_format(node: ScalarNode) -> str:
    """Raises LoadError where the format can't be understood."""
    text = node.as_str()
    try:
        split_message_format(text)
    except MessageFormatError as error:
        raise invalid(node, f"Invalid logging.message-format: {error}") from None
    return text


def remote_execution(
    node: MappingNode, expand_path: PathExpansion, *, has_cache_storage: bool
) -> RemoteExecutionSettings | None:
    section = node.get_mapping("remote-execution", None)
    if section is None:
        return None
    return remote_execution_from_node(section, expand_path, has_cache_storage=has_cache_storage)


def project_configs(
    node: MappingNode, expand_path: PathExpansion, *, has_cache_storage: bool
) -> dict[str, ProjectConfig]:
    return {
        name: _project_config(node.get_mapping(name), expand_path, has_cache_storage=has_cache_storage)
        for name in node.keys()
    }


def _project_config(
    node: MappingNode, expand_path: PathExpansion, *, has_cache_storage: bool
) -> ProjectConfig:
    node.validate_keys(
        ["artifacts", "source-caches", "options", "strict", "default-mirror", "mirrors", "remote-execution"]
    )

    def caches(key: str) -> CacheSettings | None:
        section = node.get_mapping(key, None)
        return None if section is None else cache_settings_from_node(section, expand_path)

    return ProjectConfig(
        loading=ProjectOverride(
            options=node.get_mapping("options", None),
            mirrors=node.get_sequence("mirrors", None),
            default_mirror=node.get_str("default-mirror", None),
        ),
        strict=node.get_bool("strict") if "strict" in node else None,
        artifacts=caches("artifacts"),
        source_caches=caches("source-caches"),
        remote_execution=remote_execution(node, expand_path, has_cache_storage=has_cache_storage),
    )
