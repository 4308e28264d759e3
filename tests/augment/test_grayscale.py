import pytest
import torch
from torchvision.transforms.v2 import functional as TF

from sce_video.augment.grayscale import grayscale


@pytest.mark.rounding
def test_grayscale_is_torchvisions():
    views = torch.rand(4, 3, 3, 5, 9, generator=torch.Generator().manual_seed(0))
    expected = torch.stack([TF.rgb_to_grayscale(video.transpose(0, 1)) for video in views]).transpose(1, 2)
    torch.testing.assert_close(grayscale(views), expected, rtol=0, atol=1e-6)
