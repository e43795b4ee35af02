"""datafiles - install the sources as data files

The commands are in datafiles.yaml.
"""

from buildstream import BuildElement, Element


class DataFilesElement(BuildElement):
    """Installs all of its sources into one directory."""

    BST_MIN_VERSION = "2.0"


def setup() -> type[Element]:
    """The class, for the plugin loader."""
    return DataFilesElement
