"""Refuse FIFOs, devices and sockets before they are opened.

Opening a FIFO blocks until there is a writer; a device may be endless or have side effects; a socket cannot be opened.
"""

import errno
import os
import stat

_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


class SpecialFileError(OSError):
    """A FIFO, device or socket; an OSError, so that handlers of unreadable files report its `strerror` too."""


def refuse_special_file(path: str | os.PathLike[str]) -> None:
    """Call this before opening a file that the user names; links are followed.

    Files, folders and paths that are missing or inaccessible pass: opening them raises the right error.

    Raises:
        SpecialFileError: a FIFO, a device or a socket; `strerror` is like "it is a FIFO, not a file".
    """
    try:
        kind = stat.S_IFMT(os.stat(path).st_mode)
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return
    if kind in _KINDS:
        raise SpecialFileError(errno.EINVAL, f"it is {_KINDS[kind]}, not a file", os.fspath(path))


def read_small_file(path: str | os.PathLike[str], *, most_bytes: int) -> bytes:
    """The content of a file that should be small, such as a config.

    Raises:
        OSError: it is larger than `most_bytes`, cannot be read or is a special file (`SpecialFileError`).
    """
    refuse_special_file(path)
    with open(path, "rb") as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"it is larger than {most_bytes} bytes", os.fspath(path))
    return content
