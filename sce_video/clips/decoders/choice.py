"""Which decoder is the fastest on this machine and these videos, among those that are right on them."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from torch import Tensor

from sce_video.clips.decoders import VideoDecoder, VideoMetadata, decoder_version
from sce_video.clips.decoders.base import DecodeError
from sce_video.errors import UserError

# decord is not among them: it hands out wrong frames of some mp4 files, and repeats frames over damage.
CANDIDATES = ("pyav", "torchcodec")

_CLEARLY_FASTER = 1.2
_NUM_ROUNDS = 2
_MOST_SECONDS = 1.5
# Levels of 255, mean over all pixels: libraries round colours differently; two frames of one video differ by more.
_MOST_DIFFERENCE = 2.0

OpenWith = Callable[[str, str], AbstractContextManager[VideoDecoder]]
Times = Callable[[VideoMetadata], list[float]]  # the times that are wanted of a video


@dataclass(frozen=True)
class DecoderChoice:
    """What was chosen, its version, and why in a few words for the log."""

    decoder: str
    version: str
    reason: str


def choose_decoder(paths: Sequence[str], *, open_with: OpenWith, times: Times) -> DecoderChoice:
    """Time the candidates on a few videos, by turns; one that fails or shows other frames than PyAV is out.

    Args:
        paths: of a few videos; those that PyAV cannot read tell nothing.
        open_with: a decoder's name and a path -> the open video.
        times: of a video, the times of the frames that the run wants from one opening.
    """
    race = _Race(open_with, times)
    began = time.monotonic()
    for path in paths:
        if len(race.seconds) > 1 and time.monotonic() - began < _MOST_SECONDS:
            race.run_on(path)
    chosen = clearly_fastest(race.seconds)
    return DecoderChoice(chosen, decoder_version(chosen), "; ".join([*race.measured(), *race.out]))


def clearly_fastest(seconds: dict[str, float]) -> str:
    """PyAV, unless another one takes clearly less time: noise must not decide what a run is made with."""
    fastest = min(seconds, key=lambda decoder: seconds[decoder])
    return fastest if seconds[fastest] * _CLEARLY_FASTER < seconds["pyav"] else "pyav"


class _Race:
    """The seconds that each candidate has taken so far, and why others are out."""

    def __init__(self, open_with: OpenWith, times: Times) -> None:
        self._open_with = open_with
        self._times = times
        self._num_laps = 0
        self.seconds: dict[str, float] = {}
        self.out: list[str] = []
        for decoder in CANDIDATES:
            try:
                decoder_version(decoder)
                self.seconds[decoder] = 0.0
            except UserError as error:
                self.out.append(str(error))

    def run_on(self, path: str) -> None:
        try:
            expected, _ = self._read("pyav", path)  # warms the page cache, too
        except DecodeError:
            return
        for _ in range(_NUM_ROUNDS):
            self._num_laps += 1
            for decoder in list(self.seconds):
                self._lap(decoder, path, expected)

    def measured(self) -> list[str]:
        """Milliseconds for the clips of one video, opening it included."""
        return [
            f"{decoder} {1000 * s / self._num_laps:.1f} ms" for decoder, s in self.seconds.items() if self._num_laps
        ]

    def _lap(self, decoder: str, path: str, expected: Tensor) -> None:
        try:
            frames, seconds = self._read(decoder, path)
            if frames.shape != expected.shape or (frames.float() - expected.float()).abs().mean() > _MOST_DIFFERENCE:
                raise DecodeError(f"{path}: other frames than pyav's")
        except DecodeError as error:
            del self.seconds[decoder]
            self.out.append(f"not {decoder}: {error}")
        else:
            self.seconds[decoder] += seconds

    def _read(self, decoder: str, path: str) -> tuple[Tensor, float]:
        began = time.perf_counter()
        with self._open_with(decoder, path) as opened:
            frames = opened.frames_at(self._times(opened.metadata))
        return frames, time.perf_counter() - began
