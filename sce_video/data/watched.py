"""Videos of which the loader processes say which one they are on."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from sce_video.clips.decoders import DecodeError, VideoDecoder, Videos, decode_errors
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

    @contextmanager
    def open(self, video: int) -> Iterator[VideoDecoder]:
        """See `Videos.open`."""
        why = self.workers.why_blocked(video)
        if why is not None:
            raise DecodeError(why)
        self.workers.working_on(video)
        with decode_errors(partial(self.workers.name_of, video)), self.videos.open(video) as decoder:
            yield decoder
