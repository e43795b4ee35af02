"""Opening URLs: what servers are told, and who logs in where."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import netrc
    from urllib.request import OpenerDirector, Request

_USER_AGENT = "BuildStream/2"


class UrlOpener:
    """Opens one URL, as often as needed.

    Args:
        url: Any that the standard library can open.
        uses_bearer: Whether the password of `~/.netrc` is a bearer token.
        warn: Is told about a `~/.netrc` that can't be understood.
    """

    def __init__(self, url: str, *, uses_bearer: bool, warn: Callable[[str], None]) -> None:
        self._url = url
        self._uses_bearer = uses_bearer
        self._credentials = _load_netrc(warn)

    def open(self, headers: dict[str, str], timeout_s: float):  # type: ignore[no-untyped-def]
        """The response, a file with `headers`, whose type the standard library does not name.

        Args:
            headers: To be sent besides the usual ones.
            timeout_s: How long the server may stay silent.
        """
        from urllib.request import Request

        # whatever scheme the opener knows is wanted
        request = Request(  # noqa: S310
            self._url, headers={"Accept": "*/*", "User-Agent": _USER_AGENT, **headers}
        )
        opener = _make_opener(request, self._credentials, uses_bearer=self._uses_bearer)
        return opener.open(request, timeout=timeout_s)


def _load_netrc(warn: Callable[[str], None]) -> "netrc.netrc | None":
    import netrc

    try:
        return netrc.netrc()
    except OSError:
        return None
    except netrc.NetrcParseError as error:
        warn(f"The file .netrc is ignored: {error}")
        return None


def _make_opener(
    request: "Request", credentials: "netrc.netrc | None", *, uses_bearer: bool
) -> "OpenerDirector":
    """An opener that knows what CREDENTIALS say of the host of REQUEST, and tells no other host."""
    from urllib.parse import urlsplit
    from urllib.request import HTTPBasicAuthHandler, HTTPPasswordMgrWithDefaultRealm, build_opener

    from ._download_ftp import FtpOpener

    parts = urlsplit(request.full_url)
    entry = credentials.authenticators(parts.hostname) if credentials and parts.hostname else None
    if entry is None:
        return build_opener(FtpOpener())
    login, _, password = entry
    secret = password or ""
    if uses_bearer:
        # not sent along to where the server redirects to
        request.add_unredirected_header("Authorization", f"Bearer {secret}")
        return build_opener(FtpOpener())
    passwords = HTTPPasswordMgrWithDefaultRealm()
    passwords.add_password(None, f"{parts.scheme}://{parts.netloc}", login, secret)
    return build_opener(HTTPBasicAuthHandler(passwords), FtpOpener(parts.hostname, login, secret))
