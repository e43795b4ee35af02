"""The types of plugins, and where a plugin is found."""

from enum import Enum

from .._dataclass import dataclass


class PluginType(Enum):
    """A type of plugin; the value is the type in messages."""

    ELEMENT = "element"
    SOURCE = "source"
    SOURCE_MIRROR = "source-mirror"

    @property
    def label(self) -> str:
        """How the type is called in messages."""
        return self.value

    @property
    def key(self) -> str:
        """The key of project.conf under which an origin lists its kinds."""
        return f"{self.value}s"

    @property
    def folder(self) -> str:
        """The last part of Python packages and entry point groups for the type."""
        return self.key.replace("-", "")


@dataclass(frozen=True, slots=True)
class PluginLocation:
    """Where the plugin of a kind is."""

    directory: str  # absolute; plugin modules import their siblings from it
    module_name: str  # of the file without `.py`: the kind, but for some Python packages
    defaults_path: str | None  # absolute path of the file with the default configuration
    display: str  # for people
