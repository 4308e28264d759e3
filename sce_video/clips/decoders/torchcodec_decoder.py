"""torchcodec: PyTorch's own decoder. Optional; it needs FFmpeg's shared libraries from the system.

It is wrong on H.264 with intra refresh, on edit lists of several parts or cut in an open GOP, on HEVC whose index calls
every frame a key frame, and on VP8 with invisible frames.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

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

# torchcodec keeps timestamps as float64 seconds; a frame that begins at t must still be found at t.
_STAMP_SECONDS = 1e-6


def load_torchcodec() -> Any:
    """Import torchcodec; raises UserError if it is not installed, or FFmpeg's libraries are not."""
    try:
        import torchcodec.decoders
    except ImportError as error:
        raise UserError(f'decoder "torchcodec" is not installed ({error}); pip install torchcodec') from error
    except (RuntimeError, OSError) as error:
        cause = str(error).strip().splitlines()[0]
        raise UserError(
            f'decoder "torchcodec" cannot be loaded ({cause}); it needs the shared libraries of FFmpeg 4 to 8: '
            f'apt-get install ffmpeg, conda install ffmpeg, or module load ffmpeg; or use "pyav"'
        ) from error
    return torchcodec


class TorchCodecDecoder:
    """One video read by torchcodec; see `VideoDecoder`."""

    def __init__(self, path: str, *, short_side_pixels: int = 0) -> None:
        """Raises DecodeError for a file that torchcodec cannot read, UserError if torchcodec cannot be loaded."""
        torchcodec = load_torchcodec()
        self._path = path
        with decode_errors(path):
            # "approximate" is faster to open, and wrong wherever the rate varies or the header is off.
            self._decoder = torchcodec.decoders.VideoDecoder(
                path, seek_mode="exact", num_ffmpeg_threads=1, dimension_order="NHWC"
            )
            height, width, _ = self._decoder[0].shape
            metadata = self._decoder.metadata
            self._first_seconds = metadata.begin_stream_seconds
            self._last_seconds = metadata.end_stream_seconds - metadata.begin_stream_seconds - 2 * _STAMP_SECONDS
            duration, fps, num_frames = metadata.duration_seconds, metadata.average_fps, metadata.num_frames
        if not is_consistent(duration or 0.0, fps or 0.0, num_frames):
            duration, fps, num_frames = even_timing(num_frames, self._last_seconds)
        size = scaled_size(height, width, short_side_pixels)
        self._scaled = None if size == (height, width) else list(size)
        self.metadata = VideoMetadata(duration, fps, num_frames, *size)

    def frames_at(self, times_seconds: Sequence[float]) -> torch.Tensor:
        """See `VideoDecoder.frames_at`."""
        if self._decoder is None:
            raise ValueError(f"{self._path} is closed")
        check_times(times_seconds)
        inside = [min(max(time, 0.0), self._last_seconds) for time in times_seconds]
        with decode_errors(self._path):
            stamps = [time + self._first_seconds + _STAMP_SECONDS for time in inside]
            frames: torch.Tensor = self._decoder.get_frames_played_at(stamps).data.permute(0, 3, 1, 2)
        if self._scaled is None:
            return frames
        return F.interpolate(frames, self._scaled, mode="bilinear", antialias=True)

    def crops_at(self, requests: Sequence[CropRequest]) -> list[torch.Tensor]:
        """See `VideoDecoder.crops_at`."""
        return crops_of_frames(self, requests)

    def __enter__(self) -> "TorchCodecDecoder":
        return self

    def __exit__(self, *_: object) -> None:
        self._decoder = None  # freed with its last reference
