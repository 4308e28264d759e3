"""Video files to frames: one small protocol, one class per library, one dict that lists them."""

import os
from collections.abc import Callable
from dataclasses import dataclass

from sce_video.clips.decoders.base import DecodeError, VideoDecoder, VideoMetadata, Videos
from sce_video.clips.decoders.decord_decoder import DecordDecoder
from sce_video.clips.decoders.pyav_decoder import PyAVDecoder

__all__ = ["DECODERS", "DecodeError", "VideoDecoder", "VideoMetadata", "VideoOpener", "Videos", "open_video"]

DECODERS: dict[str, Callable[[str], VideoDecoder]] = {"pyav": PyAVDecoder, "decord": DecordDecoder}


@dataclass(frozen=True)
class VideoOpener:
    """How the videos of a run are opened: `opener(path)` is an open video, to be used in a `with`."""

    decoder: str

    def __call__(self, path: str | os.PathLike[str]) -> VideoDecoder:
        """Raises as `open_video`."""
        return open_video(path, decoder=self.decoder)


def open_video(path: str | os.PathLike[str], *, decoder: str) -> VideoDecoder:
    """Open a video with the decoder of that name; to be used in a `with`.

    Open it in the process that reads it: an open decoder survives neither pickling nor a fork.

    Raises:
        DecodeError: no such file, or no frame in it that can be decoded.
        UserError: the decoder's library is not installed.
        ValueError: no decoder of that name.
    """
    if decoder not in DECODERS:
        raise ValueError(f"decoder is {decoder!r}; it must be one of {', '.join(map(repr, DECODERS))}")
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise DecodeError(f"{path}: no such file")
    return DECODERS[decoder](path)
