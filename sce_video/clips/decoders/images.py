"""Videos of separate images: a still image, a folder of numbered images, pixels in memory."""

import json
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor

from sce_video.clips.decoders.base import (
    CropRequest,
    DecodeError,
    VideoMetadata,
    check_times,
    crops_of_frames,
    decode_errors,
    scaled_size,
)
from sce_video.clips.decoders.frame_names import FrameNamesError, matching, sorted_by_number
from sce_video.special_files import read_small_file, refuse_special_file

# Matched in lower case.
IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
# Written beside the frames by tools/prepare_data.py: {"fps", "num_frames", "height", "width"}.
FRAMES_FILE = "frames.json"

# A still image is one frame at a common rate.
_STILL_FPS = 25.0
# Times are sums and quotients of floats: 0.3 s at 10 fps must be frame 3.
_ROUNDING_FRAMES = 1e-6
# Limits of a `frames.json`; for more pixels PIL warns of an image.
_MOST_FRAMES_FILE_BYTES = 2**16
_SLOWEST_FPS, _FASTEST_FPS = 1e-6, 1e6
_MOST_PIXELS = 89_478_485

Pixels = NDArray[np.uint8]  # (H, W, C), RGB


class _FrameByFrame(ABC):
    """Frames of equal length, each read on request; see `VideoDecoder`."""

    metadata: VideoMetadata

    @abstractmethod
    def _frame(self, index: int) -> Pixels:
        """One frame, of any size."""

    def frames_at(self, times_seconds: Sequence[float]) -> Tensor:
        """See `VideoDecoder.frames_at`."""
        check_times(times_seconds)
        size = [self.metadata.height, self.metadata.width]
        indices = [self._index(time) for time in times_seconds]
        frames = {index: _resized(self._frame(index), size) for index in sorted(set(indices))}
        stacked = np.stack([frames[index] for index in indices])  # (T, H, W, C)
        return torch.from_numpy(stacked).permute(0, 3, 1, 2)

    def crops_at(self, requests: Sequence[CropRequest]) -> list[Tensor]:
        """See `VideoDecoder.crops_at`."""
        return crops_of_frames(self, requests)

    def _index(self, seconds: float) -> int:
        inside = min(max(seconds, 0.0), self.metadata.duration_seconds)
        return min(math.floor(inside * self.metadata.fps + _ROUNDING_FRAMES), self.metadata.num_frames - 1)

    def __enter__(self) -> "_FrameByFrame":
        return self

    def __exit__(self, *_: object) -> None:
        return None  # nothing to close


class StillImage(_FrameByFrame):
    """An image file: a video of one frame."""

    def __init__(self, path: str, *, short_side_pixels: int = 0) -> None:
        """Raises DecodeError for a file that is not an image."""
        self._pixels = _read_image(path, short_side_pixels)
        height, width, _ = self._pixels.shape
        self.metadata = VideoMetadata(1 / _STILL_FPS, _STILL_FPS, 1, height, width)

    def _frame(self, index: int) -> Pixels:
        return self._pixels


class PixelVideo(_FrameByFrame):
    """Frames in memory.

    Args:
        pixels: uint8 (T, H, W, C), RGB.
    """

    def __init__(self, pixels: Pixels, *, short_side_pixels: int = 0, fps: float = _STILL_FPS) -> None:
        self._pixels = pixels
        _, height, width, _ = pixels.shape
        size = scaled_size(height, width, short_side_pixels)
        self.metadata = VideoMetadata(len(pixels) / fps, fps, len(pixels), *size)

    def _frame(self, index: int) -> Pixels:
        return self._pixels[index]


class FrameFolder(_FrameByFrame):
    """A folder of images, in the order of the number that varies in their names.

    Args:
        fps: used without a `frames.json`.
        pattern: of the frames' names, see `frame_names.matching`; other images are ignored. "" takes all images.
    """

    def __init__(self, path: str, *, short_side_pixels: int = 0, fps: float = _STILL_FPS, pattern: str = "") -> None:
        """Raises DecodeError for no images, names without a clear order, or a `frames.json` that does not match."""
        self._short_side_pixels = short_side_pixels
        with decode_errors(path):
            names = [name for name in os.listdir(path) if _suffix(name) in IMAGE_SUFFIXES and not name.startswith(".")]
        try:
            names = matching(names, pattern) if pattern else sorted_by_number(names)
        except FrameNamesError as error:
            raise DecodeError(f"{path}: {error}") from error
        if not names:
            raise DecodeError(f"{path}: a folder without images" + (f" named like {pattern}" if pattern else ""))
        self._files = [os.path.join(path, name) for name in names]
        rate_and_size = _read_frames_file(Path(path, FRAMES_FILE), len(self._files))
        if rate_and_size is None:
            height, width, _ = self._frame(0).shape
            rate_and_size = (fps, height, width)
        fps, height, width = rate_and_size
        count = len(self._files)
        self.metadata = VideoMetadata(count / fps, fps, count, *scaled_size(height, width, short_side_pixels))

    def _frame(self, index: int) -> Pixels:
        return _read_image(self._files[index], self._short_side_pixels)


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def _read_frames_file(file: Path, num_images: int) -> tuple[float, int, int] | None:
    """(fps, height, width); None if there is no such file."""
    try:
        with decode_errors(str(file), passing=(FileNotFoundError,)):
            content = json.loads(read_small_file(file, most_bytes=_MOST_FRAMES_FILE_BYTES).decode("utf-8"))
            fps, height, width = float(content["fps"]), int(content["height"]), int(content["width"])
            is_sound = (
                _SLOWEST_FPS <= fps <= _FASTEST_FPS
                and min(height, width) > 0
                and height * width <= _MOST_PIXELS
                and content["num_frames"] == num_images
            )
    except FileNotFoundError:
        return None
    if not is_sound:
        stored = str({key: content.get(key) for key in ("fps", "height", "width", "num_frames")})[:200]
        raise DecodeError(f"{file}: {stored} is not valid beside {num_images} images; extract the frames again")
    return fps, height, width


def _read_image(path: str, short_side_pixels: int) -> Pixels:
    """An upright image, (H, W, C), scaled to `scaled_size`; a JPEG is decoded at a reduced size, which is cheaper."""
    with decode_errors(path):
        refuse_special_file(path)
        with Image.open(path) as image:
            return _upright_pixels(image, short_side_pixels)


def _upright_pixels(image: Image.Image, short_side_pixels: int) -> Pixels:
    size = scaled_size(image.height, image.width, short_side_pixels)
    if short_side_pixels:
        image.draft("RGB", size[::-1])
    upright = ImageOps.exif_transpose(image)
    if upright.size != image.size:
        size = size[::-1]
    if upright.mode.startswith("I"):  # 16-bit gray, of which convert() would keep the low byte
        upright = Image.fromarray((np.asarray(upright) // 256).astype(np.uint8))
    pixels = np.array(upright.convert("RGB"))
    return _resized(pixels, list(size))


def _resized(pixels: Pixels, size: list[int]) -> Pixels:
    if list(pixels.shape[:2]) == size:
        return pixels
    frame = torch.from_numpy(pixels).permute(2, 0, 1)
    frame = F.interpolate(frame[None], size, mode="bilinear", antialias=True)[0]
    return frame.permute(1, 2, 0).numpy()
