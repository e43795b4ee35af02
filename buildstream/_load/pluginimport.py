"""Importing plugin modules, each into a namespace of its own registry, and checking their classes."""

import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING

from .._exceptions import PluginError
from ..utils import get_bst_version
from .pluginlocation import PluginLocation, PluginType

if TYPE_CHECKING:
    from ..plugin import Plugin


class PluginImporter:
    """Imports the plugins of one registry.

    The modules of one directory share one package that is made for them and
    belongs to this object.  So `from ._sibling import x` works in them, the last
    part of a module's name is its file name, and two projects that use one
    plugin get two classes.
    """

    def __init__(self, plugin_type: PluginType) -> None:
        self._plugin_type = plugin_type
        self._package_names: dict[str, str] = {}  # by directory

    def load_class(self, location: PluginLocation, kind: str) -> "type[Plugin]":
        """The class of the plugin at LOCATION.

        Raises:
            PluginError: it can't be imported, or is no proper plugin for this version.
        """
        module = self._import_module(location, kind)
        return check_plugin_class(module, self._plugin_type, kind)

    def _import_module(self, location: PluginLocation, kind: str) -> ModuleType:
        from importlib import import_module

        failure = f"Failed to load {self._plugin_type.label} plugin '{kind}'"
        if not location.module_name or "." in location.module_name or "/" in location.module_name:
            raise PluginError(f"{failure}: this is not the name of a Python module")
        name = f"{self._package_of(location.directory)}.{location.module_name}"
        try:
            return import_module(name)
        except ImportError as error:
            if isinstance(error, ModuleNotFoundError) and error.name == name:
                raise PluginError(
                    f"{failure}: No module named '{location.module_name}' in {location.directory}"
                ) from error
            raise PluginError(f"{failure}: {error}") from error
        # plugins are programs of others: whatever goes wrong in them is no bug of ours
        except Exception as error:
            raise PluginError(f"{failure}: {_describe(error, location.directory)}") from error

    def _package_of(self, directory: str) -> str:
        """The name of the package for the modules of DIRECTORY, made when it is first asked for."""
        if directory not in self._package_names:
            number = 0
            while (name := f"_buildstream_plugins_{number}") in sys.modules:
                number += 1
            package = ModuleType(name, f"Plugins of {directory}")
            package.__path__ = [directory]
            sys.modules[name] = package
            self._package_names[directory] = name
        return self._package_names[directory]


def _describe(error: Exception, directory: str) -> str:
    """What went wrong, and the last line of a file in DIRECTORY that was involved."""
    from traceback import extract_tb

    text = f"{type(error).__name__}: {error}"
    if isinstance(error, SyntaxError) and error.filename is not None:
        return f"{error.filename} line {error.lineno}: {type(error).__name__}: {error.msg}"
    for frame in reversed(extract_tb(error.__traceback__)):
        if frame.filename.startswith(directory + os.sep):
            return f"{frame.filename} line {frame.lineno}: {text}"
    return text


def check_plugin_class(module: ModuleType, plugin_type: PluginType, kind: str) -> "type[Plugin]":
    """The class that the `setup()` of MODULE gives.

    Raises:
        PluginError: it is no class of PLUGIN_TYPE, or not for this version of BuildStream.
    """
    plugin_class = _call_setup(module, plugin_type, kind)
    base = _base_class(plugin_type)
    subject = f"{plugin_type.label} plugin '{kind}'"
    if not isinstance(plugin_class, type):
        raise PluginError(
            f"{subject} returned something that is not a type (expected subclass of {base.__name__})",
            reason="setup-returns-not-type",
        )
    if not issubclass(plugin_class, base):
        raise PluginError(
            f"{subject} returned type '{plugin_class.__name__}', which is not a subclass of {base.__name__}",
            reason="setup-returns-bad-type",
        )
    _check_min_version(plugin_class, subject)
    return plugin_class


def _call_setup(module: ModuleType, plugin_type: PluginType, kind: str) -> object:
    subject = f"{plugin_type.label} plugin '{kind}'"
    try:
        return module.setup()
    except AttributeError as error:
        raise PluginError(
            f"{subject} did not provide a setup() function", reason="missing-setup-function"
        ) from error
    except TypeError as error:
        raise PluginError(
            f"setup symbol in {subject} is not a function", reason="setup-is-not-function"
        ) from error


def _base_class(plugin_type: PluginType) -> "type[Plugin]":
    if plugin_type is PluginType.ELEMENT:
        from ..element import Element

        return Element
    if plugin_type is PluginType.SOURCE:
        from ..source import Source

        return Source
    from ..sourcemirror import SourceMirror

    return SourceMirror


def _check_min_version(plugin_class: "type[Plugin]", subject: str) -> None:
    """Checks BST_MIN_VERSION against the running version."""
    minimum = plugin_class.BST_MIN_VERSION
    if minimum is None:
        raise PluginError(
            f"{subject} did not specify BST_MIN_VERSION",
            detail="Is this a plugin for BuildStream 1, used in a project for BuildStream 2?",
            reason="missing-min-version",
        )
    try:
        major, minor = [int(component) for component in minimum.split(".")[:2]]
    except (ValueError, AttributeError) as error:
        raise PluginError(
            f"{subject} has a malformed BST_MIN_VERSION: '{minimum}'",
            detail="It is expected to be written as MAJOR.MINOR, such as '2.0'.",
            reason="malformed-min-version",
        ) from error
    running_major, running_minor = get_bst_version()
    if major != running_major:
        raise PluginError(
            f"{subject} requires BuildStream {major}, but is used with BuildStream {running_major}",
            detail=f"Use a version of the plugin which is made for BuildStream {running_major}.",
            reason="incompatible-major-version",
        )
    if minor > running_minor:
        raise PluginError(
            f"{subject} requires BuildStream {minimum}, but is used with "
            f"BuildStream {running_major}.{running_minor}",
            detail=f"Please upgrade to BuildStream {minimum}",
            reason="incompatible-minor-version",
        )
