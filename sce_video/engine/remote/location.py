"""Where something lies: a `Path`, or a `RemotePath` that can do what the readers of lists ask of one."""

import os
import posixpath
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote

from sce_video.engine.remote import transfer
from sce_video.engine.remote.retry import RemoteError
from sce_video.urls import is_url, masked_url

_VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True)
class RemotePath:
    """A URL of the config and a path below it, or alone a URL that a list names.

    As text it has no user, no password and no query: it goes into logs and results. `${NAME}` in `root`, and nowhere
    else, stands for an environment variable, put in when the file is asked for: a list must not be able to send the
    environment anywhere.
    """

    root: str
    path: str = ""

    def __str__(self) -> str:
        return masked_url(self.key)

    def __truediv__(self, more: str) -> "RemotePath":
        return RemotePath(self.root, posixpath.join(self.path, more))

    @property
    def key(self) -> str:
        """What tells this file from others, on all days: the URL without the values of variables."""
        return _joined(self.root, self.path)

    @property
    def url(self) -> str:
        """What to fetch.

        Raises:
            RemoteError: a variable is not set, or is no part of a URL: an error of a library would show what it holds.
        """
        for name in _VARIABLE.findall(self.root):
            if name not in os.environ:
                raise RemoteError(f"{self}: the environment has no variable {name}")
            if any(each.isspace() or not each.isprintable() for each in os.environ[name]):
                raise RemoteError(
                    f"{self}: the variable {name} of the environment has a blank or a control character; "
                    "percent-encode what belongs to the secret"
                )
        return _joined(_VARIABLE.sub(lambda found: os.environ[found[1]], self.root), self.path)

    @property
    def name(self) -> str:
        """The last part; what follows a `?` in a whole URL, of the config or of a list, is no part of it."""
        if self.root and self.path:
            return posixpath.basename(self.path)
        return posixpath.basename(self.key.partition("?")[0].rstrip("/"))

    def absolute(self) -> "RemotePath":
        return self

    def read_bytes(self) -> bytes:
        """Raises RemoteError."""
        return transfer.read_bytes(self)

    def exists(self) -> bool:
        """Raises RemoteError where that cannot be told."""
        return transfer.exists(self)


Location: TypeAlias = Path | RemotePath


def location(text: Location | str) -> Location:
    """What a key of the config or a caller names; `file://` is a local path like any other."""
    if not isinstance(text, str):
        return text
    if text.startswith("file://"):
        return Path(text.removeprefix("file://"))
    return RemotePath(text) if is_url(text) else Path(text)


def relative_folder(folder: Location, root: Location) -> str:
    """What leads from `root` to a folder; the folder itself where it does not lie below."""
    if isinstance(folder, RemotePath) and isinstance(root, RemotePath):
        return posixpath.relpath(folder.path or ".", root.path or ".")
    is_below = isinstance(folder, Path) and isinstance(root, Path) and folder.is_relative_to(root)
    return os.path.relpath(str(folder), str(root)) if is_below else str(folder)


def _joined(root: str, path: str) -> str:
    """For HTTP the path is quoted, since a `?` or `#` in a file's name is part of it, and a query stays at the end."""
    if not path or not root:
        return root or path
    if {"", ".", ".."} & set(path.split("/")):
        path = posixpath.normpath(path)
    if not root.lower().startswith(("http://", "https://")):
        return f"{root.rstrip('/')}/{path}"
    place, mark, query = root.partition("?")
    return f"{place.rstrip('/')}/{quote(path, safe='/~', errors='surrogateescape')}{mark}{query}"
