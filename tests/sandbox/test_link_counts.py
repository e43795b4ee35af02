"""What builds see of the sources: each file has one name, and is no other file."""

from tests.testutils.space import TestSpace


def test_sources_have_one_name_and_differ_from_equal_files_of_the_base(space: TestSpace) -> None:
    """Programs such as gzip refuse files with two names, and cp a copy of a file onto itself."""
    space.project()
    space.shell_base()
    space.write("files/usr/share/text", "the same text\n")
    space.write("sources/text", "the same text\n")
    space.write("sources/again", "the same text\n")
    space.element("data.bst", "kind: import\nsources:\n- kind: local\n  path: files\n")
    space.element(
        "app.bst",
        """
kind: manual
build-depends: [base.bst, data.bst]
sources:
- kind: local
  path: sources
config:
  build-commands:
  - test "$(stat -c %h text)" = 1
  - test "$(stat -c %i text)" != "$(stat -c %i again)"
  - test "$(stat -c %i text)" != "$(stat -c %i /usr/share/text)"
  - cp /usr/share/text text
""",
    )
    space.bst("build", "app.bst")
    assert space.states()["app.bst"] == "cached"


def test_sources_alone_are_a_root(space: TestSpace) -> None:
    """An element without dependencies brings its own programs: nothing is under its sources."""
    space.project()
    space.shell_base()
    space.element(
        "app.bst",
        """
kind: manual
sources:
- kind: local
  path: files/base
- kind: local
  path: sources
variables: {build-root: /}
config:
  install-commands:
  - cat text > %{install-root}/copy
""",
    )
    space.write("sources/text", "text\n")
    space.bst("build", "app.bst")
    space.bst("artifact", "checkout", "app.bst", "--directory", "out")
    assert space.read("out/copy") == "text\n"
