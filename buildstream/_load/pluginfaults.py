"""Errors of plugins that are no errors of the project: a plugin that fails in a way it did not foresee."""

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .._exceptions import BstError, PluginError

if TYPE_CHECKING:
    from ..plugin import Plugin


@contextmanager
def plugin_code(plugin: "Plugin", method: str) -> Iterator[None]:
    """Runs METHOD of PLUGIN, as the body of the statement; what it did not foresee becomes an error.

    Raises:
        PluginError: `unhandled-exception`, naming the plugin, the declaration and
            the line of the plugin, instead of anything that is no BstError.
    """
    try:
        yield
    except BstError:
        raise
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        file_name = os.path.basename(frame.filename)
        raise PluginError(
            f"{plugin}: The plugin failed in {method}(): {type(error).__name__}: {error}",
            detail=f"It happened in line {frame.lineno} of {file_name}, in {frame.name}().\n"
            "If the configuration is as the plugin wants it, this is a fault of the plugin:\n"
            f"{frame.filename}",
            reason="unhandled-exception",
        ) from error
