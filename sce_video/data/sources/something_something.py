"""Something-Something v2 from its JSON files."""

from pathlib import Path

from sce_video.data.sources.present import present_videos
from sce_video.data.sources.source import Source
from sce_video.data.sources.text import read_json_file
from sce_video.data.videos import ListedVideos
from sce_video.engine.remote import Location, location
from sce_video.errors import ManifestError
from sce_video.plain_text import whole_number


def read_ssv2(root: Location | str, labels_dir: Path | str, part: str) -> ListedVideos:
    """Videos `<id>.webm` (or re-encoded) below `root`, labelled by their template.

    Args:
        labels_dir: holds `labels.json`, `train.json` and `validation.json`, or the same with
            `something-something-v2-` before.
        part: train or validation; the test videos have no labels.
    Raises:
        ManifestError: a missing or malformed file, a template without a number, no video is present.
    """
    root, labels_dir = location(root), Path(labels_dir)
    templates = read_json_file(_file(labels_dir, "labels"), dict)
    label_of = {template: _number(label) for template, label in templates.items()}
    file = _file(labels_dir, part)
    names, labels = [], []
    for number, entry in enumerate(read_json_file(file, list), start=1):
        if not isinstance(entry, dict) or "id" not in entry or not {"template", "label"} & entry.keys():
            raise ManifestError(f"{file}, entry {number}: {entry!r}; an id and a template were expected")
        template = str(entry.get("template", entry.get("label"))).replace("[", "").replace("]", "")
        label = label_of.get(template)
        if label is None:
            raise ManifestError(f"{file}, entry {number}: {template!r} has no number in {_file(labels_dir, 'labels')}")
        names.append(str(entry["id"]))
        labels.append(label)
    class_names = {label: template for template, label in label_of.items() if label is not None}
    return present_videos(root, names, labels, origin=str(file), class_names=class_names)


def _number(label: object) -> int | None:
    return whole_number(str(label)) if isinstance(label, int | str) else None


def _file(folder: Path, part: str) -> Path:
    for name in (f"{part}.json", f"something-something-v2-{part}.json"):
        if (folder / name).is_file():
            return folder / name
    raise ManifestError(
        f"{folder} holds no {part}.json and no something-something-v2-{part}.json; check DATA.SPLITS_DIR"
    )


SSV2 = Source(
    lambda listing: read_ssv2(listing.root, listing.splits_dir, "train"),
    lambda listing: read_ssv2(listing.root, listing.splits_dir, "validation"),
    has_official_files=True,
    is_walked=True,
)
