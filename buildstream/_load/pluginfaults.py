"""Errors of plugins that are no errors of the project: a plugin that fails in a way it did not foresee."""

import os
from types import TracebackType
from typing import TYPE_CHECKING

from .._exceptions import BstError, JobTerminated, PluginError

if TYPE_CHECKING:
    from ..plugin import Plugin

_SHOWN_CALLS = 8


class plugin_code:  # noqa: N801 - a context manager, used like a function
    """Runs METHOD of PLUGIN, as the body of the statement; what it did not foresee becomes an error.

    A class, since a generator takes four times as long, and this is entered several times an element.

    Raises:
        PluginError: `unhandled-exception`, naming the plugin, the declaration and
            the lines of the plugin, instead of anything that is no BstError.
    """

    __slots__ = ("_method", "_plugin")

    def __init__(self, plugin: "Plugin", method: str) -> None:
        self._plugin = plugin
        self._method = method

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, Exception) or isinstance(error, (BstError, JobTerminated)):
            return
        advice = "If the configuration is as the plugin wants it, this is a fault of the plugin."
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno is not None):
            advice = "The plugin did not expect this of the machine."
        calls = "\n".join(_calls(self._plugin, error.__traceback__))
        raise PluginError(
            f"{self._plugin}: The plugin failed in {self._method}(): {_text(error)}",
            detail=f"{advice} It happened here, the innermost call last:\n{calls}",
            reason="unhandled-exception",
        ) from error


def _text(error: Exception) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _calls(plugin: "Plugin", found: TracebackType | None) -> list[str]:
    """The calls of the plugin's own code that led to the error, and the innermost one of all."""
    import traceback  # for faults alone

    calls = traceback.extract_tb(found)
    own_files = {_file_of(each) for each in type(plugin).__mro__ if each.__module__ != "builtins"}
    shown = [call for call in calls[:-1] if call.filename in own_files][-_SHOWN_CALLS:] + calls[-1:]
    return [f"{call.filename}:{call.lineno} in {call.name}()" for call in shown]


def _file_of(kind: type) -> str:
    import inspect

    try:
        return os.path.abspath(inspect.getfile(kind))
    except (TypeError, OSError):
        return ""
