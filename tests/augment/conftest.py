"""The recipe that the tests of this folder use."""

import pytest

from sce_video.augment.color_jitter import ColorJitter
from sce_video.augment.crop import AreaCrop
from sce_video.augment.flip import Flip
from sce_video.augment.gaussian_blur import GaussianBlur
from sce_video.augment.grayscale import Grayscale
from sce_video.augment.recipes import ViewRecipe
from sce_video.augment.solarize import Solarize


@pytest.fixture
def recipe() -> ViewRecipe:
    """Every op has a chance; mean and std differ between channels, so that a mix-up of channels shows."""
    return ViewRecipe(
        temporal_difference_probability=0.2,
        crop=AreaCrop((0.2, 0.766), (0.75, 1.3333)),
        ops=(
            ColorJitter(0.8, (0.8, 0.8, 0.4, 0.2)),
            Grayscale(0.3),
            GaussianBlur(0.5, kernel_pixels=7, sigma_pixels=(0.1, 2.0)),
            Solarize(0.1),
            Flip(0.6),
        ),
        mean=(0.4, 0.45, 0.5),
        std=(0.2, 0.225, 0.25),
    )
