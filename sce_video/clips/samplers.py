"""Which spans of a video become clips.

A video shorter than a clip gives spans that start at 0 and reach past its end.
"""

import math

import torch

from sce_video.clips.span import ClipSpan


def one_random_span(video_seconds: float, clip_seconds: float, *, generator: torch.Generator) -> ClipSpan:
    """One span whose start is uniform in [0, max(video_seconds - clip_seconds, 0)].

    SCE pretraining calls this once per view, each with the view's own generator, so that the views are independent.

    Raises:
        ValueError: a length that is not a positive number of seconds.
    """
    latest = _latest_start(video_seconds, clip_seconds)
    start = latest * torch.rand((), generator=generator, dtype=torch.float64).item()
    return ClipSpan(start, clip_seconds)


def evenly_spaced_spans(video_seconds: float, clip_seconds: float, *, num_clips: int) -> list[ClipSpan]:
    """`num_clips` spans in order, the first at the video's start and the last at its end; a single one is central.

    Raises:
        ValueError: a length that is not a positive number of seconds, `num_clips` below 1.
    """
    if num_clips < 1:
        raise ValueError(f"num_clips is {num_clips}; it must be at least 1")
    latest = _latest_start(video_seconds, clip_seconds)
    if num_clips == 1:
        return [ClipSpan(latest / 2, clip_seconds)]
    return [ClipSpan(i * latest / (num_clips - 1), clip_seconds) for i in range(num_clips)]


def _latest_start(video_seconds: float, clip_seconds: float) -> float:
    for name, seconds in (("video_seconds", video_seconds), ("clip_seconds", clip_seconds)):
        if not (seconds > 0 and math.isfinite(seconds)):
            raise ValueError(f"{name} is {seconds}; it must be a positive number of seconds")
    return max(video_seconds - clip_seconds, 0.0)
