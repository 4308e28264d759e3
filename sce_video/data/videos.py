"""The videos of a manifest, ready to be opened."""

from dataclasses import dataclass

from sce_video.clips.decoders import VideoDecoder, VideoOpener
from sce_video.data.manifest import Manifest


@dataclass(frozen=True)
class ListedVideos:
    """A manifest and how its files are opened."""

    manifest: Manifest
    opener: VideoOpener

    def __len__(self) -> int:
        return len(self.manifest)

    def open(self, video: int) -> VideoDecoder:
        """See `Videos.open`."""
        return self.opener(self.manifest.path(video))
