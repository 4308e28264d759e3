"""Columns of a list, from DATA.LIST_COLUMNS or its header."""

from typing import NamedTuple

from sce_video.data.sources.list_lines import has_suffix, label_number
from sce_video.errors import ManifestError

PATH, LABEL, NUM_FRAMES, GROUP = "path", "label", "num_frames", "group"
# Values of DATA.LIST_COLUMNS, besides "" for those that the lines have.
COLUMNS = (
    *("path", "path,label", "path,num_frames", "path,num_frames,label", "path,label,num_frames"),
    *("path,group", "path,label,group"),
)

# Words of headers, in lower case and with _ for blanks; a header of one word is one of _PATH_WORDS.
_PATH_WORDS = {"path", "paths", "file", "filename", "file_name", "filepath", "file_path", "video_path", "video_name"}
_ID_WORDS = {"video", "videos", "video_id", "vid", "id", "name", "clip", "clip_path", "image", "youtube_id"}
_LABEL_WORDS = {
    *("label", "labels", "label_id", "class", "classes", "class_id", "class_idx", "class_index", "class_name"),
    *("target", "category", "action", "action_id", "y"),
}
_FRAMES_WORDS = {"num_frames", "nframes", "n_frames", "frames", "frame_count", "total_frames", "length"}
_MOST_CHARACTERS = 1000
_KINETICS_WORDS = {"youtube_id", "time_start", "time_end"}


class Header(NamedTuple):
    """Header of a table: its delimiter (tab, `,` or `;`), and the columns of path, label and group (None: none)."""

    delimiter: str
    num_columns: int
    path: int
    label: int | None
    group: int | None


def configured_columns(key: str) -> tuple[str, ...]:
    """DATA.LIST_COLUMNS, such as `path,num_frames,label`, as a tuple; raises ManifestError for unknown columns."""
    columns = tuple(word.strip() for word in key.split(",")) if key.strip() else ()
    if columns and ",".join(columns) not in COLUMNS:
        raise ManifestError(f"DATA.LIST_COLUMNS is {key!r}; it must be one of {'  '.join(COLUMNS)}")
    return columns


def find_header(line: str, *, file: object) -> Header | tuple[str, ...] | None:
    """The first line as a header: of a table, of columns separated by blanks, or None for neither.

    Raises:
        ManifestError: the header of Kinetics' own table.
    """
    if len(line) > _MOST_CHARACTERS:
        return None
    for delimiter in "\t,;":
        if delimiter in line:
            return _table_header(line.split(delimiter), delimiter, file)
    words = [_word(field) for field in line.split()]
    if len(words) == 1 and words[0] in _PATH_WORDS:
        return (PATH,)
    if len(words) > 1 and words[0] in _PATH_WORDS | _ID_WORDS and all(_meaning(word) for word in words[1:]):
        return (PATH, *filter(None, map(_meaning, words[1:])))
    return None


def _table_header(fields: list[str], delimiter: str, file: object) -> Header | None:
    words = [_word(field) for field in fields]
    if set(words) >= _KINETICS_WORDS:
        raise ManifestError(f"{file} is an annotation table of Kinetics, without paths; set DATA.SOURCE kinetics")
    paths = [index for index, word in enumerate(words) if word in _PATH_WORDS] or [
        index for index, word in enumerate(words) if word in _ID_WORDS
    ]
    labels = [index for index, word in enumerate(words) if word in _LABEL_WORDS]
    is_known = bool(labels) or any(word in _FRAMES_WORDS | _PATH_WORDS | {GROUP} for word in words)
    if not paths or not is_known or any(has_suffix(field) or label_number(field) is not None for field in words):
        return None
    for indices, name in ((paths, PATH), (labels, LABEL)):
        if len(indices) > 1:
            both = f"{words[indices[0]]!r} and {words[indices[1]]!r}"
            raise ManifestError(f"{file}: the columns {both} of its header may both be the {name}; keep one of them")
    group = words.index(GROUP) if GROUP in words else None
    return Header(delimiter, len(fields), paths[0], labels[0] if labels else None, group)


def _meaning(word: str) -> str:
    known = {**dict.fromkeys(_LABEL_WORDS, LABEL), **dict.fromkeys(_FRAMES_WORDS, NUM_FRAMES), GROUP: GROUP}
    return known.get(word, "")


def _word(field: str) -> str:
    return "_".join(field.strip().strip('"').lower().split()).replace("-", "_")
