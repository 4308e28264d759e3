"""What makes a view: a clip of which length and size, and which ops with which strengths."""

from dataclasses import dataclass

from sce_video.augment.crop import RandomCrop


@dataclass(frozen=True)
class ViewRecipe:
    """Strengths and probabilities of one view, in the order in which the ops act (arXiv:2212.11187).

    Brightness, contrast, saturation and hue have the strengths `color_strength` times their `jitter_shares`; blur is in
    pixels.
    """

    temporal_difference_probability: float
    crop: RandomCrop
    jitter_probability: float
    color_strength: float
    jitter_shares: tuple[float, float, float, float]
    grayscale_probability: float
    blur_probability: float
    blur_kernel_pixels: int
    blur_sigma_pixels: tuple[float, float]
    solarize_probability: float
    flip_probability: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def jitter_strengths(self) -> tuple[float, float, float, float]:
        """Of brightness, contrast, saturation and hue.

        A factor comes from U(max(0, 1 - strength), 1 + strength), the hue shift (turns) from U(-strength, strength).
        """
        brightness, contrast, saturation, hue = (self.color_strength * share for share in self.jitter_shares)
        return brightness, contrast, saturation, hue


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
