"""The program `bst-artifact-server`."""

import os
import signal
import sys
from collections.abc import Callable
from queue import SimpleQueue
from typing import TYPE_CHECKING

import click

from .options import CONTEXT_SETTINGS

if TYPE_CHECKING:
    from .._server.settings import ListenAddress, ServerSettings, TlsFiles

_PROGRAM = "bst-artifact-server"
_FAILURE = 255
_PATH = click.Path(dir_okay=False)
_Text = Callable[[str], str | None]  # the value of an option by name


@click.command(context_settings=CONTEXT_SETTINGS)
@click.argument("directory", type=click.Path(file_okay=False))
@click.option(
    "--port", "-p", metavar="PORT", help="Same as --bind PORT, or with --enable-push as --bind-push PORT"
)
@click.option("--enable-push", is_flag=True, help="Let clients of --port push")
@click.option("--bind", "read", metavar="ADDRESS", multiple=True, help="Serve clients that only read")
@click.option(
    "--bind-push", "push", metavar="ADDRESS", multiple=True, help="Serve clients that read and push"
)
@click.option("--server-key", metavar="FILE", type=_PATH, help="Private key of the server; switches TLS on")
@click.option("--server-cert", metavar="FILE", type=_PATH, help="Certificate of the server")
@click.option(
    "--client-certs", metavar="FILE", type=_PATH, help="Who may push: certificates, or who signed them"
)
@click.option("--reader-certs", metavar="FILE", type=_PATH, help="Who may read, of those who may not push")
@click.option(
    "--tokens", metavar="FILE", type=_PATH, help="Access tokens: lines 'read TOKEN' or 'push TOKEN'"
)
@click.option("--anonymous-read", is_flag=True, help="With --tokens: reading needs none")
@click.option(
    "--quota", metavar="SIZE", default="infinity", show_default=True, help="Disk space to take at most"
)
@click.option(
    "--reserved-disk-space", metavar="SIZE", default="5%", show_default=True, help="Disk space to keep free"
)
@click.option(
    "--low-watermark", metavar="PERCENT", default="80%", show_default=True, help="What a clean-up leaves"
)
@click.option("--instance", "instances", metavar="NAME", multiple=True, help="Instance name to answer to")
@click.option("--index-only", is_flag=True, help="Keep names alone, of contents that another server keeps")
@click.option("--metrics", metavar="ADDRESS", help="Serve /metrics and /healthz over HTTP")
@click.option(
    "--threads",
    metavar="N",
    type=click.IntRange(2, 1000),
    default=64,
    show_default=True,
    help="Calls at once",
)
@click.option(
    "--stall-timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=1),
    default=120.0,
    show_default=True,
    help="End transfers on which nothing moves for so long",
)
@click.option(
    "--grace",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    help="Time to finish",
)
@click.option("--no-sync", is_flag=True, help="Be faster, and lose what was pushed last in a power failure")
def main(directory: str, **options: object) -> None:
    """Serves a cache of artifacts and sources out of DIRECTORY.

    An ADDRESS is PORT on all interfaces, HOST:PORT, [IPV6]:PORT, or unix:PATH.
    A SIZE is a number with K, M, G or T, or a percentage of the disk.

    Files with certificates and tokens are read again when they change. SIGTERM
    ends the server once running calls have ended; a second one ends it at once.
    """
    from .._exceptions import BstError

    try:
        settings = settings_from_options(directory, options)
        sys.exit(_serve(settings))
    except BstError as error:
        click.echo(f"{_PROGRAM}: {error}", err=True)
        sys.exit(_FAILURE)


def run() -> None:
    """Runs the program with the arguments and the environment of the process."""
    main(prog_name=_PROGRAM)


