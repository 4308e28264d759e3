"""Choice of a run's video decoder: the configured one, or with auto the fastest on a few of its videos."""

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

# Beside a run's checkpoints or an evaluation's features: the choice of DATA.DECODER auto.
DECODER_FILE = "decoder.json"
_NUM_TRIED = 4
_ABOUT_DECORD = (
    "decord 0.6 returns wrong frames of some files and repeats frames where a file is damaged (docs/data.md); pyav "
    "does neither"
)


def choose_opener(cfg: CfgNode, listed: ListedVideos, *, choice_file: Path | None = None) -> VideoOpener:
    """Opener of a run's videos; resolves DATA.DECODER auto, the same on all ranks.

    Args:
        choice_file: the choice of an earlier start, if `save_decoder_choice` has written it.
    Raises:
        UserError: the decoder cannot be loaded, or DATA.FRAMES_PATTERN is invalid.
    """
    opener = build_opener(cfg)
    if cfg.DATA.DECODER == "auto":
        chosen = _resolve_auto(cfg, listed, opener, choice_file) if is_main_process() else ""
        opener = replace(opener, decoder=all_gathered(chosen)[0])
    LOGGER.info("videos are decoded by %s %s", opener.decoder, decoder_version(opener.decoder))
    if opener.decoder == "decord":
        LOGGER.info(_ABOUT_DECORD)
    return opener


def save_decoder_choice(cfg: CfgNode, decoder: str, *, videos: str, choice_file: Path) -> None:
    """Save the choice of DATA.DECODER auto for later starts of the run; `videos` is the list's digest."""
    if cfg.DATA.DECODER == "auto" and is_main_process():
        write_json(choice_file, {"decoder": decoder, "version": decoder_version(decoder), "videos": videos})


def _resolve_auto(cfg: CfgNode, listed: ListedVideos, opener: VideoOpener, choice_file: Path | None) -> str:
    saved = _saved_choice(choice_file, listed) if choice_file is not None and choice_file.is_file() else None
    if saved is not None:
        LOGGER.info("DATA.DECODER auto: %s, from %s", saved, choice_file)
        return saved
    choice = _fastest(cfg, listed, opener)
    LOGGER.info("DATA.DECODER auto: %s (%s)", choice.decoder, choice.reason or "no video file to try")
    return choice.decoder


def _saved_choice(choice_file: Path, listed: ListedVideos) -> str | None:
    """The saved choice; None if it was made for other videos."""
    try:
        saved = json.loads(choice_file.read_text(encoding="utf-8"))
        decoder, videos = str(saved["decoder"]), saved["videos"]
        decoder_version(decoder)
    except Exception as error:  # invalid content may raise anything
        reason = reason_of(error)
        raise ConfigError(f"{choice_file} does not name the run's decoder ({reason}); set DATA.DECODER") from error
    return decoder if videos == listed.digest() else None


def _fastest(cfg: CfgNode, listed: ListedVideos, opener: VideoOpener) -> DecoderChoice:
    """Try the decoders in another process: one that hangs or crashes on a video is excluded, and the run continues."""
    worker = build_probe_worker(cfg, listed)
    indices = {listed.name(video): video for video in _videos_to_try(listed)}
    videos: Mapping[str, Videos] = {
        decoder: WatchedVideos(build_videos(cfg, listed, replace(opener, decoder=decoder)), worker)
        for decoder in CANDIDATES
    }

    def open_with(decoder: str, path: str) -> AbstractContextManager[VideoDecoder]:
        return videos[decoder].open(indices[path])

    choose = partial(choose_decoder, open_with=open_with, times=partial(_training_times, cfg))
    choice: DecoderChoice = next(worker.results(choose, [list(indices)]))
    reasons = [why for video in worker.blocked() if (why := worker.why_blocked(video))]
    return DecoderChoice("pyav", decoder_version("pyav"), "; ".join(reasons)) if reasons else choice


def _videos_to_try(listed: ListedVideos) -> range:
    """Indices of a few videos; none if they are pixels in memory, which need no decoder."""
    num_videos = len(listed) if listed.storage.has_files else 0
    return range(0, num_videos, max(1, num_videos // _NUM_TRIED))


def _training_times(cfg: CfgNode, about: VideoMetadata) -> list[float]:
    """Times in seconds of the frames that pretraining decodes of one video: two clips."""
    spans = evenly_spaced_spans(about.duration_seconds, cfg.CLIP.SECONDS, num_clips=2)
    indices = [
        index
        for span in spans
        for index in frame_indices(
            span, fps=about.fps, num_video_frames=about.num_frames, num_frames=cfg.CLIP.NUM_FRAMES
        )
    ]
    return frame_times(indices, fps=about.fps)
