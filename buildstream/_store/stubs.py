"""Files without content that tell an overlay which object has it.

Such a file has an inode of its own, and the size, mode and time of the file that the overlay shows.
Linux 6.16 is the first where everybody can mount such overlays; see `_sandbox/launcher.py`.
"""

import os

_METACOPY = "user.overlay.metacopy"
_REDIRECT = "user.overlay.redirect"  # a path in the layer that only gives contents: that of objects


def make_stub(
    path: str, object_name: str, size_bytes: int, *, mode: int, mtime_ns: int, parent: int | None = None
) -> None:
    """Makes a stub at PATH, where nothing is.

    Args:
        path: Of the host, or relative to PARENT.
        object_name: Path of the object, relative to the directory of objects.
        size_bytes: Of the object.
        mode: Permissions, whatever the umask is.
        mtime_ns: Modification time.
        parent: Descriptor of a directory.

    Raises:
        OSError: It can't be made, and there is nothing.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(path, flags, mode, dir_fd=parent)
    try:
        os.setxattr(descriptor, _METACOPY, b"")
        os.setxattr(descriptor, _REDIRECT, b"/" + object_name.encode())
        os.ftruncate(descriptor, size_bytes)
        os.fchmod(descriptor, mode)
        os.utime(descriptor, ns=(mtime_ns, mtime_ns))
    except OSError:
        os.unlink(path, dir_fd=parent)
        raise
    finally:
        os.close(descriptor)


def is_stub_of(path: str, object_name: str) -> bool:
    """Whether the file at PATH is a stub of this object; see `make_stub`.

    Raises:
        OSError: It can't be read, or is no stub at all.
    """
    redirect = os.getxattr(path, _REDIRECT, follow_symlinks=False)
    metacopy = os.getxattr(path, _METACOPY, follow_symlinks=False)
    return redirect == b"/" + object_name.encode() and metacopy == b""
