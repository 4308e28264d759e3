"""Where videos are: what the paths of a list stand for, in folders or in an array of pixels."""

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
# Asked for only where something must be fetched: it makes the cache.
GetFiles = Callable[[], "VideoFiles"]


def no_files() -> "VideoFiles":
    raise ValueError("some of these videos must be fetched; give files=")


class Storage(ABC):
    """Knows nothing of numbers, labels and order: parts of a list share the storage of the whole."""

    root: Location
    is_remote: bool = False  # each question goes over a network
    has_files: bool = True  # which decoders read

    def name(self, path: str) -> str:
        """Of a video, for messages; without secrets."""
        return str(self.root / path)

    def full_paths(self, paths: Sequence[str]) -> Iterator[str]:
        """Equal where it is the same video: `a//b` and `./a/b` are."""
        root = str(self.root)  # and no Path objects: 650,000 take long to make
        return (os.path.normpath(os.path.join(root, path)) for path in paths)

    def why_missing(self, path: str) -> str | None:
        """None for a video that exists; else what a server says of it, or "".

        Raises:
            RemoteError: a server does not say.
        """
        return None

    def file(self, path: str) -> str | None:
        """The file or folder of a video on this machine, if it has one."""
        return None

    def fetchable(self, path: str) -> "Fetchable | None":
        """What must be fetched, or cut out, before a video can be opened."""
        return None

    def content(self, paths: Mapping[int, str]) -> Sequence[object]:
        """Changes where the videos are written anew: sizes and times of the files among these, by their numbers.

        Of remote files nothing is asked: like their local copies they are taken to be what they were.
        """
        files = {number: self.file(path) for number, path in paths.items()}
        return [(number, *_size_and_time(file)) for number, file in files.items() if file is not None]

    @abstractmethod
    def opened_by(self, opener: VideoOpener, files: GetFiles) -> OpenPath: ...


@dataclass(frozen=True)
class LocalFiles(Storage):
    """Files and folders of frames below a folder."""

    root: Path

    def why_missing(self, path: str) -> str | None:
        return None if find_file(self.name(path)) else ""

    def file(self, path: str) -> str:
        """Its name may end otherwise than the list says.

        Lists of data sets name .avi files of which there are prepared .mp4 files or folders of frames. What is not
        there at all is named as it is listed.
        """
        # Texts, no Path: pathlib keeps every name it has seen, 15 MB in each loader process for Kinetics.
        listed = os.path.join(str(self.root), path)
        return find_file(listed) or listed

    def opened_by(self, opener: VideoOpener, files: GetFiles) -> OpenPath:
        return lambda path: opener(self.file(path))


@dataclass(frozen=True, eq=False)
class Pixels(Storage):
    """Small images without a file each, uint8 (images, H, W, C): each is a video of one frame.

    A path is only a name, whose last part is the number of the image.
    """

    root: Path
    pixels: np.ndarray
    has_files = False

    def opened_by(self, opener: VideoOpener, files: GetFiles) -> OpenPath:
        return partial(self._open, short_side_pixels=opener.short_side_pixels)

    def _open(self, path: str, *, short_side_pixels: int) -> VideoDecoder:
        image = int(path.rpartition("/")[2])
        return PixelVideo(self.pixels[image : image + 1], short_side_pixels=short_side_pixels)


def _size_and_time(path: str) -> tuple[int, int]:
    try:
        about = os.stat(path)
    except OSError:
        return 0, 0
    return about.st_size, about.st_mtime_ns
