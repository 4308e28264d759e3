"""Decoding speed on the user's own videos, per decoder, on one core."""

import itertools
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache, partial

from sce_video.augment.recipes import ViewSpec
from sce_video.data.dataset import TrainDataset, VideoRequest
from sce_video.engine.doctor.demand import Demand
from sce_video.engine.doctor.disk import first_of
from sce_video.engine.doctor.finding import Finding, Level
from sce_video.engine.pool.workers import Workers


@dataclass
class DecodeSpeed:
    """Speed of one loader process with one thread: open, decode, crop and resize the clips of each video.

    Args:
        seconds: in which the clips were made.
        failures: index of a video that cannot be decoded -> cause; it was replaced by another one, as in training.
        ended: which video ended the process, and so the measurement, and how; "" if none did.
    """

    decoder: str
    num_clips: int = 0
    seconds: float = 0.0
    failures: dict[int, str] = field(default_factory=dict)
    ended: str = ""

    @property
    def clips_per_second(self) -> float:
        return self.num_clips / self.seconds if self.seconds else 0.0


def measure_decoding(dataset: TrainDataset, *, workers: Workers, decoder: str, seconds: float) -> DecodeSpeed:
    """Decode the videos in a loop until the time is up and one was counted, all failed, or one is blocked.

    The first video is not counted: it includes the import of the decoder's library.

    Args:
        dataset: of `WatchedVideos` with the same `workers`, a pool of one process.
    """
    speed, num_videos, started = DecodeSpeed(decoder), len(dataset), time.perf_counter()
    requests = (VideoRequest(epoch, video) for epoch in itertools.count() for video in range(num_videos))
    with closing(workers.results(partial(_decode, dataset), requests)) as results:
        for number, (video_seconds, num_clips, failures) in enumerate(results):
            speed.ended = "; ".join(why for video in workers.blocked() if (why := workers.why_blocked(video)))
            if speed.ended:
                break
            speed.failures.update(failures)
            if number and num_clips:
                speed.num_clips += num_clips
                speed.seconds += video_seconds
            is_over = time.perf_counter() - started >= seconds
            if is_over if speed.num_clips else number >= num_videos:
                break
    return speed


def _decode(dataset: TrainDataset, request: VideoRequest) -> tuple[float, int, list[tuple[int, str]]]:
    """Seconds, number of clips, and (video, reason) of each failure."""
    silence_libraries()
    started = time.perf_counter()
    clips = dataset[request]
    return time.perf_counter() - started, len(clips.views), [(each.video, each.reason) for each in clips.failures]


@cache  # once in each process
def silence_libraries() -> None:
    """Hide FFmpeg's messages on broken files, which would clutter the page; Python's tracebacks are still shown."""
    sys.stderr = os.fdopen(os.dup(2), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def clips_of_each(views: Sequence[ViewSpec]) -> str:
    """The clips decoded from each video, as text."""
    alike = Counter((view.num_frames, view.seconds) for view in views)
    clips = [f"{count} clips of {frames} frames over {length:g} s" for (frames, length), count in alike.items()]
    return f"{', '.join(clips)} of each"


def decoding(speed: DecodeSpeed, names: Sequence[str]) -> list[Finding]:
    """Findings on one decoder; `names` of the videos by index."""
    topic = f"decoding with {speed.decoder}"
    findings = []
    if speed.num_clips:
        fact = (
            f"{speed.clips_per_second:.1f} clips/s on one core, cropped and resized "
            f"({speed.num_clips} clips in {speed.seconds:.1f} s)"
        )
        findings.append(Finding("ok", topic, fact))
    if speed.failures:
        fact = f"{len(speed.failures)} of {len(names)} videos cannot be decoded: "
        fact += first_of([names[video] for video in sorted(speed.failures)])
        level: Level = "note" if speed.num_clips else "problem"
        findings.append(Finding(level, topic, fact, "tools/prepare_data.py SRC DST --check names all broken files"))
    if speed.ended:
        findings.append(Finding("problem", topic, speed.ended, "remove that file, or set another DATA.DECODER"))
    return findings


def balance(speed: DecodeSpeed, demand: Demand | None, *, num_workers: int, usable_cores: int) -> list[Finding]:
    """Supply of the loader against demand of the training step; workers beyond the cores add nothing."""
    busy = min(max(num_workers, 1), usable_cores)
    supply = busy * speed.clips_per_second
    fact = f"at most {supply:.0f} clips/s from {busy} workers on {usable_cores} usable cores with {speed.decoder}"
    if demand is None:
        return [Finding("ok", "loader", fact)]
    fact += f"; the training step takes {demand.clips_per_second:.0f}"
    if supply >= demand.clips_per_second:
        return [Finding("ok", "loader", fact)]
    needed = demand.clips_per_second / speed.clips_per_second
    fix = f"use about {needed:.0f} cores, or transcode once: tools/prepare_data.py SRC DST (gain: docs/data.md)"
    return [Finding("problem", "loader", f"{fact}: {demand.clips_per_second / supply:.1f} times too slow", fix)]
