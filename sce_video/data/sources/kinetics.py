"""Kinetics-400/600/700 from their annotation tables, and Mini-Kinetics (Kinetics-200), a subset of Kinetics-400."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from sce_video.data.sources.present import present_videos
from sce_video.data.sources.source import Listing, Source
from sce_video.data.sources.text import read_lines, read_rows
from sce_video.data.videos import ListedVideos
from sce_video.engine.remote import Location, location
from sce_video.errors import ManifestError

# By number of classes and split: annotated and present in cvdf's copy (github.com/cvdfoundation/kinetics-dataset,
# issue 51); Mini-Kinetics as its paper says (arXiv:1712.04851).
_PUBLISHED = {
    (400, "train"): "cvdf's copy: 246535, 241258",
    (400, "val"): "cvdf's copy: 19907, 19881",
    (400, "test"): "cvdf's copy: 39806, 38685",
    (200, "train"): "as published: 80000",
    (200, "val"): "as published: 5000",
}
# Of Mini-Kinetics, in DATA.SPLITS_DIR.
_TRAIN_IDS, _TEST_IDS = "train_ytid_list.txt", "val_ytid_list.txt"
_NAMING_COLUMNS = ("youtube_id", "time_start", "time_end")


@dataclass(frozen=True)
class KineticsAnnotations:
    """Videos of an annotation table: names without suffix, classes (none in a table without labels), the split."""

    file: Location
    names: list[str]
    classes: list[str]
    split: str

    @property
    def class_names(self) -> list[str]:
        """Sorted, which is the official order."""
        return sorted(set(self.classes))


def read_annotations(file: Location | str, *, only_ids: Collection[str] | None = None) -> KineticsAnnotations:
    """A table with the columns label, youtube_id, time_start, time_end and split; `label` and `split` may be missing.

    Args:
        only_ids: YouTube ids of the videos to keep (Mini-Kinetics).
    Raises:
        ManifestError: unreadable file, a missing column or value, a time that is not a number.
    """
    file = location(file)
    rows = read_rows(file)
    _, header = next(rows, (0, []))
    missing = [name for name in _NAMING_COLUMNS if name not in header]
    if missing:
        raise ManifestError(f"{file} has no column {missing[0]!r}; Kinetics' table label,youtube_id,... was expected")
    names, classes, split = [], [], ""
    for number, values in rows:
        if len(values) != len(header):
            raise ManifestError(f"{file}, line {number}: {len(values)} values, but the first line names {len(header)}")
        row = dict(zip(header, values, strict=True))
        if only_ids is not None and row["youtube_id"] not in only_ids:
            continue
        names.append(_video_name(row, file, number))
        if "label" in header:
            classes.append(row["label"])
        split = row.get("split", "")
    if only_ids is not None and not names:
        raise ManifestError(f"{file} has none of the {len(only_ids)} requested ids")
    return KineticsAnnotations(file, names, classes, split)


def _video_name(row: dict[str, str], file: Location, line: int) -> str:
    """Name in cvdf's copy and of the crawlers: `<id>_<start>_<end>`, times in seconds, six digits."""
    try:
        start, end = (int(float(row[name])) for name in ("time_start", "time_end"))
        return f"{row['youtube_id']}_{start:06d}_{end:06d}"
    except (ValueError, OverflowError) as error:
        raise ManifestError(f"{file}, line {line}: {row}; two times in seconds were expected") from error


def read_kinetics(
    annotations: KineticsAnnotations, root: Location | str, *, class_names: Sequence[str]
) -> ListedVideos:
    """The annotated videos that are present at any depth below `root`; missing ones are normal.

    Args:
        class_names: of the training table, in the order of their labels.
    Raises:
        ManifestError: no video is present, or one has a class that is not among `class_names`.
    """
    root = location(root)
    label_of = {name: label for label, name in enumerate(class_names)}
    unknown = [name for name in annotations.class_names if name not in label_of]
    if unknown:
        raise ManifestError(
            f"{annotations.file}: class {unknown[0]!r} is not among the {len(label_of)} training classes"
        )
    split = "val" if annotations.split.startswith("val") else annotations.split
    return present_videos(
        root,
        annotations.names,
        [label_of[name] for name in annotations.classes] or None,
        origin=str(annotations.file),
        class_names=dict(enumerate(class_names)),
        published=_PUBLISHED.get((len(class_names), split), ""),
    )


def read_ids(file: Path | str) -> frozenset[str]:
    """YouTube ids, one a line (Mini-Kinetics' `train_ytid_list.txt` and `val_ytid_list.txt`)."""
    file = Path(file)
    return frozenset(line for _, line in read_lines(file))


def _read(listing: Listing, table: str) -> ListedVideos:
    class_names = read_annotations(listing.train).class_names
    return read_kinetics(read_annotations(table), listing.root, class_names=class_names)


def _read200(listing: Listing, table: str, ids: str) -> ListedVideos:
    """Mini-Kinetics: the videos of Kinetics-400's tables that are in its two lists."""
    splits = Path(listing.splits_dir)
    class_names = read_annotations(listing.train, only_ids=read_ids(splits / _TRAIN_IDS)).class_names
    chosen = read_annotations(table, only_ids=read_ids(splits / ids))
    return read_kinetics(chosen, listing.root, class_names=class_names)


KINETICS = Source(
    lambda listing: _read(listing, listing.train),
    lambda listing: _read(listing, listing.test),
    train="file",
    is_walked=True,
)
KINETICS200 = Source(
    lambda listing: _read200(listing, listing.train, _TRAIN_IDS),
    lambda listing: _read200(listing, listing.test, _TEST_IDS),
    train="file",
    has_official_files=True,
    is_walked=True,
)
