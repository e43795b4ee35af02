"""Heading and summary of a session."""

from dataclasses import replace

import pytest

from buildstream._model.elementrow import DisplayState, ElementView
from buildstream._model.message import ElementLabel, Message, MessageType
from buildstream._model.session import (
    ProjectFacts,
    QueueTally,
    RemoteServer,
    SessionHeading,
    SessionSummary,
    UserSettings,
)
from buildstream._ui.heading import render_heading
from buildstream._ui.style import choose_paint
from buildstream._ui.summary import make_row_renderer, render_summary

from .samples import BASE, BROKEN, BROKEN_KEY, STARTED_S, make_view

PLAIN = choose_paint(colors=False)
COLORS = choose_paint(colors=True)
ELEMENT_FORMAT = "%{state: >12} %{full-key} %{name} %{workspace-dirs}"

HEADING = SessionHeading(
    version="2.8.1",
    started_s=STARTED_S,
    targets=("all.bst", "b.bst"),
    project=("demo", "/home/u/demo"),
    settings=UserSettings(
        configuration_file="/home/u/demo.conf",
        cache_directory="/home/u/cache",
        log_directory="/home/u/cache/logs",
        source_directory="/home/u/cache/sources",
        build_directory="/home/u/cache/build",
        is_strict=True,
        fetchers=10,
        builders=4,
        pushers=4,
        network_retries=2,
    ),
    projects=(
        ProjectFacts(
            name="demo",
            element_plugins=(("stack", "core plugin"), ("manual", "core plugin")),
            source_plugins=(("local", "core plugin"),),
        ),
    ),
    pipeline=(make_view(BASE, DisplayState.BUILDABLE), make_view(BROKEN)),
)

HEADING_TEXT = """\

BuildStream Version 2.8.1
    Session Start: Sunday, 22-11-2026 at 20:11:52
    Project:       demo (/home/u/demo)
    Targets:       all.bst, b.bst

User Configuration
    Configuration File:      /home/u/demo.conf
    Cache Directory:         /home/u/cache
    Log Files:               /home/u/cache/logs
    Source Mirrors:          /home/u/cache/sources
    Build Area:              /home/u/cache/build
    Strict Build Plan:       Yes
    Maximum Fetch Tasks:     10
    Maximum Build Tasks:     4
    Maximum Push Tasks:      4
    Maximum Network Retries: 2

Project: demo

    Element Plugins
        stack:  core plugin
        manual: core plugin

    Source Plugins
        local: core plugin

Pipeline
   buildable 2e43b99f73bb4efd39d02cac4802e055e251770af09b742d652a0de514099760 base.bst{blank}
     waiting fd91d933cbea5c1bc670eacbb92457422d8446a92005946e44a1ef8f798b9f5a broken.bst{blank}
===============================================================================
""".replace("{blank}", " ")


def test_heading() -> None:
    assert render_heading(HEADING, ELEMENT_FORMAT, paint=PLAIN) == HEADING_TEXT


def test_heading_with_everything() -> None:
    # a junction without plugins of its own, servers, remote execution, no top-level project
    server = RemoteServer("http://a:1", push=True, kind="all", instance="main", loaded_from="command line")
    index = RemoteServer(
        "http://b:2", push=False, kind="index", instance=None, loaded_from="c [line 1 column 2]"
    )
    heading = replace(
        HEADING,
        project=None,
        settings=replace(
            HEADING.settings,
            configuration_file=None,
            is_strict=False,
            storage_service="http://s (instance: i)",
        ),
        remote_execution=(("Execution Service", "http://e"), ("Storage Service", "http://s")),
        projects=(
            ProjectFacts(name="demo", options=(("arch", "x86"), ("flag", "1"))),
            ProjectFacts(
                name="sub",
                junction_path="j.bst",
                loaded_by="all.bst [line 3 column 2]",
                duplicated_by=("project.conf [line 1 column 1]",),
                internal_to=("project.conf [line 2 column 1]",),
                artifact_servers=(server, index),
                source_servers=(index,),
            ),
        ),
        pipeline=(),
    )
    text = render_heading(heading, ELEMENT_FORMAT, paint=PLAIN)
    assert "    Session Start: Sunday, 22-11-2026 at 20:11:52\n    Targets:       all.bst, b.bst\n" in text
    assert "    Configuration File:      Default Configuration\n" in text
    assert "    Strict Build Plan:       No\n" in text
    assert text.endswith(
        """\
    Cache Storage Service:   http://s (instance: i)

Remote Execution Configuration
    Execution Service: http://e
    Storage Service:   http://s

Project: demo

    Project Options
        arch: x86
        flag: 1

Project: sub
    Junction path: j.bst
    Loaded by:     all.bst [line 3 column 2]
    Declared duplicate by:
        project.conf [line 1 column 1]
    Declared internal by:
        project.conf [line 2 column 1]

    Artifact cache servers
      * http://a:1
        push: True type: all instance: main
        loaded from: command line
      * http://b:2
        push: False type: index instance: None
        loaded from: c [line 1 column 2]

    Source cache servers
      * http://b:2
        push: False type: index instance: None
        loaded from: c [line 1 column 2]

Pipeline
===============================================================================
"""
    )


