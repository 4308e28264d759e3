"""From the config: which decoder, which clips of a video, which frames of a clip."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from fvcore.common.config import CfgNode

from sce_video.clips.decoders import VideoMetadata, VideoOpener, decoder_version
from sce_video.clips.decoders.choice import choose_decoder
from sce_video.clips.frames import (
    Positions,
    frame_indices,
    frame_times,
    jittered_positions,
    strided_positions,
    uniform_positions,
)
from sce_video.clips.samplers import (
    SpanSampler,
    bounded_distance_pair,
    decreasing_distance_pair,
    evenly_spaced_spans,
    independent_spans,
)
from sce_video.data.dataset import ClipFormat
from sce_video.data.manifest import Manifest
from sce_video.errors import ConfigError
from sce_video.evaluate.views import ViewProtocol
from sce_video.runtime.distributed import is_main_process
from sce_video.runtime.files import write_json
from sce_video.runtime.logging import LOGGER

_NUM_RACED = 4


def build_opener(cfg: CfgNode, manifest: Manifest, *, memory: Path | None = None) -> VideoOpener:
    """How the videos of a whole run are opened. DATA.DECODER auto is decided here, once, and said in the log.

    Args:
        memory: file that keeps what auto was decided to be, for the run's later starts.
    Raises:
        UserError: the decoder cannot be loaded.
    """
    opener = VideoOpener(
        "pyav" if cfg.DATA.DECODER == "auto" else cfg.DATA.DECODER,
        short_side_pixels=cfg.DATA.SHORT_SIDE_PIXELS,
        frames_fps=cfg.DATA.FRAMES_FPS,
    )
    if cfg.DATA.DECODER == "auto":
        opener = _decided(cfg, manifest, opener, memory)
    LOGGER.info("videos are decoded by %s %s", opener.decoder, decoder_version(opener.decoder))
    return opener


def describe_decoder(opener: VideoOpener) -> dict[str, str]:
    """Stands beside every checkpoint and result."""
    return {"decoder": opener.decoder, "decoder_version": decoder_version(opener.decoder)}


def _decided(cfg: CfgNode, manifest: Manifest, opener: VideoOpener, memory: Path | None) -> VideoOpener:
    if memory is not None and memory.is_file():
        return VideoOpener(_remembered(memory), opener.short_side_pixels, opener.frames_fps)
    paths = [] if manifest.pixels is not None else [str(manifest.path(video)) for video in _some(len(manifest))]
    choice = choose_decoder(paths, opener=opener, times=partial(_wanted_times, cfg))
    LOGGER.info("DATA.DECODER auto: %s (%s)", choice.decoder, choice.reason or "no video file to try")
    if memory is not None and is_main_process():
        write_json(memory, {"decoder": choice.decoder, "version": choice.version, "reason": choice.reason})
    return VideoOpener(choice.decoder, opener.short_side_pixels, opener.frames_fps)


def _remembered(memory: Path) -> str:
    try:
        decoder = json.loads(memory.read_text(encoding="utf-8"))["decoder"]
        decoder_version(decoder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{memory} does not say which decoder the run uses ({error}); set DATA.DECODER") from error
    return str(decoder)


def _some(num_videos: int) -> range:
    return range(0, num_videos, max(1, num_videos // _NUM_RACED))


def _wanted_times(cfg: CfgNode, about: VideoMetadata) -> list[float]:
    """What pretraining wants of one opening: the frames of two clips."""
    spans = evenly_spaced_spans(about.duration_seconds, cfg.CLIP.SECONDS, num_clips=2)
    indices = [
        index
        for span in spans
        for index in frame_indices(
            span, fps=about.fps, num_video_frames=about.num_frames, num_frames=cfg.CLIP.NUM_FRAMES
        )
    ]
    return frame_times(indices, fps=about.fps)


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
        num_clips=cfg.EVAL.NUM_CLIPS,
        clip_seconds=cfg.CLIP.SECONDS,
        num_frames=cfg.CLIP.NUM_FRAMES,
        num_crops=cfg.EVAL.NUM_CROPS,
        size_pixels=cfg.EVAL.SIZE_PIXELS,
        clips=cfg.EVAL.CLIPS,
        frame_stride=cfg.CLIP.FRAME_STRIDE if cfg.CLIP.FRAME_CHOICE == "strided" else 0,
    )
