"""The parts of a URL that may begin with an alias."""

# what stands before the first colon is no alias if it is one of these
_SCHEMES = frozenset({"http", "https", "ftp", "file", "git", "sftp", "ssh"})


def split_alias(url: str) -> tuple[str | None, str]:
    """(alias, rest) of URL; the alias is None where URL begins with a known scheme or has no colon."""
    head, separator, rest = url.partition(":")
    if not separator or head.lower() in _SCHEMES:
        return None, url
    return head, rest
