"""Capturing what a `local` source or a workspace points to."""

import os
from typing import TYPE_CHECKING

from .._exceptions import BstError
from .._model.digest import Digest
from ..exceptions import ErrorDomain

if TYPE_CHECKING:
    from .._store.cas import Cas


def capture_local(cas: "Cas", path: str, *, mtimes: bool) -> Digest:
    """The tree at PATH; a single file is put into a directory of its own.

    Of a directory, only what has changed is read; see `ensure_captured`.

    Raises:
        SourceError: Something can't be read.
    """
    try:
        if os.path.isdir(path):
            return cas.recapture_directory(path, mtimes=mtimes)
        from .._store.cas_directory import CasDirectory

        directory = CasDirectory(cas)
        directory.import_single_file(path)
        return directory._digest()
    except OSError as error:
        raise BstError(
            f"Failed to read local source '{error.filename or path}': {error.strerror}",
            domain=ErrorDomain.SOURCE,
            reason="local-source-unreadable",
        ) from error


def ensure_captured(cas: "Cas", path: str, digest: Digest, *, mtimes: bool) -> None:
    """Makes the tree DIGEST, which `capture_local` gave for PATH, complete in the store.

    Raises:
        SourceError: It is not, and there is something else at PATH now.
    """
    if not cas.missing_blobs(digest):  # and no clean-up takes anything of it any more
        return
    if not os.path.isdir(path) or cas.import_directory(path, mtimes=mtimes) != digest:
        raise BstError(
            f"The files in '{path}' have changed since the command began",
            detail="Run it again, to use them as they are now.",
            domain=ErrorDomain.SOURCE,
            reason="local-source-changed",
        )
