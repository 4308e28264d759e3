"""Text lists of videos: lines `path label`, and the manifests that tools/prepare_data.py writes."""

import re
from collections.abc import Iterator

from sce_video.config.urls import masked
from sce_video.data.manifest import Manifest
from sce_video.data.remote import Location
from sce_video.data.sources.text import path_below, read_text, stripped_lines
from sce_video.data.sources.tree import VIDEO_SUFFIXES
from sce_video.errors import ManifestError

_LABEL = re.compile(r"(?P<path>.*[^\s,])(?:\s*,\s*|\s+)(?P<label>-?[0-9]+)")
# How the first line of a prepared manifest begins; the columns behind (duration and so on) are not needed here.
_PREPARED_COLUMNS = ["path", "label"]


def read_list(list_file: Location, root: Location) -> Manifest:
    """Lines `path label`, `path,label` (Kinetics style), either with a third column, or, all of them, `path`.

    A path may hold blanks and commas, and names a file or a folder of frames. A third column (number of frames) is
    not used. Where the first line begins with `path<tab>label` it is a prepared manifest: columns with a tab between
    them, the label empty where it is not known.

    Raises:
        ManifestError: unreadable file, some lines with a label and some without, a label that is no number, a path
            that leaves `root`.
    """
    text = read_text(list_file)
    header, _, rows = text.partition("\n")
    prepared = header.rstrip("\r").split("\t")[:2] == _PREPARED_COLUMNS
    paths: list[str] = []
    labels: list[int | None] = []
    for number, path, label in _prepared_videos(rows, list_file) if prepared else _listed_videos(text):
        if labels and (label is None) != (labels[-1] is None):
            shown = masked(path)
            raise ManifestError(f"{list_file}, line {number}: {shown!r}; either every line has a label or none has")
        paths.append(path_below(root, path, file=list_file, line=number))
        labels.append(label)
    known = [label for label in labels if label is not None]
    return Manifest(root=root, paths=paths, labels=known or None, origin=str(list_file))


def _listed_videos(text: str) -> Iterator[tuple[int, str, int | None]]:
    return ((number, *split_label(line)) for number, line in stripped_lines(text))


def _prepared_videos(rows: str, file: Location) -> Iterator[tuple[int, str, int | None]]:
    for number, row in enumerate(rows.split("\n"), start=2):
        if not row.strip():
            continue
        path, label, *_ = [*row.split("\t", 2), ""]
        label = label.strip()
        if not path or "\t" not in row or not (label == "" or label.isdecimal()):
            raise ManifestError(f"{file}, line {number}: {row!r}; `path<tab>label` was expected")
        yield number, path, int(label) if label else None


def split_label(line: str) -> tuple[str, int | None]:
    """The number behind the last comma or blank is the label; a line that does not end so is all path.

    A third column, `path label num_frames`, is left out; it is told from a path with a blank by the path's ending.
    """
    for separator in (" ", ","):  # most lines are as plain as this, and expressions take five times as long
        path, _, label = line.rpartition(separator)
        if path.lower().endswith(VIDEO_SUFFIXES) and label.isdecimal():
            return path, int(label)
    found = _LABEL.fullmatch(line)
    if found is None:
        return line, None
    inner = _LABEL.fullmatch(found["path"])
    if inner is not None and inner["path"].lower().endswith(VIDEO_SUFFIXES):
        found = inner
    return found["path"], int(found["label"])
