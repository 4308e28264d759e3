"""Which ops with which strengths make a view."""

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
