"""The format language of `bst show`."""

from dataclasses import replace

import pytest

from buildstream._model.elementrow import DisplayState, ElementView
from buildstream._model.message import ElementLabel
from buildstream._ui.showformat import needs_state, render_artifact_report, render_element, render_report
from buildstream._ui.style import Paint, choose_paint

from .samples import BASE, BASE_KEY, make_view

PLAIN = choose_paint(colors=False)
COLORS = choose_paint(colors=True)

VIEW = ElementView(
    name="base.bst",
    kind="import",
    label=lambda: BASE,
    state=lambda: DisplayState.FETCH_NEEDED,
    description="two\nlines",
    workspace_directory="/ws",
    config=lambda: "source: /\n",
    variables=lambda: "v: 1\n",
    environment=lambda: "PATH: /bin\n",
    public=lambda: "{}\n",
    dependencies=lambda: "- a.bst\n- b.bst\n",
    build_dependencies=lambda: "- a.bst\n",
    runtime_dependencies=lambda: "[]\n",
    source_info=lambda: "- kind: local\n",
    artifact_cas_digest=lambda: "abc/3",
)


@pytest.mark.parametrize(
    ("element_format", "text"),
    [
        ("%{name}", "base.bst"),
        ("%{kind}", "import"),
        ("%{key}", "2e43b99f"),
        ("%{full-key}", BASE_KEY),
        ("%{description}", "two lines"),
        ("%{state}", "fetch needed"),
        ("%{config}|", "source: /\n|"),
        ("%{vars}|", "v: 1\n|"),
        ("%{env}|", "PATH: /bin\n|"),
        ("%{public}|", "{}\n|"),
        ("%{workspaced}", "(workspaced)"),
        ("%{workspace-dirs}", "Workspace: /ws"),
        ("%{deps}|", "- a.bst\n- b.bst|"),
        ("%{build-deps}|", "- a.bst|"),
        ("%{runtime-deps}|", "[]|"),
        ("%{source-info}|", "- kind: local\n|"),
        ("%{artifact-cas-digest}", "abc/3"),
        ("%{name}||%{name}", "base.bst||base.bst"),
        # what follows the symbol means what it means in str.format, on text
        ("%{name: ^20}|", "      base.bst      |"),
        ("%{state: >14}", "  fetch needed"),
        ("%{state!r:>16}", "  'fetch needed'"),
        ("%{full-key:.3}", "2e4"),
        ("%{name[0]}", "b"),
        # everything else stays as it is
        ("%%", "%%"),
        (r"a\nb {x} {0}", r"a\nb {x} {0}"),
        ("{%{name}}", "{base.bst}"),
        ("%{foo}", "%{foo}"),
        ("%{keyx} %{deps-x} %{name", "%{keyx} %{deps-x} %{name"),
        ("%{name:d} %{name!x} %{name[x]} %{name[99]}", "%{name:d} %{name!x} %{name[x]} %{name[99]}"),
    ],
)
def test_symbols(element_format: str, text: str) -> None:
    assert render_element(VIEW, element_format, paint=PLAIN) == text


def test_values_may_bring_tokens_of_later_symbols() -> None:
    view = make_view(BASE, DisplayState.CACHED, description="%{name} is\n%{state} %{description}")
    assert render_element(view, "%{description}", paint=PLAIN) == "%{name} is cached %{description}"


def test_values_that_are_not_shown_are_not_computed() -> None:
    def fail() -> str:
        pytest.fail("computed")

    view = replace(VIEW, config=fail, source_info=fail, artifact_cas_digest=fail)
    assert render_element(view, "%{name} %{configs}", paint=PLAIN) == "base.bst %{configs}"


@pytest.mark.parametrize(
    ("element_format", "expected"),
    [
        ("%{state: >12}", True),
        ("%{key}", True),
        ("%{full-key!r}", True),
        ("%{artifact-cas-digest}", True),
        ("%{name} %{deps} %{description} %{vars}", False),
        ("%{keyx} state {key}", False),
    ],
)
def test_needs_state(element_format: str, expected: bool) -> None:
    assert needs_state(element_format) is expected


def test_report_ends_with_one_line_break() -> None:
    views = [VIEW, make_view(ElementLabel("b.bst", "?" * 64, is_strict=True))]
    assert render_report(views, "%{name} %{workspace-dirs}", paint=PLAIN) == (
        "base.bst Workspace: /ws\nb.bst \n"
    )
    assert render_report(views, "%{name}\n\n", paint=PLAIN) == "base.bst\n\n\nb.bst\n"
    assert render_report([], "%{name}", paint=PLAIN) == "\n"


@pytest.mark.parametrize("paint", [PLAIN, COLORS])
@pytest.mark.parametrize(
    "element_format",
    [
        "%{name} %{kind}",
        "%{name}%{description} %{state}\n",
        "%{description}{state} %{key}",
        "50% %{name} %{description}",
        "%{name: >12}|%{full-key}",
        "%{name} %{vars} %{nothing} %{description}",
        "%{description}%{name}%{name}",
    ],
)
def test_reports_have_elements_as_they_are_alone(element_format: str, paint: Paint) -> None:
    descriptions = ("plain", "%{state} of", "ends with %", "", "{name}")
    views = [make_view(BASE, DisplayState.CACHED, description=text) for text in descriptions]
    alone = [render_element(view, element_format, paint=paint) for view in views[:-1]]
    alone.append(render_element(views[-1], element_format.rstrip("\n"), paint=paint))
    assert render_report(views, element_format, paint=paint) == "\n".join(alone) + "\n"


def test_colours() -> None:
    element_format = "%{name: >9} %{kind} %{key} %{description:>3} %{state} %{workspaced} %{deps}"
    view = replace(
        make_view(ElementLabel("a.bst", BASE_KEY, is_strict=False), DisplayState.BUILDABLE),
        dependencies=lambda: "[]\n",
    )
    assert render_element(view, element_format, paint=COLORS) == (
        "\033[34m\033[1m    a.bst\033[0m \033[36mmanual\033[0m \033[33m\033[2m2e43b99f\033[0m "
        "\033[33m\033[2m   \033[0m \033[32mbuildable\033[0m \033[33m\033[0m []\033[0m"
    )
    assert render_element(VIEW, "%{key}", paint=COLORS) == "\033[33m\033[22m2e43b99f\033[0m"


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (DisplayState.NO_REFERENCE, 31),
        (DisplayState.JUNCTION, 35),
        (DisplayState.WAITING, 34),
        (DisplayState.FAILED, 31),
        (DisplayState.CACHED, 35),
        (DisplayState.FETCH_NEEDED, 31),
        (DisplayState.BUILDABLE, 32),
    ],
)
def test_state_colours(state: DisplayState, code: int) -> None:
    rendered = render_element(make_view(BASE, state), "%{state}", paint=COLORS)
    assert rendered == f"\033[{code}m{state.value}\033[0m"


def test_artifact_report() -> None:
    rows = [("base.bst", DisplayState.NOT_CACHED), ("demo/base/abc", DisplayState.CACHED)]
    assert render_artifact_report(rows, paint=PLAIN) == (
        "  not cached base.bst\n      cached demo/base/abc\n\n"
    )
    assert render_artifact_report(rows[:1], paint=COLORS) == (
        "\033[91m  not cached\033[0m \033[33mbase.bst\033[0m\n\n"
    )
