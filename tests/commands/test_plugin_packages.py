"""Plugins of buildstream-plugins and buildstream-plugins-community, as they are installed.

`tests/integration/plugins/run.py` compares all kinds with BuildStream; here are some, with what
BuildStream 2.8.1 made of them.
"""

import json
from pathlib import Path

from tests.integration.plugins.inputs import make_inputs
from tests.testutils.space import TestSpace

_EXPECTED = json.loads((Path(__file__).parent / "plugin_packages.json").read_text(encoding="utf-8"))

_PLUGINS = [
    {"origin": "pip", "package-name": "buildstream-plugins", "sources": ["git", "patch"]},
    {
        "origin": "pip",
        "package-name": "buildstream-plugins-community",
        "sources": ["zip"],
    },
]
_ELEMENTS = {
    "git.bst": "- {kind: git, url: 'up:plain', track: main}\n",
    "git-tags.bst": "- {kind: git, url: 'up:plain', track: main, track-tags: True, directory: sub}\n",
    "zip.bst": "- {kind: zip, url: 'up:hello.zip'}\n",
    "patch.bst": "- {kind: local, path: files}\n- {kind: patch, path: one.patch}\n",
}


def write_project(space: TestSpace, inputs: Path) -> None:
    """The project; INPUTS is made."""
    make_inputs(inputs)
    space.project(aliases={"up": f"file://{inputs}/"}, plugins=_PLUGINS)
    for name, sources in _ELEMENTS.items():
        space.element(name, f"kind: import\nsources:\n{sources}")
    space.write("files/main.c", "int main(void)\n{\n    return 0;\n}\n")
    space.write(
        "one.patch",
        "--- a/main.c\n+++ b/main.c\n@@ -1,3 +1,3 @@\n int main(void)\n {\n-    return 0;\n+    return 1;\n",
    )


def test_sources_are_tracked_and_staged_as_recorded(space: TestSpace, tmp_path: Path) -> None:
    write_project(space, tmp_path / "inputs")
    space.bst("source", "track", *_ELEMENTS)
    for name in _ELEMENTS:
        assert space.read(f"elements/{name}") == _EXPECTED[name]["element"]
    space.bst("build", *_ELEMENTS)
    keys = space.keys(*_ELEMENTS)
    digests = space.show("%{artifact-cas-digest}", *_ELEMENTS)
    assert {name: (keys[name], digests[name]) for name in _ELEMENTS} == {
        name: (entry["key"], entry["digest"]) for name, entry in _EXPECTED.items()
    }
