"""Tar shards in WebDataset's layout, local or remote: `000123.mp4` with `000123.cls` or `000123.json` beside it."""

from collections.abc import Sequence
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path

from sce_video.data.manifest import PackedTexts
from sce_video.data.sources.class_names import ClassNames, numbered_labels, read_class_names
from sce_video.data.sources.source import Listing, Source
from sce_video.data.storage import Shards
from sce_video.data.videos import ListedVideos
from sce_video.engine.remote import Location, location
from sce_video.engine.remote.shards import BRACES, Member, ShardIndex, expand_braces, member_path, read_index
from sce_video.errors import ManifestError
from sce_video.runtime.logging import LOGGER
from sce_video.runtime.progress import progress_bar
from sce_video.urls import is_url, masked

# Servers answer slowly, not seldom: what is waited for takes no core.
_NUM_THREADS = 16


def read_shards(
    pattern: str, root: Location | str, *, index_folder: Path | str, class_names: ClassNames = dict
) -> ListedVideos:
    """The videos of all shards that a pattern names, in the order of the names and of the files in them.

    Paths are relative to the folder that the pattern's names have in common, so that a copy of the shards elsewhere
    is the same list.

    Labels that are names of classes are numbered by `classes.txt` beside the shards on this machine, or else as
    `class_names` has them, or else in their sorted order.

    Args:
        pattern: `train-{000000..000999}.tar`, relative to `root`, or a URL or absolute path.
        index_folder: keeps what is in each shard.
        class_names: of the training shards, asked where labels are names.
    Raises:
        ManifestError: a shard that is missing, compressed or damaged; some videos with a label and some without, some
            with numbers and some with names.
    """
    root, index_folder = location(root), Path(index_folder)
    folder, names = _split(pattern, root)
    indices = _indices([folder / name for name in names], index_folder)
    paths: list[str] = []
    labels: list[int | str] = []
    for name, (_, videos) in zip(names, indices, strict=True):
        paths += [member_path(Member(name, video.name, video.start, video.length)) for video in videos]
        labels += [video.label for video in videos if video.label is not None]
    origin = masked(pattern)
    if labels and len(labels) < len(paths):
        raise ManifestError(f"{origin}: {len(labels)} of {len(paths)} videos have a label; all have one, or none has")
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


def _indices(shards: Sequence[Location], index_folder: Path) -> list[ShardIndex]:
    # Not of concurrent.futures: its threads hold up Ctrl-C, and the first error, until the last of them has given up.
    with (
        ThreadPool(min(_NUM_THREADS, len(shards))) as pool,
        progress_bar(total=len(shards), description="shards", unit="shard", delay_seconds=5.0) as bar,
    ):
        indices = []
        for index in pool.imap(partial(read_index, folder=index_folder), shards):
            indices.append(index)
            bar.update()
    return indices


def _split(pattern: str, root: Location) -> tuple[Location, list[str]]:
    """The folder above the first brace, and the names of the shards below it."""
    place, mark, query = pattern.partition("?") if is_url(pattern) else (pattern, "", "")
    fixed = place[: found.start()] if (found := BRACES.search(place)) else place
    if is_url(pattern) and fixed.count("/") < 3:
        raise ManifestError(f"{masked(pattern)!r}: braces may stand behind the host or bucket only")
    cut = fixed.rfind("/") + 1
    own = location(f"{place[:cut].rstrip('/') or '/'}{mark}{query}") if cut else Path()
    folder = root / str(own) if isinstance(own, Path) and not own.is_absolute() else own
    names = expand_braces(place[cut:])
    for name in names:
        if not name.endswith(".tar"):
            raise ManifestError(f"{masked(pattern)!r} names {name!r}; a plain .tar was expected, not a compressed one")
    return folder, names


def _read(listing: Listing, pattern: str, class_names: ClassNames = dict) -> ListedVideos:
    return read_shards(pattern, listing.root, index_folder=listing.index_folder(), class_names=class_names)


def _read_test(listing: Listing) -> ListedVideos:
    """Labels that are names are numbered as in the training shards."""
    classes = (lambda: _read(listing, listing.train).class_names) if listing.train else dict
    return _read(listing, listing.test, classes)


SHARDS = Source(lambda listing: _read(listing, listing.train), _read_test, train="file", needs_root=False)
