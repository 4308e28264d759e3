"""Locations of files: a `Path`, or a `RemotePath` with the part of `Path`'s interface that readers of lists use."""

import os
import posixpath
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote

from sce_video.urls import is_url, masked_url

_VARIABLE = re.compile(r"\$\{(\w+)\}")


class RemoteError(OSError):
    """A remote file cannot be fetched; the message is one line with the URL, without secrets, and the cause."""


class RefusedError(RemoteError):
    """A permanent error: the file does not exist, or access is denied."""


@dataclass(frozen=True)
class RemotePath:
    """A URL, from the config with a path below it or from a list on its own.

    `str()` masks user, password and query, as it goes into logs and results. `${NAME}` is replaced by an environment
    variable at the time of a request, and only in `root`: a list must not be able to send the environment anywhere.
    """

    root: str
    path: str = ""

    def __str__(self) -> str:
        return masked_url(self.key)

    def __truediv__(self, more: str) -> "RemotePath":
        return RemotePath(self.root, posixpath.join(self.path, more))

    @property
    def key(self) -> str:
        """Permanent identity of the file: the URL without the values of variables."""
        return _joined(self.root, self.path)

    @property
    def url(self) -> str:
        """The URL to fetch, with the values of variables.

        Raises:
            RemoteError: a variable is not set, or not valid in a URL; a library's error would show the secret.
        """
        for name in _VARIABLE.findall(self.root):
            if name not in os.environ:
                raise RemoteError(f"{self}: the environment variable {name} is not set")
            if any(each.isspace() or not each.isprintable() for each in os.environ[name]):
                raise RemoteError(
                    f"{self}: the environment variable {name} has a blank or a control character; "
                    "remove it, or percent-encode it if it is part of the secret"
                )
        return _joined(_VARIABLE.sub(lambda found: os.environ[found[1]], self.root), self.path)

    @property
    def name(self) -> str:
        """The last part of the path, without the query of a URL."""
        if self.root and self.path:
            return posixpath.basename(self.path)
        return posixpath.basename(self.key.partition("?")[0].rstrip("/"))

    def absolute(self) -> "RemotePath":
        return self

    # `transfer` is imported at the first request, which runs on local files never make.

    def read_bytes(self) -> bytes:
        """Content of the file; raises RemoteError."""
        from sce_video.engine.remote import transfer

        return transfer.read_bytes(self)

    def exists(self) -> bool:
        """Whether the file exists; raises RemoteError if the request fails."""
        from sce_video.engine.remote import transfer

        return transfer.exists(self)

    def files_below(self) -> list[str]:
        """Relative names of all files below it; raises RemoteError."""
        from sce_video.engine.remote import transfer

        return transfer.list_files(self)


Location: TypeAlias = Path | RemotePath


def location(text: Location | str) -> Location:
    """The location that a config key or a caller names; `file://` is a local path."""
    if not isinstance(text, str):
        return text
    if text.startswith("file://"):
        return Path(text.removeprefix("file://"))
    return RemotePath(text) if is_url(text) else Path(text)


def relative_folder(folder: Location, root: Location) -> str:
    """Path of `folder` relative to `root`; the folder itself if it is not below."""
    if isinstance(folder, RemotePath) and isinstance(root, RemotePath):
        return posixpath.relpath(folder.path or ".", root.path or ".")
    is_below = isinstance(folder, Path) and isinstance(root, Path) and folder.is_relative_to(root)
    return os.path.relpath(str(folder), str(root)) if is_below else str(folder)


def _joined(root: str, path: str) -> str:
    """`path` below `root`; for HTTP it is quoted, since `?` and `#` may occur in file names, and put before a query."""
    if not path or not root:
        return root or path
    if {"", ".", ".."} & set(path.split("/")):
        path = posixpath.normpath(path)
    if not root.lower().startswith(("http://", "https://")):
        return f"{root.rstrip('/')}/{path}"
    base, mark, query = root.partition("?")
    return f"{base.rstrip('/')}/{quote(path, safe='/~', errors='surrogateescape')}{mark}{query}"
