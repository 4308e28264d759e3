"""Diving48 from its JSON files."""

from pathlib import Path

from sce_video.data.sources.present import present_videos
from sce_video.data.sources.source import Source
from sce_video.data.sources.text import read_json_file
from sce_video.data.videos import ListedVideos
from sce_video.engine.remote import Location, location
from sce_video.errors import ManifestError


def read_diving48(root: Location | str, labels_dir: Path | str, part: str) -> ListedVideos:
    """Videos `<vid_name>.mp4` (or re-encoded) below `root`, each one whole dive: `start_frame` is always 0.

    Args:
        labels_dir: holds `Diving48_V2_train.json` and `Diving48_V2_test.json`, lists of `vid_name`, `label` and frames,
            and `Diving48_vocab.json`, the parts of each dive in the order of the labels.
        part: train or test.
    Raises:
        ManifestError: a missing or malformed file, a label that is not in the vocabulary, no video is present.
    """
    root, labels_dir = location(root), Path(labels_dir)
    vocabulary, file = labels_dir / "Diving48_vocab.json", labels_dir / f"Diving48_V2_{part}.json"
    dives = read_json_file(vocabulary, list)
    if not all(isinstance(dive, list) for dive in dives):
        raise ManifestError(f"{vocabulary}: a list of dives, each a list of its parts, was expected")
    names, labels = [], []
    for number, entry in enumerate(read_json_file(file, list), start=1):
        if not isinstance(entry, dict) or not isinstance(entry.get("vid_name"), str):
            raise ManifestError(f"{file}, entry {number}: {entry!r:.200}; a vid_name and a label were expected")
        label = entry.get("label")
        if type(label) is not int or not 0 <= label < len(dives):
            raise ManifestError(f"{file}, entry {number}: label is {label!r:.60}; 0 to {len(dives) - 1} was expected")
        names.append(entry["vid_name"])
        labels.append(label)
    class_names = {label: " ".join(map(str, dive)) for label, dive in enumerate(dives)}
    return present_videos(root, names, labels, origin=str(file), class_names=class_names)


DIVING48 = Source(
    lambda listing: read_diving48(listing.root, listing.splits_dir, "train"),
    lambda listing: read_diving48(listing.root, listing.splits_dir, "test"),
    has_official_files=True,
    is_walked=True,
)
