"""Bringing the changes of a workspace into the build tree of its last build."""

from pathlib import Path

import pytest

from buildstream._model.digest import Digest
from buildstream._store.cas import Cas
from buildstream._store.treemerge import apply_changes

# path -> content; None is a directory; a text that begins with "->" is a link
_Tree = dict[str, str | None]


def stored(cas: Cas, tmp_path: Path, name: str, tree: _Tree) -> Digest:
    top = tmp_path / name
    top.mkdir()
    for path, content in tree.items():
        target = top / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            target.mkdir()
        elif content.startswith("->"):
            target.symlink_to(content[2:])
        else:
            target.write_text(content)
    return cas.import_directory(str(top))


@pytest.mark.parametrize(
    ("tree", "old", "new", "result"),
    [
        # nothing changed: what was built stays, even if it is no source any more
        ({"a": "built", "o": "o"}, {"a": "1"}, {"a": "1"}, {"a": "built", "o": "o"}),
        # a source that the build deleted stays deleted until it changes
        ({"o": "o"}, {"a": "1"}, {"a": "1", "b": "2"}, {"o": "o", "b": "2"}),
        ({"o": "o"}, {"a": "1"}, {"a": "2"}, {"o": "o", "a": "2"}),
        # the user's change wins over a product
        ({"a": "built"}, {"a": "1"}, {"a": "2"}, {"a": "2"}),
        ({"o": "product"}, {"a": "1"}, {"o": "mine"}, {"o": "mine"}),
        # deleted with all that was built in there
        ({"d/a": "1", "d/o": "o", "x": ""}, {"d/a": "1"}, {}, {"x": ""}),
        # directories merge
        (
            {"d/a": "1", "d/o": "o"},
            {"d/a": "1"},
            {"d/a": "1", "d/b": "2"},
            {"d/a": "1", "d/b": "2", "d/o": "o"},
        ),
        ({"d/o": "o"}, {}, {"d/a": "1"}, {"d/a": "1", "d/o": "o"}),
        ({"d/o": "o", "d/a": "1"}, {"d": "file"}, {"d/a": "2"}, {"d/a": "2", "d/o": "o"}),
        # types change
        ({"d/a": "1", "d/o": "o"}, {"d/a": "1"}, {"d": "file"}, {"d": "file"}),
        ({"d": "file"}, {"d": "file"}, {"d/a": "1"}, {"d/a": "1"}),
        ({"a": "1"}, {"a": "1"}, {"a": "->b"}, {"a": "->b"}),
        ({"a": "->b", "o": ""}, {"a": "->b"}, {"a": "->c"}, {"a": "->c", "o": ""}),
        ({"d": None, "o": ""}, {"d": None}, {}, {"o": ""}),
    ],
)
def test_changes(cas: Cas, tmp_path: Path, tree: _Tree, old: _Tree, new: _Tree, result: _Tree) -> None:  # noqa: PLR0917 - a table
    digests = [stored(cas, tmp_path, name, given) for name, given in (("t", tree), ("o", old), ("n", new))]
    assert apply_changes(cas, *digests) == stored(cas, tmp_path, "r", result)
