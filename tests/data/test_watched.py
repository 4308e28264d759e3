import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

from sce_video.clips.decoders import DecodeError, PixelVideo, VideoDecoder, VideoOpener, Videos
from sce_video.data.dataset import TrainDataset, VideoRequest
from sce_video.data.sources import read_folder
from sce_video.data.watched import WatchedVideos
from sce_video.engine.pool.workers import Workers
from sce_video.errors import StoppedError, UserError
from sce_video.evaluate.views import ViewProtocol, ViewsDataset
from tests.data.test_dataset import spec


def test_blocked_videos_count_as_broken(motion_videos: Path) -> None:
    manifest = read_folder(motion_videos, "train")
    workers = Workers(1, num_items=len(manifest), timeout_seconds=120.0, name=manifest.name)
    videos = WatchedVideos(manifest.opened_by(VideoOpener("pyav")), workers)
    workers.block(2, signal.SIGSEGV)
    assert len(videos) == len(manifest)
    with videos.open(3) as opened:
        assert opened.metadata.num_frames > 0
    reason = f"{manifest.name(2)}: its loader process died of signal 11"
    with pytest.raises(DecodeError, match=reason), videos.open(2):
        pass


@dataclass(frozen=True)
class FailingVideos:
    """Videos that raise an error when opened, or for their frames."""

    on_opening: Exception | None = None
    on_reading: Exception | None = None

    def __len__(self) -> int:
        return 3

    def open(self, video: int) -> VideoDecoder:
        if self.on_opening is not None:
            raise self.on_opening
        return FailingDecoder(np.zeros((10, 32, 48, 3), np.uint8), self.on_reading)


class FailingDecoder(PixelVideo):
    def __init__(self, pixels: np.ndarray, error: Exception | None) -> None:
        super().__init__(pixels)
        self._error = error

    def frames_at(self, times_seconds: Sequence[float]) -> Tensor:
        if self._error is not None:
            raise self._error
        return super().frames_at(times_seconds)


def watched(videos: Videos) -> WatchedVideos:
    return WatchedVideos(videos, Workers(0, num_items=3, timeout_seconds=120.0, name=lambda video: f"/v/{video}.mp4"))


ERRORS = [
    RecursionError("too deep"),
    MemoryError(),
    OverflowError("inf"),
    KeyError("x"),
    RuntimeError("can't allocate"),
]
PROTOCOL = ViewProtocol(num_clips=2, clip_seconds=0.2, num_frames=2, num_crops=1, size_pixels=32)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("where", ["on_opening", "on_reading"])
def test_any_exception_while_a_video_is_read_is_its_failure(where: str, error: Exception) -> None:
    """In training and in evaluation; with its name and the type."""
    videos = watched(FailingVideos(**{where: error}))
    reason = f"/v/1.mp4: cannot be decoded ({type(error).__name__}: "
    evaluated = ViewsDataset(videos, protocol=PROTOCOL)[1]
    assert evaluated.failure is not None
    assert evaluated.failure.startswith(reason)
    clips = TrainDataset(videos, views=[spec(seconds=0.2, num_frames=2)], seed=0)[VideoRequest(0, 1)]
    assert clips.failures[0].reason.startswith(reason)
    assert clips.views == ()


def test_an_error_inside_the_with_is_the_videos() -> None:
    """As a damaged file may cause in a sampler, or by lack of memory."""
    reason = r"^/v/2.mp4: cannot be decoded .ValueError: nan"
    with pytest.raises(DecodeError, match=reason), watched(FailingVideos()).open(2):
        raise ValueError("nan")


@pytest.mark.parametrize("error", [StoppedError(15), UserError("no library"), KeyboardInterrupt()], ids=str)
def test_errors_of_the_run_are_not_converted(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, watched(FailingVideos()).open(2):
        raise error
    assert caught.value is error
