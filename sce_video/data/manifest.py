"""A list of videos, with or without labels, in arrays that load quickly and that loader processes share."""

import hashlib
import re
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Literal, TypeVar, overload

from sce_video.data.subsets import balanced_part
from sce_video.errors import ManifestError
from sce_video.urls import is_url, masked, masked_url

# A classifier has an output for each: more are a mistake, such as a number of bytes read as a label.
_MOST_CLASSES = 1_000_000
NO_LABEL = -1
_MOST_SHOWN = 300
_CONTROLS = bytes([*range(0x20), 0x7F])
_C1_CONTROL = re.compile(rb"\xc2[\x80-\x9f]")  # U+0080 to U+009F in UTF-8
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ENCODING = ("utf-8", "surrogateescape")  # as in Python's file names that are not UTF-8


class PackedTexts(Sequence[str]):
    """Strings in one block of bytes.

    A process that reads a list of str writes to their reference counts, and so gets its own copy of the memory that it
    shares with its parent; here nothing is written.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        encoded = [text.encode(*_ENCODING) for text in texts]
        self.joined = b"\n".join(encoded)  # separated by newlines
        # Text i is at [starts[i], starts[i + 1] - 1).
        self._starts = array("q", accumulate((len(text) + 1 for text in encoded), initial=0))

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        found = range(len(self._starts) - 1)[index]
        if isinstance(found, range):
            return [self[each] for each in found]
        return self.joined[self._starts[found] : self._starts[found + 1] - 1].decode(*_ENCODING)

    def __iter__(self) -> Iterator[str]:
        for start, stop in pairwise(self._starts):
            yield self.joined[start : stop - 1].decode(*_ENCODING)


# Labels are numbers that the list declares as such ("stated") or that merely follow the paths ("guessed"), or class
# names numbered in sorted order ("named"), which may be another order in another list.
LabelKind = Literal["stated", "guessed", "named"]
AnyManifest = TypeVar("AnyManifest", bound="Manifest")


@dataclass(frozen=True, eq=False)
class Manifest:
    """Videos in a fixed order, with or without labels; elsewhere a video is its index here.

    `labels` is parallel to `paths` or None; -1 is no label. `origin` is the file or folder that was read, for messages.
    `lines` are the line numbers of the paths, if these are from one file. `class_names` are the known ones, by label.
    `groups` are what videos have in common besides the class (session, film, uploader), "" for none.

    Raises:
        ManifestError: no videos, a label below -1 or of a million or more, a control character in a path or class.
    """

    paths: PackedTexts
    labels: Sequence[int] | None
    origin: str
    lines: Sequence[int] | None = None
    class_names: Mapping[int, str] | None = None
    label_kind: LabelKind = "stated"
    groups: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if not self.paths:
            raise ManifestError(f"{self.origin} lists no videos")
        _require_plain_names(self)
        if self.labels is not None:
            if len(self.labels) != len(self):
                raise ValueError(f"{self.origin}: {len(self)} videos, but {len(self.labels)} labels")
            _require_range(self, self.labels)
            object.__setattr__(self, "labels", array("q", self.labels))

    def __len__(self) -> int:
        return len(self.paths)

    def where(self, video: int) -> str:
        """List and line of a video, for messages."""
        return self.origin if self.lines is None else f"{self.origin}, line {self.lines[video]}"

    def digest(self) -> str:
        """Digest of the videos and their order, whatever the root."""
        return hashlib.sha256(self.paths.joined).hexdigest()

    def labels_digest(self) -> str:
        """Digest of the labels; raises as `require_labels`."""
        return hashlib.sha256(array("q", self.require_labels()).tobytes()).hexdigest()

    def part(self: AnyManifest, videos: Sequence[int], *, origin: str) -> AnyManifest:
        """A list of only these videos."""
        return replace(
            self,
            paths=PackedTexts(self.paths[video] for video in videos),
            labels=None if self.labels is None else [self.labels[video] for video in videos],
            origin=origin,
            lines=None if self.lines is None else array("q", (self.lines[video] for video in videos)),
            groups=None if self.groups is None else PackedTexts(self.groups[video] for video in videos),
        )

    def balanced_part(self: AnyManifest, *, share: float, seed: int) -> AnyManifest:
        """A list of a random part of the videos, the same share of each class; raises as `require_labels`."""
        chosen = balanced_part(self.require_labels(), share=share, seed=seed)
        return self.part(chosen, origin=f"{100 * share:g} % of {self.origin}")

    @property
    def shown_paths(self) -> Sequence[str]:
        """`paths` for logs and results: user and query of URLs are masked."""
        if b"://" not in self.paths.joined:
            return self.paths
        return PackedTexts(masked_url(path) if is_url(path) else path for path in self.paths)

    def require_labels(self) -> Sequence[int]:
        """The labels of all videos; raises ManifestError if one has none."""
        if self.labels is None:
            raise ManifestError(
                f"{self.origin} has no labels; this task needs lines `path label`, or .cls or .json in shards"
            )
        if min(self.labels) == NO_LABEL:
            video = self.labels.index(NO_LABEL)
            raise ManifestError(
                f"{self.where(video)}: {quoted(self.paths[video])} has the label -1, which means no label; "
                "this task needs one for every video"
            )
        return self.labels


def packed_lines(lines: Sequence[int] | None) -> Sequence[int] | None:
    """Line numbers in little memory: a range if there are no gaps, as in most lists."""
    if not lines:
        return None
    is_range = lines[-1] - lines[0] == len(lines) - 1
    return range(lines[0], lines[-1] + 1) if is_range else array("q", lines)


def quoted(path: str) -> str:
    """A path for messages: in one line, without secrets and escapes, truncated."""
    return repr(masked(path[:_MOST_SHOWN]))


def _require_plain_names(manifest: Manifest) -> None:
    """Refuse control characters in paths and classes: they garble terminals, logs and lists."""
    for name in (manifest.class_names or {}).values():
        if _CONTROL.search(name):
            raise ManifestError(f"{manifest.origin}: the class {quoted(name)} has a control character in its name")
    joined = manifest.paths.joined
    # The newlines between the paths do not count.
    num_controls = len(joined) - len(joined.translate(None, _CONTROLS))
    if num_controls == len(manifest) - 1 and not _C1_CONTROL.search(joined):
        return
    for video, path in enumerate(manifest.paths):
        if _CONTROL.search(path):
            raise ManifestError(f"{manifest.where(video)}: {quoted(path)} has a control character in it; rename it")


def _require_range(manifest: Manifest, labels: Sequence[int]) -> None:
    low, high = min(labels), max(labels)
    if low < NO_LABEL or high >= _MOST_CLASSES:
        wrong = low if low < NO_LABEL else high
        video = labels.index(wrong)
        raise ManifestError(
            f"{manifest.where(video)}: {quoted(manifest.paths[video])} has the label {str(wrong)[:30]}; labels count "
            f"classes from 0, up to {_MOST_CLASSES - 1}"
        )
