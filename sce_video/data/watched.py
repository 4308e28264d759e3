"""Videos of which the loader processes say which one they are on."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

from torch import Tensor

from sce_video.clips.decoders import CropRequest, DecodeError, VideoDecoder, VideoMetadata, Videos, decode_errors
from sce_video.engine.pool.workers import Workers


@dataclass(frozen=True)
class WatchedVideos:
    """Videos that a loader process works on, one after the other; those that have ended one are refused as broken.

    Whatever is raised while one is opened, or inside its `with`, is its DecodeError: what a damaged file makes of a
    sampler or of memory for its pixels must not end a run.
    """

    videos: Videos
    workers: Workers

    def __len__(self) -> int:
        return len(self.videos)

    def open(self, video: int) -> VideoDecoder:
        """See `Videos.open`."""
        why = self.workers.why_blocked(video)
        if why is not None:
            raise DecodeError(why)
        self.workers.working_on(video)
        name = self.workers.name_of(video)
        with decode_errors(name):
            return _WatchedVideo(self.videos.open(video), name)


class _WatchedVideo:
    """An open video, at whose `with` all errors are its own."""

    def __init__(self, decoder: VideoDecoder, name: str) -> None:
        self.metadata: VideoMetadata = decoder.metadata
        self._decoder = decoder
        self._name = name

    def frames_at(self, times_seconds: Sequence[float]) -> Tensor:
        return self._decoder.frames_at(times_seconds)

    def crops_at(self, requests: Sequence[CropRequest]) -> list[Tensor]:
        return self._decoder.crops_at(requests)

    def __enter__(self) -> "_WatchedVideo":
        with decode_errors(self._name):
            self._decoder.__enter__()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with decode_errors(self._name):
            self._decoder.__exit__(error_type, error, traceback)
            if error is not None:
                raise error
