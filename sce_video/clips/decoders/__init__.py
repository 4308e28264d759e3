"""Video decoders: one protocol, one class per library, and the dict `DECODERS`."""

import os
from dataclasses import dataclass
from typing import Protocol

import av

from sce_video.clips.decoders.base import CropRequest, DecodeError, VideoDecoder, VideoMetadata, Videos, decode_errors
from sce_video.clips.decoders.container import is_mp4_or_matroska, obvious_fault
from sce_video.clips.decoders.decord_decoder import DecordDecoder, load_decord
from sce_video.clips.decoders.images import IMAGE_SUFFIXES, FrameFolder, PixelVideo, StillImage
from sce_video.clips.decoders.pyav_decoder import PyAVDecoder
from sce_video.clips.decoders.torchcodec_decoder import TorchCodecDecoder, load_torchcodec
from sce_video.special_files import refuse_special_file

__all__ = [
    "DECODERS",
    "IMAGE_SUFFIXES",
    "CropRequest",
    "DecodeError",
    "PixelVideo",
    "VideoDecoder",
    "VideoMetadata",
    "VideoOpener",
    "Videos",
    "decode_errors",
    "decoder_version",
    "open_video",
]


class _FileDecoder(Protocol):
    def __call__(self, path: str, *, short_side_pixels: int) -> VideoDecoder: ...


DECODERS: dict[str, _FileDecoder] = {
    "pyav": PyAVDecoder,
    "torchcodec": TorchCodecDecoder,
    "decord": DecordDecoder,
}


def decoder_version(decoder: str) -> str:
    """Version of the decoder's library and, if known, of its FFmpeg libraries.

    Raises:
        UserError: the library is not installed or cannot be loaded.
        ValueError: unknown decoder.
    """
    _check_name(decoder)
    if decoder == "torchcodec":
        torchcodec = load_torchcodec()
        return f"{torchcodec.__version__} (FFmpeg {torchcodec.ffmpeg_major_version})"
    if decoder == "decord":
        return str(load_decord().__version__)
    return f"{av.__version__} (libavcodec {'.'.join(map(str, av.library_versions['libavcodec']))})"


@dataclass(frozen=True)
class VideoOpener:
    """Opens the videos of a run: `opener(path)` returns an open video; see `open_video`."""

    decoder: str
    short_side_pixels: int = 0
    frames_fps: float = 25.0
    frames_pattern: str = ""

    def __call__(self, path: str | os.PathLike[str]) -> VideoDecoder:
        """Raises as `open_video`."""
        return open_video(
            path,
            decoder=self.decoder,
            short_side_pixels=self.short_side_pixels,
            frames_fps=self.frames_fps,
            frames_pattern=self.frames_pattern,
        )

    def describe(self) -> dict[str, str]:
        """What is saved in checkpoints and results: decoder and version, and which frames of a folder are read.

        PyAV reads the containers that others get wrong.
        """
        others = {} if self.decoder == "pyav" else {"other_containers": f"pyav {decoder_version('pyav')}"}
        pattern = {"frames_pattern": self.frames_pattern} if self.frames_pattern else {}
        return {"decoder": self.decoder, "decoder_version": decoder_version(self.decoder), **others, **pattern}


def open_video(
    path: str | os.PathLike[str],
    *,
    decoder: str,
    short_side_pixels: int = 0,
    frames_fps: float = 25.0,
    frames_pattern: str = "",
) -> VideoDecoder:
    """Open a video file, a still image or a folder of images, as a context manager.

    Open it in the process that reads it: an open decoder survives neither pickling nor a fork. AVI, TS, FLV and similar
    containers are always read by PyAV, as the other decoders return wrong frames.

    Args:
        short_side_pixels: larger frames are scaled down to this short side; 0 keeps the size.
        frames_fps: frame rate of a folder of images without a `frames.json`.
        frames_pattern: names of the frames in a folder, such as `img_{:05d}.jpg`; "" takes all images.
    Raises:
        DecodeError: no such file, a special file, or no frame that can be decoded.
        UserError: the decoder's library cannot be loaded.
        ValueError: unknown decoder.
    """
    _check_name(decoder)
    path = os.fspath(path)
    if os.path.isdir(path):
        with decode_errors(path):
            return FrameFolder(path, short_side_pixels=short_side_pixels, fps=frames_fps, pattern=frames_pattern)
    if not os.path.isfile(path):
        with decode_errors(path):
            refuse_special_file(path)
        raise DecodeError(f"{path}: no such file")
    is_image = os.path.splitext(path)[1].lower() in IMAGE_SUFFIXES
    try:
        with decode_errors(path):
            if is_image:
                return StillImage(path, short_side_pixels=short_side_pixels)
            if decoder != "pyav" and not is_mp4_or_matroska(path):
                decoder = "pyav"
            return DECODERS[decoder](path, short_side_pixels=short_side_pixels)
    except DecodeError as error:
        fault = obvious_fault(path, kind="image" if is_image else "video")
        if fault is None:
            raise
        raise DecodeError(f"{path}: {fault}") from error


def _check_name(decoder: str) -> None:
    if decoder not in DECODERS:
        raise ValueError(f"decoder is {decoder!r}; it must be one of {', '.join(map(repr, DECODERS))}")
