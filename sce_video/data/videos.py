"""The videos of a manifest, ready to be opened."""

import os
from dataclasses import dataclass

from sce_video.clips.decoders import PixelVideo, VideoDecoder, VideoOpener
from sce_video.data.manifest import Manifest


@dataclass(frozen=True)
class ListedVideos:
    """A manifest and how its files are opened; pixels that it holds itself are videos of one frame."""

    manifest: Manifest
    opener: VideoOpener

    def __len__(self) -> int:
        return len(self.manifest)

    def open(self, video: int) -> VideoDecoder:
        """See `Videos.open`."""
        pixels = self.manifest.pixels
        if pixels is None:
            # A text, no Path: pathlib keeps every name it has seen, 15 MB in each loader process for Kinetics.
            return self.opener(os.path.join(self.manifest.root, self.manifest.paths[video]))
        return PixelVideo(pixels[video : video + 1], short_side_pixels=self.opener.short_side_pixels)
