"""Tar shards in WebDataset's layout, local or remote: `000123.mp4` with `000123.cls` or `000123.json` beside it."""

from pathlib import Path

from sce_video.data.manifest import PackedTexts
from sce_video.data.sources.class_names import ClassNames, numbered_labels, read_class_names
from sce_video.data.sources.source import Listing, Source
from sce_video.data.videos import ListedVideos
from sce_video.engine.remote import Location, location
from sce_video.errors import ManifestError
from sce_video.runtime.logging import LOGGER
from sce_video.urls import masked


def read_shards(
    pattern: str, root: Location | str, *, index_folder: Path | str, class_names: ClassNames = dict
) -> ListedVideos:
    """Read the videos of all shards that a pattern names, in the order of the names and of the files in them.

    Paths are relative to the common folder of the shards, so that a copy of them elsewhere is the same list. Labels
    that are class names are numbered by `classes.txt` beside local shards, else by `class_names`, else in sorted order.

    Args:
        pattern: `train-{000000..000999}.tar`, relative to `root`, or a URL or absolute path.
        index_folder: for the saved indices of the shards.
        class_names: of the training shards, called if labels are names.
    Raises:
        ManifestError: a missing, compressed or damaged shard; labels of only some videos; numbers and names as labels.
    """
    # Imported only if there are shards.
    from sce_video.data.remote_storage import Shards
    from sce_video.engine.remote.shards import Member, folder_and_names, member_path, read_indices

    folder, names = folder_and_names(pattern, location(root))
    indices = read_indices([folder / name for name in names], Path(index_folder))
    paths: list[str] = []
    labels: list[int | str] = []
    for name, (_, videos) in zip(names, indices, strict=True):
        paths += [member_path(Member(name, video.name, video.start, video.length)) for video in videos]
        labels += [video.label for video in videos if video.label is not None]
    origin = masked(pattern)
    if labels and len(labels) < len(paths):
        raise ManifestError(f"{origin}: {len(labels)} of {len(paths)} videos have a label; give all one, or none")
    LOGGER.info("%s: %d videos in %d shards", origin, len(paths), len(names))
    versions = {name: index.version for name, index in zip(names, indices, strict=True)}
    own_names = read_class_names(folder) if isinstance(folder, Path) else None
    numbered = numbered_labels(labels, own_names, class_names, origin=origin)
    return ListedVideos(
        PackedTexts(paths),
        numbered.numbers or None,
        origin,
        class_names=numbered.names,
        label_kind=numbered.kind,
        storage=Shards(folder, versions),
    )


def _read(listing: Listing, pattern: str, class_names: ClassNames = dict) -> ListedVideos:
    from sce_video.engine.remote.cache import cache_folder

    # Beside the cached videos and not counted with them.
    index_folder = cache_folder(listing.cache_dir) / "shards"
    return read_shards(pattern, listing.root, index_folder=index_folder, class_names=class_names)


def _read_test(listing: Listing) -> ListedVideos:
    """Labels that are names are numbered as in the training shards."""
    classes = (lambda: _read(listing, listing.train).class_names) if listing.train else dict
    return _read(listing, listing.test, classes)


SHARDS = Source(lambda listing: _read(listing, listing.train), _read_test, train="file", needs_root=False)
