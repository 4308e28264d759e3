"""What is no ordinary file is refused before it is opened; on the ground, for every room that opens what a user names.

To open a FIFO waits for a writer, maybe for good; a device may never end, or do something; a socket cannot be opened.
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
    """An OSError, so that whoever says in one line that a file cannot be read says this too; see `strerror`."""


def refuse_special_file(path: str | os.PathLike[str]) -> None:
    """Call it before a file is opened whose name comes from outside; links are followed.

    Files and folders pass, and so does what is not there or cannot be looked at: to open it says so.

    Raises:
        SpecialFileError: a FIFO, a device or a socket; `strerror` is like "it is a FIFO, not a file".
    """
    try:
        kind = stat.S_IFMT(os.stat(path).st_mode)
    except (OSError, ValueError):  # ValueError: a NUL in it
        return
    if kind in _KINDS:
        raise SpecialFileError(errno.EINVAL, f"it is {_KINDS[kind]}, not a file", os.fspath(path))


def read_small_file(path: str | os.PathLike[str], *, most_bytes: int) -> bytes:
    """The content of a file that has a reason to be small: a config, notes, a header.

    Raises:
        OSError: it cannot be read, is larger, or no file (`SpecialFileError`).
    """
    refuse_special_file(path)
    with open(path, "rb") as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"it is larger than {most_bytes} bytes", os.fspath(path))
    return content
