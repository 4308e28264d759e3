"""Where the loader's time goes: its work in this process, each part timed."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any

from torch import Tensor

from sce_video.augment.batch import collate
from sce_video.clips.decoders import CropRequest, VideoDecoder, VideoMetadata, Videos
from sce_video.clips.decoders.pyav_convert import CropCollector
from sce_video.data.dataset import TrainDataset, VideoRequest
from sce_video.engine.pool.shm_transport import ShmPool, unpack

Clock = defaultdict[str, float]  # part -> seconds
Requested = tuple[str, list[float]]  # path and times


@contextmanager
def running(clock: Clock, part: str) -> Iterator[None]:
    before = time.perf_counter()
    yield
    clock[part] += time.perf_counter() - before


class TimedVideos:
    """Videos that time opening and decoding and record the requested frames."""

    def __init__(self, videos: Videos, paths: Sequence[str]) -> None:
        self.clock: Clock = defaultdict(float)
        self.requested: list[Requested] = []
        self._videos = videos
        self._paths = paths

    def __len__(self) -> int:
        return len(self._videos)

    @contextmanager
    def open(self, video: int) -> Iterator[VideoDecoder]:
        with ExitStack() as stack:
            with running(self.clock, "open"):
                decoder = stack.enter_context(self._videos.open(video))
            yield _TimedDecoder(decoder, self, self._paths[video])


class _TimedDecoder:
    def __init__(self, decoder: VideoDecoder, timed: TimedVideos, path: str) -> None:
        self._decoder = decoder
        self._timed = timed
        self._path = path

    @property
    def metadata(self) -> VideoMetadata:
        return self._decoder.metadata

    def frames_at(self, times_seconds: Sequence[float]) -> Tensor:
        self._timed.requested.append((self._path, list(times_seconds)))
        with running(self._timed.clock, "decode and convert"):
            return self._decoder.frames_at(times_seconds)

    def crops_at(self, requests: Sequence[CropRequest]) -> list[Tensor]:
        self._timed.requested.append((self._path, [time for request in requests for time in request.times_seconds]))
        with running(self._timed.clock, "decode and convert"):
            return self._decoder.crops_at(requests)

    def __enter__(self) -> "_TimedDecoder":
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._decoder.__exit__(error_type, error, traceback)


@contextmanager
def timed_conversion(clock: Clock) -> Iterator[None]:
    """Time what the PyAV decoder does after decoding: cropping and conversion to RGB."""
    names = ("put", "clips")
    originals = {name: getattr(CropCollector, name) for name in names}

    def timed(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            with running(clock, "convert"):
                return method(*arguments)

        return call

    for name in names:
        setattr(CropCollector, name, timed(originals[name]))
    try:
        yield
    finally:
        for name in names:
            setattr(CropCollector, name, originals[name])


def load_timed(
    dataset: TrainDataset, batches: Sequence[Sequence[VideoRequest]], timed: TimedVideos
) -> dict[str, float]:
    """Seconds of each part for these batches; `dataset` reads the `timed` videos.

    "transfer" writes every batch to shared memory and reads it back, as loader processes do. "crop" is the remaining
    time of a video after opening, decoding and converting: drawing parameters, resizing, closing.
    """
    clock = timed.clock
    pool = ShmPool()
    with timed_conversion(clock):
        for requests in batches:
            with running(clock, "collate"):
                memory = dataset.memory_for(len(requests))
            with running(clock, "videos"):
                videos = list(map(dataset.load, requests, memory))
            with running(clock, "collate"):
                batch = collate(videos)
            with running(clock, "transfer"):
                unpack(pool.pack(batch), pin_memory=False)
    decode = clock["decode and convert"] - clock["convert"]
    crop = clock["videos"] - clock["open"] - clock["decode and convert"]
    same = {part: clock[part] for part in ("convert", "collate", "transfer")}
    return {"open": clock["open"], "decode": decode, "crop": crop, **same}
