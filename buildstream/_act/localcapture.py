"""Capturing what a `local` source or a workspace points to."""

import os
from typing import TYPE_CHECKING

from .._exceptions import BstError
from .._model.digest import Digest
from ..exceptions import ErrorDomain

if TYPE_CHECKING:
    from .._store.cas import Cas


def capture_local(cas: "Cas", path: str, *, mtimes: bool) -> Digest:
    """The tree at PATH, stored; a single file is put into a directory of its own.

    Raises:
        SourceError: Something can't be read.
    """
    try:
        if os.path.isdir(path):
            return cas.import_directory(path, mtimes=mtimes)
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
