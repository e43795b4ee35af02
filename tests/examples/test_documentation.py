"""What the pages of the documentation list is what the program has."""

import re
from dataclasses import fields, replace
from pathlib import Path

import buildstream
from buildstream._cli.tree import bst
from buildstream._config import load_user_config
from buildstream._load.loader import ELEMENT_KEYS
from buildstream._load.projectkeys import TOP_LEVEL_KEYS
from tests.testutils.hostbase import EXAMPLES

PAGES = EXAMPLES.parent / "source"


def page(name: str) -> str:
    """The text of a page."""
    return (PAGES / f"{name}.rst").read_text(encoding="utf-8")


def first_yaml_block(text: str) -> str:
    """The content of the first YAML block of a page, without its indentation."""
    block = re.search(r"^\.\. code-block:: yaml\n\n((?:   .*\n|\n)+)", text, re.MULTILINE)
    assert block is not None
    return re.sub("^   ", "", block[1], flags=re.MULTILINE)


def section(text: str, title: str) -> str:
    """The part of a page below TITLE, up to the next title."""
    start = text.index(f"\n{title}\n---") + len(title) + 2
    following = re.search(r"\n[^\n]+\n---", text[start:])
    return text[start : start + following.start()] if following else text[start:]


def test_documented_defaults_of_the_user_configuration_hold(tmp_path: Path) -> None:
    written = tmp_path / "documented.conf"
    written.write_text(first_yaml_block(page("using_configuration")), encoding="utf-8")
    environment = {"HOME": str(tmp_path)}
    documented = load_user_config(str(written), environment)
    assert replace(documented, path=None) == load_user_config(None, environment)


def test_every_key_of_the_user_configuration_is_documented() -> None:
    written = first_yaml_block(page("using_configuration"))
    config = load_user_config(None, {"HOME": "/"})
    for part in (config.cache, config.scheduler, config.build, config.logging):
        for field in fields(part):
            key = re.sub("_(percent|s)$", "", field.name).replace("_", "-")  # without the unit
            assert f" {key}:" in written, key


def test_every_key_of_projects_and_elements_is_documented() -> None:
    text = page("using_projects")
    project, element = section(text, "project.conf"), section(text, "Elements")
    # directives are explained elsewhere; fail-on-overlap is deprecated
    for key in set(TOP_LEVEL_KEYS) - {"(@)", "(?)", "fail-on-overlap"}:
        assert f"``{key}``" in project or f"``{key}: " in project, key
    for key in ELEMENT_KEYS:
        assert f"``{key}``" in element, key


def test_every_command_is_on_the_map() -> None:
    rows = re.findall(r"^(``.*``)(?: \.\.\.|, \.\.\.)?  +\S.*$", page("using_commands"), re.MULTILINE)
    mapped = {name.split()[0] for row in rows for name in re.findall("``(.*?)``", row)}
    assert set(bst.commands) <= mapped


def test_every_public_name_is_in_the_reference() -> None:
    text = page("api")
    for name in buildstream.__all__:
        assert re.search(rf"\b{name}\b", text), name


def test_every_reason_of_loading_plugins_is_documented_and_reached_by_a_test() -> None:
    sources = (EXAMPLES.parents[1] / "buildstream" / "_load").glob("plugin*.py")
    given = {
        reason
        for source in sources
        for reason in re.findall(r'reason="([a-z-]+)"', source.read_text(encoding="utf-8"))
        if reason != "unhandled-exception"  # of a plugin, not of loading one
    }
    documented = re.findall(r"^``([a-z-]+)``  ", section(page("writing_plugins"), "Errors"), re.MULTILINE)
    assert sorted(documented) == sorted(given)
    vectors = EXAMPLES.parents[1] / "tests" / "vectors" / "errors" / "plugins.yaml"
    reached = set(re.findall("PLUGIN ([a-z-]+)", vectors.read_text(encoding="utf-8")))
    assert given <= reached
