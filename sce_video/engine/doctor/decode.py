"""How fast the user's own videos become clips, per decoder, on one core."""

import itertools
import multiprocessing
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import NamedTuple

import torch

from sce_video.augment.recipes import ViewSpec
from sce_video.data.dataset import TrainDataset, VideoRequest
from sce_video.engine.doctor.demand import Demand
from sce_video.engine.doctor.disk import first_of
from sce_video.engine.doctor.finding import Finding, Level

# For one video; a decoder that hangs does it for good.
_PATIENCE_SECONDS = 30.0


@dataclass
class DecodeSpeed:
    """What one loader process does with one thread: open, decode, crop and resize the clips of each video.

    `seconds` are those that the clips took. `failures` maps the place of a video to the cause; another one was decoded
    in its place, as in training. `ended` says how the process ended early, which was on `last_video`.
    """

    decoder: str
    num_clips: int = 0
    seconds: float = 0.0
    failures: dict[int, str] = field(default_factory=dict)
    ended: str = ""
    last_video: int = 0

    @property
    def clips_per_second(self) -> float:
        return self.num_clips / self.seconds if self.seconds else 0.0


class _Done(NamedTuple):
    seconds: float
    num_clips: int
    failures: list[tuple[int, str]]


def measure_decoding(
    dataset: TrainDataset, *, decoder: str, seconds: float, patience_seconds: float = _PATIENCE_SECONDS
) -> DecodeSpeed:
    """Decode the videos over and over in a process of its own, which may hang or die, until the time is over.

    The first video is not counted: the decoder's library is loaded with it.
    """
    context = multiprocessing.get_context("fork")  # as the loader does
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_decode, args=(dataset, sender), daemon=True)
    process.start()
    sender.close()
    speed = DecodeSpeed(decoder)
    try:
        _follow(receiver, speed, len(dataset), seconds=seconds, patience_seconds=patience_seconds)
    finally:
        process.kill()
        process.join()
        receiver.close()
    return speed


def _decode(dataset: TrainDataset, sender: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process ends this one
    _silence_libraries()
    torch.set_num_threads(1)
    for epoch in itertools.count():
        for video in range(len(dataset)):
            sender.send(video)
            started = time.perf_counter()
            clips = dataset[VideoRequest(epoch, video)]
            failures = [(failure.video, failure.reason) for failure in clips.failures]
            sender.send(_Done(time.perf_counter() - started, len(clips.views), failures))


def _silence_libraries() -> None:
    """What FFmpeg says about broken files would tear the page; Python's own tracebacks are still shown."""
    sys.stderr = os.fdopen(os.dup(2), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _follow(
    receiver: Connection, speed: DecodeSpeed, num_videos: int, *, seconds: float, patience_seconds: float
) -> None:
    """Add up what the process reports until the time is over and one video was counted, or all failed."""
    started, num_reports = time.perf_counter(), 0
    while time.perf_counter() - started < seconds if speed.num_clips else num_reports <= num_videos:
        if not receiver.poll(patience_seconds):
            speed.ended = f"no answer for {patience_seconds:g} s"
            return
        try:
            report = receiver.recv()
        except EOFError:
            speed.ended = "the process died"
            return
        if isinstance(report, int):
            speed.last_video = report
            continue
        speed.failures.update(report.failures)
        if num_reports and report.num_clips:
            speed.num_clips += report.num_clips
            speed.seconds += report.seconds
        num_reports += 1


def clips_of_each(views: Sequence[ViewSpec]) -> str:
    """What is decoded of each video, in words."""
    alike = Counter((view.num_frames, view.seconds) for view in views)
    clips = [f"{count} clips of {frames} frames over {length:g} s" for (frames, length), count in alike.items()]
    return f"{', '.join(clips)} of each"


def decoding(speed: DecodeSpeed, names: Sequence[str]) -> list[Finding]:
    """What one decoder does; `names` are those of the videos."""
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
        fact = f"{speed.ended} on {names[speed.last_video]}"
        findings.append(Finding("problem", topic, fact, "take that file out, or another DATA.DECODER"))
    return findings


def balance(speed: DecodeSpeed, demand: Demand | None, *, num_workers: int, usable_cores: int) -> list[Finding]:
    """What the loader can give beside what the training step takes; workers beyond the cores add nothing."""
    busy = min(max(num_workers, 1), usable_cores)
    supply = busy * speed.clips_per_second
    fact = f"at most {supply:.0f} clips/s from {busy} workers on {usable_cores} usable cores with {speed.decoder}"
    if demand is None:
        return [Finding("ok", "loader", fact)]
    fact += f"; the training step takes {demand.clips_per_second:.0f}"
    if supply >= demand.clips_per_second:
        return [Finding("ok", "loader", fact)]
    needed = demand.clips_per_second / speed.clips_per_second
    way_out = (
        f"about {needed:.0f} cores, or transcode once: tools/prepare_data.py SRC DST (docs/data.md says what it gives)"
    )
    return [Finding("problem", "loader", f"{fact}: {demand.clips_per_second / supply:.1f} times too slow", way_out)]
