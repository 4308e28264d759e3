"""Choice of a run's video decoder: the configured one, or for auto the fastest on a few of its videos."""

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path

from fvcore.common.config import CfgNode

from sce_video.build.files import build_opener, build_videos
from sce_video.build.workers import build_probe_worker
from sce_video.clips.decoders import VideoDecoder, VideoMetadata, VideoOpener, Videos, decoder_version
from sce_video.clips.decoders.choice import CANDIDATES, DecoderChoice, choose_decoder
from sce_video.clips.frames import frame_indices, frame_times
from sce_video.clips.samplers import evenly_spaced_spans
from sce_video.data.videos import ListedVideos
from sce_video.data.watched import WatchedVideos
from sce_video.engine.cluster.collectives import all_gathered, is_main_process
from sce_video.errors import ConfigError, reason_of
from sce_video.runtime.files import write_json
from sce_video.runtime.logging import LOGGER

# Beside a run's checkpoints or an evaluation's features: which decoder DATA.DECODER auto was decided to be.
DECODER_FILE = "decoder.json"
_NUM_RACED = 4
_ABOUT_DECORD = (
    "decord 0.6 hands out wrong frames of some files and repeats frames over damage (docs/data.md); pyav does neither"
)


def choose_opener(cfg: CfgNode, listed: ListedVideos, *, memory: Path | None = None) -> VideoOpener:
    """Opener of a run's videos; DATA.DECODER auto is decided here, once for all ranks, and logged.

    Args:
        memory: file that keeps what auto was decided to be, if `remember_decoder` has written it.
    Raises:
        UserError: the decoder cannot be loaded, or DATA.FRAMES_PATTERN is none.
    """
    opener = build_opener(cfg)
    if cfg.DATA.DECODER == "auto":
        decided = _decided(cfg, listed, opener, memory) if is_main_process() else ""
        opener = replace(opener, decoder=all_gathered(decided)[0])
    LOGGER.info("videos are decoded by %s %s", opener.decoder, decoder_version(opener.decoder))
    if opener.decoder == "decord":
        LOGGER.info(_ABOUT_DECORD)
    return opener


def remember_decoder(cfg: CfgNode, decoder: str, *, videos: str, memory: Path) -> None:
    """Save the choice of DATA.DECODER auto for later starts of the run; `videos` is the list's digest."""
    if cfg.DATA.DECODER == "auto" and is_main_process():
        write_json(memory, {"decoder": decoder, "version": decoder_version(decoder), "videos": videos})


def _decided(cfg: CfgNode, listed: ListedVideos, opener: VideoOpener, memory: Path | None) -> str:
    remembered = _remembered(memory, listed) if memory is not None and memory.is_file() else None
    if remembered is not None:
        LOGGER.info("DATA.DECODER auto: %s, as %s says", remembered, memory)
        return remembered
    choice = _raced(cfg, listed, opener)
    LOGGER.info("DATA.DECODER auto: %s (%s)", choice.decoder, choice.reason or "no video file to try")
    return choice.decoder


def _remembered(memory: Path, listed: ListedVideos) -> str | None:
    """The saved choice; None if it was made for other videos."""
    try:
        decided = json.loads(memory.read_text(encoding="utf-8"))
        decoder, videos = str(decided["decoder"]), decided["videos"]
        decoder_version(decoder)
    except Exception as error:  # the border: whatever is raised while it is read
        reason = reason_of(error)
        raise ConfigError(f"{memory} does not say which decoder the run uses ({reason}); set DATA.DECODER") from error
    return decoder if videos == listed.digest() else None


def _raced(cfg: CfgNode, listed: ListedVideos, opener: VideoOpener) -> DecoderChoice:
    """Decide in a process of its own: a decoder that hangs or dies on one of the videos is out, not the run."""
    worker = build_probe_worker(cfg, listed)
    numbers = {listed.name(video): video for video in _some(listed)}
    videos: Mapping[str, Videos] = {
        decoder: WatchedVideos(build_videos(cfg, listed, replace(opener, decoder=decoder)), worker)
        for decoder in CANDIDATES
    }

    def open_with(decoder: str, path: str) -> AbstractContextManager[VideoDecoder]:
        return videos[decoder].open(numbers[path])

    race = partial(choose_decoder, open_with=open_with, times=partial(_wanted_times, cfg))
    choice: DecoderChoice = next(worker.results(race, [list(numbers)]))
    reasons = [why for video in worker.blocked() if (why := worker.why_blocked(video))]
    return DecoderChoice("pyav", decoder_version("pyav"), "; ".join(reasons)) if reasons else choice


def _some(listed: ListedVideos) -> range:
    """A few of the videos; none where they are pixels in memory, which no decoder reads."""
    num_videos = len(listed) if listed.storage.has_files else 0
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
