"""Whether a decoder returns the right frames of a damaged file, compared with a sequential decode."""

import math
import time
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from plain import Pixels, is_defined, plain_frames

from sce_video.clips.decoders import DecodeError, VideoMetadata, open_video
from sce_video.clips.frames import ClipSpan, frame_indices, frame_times
from sce_video.clips.samplers import one_random_span
from sce_video.errors import UserError

NUM_CLIPS, NUM_FRAMES, CLIP_SECONDS = 2, 5, 2.56
PEER = "pytorchvideo"
# Levels of 255, mean over a frame; FFmpeg versions differ in rounding and error concealment.
SAME_LEVELS = {"pyav": 0.0, "torchcodec": 8.0, "decord": 8.0}
# Errors that a library may raise; from our decoders they are bugs.
_OTHER_ERRORS = (
    *(OSError, RuntimeError, ValueError, TypeError, AttributeError, LookupError),
    *(ArithmeticError, AssertionError, MemoryError, ImportError, UserError),
)


class Trial(NamedTuple):
    """One file for one decoder; `number` is also the seed of the clips."""

    decoder: str
    number: int
    path: Path
    kind: str
    recipe: str
    source: Path | None  # the undamaged file


class Verdict(NamedTuple):
    """`outcome` is "right", "refused", "needless" (refused although a sequential decode reads it), "undefined" (see
    `is_defined`), "wrong" or, for the peer, "read"."""

    outcome: str
    detail: str
    seconds: float  # of the decoder
    mib: float  # peak growth of the process


class _WrongError(Exception):
    """A decoder gave a wrong result; the message describes it."""


class _UndefinedError(Exception):
    """A frame differs from a sequential decode, but sequential decodes differ too; the message names the frame."""


def judge(trial: Trial) -> Verdict:
    """Open the file, read two clips in one call and compare; run it in a process that may crash or hang."""
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before, before_mib = time.perf_counter(), _peak_mib()
    refusal: Exception | None = None
    clips: _Clips | None = None
    times = [0.0]  # if the file cannot be opened: is its first frame readable?
    try:
        if trial.decoder == PEER:
            _peer_clips(trial)
        else:
            clips = _our_clips(trial, times)
    except (DecodeError, *_OTHER_ERRORS) as error:
        refusal = error
    seconds, mib = time.perf_counter() - before, _peak_mib() - before_mib
    outcome, detail = _compared(trial, clips, refusal, times)
    return Verdict(outcome, " ".join(detail.split())[:300], seconds, mib)


class _Clips(NamedTuple):
    about: VideoMetadata
    frames: torch.Tensor  # (T, C, H, W)


def _our_clips(trial: Trial, times: list[float]) -> _Clips:
    """Stores the requested times in `times`."""
    with open_video(trial.path, decoder=trial.decoder) as video:
        about = video.metadata
        choose = partial(frame_indices, fps=about.fps, num_video_frames=about.num_frames, num_frames=NUM_FRAMES)
        indices = [index for span in _spans(trial, about.duration_seconds) for index in choose(span)]
        times[:] = frame_times(indices, fps=about.fps)
        return _Clips(about, video.frames_at(times))


def _spans(trial: Trial, duration_seconds: float) -> list[ClipSpan]:
    generator = torch.Generator().manual_seed(trial.number)
    return [one_random_span(duration_seconds, CLIP_SECONDS, generator=generator) for _ in range(NUM_CLIPS)]


def _peer_clips(trial: Trial) -> None:
    """pytorchvideo chooses other frames, so only whether it reads the file is known."""
    from peers import subsample
    from pytorchvideo.data.encoded_video import EncodedVideo

    video = EncodedVideo.from_path(str(trial.path), decode_audio=False, decoder="pyav")
    for span in _spans(trial, float(video.duration)):
        clip = video.get_clip(Fraction(span.start_seconds), Fraction(span.end_seconds))
        if clip is None or clip["video"] is None:
            raise LookupError("no clip")
        subsample(clip["video"])
    video.close()


def _compared(trial: Trial, clips: _Clips | None, refusal: Exception | None, times: list[float]) -> tuple[str, str]:
    if trial.decoder == PEER:
        return ("read", "") if refusal is None else ("refused", f"{type(refusal).__name__}: {refusal}")
    try:
        if refusal is not None:
            _check_refusal(trial, refusal)
            plain = plain_frames(trial.path, times, fps=25.0)
            return ("refused" if any(frame is None for frame in plain) else "needless"), str(refusal)
        assert clips is not None
        _check_frames(trial, clips, times)
    except _WrongError as wrong:
        return "wrong", str(wrong)
    except _UndefinedError as undefined:
        return "undefined", str(undefined)
    return "right", ""


def _check_refusal(trial: Trial, refusal: Exception) -> None:
    message = str(refusal)
    if not isinstance(refusal, DecodeError):
        raise _WrongError(f"{type(refusal).__name__}: {message}")
    if not message.startswith(str(trial.path)) or "\n" in message:
        raise _WrongError(f"the message is not one line that names the file: {message}")


def _check_frames(trial: Trial, clips: _Clips, times: list[float]) -> None:
    about, frames = clips
    if not all(0 < fact < math.inf for fact in (about.duration_seconds, about.fps, about.num_frames)):
        raise _WrongError(f"impossible {about}")
    if frames.shape != (len(times), 3, about.height, about.width):
        raise _WrongError(f"frames of shape {tuple(frames.shape)}, but {about}")
    strict = plain_frames(trial.path, times, fps=about.fps)
    is_sound = all(frame is not None for frame in strict)
    patched = strict if is_sound else plain_frames(trial.path, times, fps=about.fps, ignore_errors=True)
    differing = []
    for second, ours, sound, other in zip(times, frames.permute(0, 2, 3, 1).numpy(), strict, patched, strict=True):
        right = other if sound is None else sound
        if right is None:
            raise _WrongError(f"a frame at {second:.3f} s, where a sequential decode has none")
        levels = _levels_apart(ours, right)
        if levels > SAME_LEVELS[trial.decoder] and not _is_as_before(trial, second, ours, fps=about.fps):
            differing.append(f"the frame at {second:.3f} s is {levels:.3g} levels off")
            if is_defined(trial.path, second, fps=about.fps, ignore_errors=sound is None):
                raise _WrongError(differing[-1])
    if differing:
        raise _UndefinedError(differing[0])


def _is_as_before(trial: Trial, second: float, ours: Pixels, *, fps: float) -> bool:
    """Whether the frame is that of the undamaged file."""
    if trial.source is None:
        return False
    sound = plain_frames(trial.source, [second], fps=fps)[0]
    return sound is not None and _levels_apart(ours, sound) <= SAME_LEVELS[trial.decoder]


def _levels_apart(ours: Pixels, right: Pixels) -> float:
    return float(np.abs(ours.astype(np.int16) - right).mean()) if ours.shape == right.shape else 255.0


def _peak_mib() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
