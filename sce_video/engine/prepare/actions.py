"""Actions of `prepare_data.py` with their settings: one class per action, in a dict by name."""

from dataclasses import dataclass

from sce_video.errors import UserError


class PrepareError(UserError):
    """An invalid folder or setting of `prepare_data.py`."""


@dataclass(frozen=True)
class Check:
    """Decode every frame, write only the reports.

    Args:
        min_frames: a video with fewer is listed as too short and left out of the manifest.
    """

    min_frames: int = 1

    def __post_init__(self) -> None:
        check_range("--min-frames", self.min_frames, 1, 10**9)


@dataclass(frozen=True)
class Transcode:
    """One mp4 per video: H.264, yuv420p, constant frame rate, no audio.

    Args:
        short_side_pixels: of the output, at most the source's; 0 keeps the source's size.
        gop_frames: from one key frame to the next; 1 makes every frame a key frame.
        crf: x264's quality, 0 (lossless) to 51.
        max_fps: frames of a faster video are dropped; None keeps all.
        min_frames: as `Check.min_frames`, counted in the output.
    """

    short_side_pixels: int = 256
    gop_frames: int = 4
    crf: int = 23
    max_fps: float | None = None
    min_frames: int = 1

    def __post_init__(self) -> None:
        _check_pictures(self)
        check_range("--gop", self.gop_frames, 1, 10_000)
        check_range("--crf", self.crf, 0, 51)


@dataclass(frozen=True)
class Frames:
    """One folder of JPEG files per video, at a constant frame rate.

    Args:
        quality: of the JPEG files, 1 to 95.
        short_side_pixels, max_fps, min_frames: as for `Transcode`.
    """

    short_side_pixels: int = 256
    quality: int = 90
    max_fps: float | None = None
    min_frames: int = 1

    def __post_init__(self) -> None:
        _check_pictures(self)
        check_range("--quality", self.quality, 1, 95)


Action = Check | Transcode | Frames
ACTIONS: dict[str, type[Check] | type[Transcode] | type[Frames]] = {
    "check": Check,
    "transcode": Transcode,
    "frames": Frames,
}


def action_name(action: Action) -> str:
    return next(name for name, kind in ACTIONS.items() if isinstance(action, kind))


def _check_pictures(action: Transcode | Frames) -> None:
    if action.short_side_pixels != 0:
        check_range("--short-side", action.short_side_pixels, 2, 16_384)
    if action.max_fps is not None:
        check_range("--max-fps", action.max_fps, 0.01, 1000)
    check_range("--min-frames", action.min_frames, 1, 10**9)


def check_range(option: str, value: float, lowest: float, highest: float) -> None:
    """Raises PrepareError for a value outside the range, or NaN."""
    if not lowest <= value <= highest:
        raise PrepareError(f"{option} is {value}; it must be from {lowest} to {highest}")
