"""Find the file of a listed video under another suffix, as prepared videos have it."""

import os
from collections.abc import Callable, Iterator

from sce_video.clips.suffixes import IMAGE_SUFFIXES, VIDEO_SUFFIXES

# That of tools/prepare_data.py comes first.
_SUFFIXES = (".mp4", *(suffix for suffix in VIDEO_SUFFIXES if suffix != ".mp4"))


def find_file(path: str) -> str | None:
    """`path` if it exists, else the same name with another suffix or as a folder of frames; None if there is none.

    A file with the listed name takes one call of the file system.
    """
    if os.path.exists(path):
        return path
    return next((other for other, exists in _others(path) if exists(other)), None)


def _others(path: str) -> Iterator[tuple[str, Callable[[str], bool]]]:
    stem, suffix = os.path.splitext(path)
    is_known = suffix.lower() in (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES)
    if is_known:  # a.avi and a.mkv in one folder are prepared as a.mp4 and a.mkv.mp4
        yield f"{path}.mp4", os.path.isfile
    stem = stem if is_known else path
    yield from ((f"{stem}{other}", os.path.isfile) for other in _SUFFIXES if other != suffix)
    if is_known:  # a folder of frames
        yield stem, os.path.isdir
