"""Choice of the fastest decoder for these videos on this machine, among those that decode them correctly."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from torch import Tensor

from sce_video.clips.decoders import VideoDecoder, VideoMetadata, decoder_version
from sce_video.clips.decoders.base import DecodeError
from sce_video.errors import UserError

# Without decord: it returns wrong frames of some mp4 files, and repeats frames where a file is damaged.
CANDIDATES = ("pyav", "torchcodec")

_CLEARLY_FASTER = 1.2
_NUM_ROUNDS = 2
_MOST_SECONDS = 1.5
# Mean absolute difference of 8-bit values: libraries round colours differently; two frames of a video differ by more.
_MOST_DIFFERENCE = 2.0

OpenWith = Callable[[str, str], AbstractContextManager[VideoDecoder]]
Times = Callable[[VideoMetadata], list[float]]  # of the frames that a run reads from a video


@dataclass(frozen=True)
class DecoderChoice:
    """The chosen decoder, its version, and the reason for the log."""

    decoder: str
    version: str
    reason: str


def choose_decoder(paths: Sequence[str], *, open_with: OpenWith, times: Times) -> DecoderChoice:
    """Time the candidates on a few videos, in turn; one that fails or returns other frames than PyAV is excluded.

    Args:
        paths: of a few videos; those that PyAV cannot read are skipped.
        open_with: (decoder, path) -> the open video.
    """
    race = _Race(open_with, times)
    began = time.monotonic()
    for path in paths:
        if len(race.seconds) > 1 and time.monotonic() - began < _MOST_SECONDS:
            race.run_on(path)
    chosen = clearly_fastest(race.seconds)
    return DecoderChoice(chosen, decoder_version(chosen), "; ".join([*race.measured(), *race.excluded]))


def clearly_fastest(seconds: dict[str, float]) -> str:
    """PyAV unless another decoder is clearly faster, so that noise does not decide."""
    fastest = min(seconds, key=lambda decoder: seconds[decoder])
    return fastest if seconds[fastest] * _CLEARLY_FASTER < seconds["pyav"] else "pyav"


class _Race:
    """Total seconds of each candidate so far, and why others are excluded."""

    def __init__(self, open_with: OpenWith, times: Times) -> None:
        self._open_with = open_with
        self._times = times
        self._num_laps = 0
        self.seconds: dict[str, float] = {}
        self.excluded: list[str] = []
        for decoder in CANDIDATES:
            try:
                decoder_version(decoder)
                self.seconds[decoder] = 0.0
            except UserError as error:
                self.excluded.append(str(error))

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
        """Mean milliseconds per video, opening included, as text."""
        return [
            f"{decoder} {1000 * s / self._num_laps:.1f} ms" for decoder, s in self.seconds.items() if self._num_laps
        ]

    def _lap(self, decoder: str, path: str, expected: Tensor) -> None:
        try:
            frames, seconds = self._read(decoder, path)
            if frames.shape != expected.shape or (frames.float() - expected.float()).abs().mean() > _MOST_DIFFERENCE:
                raise DecodeError(f"{path}: its frames differ from pyav's")
        except DecodeError as error:
            del self.seconds[decoder]
            self.excluded.append(f"not {decoder}: {error}")
        else:
            self.seconds[decoder] += seconds

    def _read(self, decoder: str, path: str) -> tuple[Tensor, float]:
        began = time.perf_counter()
        with self._open_with(decoder, path) as opened:
            frames = opened.frames_at(self._times(opened.metadata))
        return frames, time.perf_counter() - began
