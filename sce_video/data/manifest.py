"""A list of videos, with or without labels, in arrays: large lists load quickly and loader processes share them."""

import hashlib
import os
import re
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import overload

import numpy as np

from sce_video.data.find_file import find_file
from sce_video.data.subsets import balanced_part
from sce_video.engine.remote import Location, RemotePath, location
from sce_video.errors import ManifestError
from sce_video.urls import is_url, masked, masked_url

_NUM_STAMPED = 32
# A classifier has a row for each: more are a mistake, such as a number of bytes read as a label.
_MOST_CLASSES = 1_000_000
NO_LABEL = -1
_MOST_SHOWN = 300
_CONTROLS = bytes([*range(0x20), 0x7F])
_LATE_CONTROL = re.compile(rb"\xc2[\x80-\x9f]")  # U+0080 to U+009F in UTF-8
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ENCODING = ("utf-8", "surrogateescape")  # as Python gives and takes file names that are not UTF-8


class PackedTexts(Sequence[str]):
    """Texts in one block of bytes.

    A list of a million str is a million objects. Each process that so much as looks at one writes to its reference
    count and so gets its own copy of that memory; here nothing is written.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        encoded = [text.encode(*_ENCODING) for text in texts]
        self._joined = b"\n".join(encoded)
        # Text i lies at [starts[i], starts[i + 1] - 1).
        self._starts = array("q", accumulate((len(text) + 1 for text in encoded), initial=0))

    @property
    def joined(self) -> bytes:
        """All texts, a newline between two."""
        return self._joined

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        places = range(len(self))[index]
        return [self._text(place) for place in places] if isinstance(places, range) else self._text(places)

    def __iter__(self) -> Iterator[str]:
        return map(self._text, range(len(self)))

    def _text(self, place: int) -> str:
        return self._joined[self._starts[place] : self._starts[place + 1] - 1].decode(*_ENCODING)


@dataclass(frozen=True, eq=False)
class Manifest:
    """Videos in a fixed order; a video's number is its place here.

    `paths` (relative to `root`) and `labels` may be given as any sequence and are kept as arrays. `labels` is parallel
    to `paths`, or None for videos without labels. `origin` is the file or folder that was read, for messages.
    `pixels`, uint8 (number of videos, H, W, C), holds the videos themselves where they are small images without a file
    each; a path is then only a name. `versions` is given where the videos are in shards: of each shard, by its path,
    what tells that it was written anew; a path is then that of a member (see `sce_video.engine.remote.shards`).
    `lines` is parallel to `paths` where these stand in the lines of one file. `class_names` are those that are known,
    by label.
    `has_guessed_labels`: that the numbers behind the paths are labels, nobody has said. `has_own_order`: labels are
    names, which nothing numbers but their own sorted order.

    A label of -1 means that there is none, for tasks that use none.

    Raises:
        ManifestError: no videos, a label below -1 or beyond a million, a control character in a path.
    """

    root: Location
    paths: Sequence[str]
    labels: Sequence[int] | None
    origin: str
    pixels: np.ndarray | None = None
    versions: Mapping[str, str] | None = None
    lines: Sequence[int] | None = None
    class_names: Mapping[int, str] | None = None
    has_guessed_labels: bool = False
    has_own_order: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", location(self.root))  # a text is welcome
        if not isinstance(self.paths, PackedTexts):
            object.__setattr__(self, "paths", PackedTexts(self.paths))
        if not self.paths:
            raise ManifestError(f"{self.origin} lists no videos")
        for name, parallel in (("labels", self.labels), ("pixels", self.pixels)):
            if parallel is not None and len(parallel) != len(self):
                raise ValueError(f"{self.origin}: {len(self)} videos, but {len(parallel)} {name}")
        _require_plain_names(self)
        if isinstance(self.lines, list):
            object.__setattr__(self, "lines", array("q", self.lines))
        if self.labels is not None:
            _require_range(self)
            object.__setattr__(self, "labels", array("q", self.labels))

    def __len__(self) -> int:
        return len(self.paths)

    def where(self, video: int) -> str:
        """Where a video stands, for messages: the list and its line."""
        return self.origin if self.lines is None else f"{self.origin}, line {self.lines[video]}"

    def digest(self) -> str:
        """Identifies the videos and their order, wherever the root is."""
        assert isinstance(self.paths, PackedTexts)  # __post_init__ saw to it
        return hashlib.sha256(self.paths.joined).hexdigest()

    def labels_digest(self) -> str:
        """Identifies the labels, those of `require_labels`."""
        return hashlib.sha256(array("q", self.require_labels()).tobytes()).hexdigest()

    def content_digest(self) -> str:
        """Tells whether files were written anew: from the sizes and times of a few of them, the versions of shards.

        Of remote files nothing is asked: like their local copies they are taken to be what they were.
        """
        looked_at = range(0, len(self), max(1, len(self) // _NUM_STAMPED)) if self.pixels is None else ()
        facts: Sequence[object] = [
            (video, *_size_and_time(self.file(video))) for video in looked_at if isinstance(self.path(video), Path)
        ]
        if self.versions is not None:
            facts = sorted(self.versions.items())
        return hashlib.sha256(repr(facts).encode()).hexdigest()

    def balanced_part(self, *, share: float, seed: int) -> "Manifest":
        """The list of a random part of the videos, of every class the same share (see `balanced_part`).

        Raises:
            ManifestError: there are no labels.
        """
        labels = self.require_labels()
        chosen = balanced_part(labels, share=share, seed=seed)
        return replace(
            self,
            paths=PackedTexts(self.paths[video] for video in chosen),
            labels=[labels[video] for video in chosen],
            origin=f"{100 * share:g} % of {self.origin}",
            pixels=None if self.pixels is None else self.pixels[chosen],
            lines=None if self.lines is None else array("q", (self.lines[video] for video in chosen)),
        )

    def path(self, video: int) -> Location:
        """Of a member of a shard it is only a name."""
        path = self.paths[video]
        return RemotePath("", path) if is_url(path) else self.root / path

    def file(self, video: int) -> str:
        """The file or folder of a video on this machine; its name may end otherwise than the list says.

        Lists of data sets name .avi files of which there are prepared .mp4 files or folders of frames. What is not
        there at all is named as it is listed.
        """
        # Texts, no Path: pathlib keeps every name it has seen, 15 MB in each loader process for Kinetics.
        path = os.path.join(str(self.root), self.paths[video])
        return find_file(path) or path

    @property
    def shown_paths(self) -> Sequence[str]:
        """`paths` for logs and results: URLs in a list without user and query."""
        assert isinstance(self.paths, PackedTexts)  # __post_init__ saw to it
        return (
            PackedTexts(masked_url(path) if is_url(path) else path for path in self.paths)
            if b"://" in self.paths.joined
            else self.paths
        )

    def is_fetched(self, video: int) -> bool:
        """Whether the video is no file of this machine that can be opened where it lies."""
        return self.versions is not None or isinstance(self.root, RemotePath) or is_url(self.paths[video])

    @property
    def is_any_fetched(self) -> bool:
        assert isinstance(self.paths, PackedTexts)  # __post_init__ saw to it
        return self.versions is not None or isinstance(self.root, RemotePath) or b"://" in self.paths.joined

    def require_labels(self) -> Sequence[int]:
        """The labels, one for each video.

        Raises:
            ManifestError: there are none, or a video has none.
        """
        if self.labels is None:
            raise ManifestError(
                f"{self.origin} has no labels; this task needs lines `path label`, or .cls or .json in shards"
            )
        if min(self.labels) == NO_LABEL:
            video = self.labels.index(NO_LABEL)
            raise ManifestError(
                f"{self.where(video)}: {shown(self.paths[video])} has the label -1, which means no label; "
                "this task needs one for every video"
            )
        return self.labels


def shown(path: str) -> str:
    """A path for messages, which are one line: without secrets and escapes, and no longer than paths are."""
    return repr(masked(path[:_MOST_SHOWN]))


def _size_and_time(path: str) -> tuple[int, int]:
    try:
        about = os.stat(path)
    except OSError:
        return 0, 0
    return about.st_size, about.st_mtime_ns


def _require_plain_names(manifest: Manifest) -> None:
    """Refuse control characters, which names on a terminal, in a log and in a list cannot have without harm.

    Raises:
        ManifestError: names the first such path, or class.
    """
    for name in (manifest.class_names or {}).values():
        if _CONTROL.search(name):
            raise ManifestError(f"{manifest.origin}: the class {shown(name)} has a control character in its name")
    assert isinstance(manifest.paths, PackedTexts)  # __post_init__ saw to it
    joined = manifest.paths.joined
    # The newlines between two paths are none of a path's.
    num_controls = len(joined) - len(joined.translate(None, _CONTROLS))
    if num_controls == len(manifest) - 1 and not _LATE_CONTROL.search(joined):
        return
    for video, path in enumerate(manifest.paths):
        if _CONTROL.search(path):
            raise ManifestError(f"{manifest.where(video)}: {shown(path)} has a control character in it; rename it")


def _require_range(manifest: Manifest) -> None:
    labels = manifest.labels
    assert labels is not None
    low, high = min(labels), max(labels)
    if low < NO_LABEL or high >= _MOST_CLASSES:
        wrong = low if low < NO_LABEL else high
        video = labels.index(wrong)
        raise ManifestError(
            f"{manifest.where(video)}: {shown(manifest.paths[video])} has the label {str(wrong)[:30]}; labels count "
            f"classes from 0, up to {_MOST_CLASSES - 1}"
        )
