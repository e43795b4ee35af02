"""What the server is told when it is started."""

from dataclasses import field
from enum import Enum

from .._config.values import DiskShare
from .._dataclass import dataclass


class Right(Enum):
    """What a call needs, and what a port or a token gives; the later ones contain the earlier ones."""

    NONE = 0
    READ = 1
    PUSH = 2

    def includes(self, other: "Right") -> bool:
        """Whether who has this right may do what needs OTHER."""
        return self.value >= other.value


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where clients connect, and what they may do there at most."""

    text: str  # HOST:PORT or unix:PATH
    right: Right

    @property
    def is_unix(self) -> bool:
        """Whether it is a socket in the file system."""
        return self.text.startswith("unix:")


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files, as host paths; they are read again when they change."""

    key: str
    certificate: str
    pushers: str | None = None  # certificates that those of clients of push ports must be signed by
    readers: str | None = None  # the same for ports for reading


@dataclass(frozen=True, slots=True)
class Quota:
    """How much disk space the cache may take."""

    limit: DiskShare | None = None  # None: no limit but the disk
    reserved: DiskShare = field(default_factory=lambda: DiskShare(size_bytes=None, percent=5.0))  # stays free
    low_watermark_percent: float = 80.0  # of the limit; what a clean-up leaves


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Everything that can be chosen."""

    directory: str
    addresses: tuple[ListenAddress, ...]
    instances: tuple[str, ...] = ("",)
    tls: TlsFiles | None = None
    tokens: str | None = None  # path of the file with tokens; None: none are asked for
    anonymous_right: Right = Right.NONE  # of clients without a token, where there are tokens
    quota: Quota = field(default_factory=Quota)
    index_only: bool = False  # keep names alone, of contents that are elsewhere
    metrics_address: str | None = None  # HOST:PORT
    fresh_s: float = 60.0  # how exact times of use are; what is used more recently is not deleted
    durable: bool = True  # whether what was confirmed survives a loss of power
    threads: int = 64  # calls that are served at once
    stall_timeout_s: float = 120.0  # a stream on which nothing moves for so long is ended
    grace_s: float = 30.0  # that running calls have to end when the server stops


def address_from_text(text: str, right: Right) -> ListenAddress:
    """The address that TEXT means: PORT on all interfaces, HOST:PORT, [IPV6]:PORT or unix:PATH.

    Raises:
        ValueError: It means none.
    """
    if text.startswith("unix:"):
        if len(text) == len("unix:"):
            raise ValueError("a path is missing after 'unix:'")
        return ListenAddress(text, right)
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise ValueError("it does not end in a port number")
    return ListenAddress(f"{host or '[::]'}:{int(port)}", right)
