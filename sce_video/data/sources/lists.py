"""Text lists of videos: lines `path label` and their kin, and the manifests that tools/prepare_data.py writes."""

from pathlib import Path

from sce_video.data.manifest import quoted
from sce_video.data.sources.class_names import ClassNames, NumberedLabels, numbered_labels, read_class_names
from sce_video.data.sources.list_columns import said_columns
from sce_video.data.sources.list_rows import Rows, read_rows_of
from sce_video.data.sources.source import Listing, Source
from sce_video.data.sources.text import path_below, read_text
from sce_video.data.videos import ListedVideos, listed_files
from sce_video.engine.remote import Location, location
from sce_video.runtime.logging import LOGGER

# In the name of a list: stands for DATA.SPLIT.
SPLIT_MARK = "{split}"


def read_list(
    list_file: Location | str, root: Location | str, *, columns: str = "", class_names: ClassNames = dict
) -> ListedVideos:
    """Lines `path label`, `path,label` and the like, or, all of them, `path`; docs/data.md has the table.

    A path may hold blanks and commas, and names a file or a folder of frames. Where the first line begins with
    `path<tab>label` it is a prepared manifest: columns with a tab between them, the label empty where it is not known.
    `classes.txt` beside the list names its classes. Labels that are names are numbered by it, or else as `class_names`
    has them, or else in their sorted order.

    Args:
        columns: what each line holds, `path,num_frames,label`; "" is to be seen from the lines, one number at most.
        class_names: of the training list, asked where labels are names.
    Raises:
        ManifestError: unreadable file; lines that do not read alike, or in more ways than one; a label that is none; a
            path that leaves `root`.
    """
    list_file, root = location(list_file), location(root)
    rows, is_guessed = read_rows_of(list_file, read_text(list_file), said_columns(columns))
    if rows.comments:
        LOGGER.info(
            "%s: %d lines begin with # and are comments, line %d first; a name that begins so is written ./#",
            *(list_file, len(rows.comments), rows.comments[0]),
        )
    for row, path in enumerate(rows.paths):
        if not path:
            raise rows.error(row, "there is no path")
        if ".." in path or path[0] == "/" or "://" in path:
            path_below(root, path, file=list_file, line=rows.lines[row])
    labels = _labels(rows, class_names)
    return listed_files(
        root,
        rows.paths,
        labels.numbers or None,
        str(list_file),
        lines=rows.lines,
        class_names=labels.names,
        label_kind="guessed" if is_guessed and labels.kind == "stated" else labels.kind,
    )


def _labels(rows: Rows, class_names: ClassNames) -> NumberedLabels:
    """For all rows, or for none."""
    labels = [label for label in rows.labels if label is not None]
    if labels and len(labels) < len(rows.labels):
        row = next(row for row, label in enumerate(rows.labels) if (label is None) != (rows.labels[0] is None))
        has = "no label" if rows.labels[row] is None else "a label"
        raise rows.error(row, f"{quoted(rows.paths[row])} has {has}; either every line has a label or none has")
    names = read_class_names(rows.file.parent) if isinstance(rows.file, Path) else None
    if not labels:
        return NumberedLabels([], names)

    def where(row: int) -> str:
        return f"{rows.file}, line {rows.lines[row]}: {quoted(rows.paths[row])}"

    return numbered_labels(labels, names, class_names, origin=str(rows.file), where=where)


def _read(listing: Listing, list_file: str, class_names: ClassNames = dict) -> ListedVideos:
    list_file = list_file.replace(SPLIT_MARK, str(listing.split))
    return read_list(list_file, listing.root, columns=listing.columns, class_names=class_names)


def _read_test(listing: Listing) -> ListedVideos:
    """Labels that are names are numbered as in the training list."""
    classes = (lambda: _read(listing, listing.train).class_names) if listing.train else dict
    return _read(listing, listing.test, classes)


LIST = Source(lambda listing: _read(listing, listing.train), _read_test, train="file", needs_root=False)
