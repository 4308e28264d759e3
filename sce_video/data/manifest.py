"""A list of videos, with or without labels, in arrays: large lists load quickly and loader processes share them."""

import hashlib
import os
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import overload

import numpy as np

from sce_video.config.urls import is_url, masked
from sce_video.data.remote import Location, RefusedError, RemoteError, RemotePath
from sce_video.errors import ManifestError
from sce_video.runtime.subsets import balanced_part

_NUM_LOOKED_FOR = 32
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
    what tells that it was written anew; a path is then that of a member (see `sce_video.data.shards`).

    Raises:
        ManifestError: no videos, a label that is negative or beyond 64 bits.
    """

    root: Location
    paths: Sequence[str]
    labels: Sequence[int] | None
    origin: str
    pixels: np.ndarray | None = None
    versions: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.paths, PackedTexts):
            object.__setattr__(self, "paths", PackedTexts(self.paths))
        if not self.paths:
            raise ManifestError(f"{self.origin} lists no videos")
        for name, parallel in (("labels", self.labels), ("pixels", self.pixels)):
            if parallel is not None and len(parallel) != len(self):
                raise ValueError(f"{self.origin}: {len(self)} videos, but {len(parallel)} {name}")
        if self.labels is not None:
            object.__setattr__(self, "labels", _label_array(self.labels, self.origin))

    def __len__(self) -> int:
        return len(self.paths)

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
        looked_at = range(0, len(self), max(1, len(self) // _NUM_LOOKED_FOR)) if self.pixels is None else ()
        facts: Sequence[object] = [
            (video, *_size_and_time(path)) for video in looked_at if isinstance(path := self.path(video), Path)
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
        )

    def path(self, video: int) -> Location:
        """Of a member of a shard it is only a name."""
        path = self.paths[video]
        return RemotePath("", path) if is_url(path) else self.root / path

    @property
    def shown_paths(self) -> Sequence[str]:
        """`paths` for logs and results: URLs in a list without user and query."""
        assert isinstance(self.paths, PackedTexts)  # __post_init__ saw to it
        return PackedTexts(map(masked, self.paths)) if b"://" in self.paths.joined else self.paths

    def is_fetched(self, video: int) -> bool:
        """Whether the video is no file of this machine that can be opened where it lies."""
        return self.versions is not None or isinstance(self.root, RemotePath) or is_url(self.paths[video])

    @property
    def is_any_fetched(self) -> bool:
        assert isinstance(self.paths, PackedTexts)  # __post_init__ saw to it
        return self.versions is not None or isinstance(self.root, RemotePath) or b"://" in self.paths.joined

    def require_labels(self) -> Sequence[int]:
        """The labels.

        Raises:
            ManifestError: there are none.
        """
        if self.labels is None:
            raise ManifestError(
                f"{self.origin} has no labels; this task needs lines `path label`, or .cls or .json in shards"
            )
        return self.labels

    def require_files(self) -> None:
        """Catch a wrong root at once instead of as a long row of broken videos.

        Raises:
            ManifestError: none of the first videos exists, or a server does not say so.
        """
        if self.pixels is not None or self.versions is not None:  # a shard's videos were found in it
            return
        first = [self.path(video) for video in range(min(len(self), _NUM_LOOKED_FOR))]
        refusals = []
        for path in first:
            try:
                if path.exists():
                    return
            except RefusedError as error:  # S3 also forbids what is not there to those who may not list
                refusals.append(str(error))
            except RemoteError as error:
                raise ManifestError(f"{self.origin}: {error}") from error
        example = refusals[0] if refusals else str(first[0])
        raise ManifestError(
            f"{self.origin}: none of the first {len(first)} videos exists, for example {example}; check DATA.ROOT"
        )


def _size_and_time(path: Path) -> tuple[int, int]:
    try:
        about = path.stat()
    except OSError:
        return 0, 0
    return about.st_size, about.st_mtime_ns


def _label_array(labels: Sequence[int], origin: str) -> Sequence[int]:
    if min(labels) < 0:
        raise ManifestError(f"{origin} has the label {min(labels)}; labels start at 0")
    try:
        return array("q", labels)
    except OverflowError as error:
        raise ManifestError(f"{origin} has the label {max(labels)}; labels count classes from 0") from error


def require_comparable(train: Manifest, test: Manifest) -> None:
    """Refuse pairs that give meaningless numbers, before hours go into them.

    Raises:
        ManifestError: no labels, a test label without a training video, a video in both.
    """
    unseen = sorted(set(test.require_labels()) - set(train.require_labels()))
    if unseen:
        raise ManifestError(
            f"{test.origin} has the label {unseen[0]}, which no video of {train.origin} has; do both count from 0?"
        )
    tested = set(_full_paths(test))
    shared = {path for path in _full_paths(train) if path in tested}
    if shared:
        raise ManifestError(f"{len(shared)} videos are in both {train.origin} and {test.origin}, such as {min(shared)}")


def _full_paths(manifest: Manifest) -> Iterator[str]:
    """Paths that are equal where `a//b` and `./a/b` are; as str, since 650,000 Path objects take long to make."""
    root = str(manifest.root)
    if isinstance(manifest.root, RemotePath):
        return (f"{root}/{os.path.normpath(path)}" for path in manifest.paths)
    return (os.path.normpath(os.path.join(root, path)) for path in manifest.paths)
