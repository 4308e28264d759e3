"""PyAV: the decoder that is always there, and the one whose frames the others are measured against."""

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from itertools import chain
from types import TracebackType

import av.error
import av.video.frame
import numpy as np
import torch
from av.video.reformatter import VideoReformatter

from sce_video.clips.decoders.base import DecodeError, VideoMetadata, check_times, decode_errors
from sce_video.clips.decoders.pyav_file import open_stream, video_timing

# Seeking is trusted only where the container stores the time of every frame and an index, and the codec starts clean
# at a key frame. Elsewhere (AVI with B-frames: half of the frames wrong) the file is decoded from its start.
_SEEKABLE_CONTAINERS = frozenset({"mp4", "matroska"})  # "mov" and "webm" are the same two readers
_SEEKABLE_CODECS = frozenset({"h264", "hevc", "vp8", "vp9", "av1", "libdav1d"})

# PyAV converts with as many threads as there are cores, where it can be told not to; older versions use one.
_ONE_THREAD = {"threads": 1} if "threads" in (VideoReformatter.reformat.__doc__ or "") else {}

_TimedFrame = tuple[float, av.video.frame.VideoFrame]  # begins at so many seconds after the first frame


class PyAVDecoder:
    """One video read by PyAV in one thread; see `VideoDecoder`."""

    def __init__(self, path: str) -> None:
        """Raises DecodeError for a file without a video stream or without a frame that can be decoded."""
        self._path = path
        self._closed = False
        self._converter = VideoReformatter()  # one for all frames: to make one costs more than to convert a small frame
        with decode_errors(path, av.error.FFmpegError, ValueError):
            self._container, self._stream = open_stream(path)
        try:
            self.metadata = self._inspect()
        except DecodeError:
            self._container.close()
            raise

    def frames_at(self, times_seconds: Sequence[float]) -> torch.Tensor:
        """See `VideoDecoder.frames_at`; cheaper in one call than in two, which may decode the same stretch twice."""
        if self._closed:
            raise ValueError(f"{self._path} is closed")
        check_times(times_seconds)
        in_order = sorted(set(times_seconds))
        images: dict[float, np.ndarray] = {}
        converted = None
        with decode_errors(self._path, av.error.FFmpegError):
            for time, frame in zip(in_order, self._shown_at(in_order), strict=True):
                if frame is not converted:
                    image, converted = self._to_rgb(frame), frame
                images[time] = image
        stacked = np.stack([images[time] for time in times_seconds])  # (T, H, W, C)
        return torch.from_numpy(stacked).permute(0, 3, 1, 2)

    def __enter__(self) -> "PyAVDecoder":
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closed = True
        self._container.close()

    def _inspect(self) -> VideoMetadata:
        """Decode the first frame: what seconds are counted from, and how all frames are turned and sized."""
        with decode_errors(self._path, av.error.FFmpegError):
            first = next(self._container.decode(self._stream), None)
            if first is None:
                raise DecodeError(f"{self._path}: holds no frame that can be decoded")
            duration, fps, num_frames = video_timing(self._path, self._container, self._stream)
        assert first.time_base is not None  # only frames made by hand have none
        # AVI keeps no presentation times, and those guessed from its B-frames are out of order: count instead.
        self._is_counted = first.pts is None or self._container.format.name == "avi"
        self._first_pts = first.pts or 0
        self._time_base: Fraction = first.time_base
        self._width, self._height = first.width, first.height
        self._quarter_turns = first.rotation // 90 if first.rotation % 90 == 0 else 0
        height, width = self._to_rgb(first).shape[:2]
        return VideoMetadata(duration, fps, num_frames, height, width)

    def _shown_at(self, in_order: Sequence[float]) -> Iterator[av.video.frame.VideoFrame]:
        """The frame on screen at each of the ascending times: one is shown until the next begins."""
        frames = self._frames_from(in_order[0])
        _, shown = next(frames)
        following = next(frames, None)
        for time in in_order:
            while following is not None and following[0] <= time:
                shown = following[1]
                following = next(frames, None)
            yield shown

    def _frames_from(self, seconds: float) -> Iterator[_TimedFrame]:
        """Decode on from a frame that begins at or before `seconds`, or from the first frame."""
        if self._is_seekable():
            latest = min(max(seconds, 0.0), self.metadata.duration_seconds)
            offset = self._first_pts + math.floor(latest / self._time_base)
            with suppress(av.error.FFmpegError):  # a seek that fails is no verdict on the file
                self._container.seek(offset, stream=self._stream)
                frames = self._timed_frames()
                first = next(frames, None)
                if first is not None and first[0] <= latest:
                    return chain([first], frames)
        self._container.close()
        self._container, self._stream = open_stream(self._path)
        return self._timed_frames()

    def _timed_frames(self) -> Iterator[_TimedFrame]:
        """Decode on from where the container stands; times never decrease."""
        time = 0.0
        for index, frame in enumerate(self._container.decode(self._stream)):
            if self._is_counted or frame.pts is None:
                time = max(time, index / self.metadata.fps)
            else:
                time = max(time, float((frame.pts - self._first_pts) * self._time_base))
            yield time, frame

    def _is_seekable(self) -> bool:
        containers = self._container.format.name.split(",")
        return (
            not self._is_counted
            and not _SEEKABLE_CONTAINERS.isdisjoint(containers)
            and self._stream.codec_context.name in _SEEKABLE_CODECS
        )

    def _to_rgb(self, frame: av.video.frame.VideoFrame) -> np.ndarray:
        """(H, W, C) upright; a frame of another size, as streams that adapt have them, is scaled to the first's."""
        rgb = self._converter.reformat(frame, self._width, self._height, "rgb24", **_ONE_THREAD)
        return np.rot90(rgb.to_ndarray(), self._quarter_turns)
