"""Listed videos with the storage they are in, ready to be opened."""

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
    """What the reader of a source gives: a manifest, and where its videos are."""

    storage: Storage = field(kw_only=True)

    def name(self, video: int) -> str:
        """Where a video is, for messages."""
        return self.storage.name(self.paths[video])

    def content_digest(self) -> str:
        """Tells whether files were written anew: from the sizes and times of a few of them, the versions of shards."""
        looked_at = range(0, len(self), max(1, len(self) // _NUM_STAMPED))
        facts = self.storage.content({video: self.paths[video] for video in looked_at})
        return hashlib.sha256(repr(facts).encode()).hexdigest()

    def opened_by(self, opener: VideoOpener, files: GetFiles = no_files) -> "StoredVideos":
        """As `Videos`; `files` makes the cache, where something must be fetched."""
        return StoredVideos(self, self.storage.opened_by(opener, files))


@dataclass(frozen=True)
class StoredVideos:
    """The videos of a list by their numbers, opened from wherever they are."""

    listed: ListedVideos
    open_path: OpenPath

    def __len__(self) -> int:
        return len(self.listed)

    def open(self, video: int) -> VideoDecoder:
        """See `Videos.open`."""
        return self.open_path(self.listed.paths[video])


def listed_files(
    root: Location | str,
    paths: Iterable[str],
    labels: Sequence[int] | None,
    origin: str,
    *,
    lines: Sequence[int] | None = None,
    class_names: Mapping[int, str] | None = None,
    label_kind: LabelKind = "stated",
) -> ListedVideos:
    """Videos with a file each: `paths` are relative to `root`, or URLs; for the rest see `Manifest`."""
    packed = PackedTexts(paths)
    return ListedVideos(
        packed,
        labels,
        origin,
        lines=packed_lines(lines),
        class_names=class_names,
        label_kind=label_kind,
        storage=_storage_of_files(location(root), packed),
    )


def _storage_of_files(root: Location, paths: PackedTexts) -> Storage:
    if isinstance(root, Path) and b"://" not in paths.joined:
        return LocalFiles(root)
    # What fetches is imported here alone, where it is known that something must be.
    from sce_video.data.remote_storage import MixedFiles, RemoteFiles

    return MixedFiles(root) if isinstance(root, Path) else RemoteFiles(root)
