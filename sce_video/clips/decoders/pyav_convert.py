"""Conversion of decoded frames to RGB: only of the requested crops, and of many small ones at once."""

from collections.abc import Sequence

import av.video.frame
import numpy as np
from av.video.reformatter import VideoReformatter

from sce_video.clips.decoders.base import CropRequest

Box = tuple[int, int, int, int]  # top, left, height, width; pixels

# 8 bits in three planes, as nearly all videos have.
_PLANAR_FORMATS = frozenset({"yuv420p", "yuvj420p"})
_SUBSAMPLING = (1, 2, 2)  # rows and columns per value of each plane
# Converted at once; more would not fit into the processor's cache.
_MOST_STACKED_PIXELS = 2**20
# Cropping a larger share of a frame first costs more than converting all of it.
_LARGEST_CUT = 0.8


class FrameConverter:
    """Converts the frames of one video to upright RGB of one size.

    Args:
        height, width: before rotation. A frame of another size, as in adaptive streams, is scaled to it.
        quarter_turns: counterclockwise.
    """

    def __init__(self, *, height: int, width: int, quarter_turns: int) -> None:
        self.num_pixels = height * width
        self._height = height
        self._width = width
        self._quarter_turns = quarter_turns
        # Reused: creating one costs more than converting a small frame.
        self._reformatter = VideoReformatter()
        self._last: tuple[av.video.frame.VideoFrame, np.ndarray] | None = None

    def whole(self, frame: av.video.frame.VideoFrame) -> np.ndarray:
        """The whole frame, (H, W, C); the last one is cached."""
        if self._last is None or self._last[0] is not frame:
            pixels = _rgb(self._reformatter, frame, height=self._height, width=self._width)
            self._last = frame, np.rot90(pixels, self._quarter_turns) if self._quarter_turns else pixels
        return self._last[1]

    def can_crop_first(self, frame: av.video.frame.VideoFrame) -> bool:
        """Whether cropping before the conversion gives the same pixels.

        FFmpeg mixes the colours of neighbouring rows when it scales, for odd heights and for interlaced frames.
        """
        return (
            self._quarter_turns == 0
            and (frame.height, frame.width) == (self._height, self._width)
            and frame.height % 2 == 0 == frame.width % 2
            and frame.format.name in _PLANAR_FORMATS
            and not frame.interlaced_frame
        )


class CropCollector:
    """Collects the crops of all requests from the frames on screen at their times.

    Attributes:
        times: the distinct times of all requests, ascending.
    """

    def __init__(self, requests: Sequence[CropRequest], converter: FrameConverter) -> None:
        self._converter = converter
        self._crops = [_Crop(len(times), box, converter) for times, box in requests]
        self._targets: dict[float, list[tuple[_Crop, int]]] = {}  # index in the clip
        for crop, request in zip(self._crops, requests, strict=True):
            for index, time in enumerate(request.times_seconds):
                self._targets.setdefault(time, []).append((crop, index))
        self.times = sorted(self._targets)
        self._num_put = 0

    def put(self, frames: Sequence[av.video.frame.VideoFrame]) -> None:
        """Copy the crops of the frames at the next times; the frames are not needed afterwards."""
        times = self.times[self._num_put : self._num_put + len(frames)]
        for time, frame in zip(times, frames, strict=True):
            can_crop_first = self._converter.can_crop_first(frame)
            for crop, index in self._targets[time]:
                crop.put(index, frame, can_crop_first=can_crop_first)
        self._num_put += len(frames)

    def clips(self) -> list[np.ndarray]:
        """For each request (T, height, width, C) once all frames have been put; rows may be padded in memory."""
        return [crop.clip() for crop in self._crops]


