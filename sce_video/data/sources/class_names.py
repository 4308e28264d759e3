"""What labels stand for: `classes.txt` beside a list, one name a line in the order of the labels."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from sce_video.data.sources.text import read_text

CLASSES_FILE = "classes.txt"


def read_class_names(folder: Path) -> Mapping[int, str] | None:
    """The names in `folder/classes.txt` by their labels, which count from 0; None if there is no such file.

    Raises:
        ManifestError: it cannot be read.
    """
    file = folder / CLASSES_FILE
    if not file.exists():
        return None
    names = enumerate(line.strip(" \t\r") for line in read_text(file).split("\n"))
    return {label: name for label, name in names if name}


def numbered(names: Iterable[str]) -> Mapping[int, str]:
    """Distinct names in their sorted order, as class folders are numbered."""
    return dict(enumerate(sorted(set(names))))
