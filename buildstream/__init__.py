"""The names that plugins may use: `from buildstream import Element, Source, utils`.

Each name is imported from its module when it is first asked for (PEP 562), so
that importing the package itself costs nothing.
"""

from ._version import __version__ as __version__

# as typing.TYPE_CHECKING, whose module costs five times what is left here
TYPE_CHECKING = False

if TYPE_CHECKING:
    from . import utils as utils
    from .buildelement import BuildElement as BuildElement
    from .downloadablefilesource import DownloadableFileSource as DownloadableFileSource
    from .element import DependencyConfiguration as DependencyConfiguration
    from .element import Element as Element
    from .element import ElementError as ElementError
    from .node import MappingNode as MappingNode
    from .node import Node as Node
    from .node import ProvenanceInformation as ProvenanceInformation
    from .node import ScalarNode as ScalarNode
    from .node import SequenceNode as SequenceNode
    from .plugin import Plugin as Plugin
    from .sandbox import Sandbox as Sandbox
    from .sandbox import SandboxCommandError as SandboxCommandError
    from .scriptelement import ScriptElement as ScriptElement
    from .source import Source as Source
    from .source import SourceError as SourceError
    from .source import SourceFetcher as SourceFetcher
    from .source import SourceInfo as SourceInfo
    from .source import SourceInfoMedium as SourceInfoMedium
    from .source import SourceVersionType as SourceVersionType
    from .sourcemirror import SourceMirror as SourceMirror
    from .sourcemirror import SourceMirrorError as SourceMirrorError
    from .storage import Directory as Directory
    from .storage import DirectoryError as DirectoryError
    from .storage import FileStat as FileStat
    from .storage import FileType as FileType
    from .types import CoreWarnings as CoreWarnings
    from .types import FastEnum as FastEnum
    from .types import OverlapAction as OverlapAction
    from .types import SourceRef as SourceRef
    from .utils import ProgramNotFoundError as ProgramNotFoundError
    from .utils import UtilError as UtilError

# what `from buildstream import *` gives; the names are imported then
__all__ = [
    "BuildElement",
    "CoreWarnings",
    "DependencyConfiguration",
    "Directory",
    "DirectoryError",
    "DownloadableFileSource",
    "Element",
    "ElementError",
    "FastEnum",
    "FileStat",
    "FileType",
    "MappingNode",
    "Node",
    "OverlapAction",
    "Plugin",
    "ProgramNotFoundError",
    "ProvenanceInformation",
    "Sandbox",
    "SandboxCommandError",
    "ScalarNode",
    "ScriptElement",
    "SequenceNode",
    "Source",
    "SourceError",
    "SourceFetcher",
    "SourceInfo",
    "SourceInfoMedium",
    "SourceMirror",
    "SourceMirrorError",
    "SourceRef",
    "SourceVersionType",
    "UtilError",
    "utils",
]

_MODULE_OF_NAME = {
    "Plugin": "plugin",
    "Element": "element",
    "ElementError": "element",
    "DependencyConfiguration": "element",
    "BuildElement": "buildelement",
    "ScriptElement": "scriptelement",
    "Source": "source",
    "SourceError": "source",
    "SourceFetcher": "source",
    "SourceInfo": "source",
    "SourceInfoMedium": "source",
    "SourceVersionType": "source",
    "DownloadableFileSource": "downloadablefilesource",
    "SourceMirror": "sourcemirror",
    "SourceMirrorError": "sourcemirror",
    "Sandbox": "sandbox",
    "SandboxCommandError": "sandbox",
    "Directory": "storage",
    "DirectoryError": "storage",
    "FileType": "storage",
    "FileStat": "storage",
    "Node": "node",
    "MappingNode": "node",
    "ScalarNode": "node",
    "SequenceNode": "node",
    "ProvenanceInformation": "node",
    "CoreWarnings": "types",
    "OverlapAction": "types",
    "FastEnum": "types",
    "SourceRef": "types",
    "UtilError": "utils",
    "ProgramNotFoundError": "utils",
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "utils":
        return import_module(".utils", __name__)
    module_name = _MODULE_OF_NAME.get(name)
    if module_name is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{module_name}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF_NAME, "utils"})
