"""`bst artifact log`: the build logs that are kept in artifacts."""

import os
from collections.abc import Sequence

from .._exceptions import AppError
from .._model.message import MessageType
from .app import App
from .artifacttargets import load_artifact_targets


def artifact_logs(app: App, *, artifacts: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of the name of an element and its log, in order; those without are warned of."""
    targets = load_artifact_targets(app, artifacts)
    logs = []
    for target in targets:
        if target.artifact is None:
            app.messenger.send(MessageType.WARN, f"{target.ref} is not cached")
        elif not target.artifact.logs:
            app.messenger.send(MessageType.WARN, f"{target.ref} is cached without log files")
        else:
            name = target.name if target.record is not None else target.ref.split("/")[1]
            logs += [(name, text) for text in app.artifacts.logs(target.artifact)]
    return logs


def write_logs(logs: Sequence[tuple[str, str]], directory: str) -> None:
    """Writes LOGS into the new directory DIRECTORY, one file an artifact.

    Raises:
        AppError: DIRECTORY exists, or can't be made.
    """
    if os.path.lexists(directory):
        raise AppError(f"Error: {directory} already exists")
    try:
        os.mkdir(directory)
        for name, text in logs:
            path = os.path.join(directory, f"{name.removesuffix('.bst')}.log")
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise AppError(f"Failed to write logs to '{directory}': {error.strerror}") from error
