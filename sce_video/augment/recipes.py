"""Specification of a view: clip length, size, crop and augmentation ops."""

from dataclasses import dataclass

from sce_video.augment.crop import RandomCrop
from sce_video.augment.op import Op


@dataclass(frozen=True)
class ViewRecipe:
    """Augmentation of a view: frame differences with some probability, a crop, `ops` in order, and normalisation.

    SCE's recipes (arXiv:2212.11187) are in `build/views.py`; `mean` and `std` are per channel.
    """

    temporal_difference_probability: float
    crop: RandomCrop
    ops: tuple[Op, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class ViewSpec:
    """One view of a video: `num_frames` frames from a clip of `seconds`, resized to a square.

    A run has a list of them, global views before local ones; each may have its own size. `antialiased_resize` is how
    PIL makes images smaller, in SCE's recipes for images; those for videos are without.
    """

    recipe: ViewRecipe
    seconds: float
    num_frames: int
    size_pixels: int
    antialiased_resize: bool = False

    @property
    def clip_shape(self) -> tuple[int, int, int, int]:
        """(T, H, W, C) of its uint8 clip."""
        return self.num_frames, self.size_pixels, self.size_pixels, 3
