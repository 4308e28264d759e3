"""Moments in Time from its CSV files."""

from pathlib import Path

from sce_video.data.sources.source import Source
from sce_video.data.sources.text import path_below, read_lines, read_rows
from sce_video.data.videos import ListedVideos, videos_from_paths
from sce_video.engine.remote import Location, location
from sce_video.errors import ManifestError
from sce_video.plain_text import whole_number

_FILES = {"training": "trainingSet.csv", "validation": "validationSet.csv"}


def read_moments(root: Location | str, splits_dir: Path | str, part: str) -> ListedVideos:
    """Rows `class/video.mp4,class,...` of `trainingSet.csv` or `validationSet.csv` over `root/<part>/`.

    Labels are the numbers in `moments_categories.txt` (`class,number`).

    Args:
        part: training or validation, as the folders are called.
    Raises:
        ManifestError: a missing or malformed file, a class without a number.
    """
    root, splits_dir = location(root), Path(splits_dir)
    categories, file = splits_dir / "moments_categories.txt", splits_dir / _FILES[part]
    label_of = {}
    for number, line in read_lines(categories):
        name, _, label = line.rpartition(",")
        parsed = whole_number(label.strip())
        if not name or parsed is None:
            raise ManifestError(f"{categories}, line {number}: {line[:200]!r}; `class,number` was expected")
        label_of[name.strip()] = parsed
    paths, labels, lines = [], [], []
    for number, row in read_rows(file):
        if len(row) < 2 or row[1] not in label_of:
            raise ManifestError(f"{file}, line {number}: {row}; `path,class` with a class of {categories} was expected")
        paths.append(path_below(root, f"{part}/{row[0]}", file=file, line=number))
        labels.append(label_of[row[1]])
        lines.append(number)
    class_names = {label: name for name, label in label_of.items()}
    return videos_from_paths(root, paths, labels, str(file), lines=lines, class_names=class_names)


MOMENTS = Source(
    lambda listing: read_moments(listing.root, listing.splits_dir, "training"),
    lambda listing: read_moments(listing.root, listing.splits_dir, "validation"),
    has_official_files=True,
)