class _Crop:
    """The same crop of `num_frames` frames of one video, put in one by one."""

    def __init__(self, num_frames: int, box: Box, converter: FrameConverter) -> None:
        _, _, height, width = self._box = box
        self._num_frames = num_frames
        self._converter = converter
        self._capacity = max(1, min(num_frames, _MOST_STACKED_PIXELS // (height * width)))
        self._crops_first = self._capacity == num_frames or height * width <= _LARGEST_CUT * converter.num_pixels
        self._stack: _Stack | None = None
        self._stacked: list[int] = []  # indices of the crops not yet converted
        self._clip: np.ndarray | None = None

    def put(self, index: int, frame: av.video.frame.VideoFrame, *, can_crop_first: bool) -> None:
        if not (self._crops_first and can_crop_first):
            top, left, height, width = self._box
            self._memory()[index] = self._converter.whole(frame)[top : top + height, left : left + width]
            return
        colors = frame.format.name, frame.colorspace, frame.color_range
        if self._stack is None or self._stack.colors != colors:
            self._convert()
            self._stack = _Stack(self._capacity, self._box, colors)
        self._stack.put(len(self._stacked), frame)
        self._stacked.append(index)
        if len(self._stacked) == self._capacity:
            self._convert()

    def clip(self) -> np.ndarray:
        self._convert()
        return self._memory()

    def _convert(self) -> None:
        if self._stack is None or not self._stacked:
            return
        crops = self._stack.rgb()
        if self._stacked == list(range(self._num_frames)):
            self._clip = crops
        else:
            self._memory()[self._stacked] = crops[: len(self._stacked)]
        self._stacked = []

    def _memory(self) -> np.ndarray:
        if self._clip is None:
            self._clip = np.empty((self._num_frames, *self._box[2:], 3), np.uint8)
        return self._clip


class _Stack:
    """The same crop of many frames, one below the other in one YUV picture.

    Compared with converting each frame, half as much is copied, and only the crop is converted.

    Args:
        colors: format, AVColorSpace and AVColorRange of all frames that are put in.
    """

    def __init__(self, capacity: int, box: Box, colors: tuple[str, int, int]) -> None:
        top, left, height, width = box
        # Two by two pixels share their colours: extend the crop to even rows and columns.
        self._top, self._left = top - top % 2, left - left % 2
        self._height, self._width = (top + height + 1) // 2 * 2 - self._top, (left + width + 1) // 2 * 2 - self._left
        self._inside = np.s_[:, top % 2 : top % 2 + height, left % 2 : left % 2 + width]
        self._capacity = capacity
        self._reformatter = VideoReformatter()
        self.colors = colors
        self._picture = av.video.frame.VideoFrame(self._width, capacity * self._height, colors[0])
        self._picture.colorspace, self._picture.color_range = colors[1:]
        self._crops = [
            rows[:, : self._width // step].reshape(capacity, -1, self._width // step)
            for rows, step in zip(_planes(self._picture), _SUBSAMPLING, strict=True)
        ]

    def put(self, index: int, frame: av.video.frame.VideoFrame) -> None:
        bottom, right = self._top + self._height, self._left + self._width
        for crops, rows, step in zip(self._crops, _planes(frame), _SUBSAMPLING, strict=True):
            crops[index] = rows[self._top // step : bottom // step, self._left // step : right // step]

    def rgb(self) -> np.ndarray:
        """(capacity, height, width, C)"""
        stack = _rgb(self._reformatter, self._picture, height=self._capacity * self._height, width=self._width)
        return stack.reshape(self._capacity, self._height, self._width, 3)[self._inside]


def _rgb(reformatter: VideoReformatter, frame: av.video.frame.VideoFrame, *, height: int, width: int) -> np.ndarray:
    """(height, width, C); rows may be padded in memory."""
    converted = reformatter.reformat(frame, width, height, "rgb24", threads=1)
    return _planes(converted)[0][:, : 3 * width].reshape(height, width, 3)


def _planes(frame: av.video.frame.VideoFrame) -> list[np.ndarray]:
    """The bytes of each plane, (rows, bytes per row), padding included."""
    planes = [(np.frombuffer(memoryview(plane), np.uint8), plane.line_size) for plane in frame.planes]
    # With a negative line size the bottom row is first in memory.
    return [content.reshape(-1, abs(size))[:: 1 if size > 0 else -1] for content, size in planes]
