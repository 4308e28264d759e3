"""Storages, which open the videos of a list by path: local files, or an array of pixels."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sce_video.clips.decoders import PixelVideo, VideoDecoder, VideoOpener
from sce_video.data.find_file import find_file
from sce_video.engine.remote import Location

if TYPE_CHECKING:
    from sce_video.engine.remote.videos import Fetchable, VideoFiles

# The path of a video in its list -> the open video.
OpenPath = Callable[[str], VideoDecoder]
# Makes the cache; called only if videos must be fetched.
GetFiles = Callable[[], "VideoFiles"]


def no_files() -> "VideoFiles":
    raise ValueError("some of these videos must be fetched; pass files=")


class Storage(ABC):
    """Opens videos by path, independent of indices, labels and order: parts of a list share its storage."""

    root: Location
    is_remote: bool = False  # every access goes over a network
    has_files: bool = True  # that decoders read

    def name(self, path: str) -> str:
        """Full path of a video for messages, without secrets."""
        return str(self.root / path)

    def full_paths(self, paths: Sequence[str]) -> Iterator[str]:
        """Normalised, so that those of the same video are equal."""
        root = str(self.root)  # not a Path: 650,000 of them are slow to make
        return (os.path.normpath(os.path.join(root, path)) for path in paths)

    def why_missing(self, path: str) -> str | None:
        """None if a video exists, else the server's reason or "".

        Raises:
            RemoteError: the request fails.
        """
        return None

    def file(self, path: str) -> str | None:
        """The local file or folder of a video, if it has one."""
        return None

    def fetchable(self, path: str) -> "Fetchable | None":
        """What must be copied into the cache before a video can be opened; None for nothing."""
        return None

    def content(self, paths: Mapping[int, str]) -> Sequence[object]:
        """Facts that change with the content of these videos (by index): sizes and times of local files.

        Remote files are assumed not to change, like their cached copies.
        """
        files = {number: self.file(path) for number, path in paths.items()}
        return [(number, *_size_and_time(file)) for number, file in files.items() if file is not None]

    def identity(self, paths: Mapping[int, str]) -> Sequence[object]:
        """Facts that tell these videos (by index) from others of the same paths, and are those of every copy: sizes."""
        files = {number: self.file(path) for number, path in paths.items()}
        return [(number, _size_in_copies(file)) for number, file in files.items() if file is not None]

    @abstractmethod
    def opened_by(self, opener: VideoOpener, files: GetFiles) -> OpenPath: ...


@dataclass(frozen=True)
class LocalFiles(Storage):
    """Files and folders of frames below a folder."""

    root: Path

    def why_missing(self, path: str) -> str | None:
        return None if find_file(self.name(path)) else ""

    def file(self, path: str) -> str:
        """May have another suffix than the listed path, which is returned if there is no file.

        Lists of data sets name .avi files for which there are prepared .mp4 files or folders of frames.
        """
        # Not a Path: pathlib interns every name, 15 MB in each loader process for Kinetics.
        listed = os.path.join(str(self.root), path)
        return find_file(listed) or listed

    def opened_by(self, opener: VideoOpener, files: GetFiles) -> OpenPath:
        return lambda path: opener(self.file(path))


@dataclass(frozen=True, eq=False)
class ImageArray(Storage):
    """Images in one array, uint8 (images, H, W, C), each a video of one frame.

    The last part of a path is the index of the image. `origin` is the file that they are from, if it may be any.
    """

    root: Path
    pixels: np.ndarray
    origin: Path | None = None
    has_files = False

    def content(self, paths: Mapping[int, str]) -> Sequence[object]:
        return [] if self.origin is None else [_size_and_time(str(self.origin))]

    def identity(self, paths: Mapping[int, str]) -> Sequence[object]:
        return [] if self.origin is None else [_size_in_copies(str(self.origin))]

    def opened_by(self, opener: VideoOpener, files: GetFiles) -> OpenPath:
        return partial(self._open, short_side_pixels=opener.short_side_pixels)

    def image(self, path: str) -> int:
        """Its index in `pixels`."""
        return int(path.rpartition("/")[2])

    def _open(self, path: str, *, short_side_pixels: int) -> VideoDecoder:
        image = self.image(path)
        return PixelVideo(self.pixels[image : image + 1], short_side_pixels=short_side_pixels)


def _size_and_time(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _size_in_copies(path: str) -> tuple[int, int]:
    """1 and the size of a file; of a folder, the number of its frames and the size of the middle one; (0, 0): missing.

    The size of a folder itself depends on the file system.
    """
    try:
        if not os.path.isdir(path):
            return 1, os.stat(path).st_size
        frames = sorted(name for name in os.listdir(path) if not name.startswith("."))
        return len(frames), os.stat(os.path.join(path, frames[len(frames) // 2])).st_size if frames else 0
    except OSError:
        return 0, 0
