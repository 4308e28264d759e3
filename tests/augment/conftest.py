"""The recipe that the tests of this room start from."""

import pytest

from sce_video.augment.crop import AreaCrop
from sce_video.augment.recipes import ViewRecipe


@pytest.fixture
def recipe() -> ViewRecipe:
    """Every op has a chance; mean and std differ between channels, so that a mix-up of channels shows."""
    return ViewRecipe(
        temporal_difference_probability=0.2,
        crop=AreaCrop((0.2, 0.766), (0.75, 1.3333)),
        jitter_probability=0.8,
        color_strength=1.0,
        jitter_shares=(0.8, 0.8, 0.4, 0.2),
        grayscale_probability=0.3,
        blur_probability=0.5,
        blur_kernel_pixels=7,
        blur_sigma_pixels=(0.1, 2.0),
        solarize_probability=0.1,
        flip_probability=0.6,
        mean=(0.4, 0.45, 0.5),
        std=(0.2, 0.225, 0.25),
    )
