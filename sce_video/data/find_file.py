"""The file of a video whose name ends otherwise than a list says, as it does when the video has been prepared."""

import os
from collections.abc import Callable, Iterator

from sce_video.clips.suffixes import IMAGE_SUFFIXES, VIDEO_SUFFIXES

# What tools/prepare_data.py writes comes first.
_ENDINGS = (".mp4", *(suffix for suffix in VIDEO_SUFFIXES if suffix != ".mp4"))


def find_file(path: str) -> str | None:
    """`path` where something is there; else the same name with another ending or as a folder; None: nothing is there.

    Where everything is as listed this asks the file system once.
    """
    if os.path.exists(path):
        return path
    return next((other for other, is_there in _others(path) if is_there(other)), None)


def _others(path: str) -> Iterator[tuple[str, Callable[[str], bool]]]:
    stem, ending = os.path.splitext(path)
    is_known = ending.lower() in (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES)
    if is_known:  # of a.avi and a.mkv, which both would be a.mp4, the second becomes a.mkv.mp4
        yield f"{path}.mp4", os.path.isfile
    stem = stem if is_known else path
    yield from ((f"{stem}{other}", os.path.isfile) for other in _ENDINGS if other != ending)
    if is_known:  # a folder of frames
        yield stem, os.path.isdir
