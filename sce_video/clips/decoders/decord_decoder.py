"""decord: fast on re-encoded mp4, and used for most published results. Optional: x86-64 Linux only.

It returns wrong frames of H.264 and HEVC with open GOPs or intra refresh, of MPEG-2 and MPEG-4 with B-frames and of
files with edit lists (cut without re-encoding); it refuses AV1, mkv without an index and some frames of at most 72
pixels width; it repeats the last good frame where a file is damaged. Use "pyav" for such files, or transcode them.
`open_video` uses it for mp4, mov, mkv and webm only: it is wrong on AVI with B-frames and on MPEG-TS, and can wait
forever on the playlist of a live stream.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from sce_video.clips.decoders.base import (
    CropRequest,
    VideoMetadata,
    check_times,
    crops_of_frames,
    decode_errors,
    even_timing,
    is_consistent,
    scaled_size,
)
from sce_video.errors import UserError

# decord keeps timestamps as float32; a frame that begins at t must still be found at t.
_STAMP_SECONDS = 1e-4


def load_decord() -> Any:
    """Import decord; raises UserError if it is not installed or cannot be loaded."""
    try:
        import decord
        import decord.logging
    except (ImportError, OSError) as error:
        raise UserError(
            f'decoder "decord" cannot be loaded ({error}); pip install decord (x86-64 Linux), or use "pyav"'
        ) from error
    decord.logging.set_level(decord.logging.QUIET)  # FFmpeg's warnings do not name the file; errors do
    return decord


class DecordDecoder:
    """One video read by decord; see `VideoDecoder`."""

    def __init__(self, path: str, *, short_side_pixels: int = 0) -> None:
        """Raises DecodeError for a file that decord cannot read, UserError if decord cannot be loaded."""
        decord = load_decord()
        self._path = path
        with decode_errors(path):
            self._reader = decord.VideoReader(path, ctx=decord.cpu(0), num_threads=1)
            height, width, _ = self._reader[0].shape
            size = scaled_size(height, width, short_side_pixels)
            if size != (height, width):
                self._reader = decord.VideoReader(path, decord.cpu(0), size[1], size[0], num_threads=1)
            intervals = self._reader.get_frame_timestamp(range(len(self._reader))).astype(np.float64)  # (N, 2)
            fps = self._reader.get_avg_fps()
        self.metadata, self._starts = _timing(intervals, fps, *size)

    def frames_at(self, times_seconds: Sequence[float]) -> torch.Tensor:
        """See `VideoDecoder.frames_at`."""
        if self._reader is None:
            raise ValueError(f"{self._path} is closed")
        check_times(times_seconds)
        indices = np.searchsorted(self._starts - _STAMP_SECONDS, np.asarray(times_seconds), side="right") - 1
        with decode_errors(self._path):
            frames = self._reader.get_batch(np.maximum(indices, 0)).asnumpy()  # (T, H, W, C)
        return torch.from_numpy(frames).permute(0, 3, 1, 2)

    def crops_at(self, requests: Sequence[CropRequest]) -> list[torch.Tensor]:
        """See `VideoDecoder.crops_at`."""
        return crops_of_frames(self, requests)

    def __enter__(self) -> "DecordDecoder":
        return self

    def __exit__(self, *_: object) -> None:
        self._reader = None  # decord frees a reader with its last reference


def _timing(intervals: np.ndarray, fps: float, height: int, width: int) -> tuple[VideoMetadata, np.ndarray]:
    """Metadata, and the start of each frame in seconds, (N,), never decreasing.

    Args:
        intervals: start and end of each frame in seconds, (N, 2). decord gives huge negative numbers for frames
            without timestamps (AVI with B-frames); frames of equal length are then assumed.
    """
    count = len(intervals)
    if (np.abs(intervals) > 1e9).any():
        intervals = np.arange(count)[:, None] / fps + np.array([0.0, 1.0]) / fps
    starts = np.maximum.accumulate(intervals[:, 0] - intervals[0, 0])
    duration = float(intervals[-1, 1] - intervals[0, 0])
    if not is_consistent(duration, fps, count):
        duration, fps, count = even_timing(count, float(starts[-1]))
    return VideoMetadata(duration, fps, count, height, width), starts
