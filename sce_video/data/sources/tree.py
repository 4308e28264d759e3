"""Folders and files at any depth below a folder, in a fixed order."""

import os
from collections.abc import Container, Iterator
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from sce_video.clips.suffixes import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from sce_video.engine.remote import Location, RemoteError, RemotePath
from sce_video.errors import ManifestError

__all__ = ["IMAGE_SUFFIXES", "VIDEO_SUFFIXES", "Folder", "files_below", "folders_below", "is_frame_folder"]


class Folder(NamedTuple):
    """A folder by its path below the top ("" for the top), with the sorted names of its folders and files."""

    path: str
    folders: list[str]
    files: list[str]

    def files_with(self, suffixes: tuple[str, ...]) -> list[str]:
        """Paths of the files with one of these suffixes, matched in lower case."""
        return [os.path.join(self.path, name) for name in self.files if name.lower().endswith(suffixes)]


def folders_below(top: Location, *, videos: Container[str] = ()) -> Iterator[Folder]:
    """`top` and every folder below it. Links are followed; names that begin with a dot are left out.

    Args:
        videos: names of folders that are not entered if they hold images: each is the frames of a video.
    Raises:
        ManifestError: a folder that does not exist or cannot be read.
    """
    return _listed(top) if isinstance(top, RemotePath) else _walk(top, "", frozenset(), videos)


def files_below(top: Location, suffixes: tuple[str, ...]) -> list[str]:
    """Paths below `top` of all files with these suffixes, sorted part by part; raises as `folders_below`."""
    files = (file for folder in folders_below(top) for file in folder.files_with(suffixes))
    return sorted(files, key=lambda path: path.split("/"))


def _listed(top: RemotePath) -> Iterator[Folder]:
    """`folders_below` of a remote folder, from one listing: object stores have only names with slashes."""
    try:
        files = [file for file in top.files_below() if "/." not in f"/{file}" and not file.endswith("/")]
    except RemoteError as error:
        raise ManifestError(f"{top} is not a folder that can be listed ({error})") from error
    found: dict[str, tuple[set[str], set[str]]] = {"": (set(), set())}
    for file in files:
        *folders, name = PurePosixPath(file).parts
        above = ""
        for folder in folders:
            found[above][0].add(folder)
            above = os.path.join(above, folder)
            found.setdefault(above, (set(), set()))
        found[above][1].add(name)
    for path in sorted(found, key=lambda path: path.split("/")):
        yield Folder(path, sorted(found[path][0]), sorted(found[path][1]))


def is_frame_folder(folder: str) -> bool:
    """Whether one of the first entries of a folder is an image, which is quick for any number of them."""
    try:
        with os.scandir(folder) as entries:
            return any(entry.name.lower().endswith(IMAGE_SUFFIXES) for entry in islice(entries, 5))
    except OSError:
        return False


def _walk(top: Path, path: str, above: frozenset[tuple[int, int]], videos: Container[str]) -> Iterator[Folder]:
    full = top / path
    try:
        status = os.stat(full)
        with os.scandir(full) as entries:
            visible = [entry for entry in entries if not entry.name.startswith(".")]
            folders = sorted(entry.name for entry in visible if entry.is_dir())
            files = sorted(entry.name for entry in visible if entry.is_file())
    except OSError as error:
        raise ManifestError(f"{full} is not a folder that can be read ({error.strerror})") from error
    here = (status.st_dev, status.st_ino)
    if here in above:  # a link to a folder above it
        return
    yield Folder(path, folders, files)
    for name in folders:
        if not (name in videos and is_frame_folder(os.path.join(full, name))):
            yield from _walk(top, os.path.join(path, name), above | {here}, videos)
