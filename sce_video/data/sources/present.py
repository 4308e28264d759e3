"""The annotated videos of a data set that are present on disk."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from sce_video.data.sources.tree import VIDEO_SUFFIXES, folders_below, is_frame_folder
from sce_video.data.videos import ListedVideos, videos_from_paths
from sce_video.engine.remote import Location
from sce_video.errors import ManifestError
from sce_video.runtime.logging import LOGGER

# cvdf's copy of Kinetics has repaired copies of broken files in a folder of this name.
_REPAIRED = "replacement"


def present_videos(
    root: Location,
    names: Sequence[str],
    labels: Sequence[int] | None,
    *,
    origin: str,
    class_names: Mapping[int, str] | None,
    published: str = "",
) -> ListedVideos:
    """The named videos that are at any depth below `root`, in the order of `names`; logs how many of how many.

    Each is a file with any suffix of a video, or on this machine a folder of frames.

    Args:
        names: file names without suffix.
        labels: parallel to `names`.
        published: counts to compare with, for the log line.
    Raises:
        ManifestError: none is present.
    """
    found = _videos_by_name(root, frozenset(names))
    kept = [index for index, name in enumerate(names) if name in found]
    if names and not kept:
        raise ManifestError(
            f"{origin}: none of its {len(names)} videos is below {root}, such as {names[0]}.mp4; check DATA.ROOT"
        )
    LOGGER.info("%s: %d videos annotated, %d present%s", origin, len(names), len(kept), published and f" ({published})")
    return videos_from_paths(
        root,
        [found[names[index]] for index in kept],
        None if labels is None else [labels[index] for index in kept],
        origin,
        class_names=class_names,
    )


def _videos_by_name(root: Location, names: frozenset[str]) -> dict[str, str]:
    """Path below `root` of each name; of several files with one name, a repaired one or else the first."""
    paths = []
    for folder in folders_below(root, videos=names):
        paths += folder.files_with(VIDEO_SUFFIXES)
        if isinstance(root, Path):
            of_frames = (os.path.join(folder.path, name) for name in folder.folders if name in names)
            paths += [path for path in of_frames if is_frame_folder(os.path.join(root, path))]
    found: dict[str, str] = {}
    for path in sorted(paths, key=lambda path: (_REPAIRED not in path, path.split("/"))):
        name = path.rpartition("/")[2]
        found.setdefault(name.rpartition(".")[0] if name.lower().endswith(VIDEO_SUFFIXES) else name, path)
    return found
