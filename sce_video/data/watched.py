"""Videos whose loader processes report which one they are working on."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from sce_video.clips.decoders import DecodeError, VideoDecoder, Videos, decode_errors
from sce_video.engine.pool.workers import Workers


@dataclass(frozen=True)
class WatchedVideos:
    """Reports each video that a loader process opens to the watchdog, and refuses blocked ones.

    Any exception while a video is opened, or inside its `with`, becomes its DecodeError: a failing sampler or
    allocation for a damaged file must not end a run.
    """

    videos: Videos
    workers: Workers

    def __len__(self) -> int:
        return len(self.videos)

    @contextmanager
    def open(self, video: int) -> Iterator[VideoDecoder]:
        """See `Videos.open`."""
        why = self.workers.why_blocked(video)
        if why is not None:
            raise DecodeError(why)
        self.workers.working_on(video)
        with decode_errors(partial(self.workers.name_of, video)), self.videos.open(video) as decoder:
            yield decoder
