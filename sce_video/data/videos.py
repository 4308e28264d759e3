"""Listed videos with the storage that opens them."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sce_video.clips.decoders import VideoDecoder, VideoOpener
from sce_video.data.manifest import LabelKind, Manifest, PackedTexts, packed_lines
from sce_video.data.storage import GetFiles, LocalFiles, OpenPath, Storage, no_files
from sce_video.engine.remote import Location, location

_NUM_STAMPED = 32


@dataclass(frozen=True, eq=False)
class ListedVideos(Manifest):
    """A manifest and the storage of its videos, as a source's reader returns them."""

    storage: Storage = field(kw_only=True)

    def name(self, video: int) -> str:
        """Full path of a video, for messages."""
        return self.storage.name(self.paths[video])

    @property
    def parts(self) -> Sequence[range]:
        """The indices of this one list; see `NamedVideos`."""
        return [range(len(self))]

    def content_digest(self) -> str:
        """Digest that changes with the files: of the sizes and times of a few of them, or of the versions of shards."""
        return _digest(self.storage.content(self._sample()))

    def identity_digest(self) -> str:
        """Digest that a copy of the files has too, and other files of the same names do not: of the sizes of a few."""
        return _digest(self.storage.identity(self._sample()))

    def _sample(self) -> dict[int, str]:
        """The paths of a few videos by index."""
        return {video: self.paths[video] for video in range(0, len(self), max(1, len(self) // _NUM_STAMPED))}

    def opened_by(self, opener: VideoOpener, files: GetFiles = no_files) -> "StoredVideos":
        """These videos as `Videos`; `files` makes the cache, and is called only if videos must be fetched."""
        return StoredVideos(self, self.storage.opened_by(opener, files))


def _digest(facts: Sequence[object]) -> str:
    return hashlib.sha256(repr(facts).encode()).hexdigest()


@dataclass(frozen=True)
class StoredVideos:
    """The videos of a list, opened by index from their storage."""

    listed: ListedVideos
    open_path: OpenPath

    def __len__(self) -> int:
        return len(self.listed)

    def open(self, video: int) -> VideoDecoder:
        """See `Videos.open`."""
        return self.open_path(self.listed.paths[video])


def videos_from_paths(
    root: Location | str,
    paths: Iterable[str],
    labels: Sequence[int] | None,
    origin: str,
    *,
    lines: Sequence[int] | None = None,
    class_names: Mapping[int, str] | None = None,
    label_kind: LabelKind = "stated",
    groups: Sequence[str] | None = None,
) -> ListedVideos:
    """List of videos with a file each: `paths` are relative to `root`, or URLs; for the rest see `Manifest`."""
    packed = PackedTexts(paths)
    return ListedVideos(
        packed,
        labels,
        origin,
        lines=packed_lines(lines),
        class_names=class_names,
        label_kind=label_kind,
        groups=None if groups is None else PackedTexts(groups),
        storage=_storage_of_files(location(root), packed),
    )


def _storage_of_files(root: Location, paths: PackedTexts) -> Storage:
    if isinstance(root, Path) and b"://" not in paths.joined:
        return LocalFiles(root)
    # Imported only if videos must be fetched.
    from sce_video.data.remote_storage import MixedFiles, RemoteFiles

    return MixedFiles(root) if isinstance(root, Path) else RemoteFiles(root)
