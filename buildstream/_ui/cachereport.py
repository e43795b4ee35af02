"""What the cache commands found, for people and as JSON."""

from collections.abc import Mapping

from .._model.cachestate import CacheInfo, CheckReport, CleaningPlan, Share
from .statusbar import format_size

# raised when a field changes its meaning or goes away; new fields may come without
JSON_VERSION = 1

_ELEMENTS_SHOWN = 20
_ARTIFACTS_SHOWN = 50
_NAMES_SHOWN = 20


def render_info(info: CacheInfo) -> str:
    """The sizes, largest first in each table."""
    quota = "no limit" if info.quota_bytes is None else format_size(info.quota_bytes)
    facts = [
        ("Directory", info.directory),
        ("In use", f"{format_size(info.used_bytes)} of {quota}, {format_size(info.free_bytes)} free on disk"),
        ("Unused", f"{format_size(info.unused_bytes)} that nothing refers to: `bst cache clean` deletes it"),
        ("Artifacts", str(info.artifacts)),
        ("Extracted trees", str(info.trees)),
        ("Quarantined", f"{info.quarantined} objects"),
        ("Pinned", str(len(info.pins))),
    ]
    blocks = [
        "".join(f"{name + ':':<17} {value}\n" for name, value in facts),
        _table("By project", _largest_first(info.by_project)),
        _table("By element", _largest_first(info.by_element), limit=_ELEMENTS_SHOWN),
        _table("By kind", _largest_first(info.by_kind)),
        _table("By last use", list(info.by_age.items())),
    ]
    if info.pins:
        blocks.append("Pinned\n" + "".join(f"  {name}\n" for name in info.pins))
    return "\n".join(blocks)


def _largest_first(group: Mapping[str, Share]) -> list[tuple[str, Share]]:
    return sorted(group.items(), key=lambda item: (-item[1].size_bytes, item[0]))


def _table(title: str, rows: list[tuple[str, Share]], *, limit: int | None = None) -> str:
    shown = rows[:limit]
    lines = [f"{format_size(share.size_bytes):>10} {share.records:>7}  {name}\n" for name, share in shown]
    if len(rows) > len(shown):
        rest = sum(share.size_bytes for _, share in rows[len(shown) :])
        lines.append(f"{format_size(rest):>10} {'':>7}  {len(rows) - len(shown)} more\n")
    return f"{title}\n{''.join(lines)}"


def render_info_json(info: CacheInfo) -> str:
    """One JSON object, as the manual describes it."""
    import json
    from dataclasses import asdict

    return json.dumps({"version": JSON_VERSION, **asdict(info)}, indent=2) + "\n"


def render_check(report: CheckReport, *, repairs: bool) -> str:
    """What was found, and what follows from it."""
    lines = [
        (
            f"Checked {report.objects} objects ({format_size(report.object_bytes)}), "
            f"{report.records} records and {report.trees} extracted trees\n"
        )
    ]
    lines += _listing("corrupt objects", report.corrupt)
    lines += _listing("things in `cas/objects` that are no objects", report.foreign)
    lines += _listing("damaged extracted trees", report.damaged_trees)
    lines += _listing("unreadable records", [f"{kind} {name}" for kind, name in report.unreadable])
    lines += _listing(
        "incomplete records",
        [f"{kind} {name}: {missing} contents missing" for kind, name, missing in report.incomplete],
    )
    if report.healed:
        lines.append(f"{len(report.healed)} contents were fetched again\n")
    if report.is_sound:
        lines.append("Everything is as it should be\n")
    elif repairs:
        lines.append("What was wrong has been put aside: what needs it is fetched or built again\n")
    else:
        lines.append("Nothing was changed; `bst cache check --repair` puts aside what is wrong\n")
    return "".join(lines)


def _listing(title: str, names: list[str]) -> list[str]:
    if not names:
        return []
    more = [f"  and {len(names) - _NAMES_SHOWN} more\n"] if len(names) > _NAMES_SHOWN else []
    return [f"{len(names)} {title}:\n", *(f"  {name}\n" for name in names[:_NAMES_SHOWN]), *more]


def render_check_json(report: CheckReport) -> str:
    """One JSON object, as the manual describes it."""
    import json
    from dataclasses import asdict

    return json.dumps({"version": JSON_VERSION, "sound": report.is_sound, **asdict(report)}, indent=2) + "\n"


def render_cleaning(plan: CleaningPlan) -> str:
    """What would go, and what it would cost to have it again."""
    lines = []
    for artifact in plan.artifacts[:_ARTIFACTS_SHOWN]:
        cost = "" if artifact.build_s is None else f", built in {_duration(artifact.build_s)}"
        lines.append(f"  {artifact.name} (last used {_duration(artifact.unused_s)} ago{cost})\n")
    if len(plan.artifacts) > _ARTIFACTS_SHOWN:
        lines.append(f"  and {len(plan.artifacts) - _ARTIFACTS_SHOWN} more\n")
    if plan.artifacts:
        lines.insert(0, f"{len(plan.artifacts)} artifacts would go:\n")
        known = [artifact for artifact in plan.artifacts if artifact.build_s is not None]
        lines.append(
            f"Building them took {_duration(plan.rebuild_s)}"
            f" (known of {len(known)} of {len(plan.artifacts)}).\n"
        )
    if plan.sources:
        lines.append(f"{plan.sources} trees of sources would go; they are staged or fetched again.\n")
    freed = max(plan.used_bytes - plan.left_bytes, 0)
    lines.append(
        f"The cache would shrink from {format_size(plan.used_bytes)} to {format_size(plan.left_bytes)}"
        f" (by {format_size(freed)}), or less where running programs use something.\n"
    )
    return "".join(lines)


def _duration(seconds: float) -> str:
    for unit, size_s in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size_s:
            return f"{seconds / size_s:.0f} {unit}"
    return f"{seconds:.0f} seconds"