def settings_from_options(directory: str, options: dict[str, object]) -> "ServerSettings":
    """The settings that the options amount to.

    Raises:
        LoadError: A size is none.
        click.UsageError: Options contradict each other.
    """
    from .._config.sizes import disk_share_from_text, watermark_from_text
    from .._server.settings import Quota, Right, ServerSettings

    def text(name: str) -> str | None:
        value = options[name]
        return None if value is None else str(value)

    quota, reserved = str(options["quota"]), str(options["reserved_disk_space"])
    addresses = _addresses(options)
    tls = _tls(text)
    if options["anonymous_read"] and not options["tokens"]:
        raise click.UsageError("--anonymous-read is for --tokens, without which everybody may read")
    instances = options["instances"]
    metrics = text("metrics")
    return ServerSettings(
        directory=directory,
        addresses=addresses,
        instances=tuple(map(str, instances)) if isinstance(instances, tuple) and instances else ("",),
        tls=tls,
        tokens=text("tokens"),
        anonymous_right=Right.READ if options["anonymous_read"] else Right.NONE,
        quota=Quota(
            limit=None if quota == "infinity" else disk_share_from_text(quota, "infinity 2G 5%"),
            reserved=disk_share_from_text(reserved, "2G 5%"),
            low_watermark_percent=watermark_from_text(str(options["low_watermark"])),
        ),
        index_only=bool(options["index_only"]),
        metrics_address=_metrics_address(metrics) if metrics is not None else None,
        durable=not options["no_sync"],
        threads=int(str(options["threads"])),
        stall_timeout_s=float(str(options["stall_timeout"])),
        grace_s=float(str(options["grace"])),
    )


def _addresses(options: dict[str, object]) -> "tuple[ListenAddress, ...]":
    from .._server.settings import Right, address_from_text

    wanted: list[tuple[str, str, Right]] = []
    if options["port"] is not None:
        right = Right.PUSH if options["enable_push"] else Right.READ
        wanted.append(("--port", str(options["port"]), right))
    elif options["enable_push"]:
        raise click.UsageError("--enable-push is for --port; use --bind-push for other addresses")
    for option, name, right in (("--bind", "read", Right.READ), ("--bind-push", "push", Right.PUSH)):
        given = options[name]
        if isinstance(given, tuple):
            wanted += [(option, text, right) for text in given]
    if not wanted:
        raise click.UsageError("Nothing to listen on: give --port, --bind or --bind-push")
    addresses = []
    for option, text, right in wanted:
        try:
            addresses.append(address_from_text(text, right))
        except ValueError as error:
            raise click.BadParameter(f"'{text}' is no address: {error}", param_hint=option) from error
    return tuple(addresses)


def _metrics_address(text: str) -> str:
    from .._server.settings import Right, address_from_text

    try:
        address = address_from_text(text if ":" in text else f"127.0.0.1:{text}", Right.NONE)
        if address.is_unix:
            raise ValueError("it has to be a port")
    except ValueError as error:
        raise click.BadParameter(f"'{text}' is no address: {error}", param_hint="--metrics") from error
    return address.text


def _tls(text: _Text) -> "TlsFiles | None":
    from .._server.settings import TlsFiles

    key, certificate = text("server_key"), text("server_cert")
    pushers, readers = text("client_certs"), text("reader_certs")
    if (key is None) != (certificate is None):
        raise click.UsageError("--server-key and --server-cert are needed together")
    if key is None or certificate is None:
        if pushers or readers:
            raise click.UsageError("Certificates of clients need TLS: give --server-key and --server-cert")
        return None
    return TlsFiles(key, certificate, pushers, readers)


def _serve(settings: "ServerSettings") -> int:
    """Runs the server until a signal; gives the exit status."""
    from .._server.log import line_log
    from .._server.server import ArtifactServer

    log = line_log()
    # not an Event: setting it in the handler would wait for a lock that the waiting thread may just hold
    ended: SimpleQueue[None] = SimpleQueue()
    count = 0

    def end(_number: int, _frame: object) -> None:
        nonlocal count
        count += 1
        if count > 1:
            os._exit(_FAILURE)
        ended.put(None)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    server = ArtifactServer(settings, log)
    for line in server.start():
        log(f"Listening on {line}")
    if server.is_open_to_all:
        log("warning: Everybody who reaches the server may push: think of --tokens or --client-certs")
    _notify("READY=1")
    ended.get()
    log("Stopping")
    _notify("STOPPING=1")
    server.stop()
    log("Stopped")
    return 0


def _notify(state: str) -> None:
    """Tells the service manager, if it is one that wants to be told."""
    import socket

    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notify:
        try:
            notify.sendto(state.encode(), address)
        except OSError as error:
            click.echo(f"{_PROGRAM}: Can't notify the service manager: {error}", err=True)
