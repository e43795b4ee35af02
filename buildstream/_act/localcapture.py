"""What a `local` source or a workspace points to: its digest, and its content in the store."""

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from .._exceptions import BstError, CASError
from .._model.digest import Digest, digest_from_bytes
from .._model.tree import FileEntry, TreeDirectory, encode_directory
from ..exceptions import ErrorDomain

if TYPE_CHECKING:
    from .._store.cas import Cas


def digest_local(cas: "Cas", path: str, *, mtimes: bool, stores_many: bool) -> Digest:
    """The digest of the tree at PATH; a single file is put into a directory of its own.

    Of a directory, only what has changed is read.  If that is much, it is stored at once
    with STORES_MANY, as far as that is possible; see `ensure_captured`.

    Raises:
        SourceError: Something can't be read.
    """
    try:
        if os.path.isdir(path):
            if stores_many:
                with suppress(CASError):  # a full store, which may not matter in the end
                    return cas.digest_directory(path, mtimes=mtimes, stores_many=True)
            return cas.digest_directory(path, mtimes=mtimes)
        from .._store.filedigest import digest_of_file

        digest = digest_of_file(os.path.realpath(path))
        # as 2.8 does; where the classes of a mode differ, root is told otherwise than the owner
        entry = FileEntry(os.path.basename(path), digest, os.access(path, os.X_OK))
        return digest_from_bytes(encode_directory(TreeDirectory((entry,))))
    except OSError as error:
        raise BstError(
            f"Failed to read local source '{error.filename or path}': {error.strerror}",
            domain=ErrorDomain.SOURCE,
            reason="local-source-unreadable",
        ) from error


def ensure_captured(cas: "Cas", path: str, digest: Digest, *, mtimes: bool) -> None:
    """Makes the tree DIGEST, which `digest_local` gave for PATH, complete in the store.

    Raises:
        SourceError: It is not, and there is something else at PATH now.
    """
    missing = cas.missing_blobs(digest)  # and no clean-up takes anything else of it any more
    if not missing:
        return
    if _stored(cas, path, missing, mtimes=mtimes) != digest:
        raise BstError(
            f"The files in '{path}' have changed since the command began",
            detail="Run it again, to use them as they are now.",
            domain=ErrorDomain.SOURCE,
            reason="local-source-changed",
        )


def _stored(cas: "Cas", path: str, missing: list[Digest], *, mtimes: bool) -> Digest | None:
    """The tree that is at PATH now, in the store; None if there is nothing."""
    if os.path.isdir(path):
        return cas.store_directory(path, missing, mtimes=mtimes)
    if not os.path.isfile(path):
        return None
    from .._store.cas_directory import CasDirectory

    directory = CasDirectory(cas)
    directory.import_single_file(path)
    return directory._digest()
