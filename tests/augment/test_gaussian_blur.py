import pytest
import torch
from torchvision.transforms.v2 import functional as TF

from sce_video.augment.gaussian_blur import gaussian_blur

pytestmark = pytest.mark.rounding


# A kernel of 23 pixels reaches 11 from the middle: 12 pixels are the smallest side it is for.
@pytest.mark.parametrize(("height", "width", "kernel"), [(12, 9, 7), (12, 17, 23), (8, 8, 1), (1, 5, 1)])
def test_blur_with_a_sigma_per_video_is_torchvisions(height, width, kernel):
    views = torch.rand(3, 3, 2, height, width, generator=torch.Generator().manual_seed(0))
    sigmas = [0.1, 0.9, 2.0]
    blurred = gaussian_blur(views, torch.tensor(sigmas), kernel_pixels=kernel)
    for view, sigma, result in zip(views, sigmas, blurred, strict=True):
        expected = TF.gaussian_blur(view.transpose(0, 1), [kernel, kernel], [sigma, sigma]).transpose(0, 1)
        torch.testing.assert_close(result, expected, rtol=0, atol=5e-6)  # measured 1.0e-6 to 1.1e-6


def test_blur_keeps_flat_frames_and_the_sum_of_a_point():
    flat = torch.full((1, 3, 1, 10, 10), 0.3)
    torch.testing.assert_close(gaussian_blur(flat, torch.tensor([1.5]), kernel_pixels=7), flat)
    point = torch.zeros(1, 3, 1, 11, 11)
    point[..., 5, 5] = 1
    blurred = gaussian_blur(point, torch.tensor([1.5]), kernel_pixels=7)
    torch.testing.assert_close(blurred.sum(dim=(-2, -1)), torch.ones(1, 3, 1))
    assert torch.equal((blurred[0, 0, 0] > 0).nonzero().amin(0), torch.tensor([2, 2]))  # 3 pixels each way
    torch.testing.assert_close(blurred, blurred.flip(-1).transpose(-1, -2))
