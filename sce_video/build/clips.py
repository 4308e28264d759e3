"""From the config: which clips of a video, which frames of a clip."""

from collections.abc import Callable
from functools import partial

import torch
from fvcore.common.config import CfgNode

from sce_video.clips.frames import (
    Positions,
    jittered_positions,
    strided_positions,
    uniform_positions,
)
from sce_video.clips.samplers import (
    SpanSampler,
    bounded_distance_pair,
    decreasing_distance_pair,
    independent_spans,
)
from sce_video.data.dataset import ClipFormat
from sce_video.evaluate.views import ViewProtocol


def build_clip_format(cfg: CfgNode) -> ClipFormat:
    return ClipFormat(
        seconds=cfg.CLIP.SECONDS,
        num_frames=cfg.CLIP.NUM_FRAMES,
        size_pixels=cfg.CLIP.SIZE_PIXELS,
        spans=SPAN_SAMPLERS[cfg.CLIP.PAIR](cfg),
        speeds=tuple(cfg.CLIP.SPEEDS),
        duration_jitter=cfg.CLIP.DURATION_JITTER,
        positions=partial(FRAME_CHOICES[cfg.CLIP.FRAME_CHOICE], cfg.CLIP.FRAME_STRIDE),
    )


SPAN_SAMPLERS: dict[str, Callable[[CfgNode], SpanSampler]] = {
    "independent": lambda cfg: independent_spans,
    "distance": lambda cfg: partial(
        bounded_distance_pair,
        min_distance_seconds=cfg.CLIP.DISTANCE_SECONDS[0],
        max_distance_seconds=cfg.CLIP.DISTANCE_SECONDS[1],
    ),
    "decreasing": lambda cfg: partial(decreasing_distance_pair, power=cfg.CLIP.DISTANCE_POWER),
}


def _jittered(frame_stride: int, generator: torch.Generator) -> Positions:
    return partial(jittered_positions, generator=generator)


# (frame_stride, the view's generator) -> which of a span's frames are kept
FRAME_CHOICES: dict[str, Callable[[int, torch.Generator], Positions]] = {
    "uniform": lambda frame_stride, generator: uniform_positions,
    "strided": lambda frame_stride, generator: partial(strided_positions, frame_stride=frame_stride),
    "jittered": _jittered,
}


def build_protocol(cfg: CfgNode) -> ViewProtocol:
    """Nothing random in it: frames that pretraining jitters are spread evenly here."""
    return ViewProtocol(
        num_clips=cfg.EVAL.NUM_CLIPS if cfg.EVAL.CLIPS == "evenly_spaced" else 0,
        clip_seconds=cfg.CLIP.SECONDS,
        num_frames=cfg.CLIP.NUM_FRAMES,
        num_crops=cfg.EVAL.NUM_CROPS,
        size_pixels=cfg.EVAL.SIZE_PIXELS,
        clips=cfg.EVAL.CLIPS,
        frame_stride=cfg.CLIP.FRAME_STRIDE if cfg.CLIP.FRAME_CHOICE == "strided" else 0,
    )
