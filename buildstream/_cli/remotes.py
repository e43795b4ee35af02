"""Remotes on the command line: a URL, or `key=value` pairs separated by commas."""

import os
from enum import Enum
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from .._remotespec import RemoteSpec

_AUTH_KEYS = ("server-cert", "client-key", "client-cert", "access-token")
_KEYS = ("url", "instance-name", "type", "push", *_AUTH_KEYS)
_TYPES = ("index", "storage", "all")


class RemotePurpose(Enum):
    """What a command does with a remote, as far as that is fixed."""

    PULL = "False"  # the value that `push` then has
    PUSH = "True"
    ALL = "as given"


class RemoteParameter(click.ParamType["RemoteSpec"]):
    """Turns the text of a remote into a RemoteSpec."""

    name = "remote"

    def __init__(self, purpose: RemotePurpose) -> None:
        self._purpose = purpose

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> "RemoteSpec":
        """Raises click.BadParameter for anything wrong in VALUE."""
        try:
            return parse_remote(value, self._purpose)
        except ValueError as error:
            self.fail(f"Failed to interpret remote: {error}", param, ctx)


def parse_remote(text: str, purpose: RemotePurpose) -> "RemoteSpec":
    """The remote that TEXT describes.

    Raises:
        ValueError: TEXT breaks a rule; says which.
    """
    from .._remotespec import RemoteAuth, RemoteSpec, RemoteType

    values = _split(text)
    if not values.get("url"):
        raise ValueError("No URL specified in remote")
    kind = values.get("type", "all")
    if kind not in _TYPES:
        raise ValueError(f"Value for remote 'type' must be one of: {', '.join(_TYPES)}")
    push = _push_from_text(values.get("push"), purpose)
    paths = {key: os.path.expanduser(values[key]) for key in _AUTH_KEYS if key in values}
    return RemoteSpec(
        url=values["url"],
        instance_name=values.get("instance-name"),
        type=RemoteType(kind),
        push=push,
        auth=RemoteAuth(
            server_cert=paths.get("server-cert"),
            client_key=paths.get("client-key"),
            client_cert=paths.get("client-cert"),
            access_token=paths.get("access-token"),
        ),
    )


def _split(text: str) -> dict[str, str]:
    if "," not in text:
        return {"url": text}
    values = {}
    for pair in text.split(","):
        key, separator, value = pair.partition("=")
        if not separator or "=" in value:
            raise ValueError(f"Invalid format '{pair}' found in remote specification: {text}")
        if key not in _KEYS:
            raise ValueError(f"Unexpected key '{key}' encountered")
        values[key] = value
    return values


def _push_from_text(text: str | None, purpose: RemotePurpose) -> bool:
    if purpose is not RemotePurpose.ALL:
        if text is not None:
            raise ValueError(f"The 'push' key is invalid and assumed to be {purpose.value}")
        return purpose is RemotePurpose.PUSH
    if text is None or text in ("True", "true"):
        return True
    if text in ("False", "false"):
        return False
    raise ValueError("Value for 'push' must be 'True' or 'False'")
