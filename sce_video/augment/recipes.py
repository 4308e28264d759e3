"""Which ops with which strengths make a view."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ViewRecipe:
    """Strengths and probabilities of one view, in the order in which the ops act (arXiv:2212.11187).

    `crop_area` is a share of the frame, `crop_aspect` width / height; blur is in pixels.
    """

    temporal_difference_probability: float
    crop_area: tuple[float, float]
    crop_aspect: tuple[float, float]
    jitter_probability: float
    color_strength: float
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
        """Brightness, contrast, saturation and hue of color strength s: 0.8 s, 0.8 s, 0.4 s, 0.2 s.

        A factor comes from U(max(0, 1 - strength), 1 + strength), the hue shift (turns) from U(-strength, strength).
        """
        return (
            0.8 * self.color_strength,
            0.8 * self.color_strength,
            0.4 * self.color_strength,
            0.2 * self.color_strength,
        )
