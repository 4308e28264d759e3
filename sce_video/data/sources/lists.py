"""Text lists of videos: lines `path label` and the like, and the manifests that tools/prepare_data.py writes."""

from pathlib import Path

from sce_video.data.manifest import quoted
from sce_video.data.sources.class_names import ClassNames, NumberedLabels, numbered_labels, read_class_names
from sce_video.data.sources.list_columns import configured_columns
from sce_video.data.sources.list_rows import Rows, read_list_rows
from sce_video.data.sources.source import Listing, Source
from sce_video.data.sources.text import path_below, read_text
from sce_video.data.videos import ListedVideos, videos_from_paths
from sce_video.engine.remote import Location, location
from sce_video.runtime.logging import LOGGER

# Replaced by DATA.SPLIT in the name of a list.
SPLIT_MARK = "{split}"


def read_list(
    list_file: Location | str, root: Location | str, *, columns: str = "", class_names: ClassNames = dict
) -> ListedVideos:
    """Read a list with lines `path label`, `path,label` and the like, or only `path`; docs/data.md has the table.

    A path may contain blanks and commas, and is that of a file or a folder of frames. If the first line begins with
    `path<tab>label`, it is a prepared manifest: columns separated by tabs, the label empty if unknown. Labels that are
    class names are numbered by `classes.txt` beside the list, else by `class_names`, else in sorted order.

    Args:
        columns: of each line, such as `path,num_frames,label`; "" takes them from the lines, with one number at most.
        class_names: of the training list, called if labels are names.
    Raises:
        ManifestError: unreadable file; lines that differ or are ambiguous; an invalid label; a path that leaves `root`.
    """
    list_file, root = location(list_file), location(root)
    rows, is_guessed = read_list_rows(list_file, read_text(list_file), configured_columns(columns))
    if rows.comments:
        LOGGER.info(
            "%s: %d lines that begin with # are comments, the first is line %d; write such a file name as ./#",
            *(list_file, len(rows.comments), rows.comments[0]),
        )
    for row, path in enumerate(rows.paths):
        if not path:
            raise rows.error(row, "there is no path")
        if ".." in path or path[0] == "/" or "://" in path:
            path_below(root, path, file=list_file, line=rows.lines[row])
    labels = _labels(rows, class_names)
    return videos_from_paths(
        root,
        rows.paths,
        labels.numbers or None,
        str(list_file),
        lines=rows.lines,
        class_names=labels.names,
        label_kind="guessed" if is_guessed and labels.kind == "stated" else labels.kind,
        groups=rows.groups or None,
    )


def _labels(rows: Rows, class_names: ClassNames) -> NumberedLabels:
    """Labels of all rows, or none."""
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
