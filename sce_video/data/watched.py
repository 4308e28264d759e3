"""Videos that are watched while a loader process is on them."""

from dataclasses import dataclass

from sce_video.clips.decoders import DecodeError, VideoDecoder, Videos
from sce_video.runtime.watch import Watch


@dataclass(frozen=True)
class WatchedVideos:
    """Videos whose openings the watch is told of; those that it has lost are refused as broken."""

    videos: Videos
    watch: Watch

    def __len__(self) -> int:
        return len(self.videos)

    def open(self, video: int) -> VideoDecoder:
        """See `Videos.open`."""
        why = self.watch.why_lost(video)
        if why is not None:
            raise DecodeError(why)
        self.watch.begin(video)
        return self.videos.open(video)
