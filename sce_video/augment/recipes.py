"""What makes a view: a clip of which length and size, and which ops act on it."""

from dataclasses import dataclass

from sce_video.augment.crop import RandomCrop
from sce_video.augment.op import Op


@dataclass(frozen=True)
class ViewRecipe:
    """How likely frame differences stand for the frames, the crop, and `ops` in the order in which they act.

    SCE's own are those that `build/views.py` lists (arXiv:2212.11187); `mean` and `std` are per channel.
    """

    temporal_difference_probability: float
    crop: RandomCrop
    ops: tuple[Op, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class ViewSpec:
    """One view of a video: `num_frames` of a clip that lasts `seconds` in the video, resized to a square.

    A run has a list of them, global views first, then local ones; each may be of its own size.
    """

    recipe: ViewRecipe
    seconds: float
    num_frames: int
    size_pixels: int

    @property
    def clip_shape(self) -> tuple[int, int, int, int]:
        """(T, H, W, C) of its clip, of which each value is a byte."""
        return self.num_frames, self.size_pixels, self.size_pixels, 3