def test_heading_in_colours() -> None:
    text = render_heading(HEADING, "%{name}", paint=COLORS)
    label = "\033[36m\033[2m"
    assert text.startswith(
        "\n\033[33m\033[1mBuildStream Version 2.8.1\n\033[0m"
        f"    {label}Session Start\033[0m{label}:\033[0m \033[33mSunday, 22-11-2026 at 20:11:52\033[0m\n"
        f"    {label}Project\033[0m{label}:\033[0m       \033[33mdemo (/home/u/demo)\033[0m\n"
    )
    assert (
        "\n\033[33m\033[1mProject\033[0m\033[36m\033[1m\033[2m: \033[0m\033[33m\033[1mdemo\033[0m\n\n"
        f"{label}    Element Plugins\n\033[0m"
        f"        \033[33mstack\033[0m{label}:\033[0m  \033[33mcore plugin\033[0m\n"
    ) in text
    assert text.endswith(f"broken.bst\033[0m\n{label}{'=' * 79}\n\033[0m")


SUMMARY = SessionSummary(
    total=4,
    session=4,
    queues=(
        QueueTally("Fetch", "Sources Fetched", processed=4, skipped=0, failed=0),
        QueueTally("Src-push", "Sources Pushed", processed=12, skipped=123, failed=1),
    ),
)


def summarize(summary: SessionSummary, failures: dict[str, Message], *, colors: bool = False) -> str:
    paint = COLORS if colors else PLAIN
    rows = make_row_renderer(ELEMENT_FORMAT, paint=paint, key_length=8)
    return render_summary(summary, failures, lambda message: f"{message.text}\n", rows, paint=paint)


def test_summary_aligns_the_columns() -> None:
    assert summarize(SUMMARY, {}) == (
        "\nPipeline Summary\n"
        "    Total:          4\n"
        "    Session:        4\n"
        "    Fetch Queue:    processed 4,  skipped 0,   failed 0 \n"
        "    Src-push Queue: processed 12, skipped 123, failed 1 \n"
    )


def test_summary_tells_changed_keys_and_failures_sorted_by_name() -> None:
    changed = (make_view(BROKEN), make_view(BASE))
    summary = replace(SUMMARY, changed=changed, failed=("z.bst", "a.bst"), queues=())
    failures = {
        "a.bst": Message(MessageType.FAIL, "lost\n\n    tail\n\n    "),
        "z.bst": Message(MessageType.FAIL, "no"),
        "cured.bst": Message(MessageType.FAIL, "never shown"),
    }
    assert summarize(summary, failures) == (
        "\n"
        "Resolved key Summary\n"
        f"     waiting {BASE.key} base.bst \n"
        f"     waiting {BROKEN_KEY} broken.bst \n"
        "\n"
        "Failure Summary\n"
        "    a.bst:\n"
        "    lost\n"
        "\n"
        "        tail\n"
        "\n"
        "    \n"
        "    z.bst:\n"
        "    no\n"
        "\n"
        "Pipeline Summary\n"
        "    Total:   4\n"
        "    Session: 4\n"
    )


def test_summary_in_colours() -> None:
    failures = {"a.bst": Message(MessageType.FAIL, "no\n")}
    text = summarize(replace(SUMMARY, failed=("a.bst",), queues=SUMMARY.queues[:1]), failures, colors=True)
    label = "\033[36m\033[2m"
    comma = f"{label}, \033[0m"
    assert text == (
        "\n\033[33m\033[1mFailure Summary\n\033[0m"
        f"    {label}a.bst\033[0m{label}:\033[0m\n    no\n\n"
        "\033[33m\033[1mPipeline Summary\n\033[0m"
        f"    {label}Total\033[0m{label}:\033[0m       \033[33m4\033[0m\n"
        f"    {label}Session\033[0m{label}:\033[0m     \033[33m4\033[0m\n"
        f"    {label}Fetch Queue\033[0m{label}:\033[0m \033[33mprocessed \033[0m\033[32m4\033[0m{comma}"
        f"\033[33mskipped \033[0m\033[33m0\033[0m{comma}"
        "\033[33mfailed \033[0m\033[31m\033[2m0\033[0m \n"
    )


def test_heading_asks_for_nothing_the_format_does_not_show() -> None:
    def fail() -> ElementLabel:
        pytest.fail("asked")

    view = ElementView(name="a.bst", kind="stack", label=fail)
    text = render_heading(replace(HEADING, pipeline=(view,)), "%{name}", paint=PLAIN)
    assert "\nPipeline\na.bst\n" in text
