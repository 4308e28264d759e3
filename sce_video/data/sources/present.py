"""Of the videos that a data set's annotation names, those that are on disk."""

from collections.abc import Sequence

from sce_video.data.manifest import Manifest
from sce_video.data.remote import Location
from sce_video.data.sources.tree import VIDEO_SUFFIXES, files_below
from sce_video.errors import ManifestError
from sce_video.runtime.logging import LOGGER

# cvdf's copy of Kinetics keeps a sound second file of broken ones in a folder of this name.
_REPAIRED = "replacement"


def present_videos(
    root: Location, names: Sequence[str], labels: Sequence[int] | None, *, origin: str, published: str = ""
) -> Manifest:
    """The named videos that lie anywhere below `root`, in the order of `names`; logs how many of how many.

    Args:
        names: file names without their ending.
        labels: parallel to `names`.
        published: counts to compare with, for the log line.
    Raises:
        ManifestError: none is there.
    """
    found = _files_by_name(root)
    kept = [place for place, name in enumerate(names) if name in found]
    if names and not kept:
        raise ManifestError(
            f"{origin}: none of its {len(names)} videos lies below {root}, such as {names[0]}.mp4; check DATA.ROOT"
        )
    LOGGER.info("%s: %d videos annotated, %d present%s", origin, len(names), len(kept), published and f" ({published})")
    return Manifest(
        root=root,
        paths=[found[names[place]] for place in kept],
        labels=None if labels is None else [labels[place] for place in kept],
        origin=origin,
    )


def _files_by_name(root: Location) -> dict[str, str]:
    """Path below `root` of each video; of files that differ in folder or ending only, a repaired one or the first."""
    found: dict[str, str] = {}
    for path in sorted(files_below(root, VIDEO_SUFFIXES), key=lambda path: _REPAIRED not in path):
        found.setdefault(path.rpartition("/")[2].rpartition(".")[0], path)
    return found
