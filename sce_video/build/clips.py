"""From the config: which decoder, which clips of a video, which frames of a clip."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from fvcore.common.config import CfgNode

from sce_video.build.files import build_videos
from sce_video.build.workers import build_scout, build_watch
from sce_video.clips.decoders import VideoDecoder, VideoMetadata, VideoOpener, decoder_version
from sce_video.clips.decoders.choice import DecoderChoice, choose_decoder
from sce_video.clips.decoders.frame_names import FrameNamesError, check_pattern
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
from sce_video.data.watched import WatchedVideos
from sce_video.engine.cluster.collectives import all_gathered, is_main_process
from sce_video.errors import ConfigError, reason_of
from sce_video.evaluate.views import ViewProtocol
from sce_video.runtime.files import write_json
from sce_video.runtime.logging import LOGGER

# Beside a run's checkpoints or an evaluation's features: which decoder DATA.DECODER auto was decided to be.
DECODER_FILE = "decoder.json"
_NUM_RACED = 4
_ABOUT_DECORD = (
    "decord 0.6 hands out wrong frames of some files and repeats frames over damage (docs/data.md); pyav does neither"
)


def build_opener(cfg: CfgNode, manifest: Manifest, *, memory: Path | None = None) -> VideoOpener:
    """How the videos of a whole run are opened. DATA.DECODER auto is decided here, once, and said in the log.

    Args:
        memory: file that keeps what auto was decided to be, if `remember_decoder` has written it.
    Raises:
        UserError: the decoder cannot be loaded, or DATA.FRAMES_PATTERN is none.
    """
    opener = VideoOpener(
        "pyav" if cfg.DATA.DECODER == "auto" else cfg.DATA.DECODER,
        short_side_pixels=cfg.DATA.SHORT_SIDE_PIXELS,
        frames_fps=cfg.DATA.FRAMES_FPS,
        frames_pattern=_frames_pattern(cfg),
    )
    if cfg.DATA.DECODER == "auto":
        opener = _decided(cfg, manifest, opener, memory)
    LOGGER.info("videos are decoded by %s %s", opener.decoder, decoder_version(opener.decoder))
    if opener.decoder == "decord":
        LOGGER.info(_ABOUT_DECORD)
    return opener


def _frames_pattern(cfg: CfgNode) -> str:
    pattern: str = cfg.DATA.FRAMES_PATTERN
    try:
        if pattern:
            check_pattern(pattern)
    except FrameNamesError as error:
        raise ConfigError(f"DATA.FRAMES_PATTERN {error}") from error
    return pattern


def remember_decoder(cfg: CfgNode, decoder: str, *, videos: str, memory: Path) -> None:
    """Keep what DATA.DECODER auto was decided to be, for the run's later starts; `videos` is the list's digest."""
    if cfg.DATA.DECODER == "auto" and is_main_process():
        write_json(memory, {"decoder": decoder, "version": decoder_version(decoder), "videos": videos})


def describe_decoder(opener: VideoOpener) -> dict[str, str]:
    """Stands beside every checkpoint and result; PyAV reads what the others are wrong on."""
    record = {"decoder": opener.decoder, "decoder_version": decoder_version(opener.decoder)}
    return record if opener.decoder == "pyav" else {**record, "other_containers": f"pyav {decoder_version('pyav')}"}


def _decided(cfg: CfgNode, manifest: Manifest, opener: VideoOpener, memory: Path | None) -> VideoOpener:
    """The main process decides for all ranks."""
    decoder = all_gathered(_decide(cfg, manifest, opener, memory) if is_main_process() else "")[0]
    return replace(opener, decoder=decoder)


def _decide(cfg: CfgNode, manifest: Manifest, opener: VideoOpener, memory: Path | None) -> str:
    remembered = _remembered(memory, manifest) if memory is not None and memory.is_file() else None
    if remembered is not None:
        LOGGER.info("DATA.DECODER auto: %s, as %s says", remembered, memory)
        return remembered
    choice = _raced(cfg, manifest, opener)
    LOGGER.info("DATA.DECODER auto: %s (%s)", choice.decoder, choice.reason or "no video file to try")
    return choice.decoder


def _raced(cfg: CfgNode, manifest: Manifest, opener: VideoOpener) -> DecoderChoice:
    """Decide in a process of its own: a decoder that hangs or dies on one of the videos is out, not the run."""
    watch, videos = build_watch(cfg, manifest), build_videos(cfg, manifest, opener)
    numbers = {str(manifest.path(video)): video for video in _some(manifest)}

    def open_with(decoder: str, path: str) -> VideoDecoder:
        return WatchedVideos(replace(videos, opener=replace(opener, decoder=decoder)), watch).open(numbers[path])

    race = partial(choose_decoder, open_with=open_with, times=partial(_wanted_times, cfg))
    choice: DecoderChoice = next(build_scout(cfg, watch).results(race, [list(numbers)]))
    reasons = [why for video in watch.lost() if (why := watch.why_lost(video))]
    return DecoderChoice("pyav", decoder_version("pyav"), "; ".join(reasons)) if reasons else choice


def _remembered(memory: Path, manifest: Manifest) -> str | None:
    """What was decided for these videos; None if it was for others."""
    try:
        decided = json.loads(memory.read_text(encoding="utf-8"))
        decoder, videos = str(decided["decoder"]), decided["videos"]
        decoder_version(decoder)
    except Exception as error:  # the border: whatever is raised while it is read
        reason = reason_of(error)
        raise ConfigError(f"{memory} does not say which decoder the run uses ({reason}); set DATA.DECODER") from error
    return decoder if videos == manifest.digest() else None


def _some(manifest: Manifest) -> range:
    """A few of the videos; none where they are pixels in memory, which no decoder reads."""
    num_videos = 0 if manifest.pixels is not None else len(manifest)
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
        num_clips=cfg.EVAL.NUM_CLIPS if cfg.EVAL.CLIPS == "evenly_spaced" else 0,
        clip_seconds=cfg.CLIP.SECONDS,
        num_frames=cfg.CLIP.NUM_FRAMES,
        num_crops=cfg.EVAL.NUM_CROPS,
        size_pixels=cfg.EVAL.SIZE_PIXELS,
        clips=cfg.EVAL.CLIPS,
        frame_stride=cfg.CLIP.FRAME_STRIDE if cfg.CLIP.FRAME_CHOICE == "strided" else 0,
    )
