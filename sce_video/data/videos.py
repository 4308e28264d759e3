"""The videos of a manifest, ready to be opened."""

from dataclasses import dataclass

from sce_video.clips.decoders import PixelVideo, VideoDecoder, VideoOpener
from sce_video.data.manifest import Manifest
from sce_video.engine.remote.videos import VideoFiles


@dataclass(frozen=True)
class ListedVideos:
    """A manifest and how its files are opened; pixels that it holds itself are videos of one frame.

    `files` gets those that are remote or in shards.
    """

    manifest: Manifest
    opener: VideoOpener
    files: VideoFiles | None = None

    def __len__(self) -> int:
        return len(self.manifest)

    def open(self, video: int) -> VideoDecoder:
        """See `Videos.open`."""
        manifest, pixels = self.manifest, self.manifest.pixels
        if pixels is None and not manifest.is_fetched(video):
            return self.opener(manifest.file(video))
        if pixels is None:
            if self.files is None:
                raise ValueError(f"{manifest.path(video)} must be fetched; give ListedVideos files=")
            return self.files.open(manifest, video, self.opener)
        return PixelVideo(pixels[video : video + 1], short_side_pixels=self.opener.short_side_pixels)
