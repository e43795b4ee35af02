"""The heading of a session: what it will work on, and with which settings."""

from collections.abc import Sequence

from .._model.session import ProjectFacts, RemoteServer, SessionHeading, UserSettings
from .._tasklog import format_date
from .report import render_block, render_title
from .showformat import render_report
from .style import LABEL, TITLE, TITLE_PUNCTUATION, VALUE, Paint

_RULE = "=" * 79


def render_heading(heading: SessionHeading, element_format: str, *, paint: Paint, key_length: int = 8) -> str:
    """The whole heading, from its leading empty line to the rule below the pipeline."""
    blocks = [
        _render_session(heading, paint),
        _render_settings(heading.settings, paint),
        _render_remote_execution(heading.remote_execution, paint),
        *[_render_project(project, paint) for project in heading.projects],
    ]
    pipeline = ""
    if heading.pipeline:
        pipeline = render_report(heading.pipeline, element_format, paint=paint, key_length=key_length)
    head = "".join([f"\n{block}" for block in [*blocks, render_title("Pipeline", paint)] if block])
    return head + pipeline + paint(f"{_RULE}\n", LABEL)


def _render_session(heading: SessionHeading, paint: Paint) -> str:
    rows = [("Session Start", format_date(heading.started_s))]
    if heading.project is not None:
        name, directory = heading.project
        rows.append(("Project", f"{name} ({directory})"))
    rows.append(("Targets", ", ".join(heading.targets)))
    return render_title(f"BuildStream Version {heading.version}", paint) + render_block(rows, paint)


def _render_settings(settings: UserSettings, paint: Paint) -> str:
    rows = [
        ("Configuration File", settings.configuration_file or "Default Configuration"),
        ("Cache Directory", settings.cache_directory),
        ("Log Files", settings.log_directory),
        ("Source Mirrors", settings.source_directory),
        ("Build Area", settings.build_directory),
        ("Strict Build Plan", "Yes" if settings.is_strict else "No"),
        ("Maximum Fetch Tasks", str(settings.fetchers)),
        ("Maximum Build Tasks", str(settings.builders)),
        ("Maximum Push Tasks", str(settings.pushers)),
        ("Maximum Network Retries", str(settings.network_retries)),
    ]
    if settings.storage_service is not None:
        rows.append(("Cache Storage Service", settings.storage_service))
    return render_title("User Configuration", paint) + render_block(rows, paint)


def _render_remote_execution(services: Sequence[tuple[str, str]], paint: Paint) -> str:
    if not services:
        return ""
    return render_title("Remote Execution Configuration", paint) + render_block(services, paint)


def _render_project(project: ProjectFacts, paint: Paint) -> str:
    blocks = [
        _render_junction(project, paint),
        _render_section("Project Options", render_block(project.options, paint, columns=8), paint),
        _render_section("Element Plugins", _render_plugins(project.element_plugins, paint), paint),
        _render_section("Source Plugins", _render_plugins(project.source_plugins, paint), paint),
        _render_section("Artifact cache servers", _render_servers(project.artifact_servers, paint), paint),
        _render_section("Source cache servers", _render_servers(project.source_servers, paint), paint),
    ]
    return "\n".join([block for block in blocks if block])


def _render_junction(project: ProjectFacts, paint: Paint) -> str:
    title = paint("Project", TITLE) + paint(": ", TITLE_PUNCTUATION) + paint(project.name, TITLE) + "\n"
    rows: list[tuple[str, str]] = []
    if project.junction_path is not None:
        rows.append(("Junction path", project.junction_path))
    if project.loaded_by is not None:
        rows.append(("Loaded by", project.loaded_by))
    text = title + render_block(rows, paint)
    for label, entries in (
        ("Declared duplicate by", project.duplicated_by),
        ("Declared internal by", project.internal_to),
    ):
        if entries:
            text += f"    {paint(label, LABEL)}{paint(':', LABEL)}\n"
            text += "".join([f"        {paint(entry, VALUE)}\n" for entry in entries])
    return text


def _render_section(title: str, body: str, paint: Paint) -> str:
    return paint(f"    {title}\n", LABEL) + body if body else ""


def _render_plugins(plugins: Sequence[tuple[str, str]], paint: Paint) -> str:
    return render_block(plugins, paint, columns=8, label_profile=VALUE)


def _render_servers(servers: Sequence[RemoteServer], paint: Paint) -> str:
    lines = []
    for server in servers:
        facts = (
            f"{server.url}\n"
            f"        push: {server.push} type: {server.kind} instance: {server.instance}\n"
            f"        loaded from: {server.loaded_from}"
        )
        lines.append(f"{paint('      * ', LABEL)}{paint(facts, VALUE)}\n")
    return "".join(lines)
