"""manual - build with the commands of the element

All commands are written in the element's `config`; see BuildElement.
"""

from buildstream import BuildElement, Element


class ManualElement(BuildElement):
    """Builds with commands that the element gives."""

    BST_MIN_VERSION = "2.0"


def setup() -> type[Element]:
    """The class, for the plugin loader."""
    return ManualElement
