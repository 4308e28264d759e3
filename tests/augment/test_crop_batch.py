"""Against `F.interpolate` of each crop."""

import pytest
import torch
import torch.nn.functional as F

from sce_video.augment.crop_batch import crop_and_resize

# top, left, height, width: all of it, corners, a row, a column, a pixel.
BOXES = [(0, 0, 20, 30), (0, 0, 7, 9), (13, 21, 7, 9), (5, 5, 1, 12), (5, 5, 12, 1), (19, 29, 1, 1), (3, 4, 16, 16)]


@pytest.mark.parametrize("size_pixels", [16, 32, 9])
@pytest.mark.parametrize("antialiased", [False, True])
def test_a_crop_is_that_of_interpolate(size_pixels: int, antialiased: bool) -> None:
    images = torch.randint(256, (len(BOXES), 20, 30, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    crops = crop_and_resize(images, torch.tensor(BOXES), size_pixels=size_pixels, antialiased=antialiased)
    assert crops.shape == (len(BOXES), 3, size_pixels, size_pixels)
    assert crops.dtype == torch.uint8
    for image, crop, (top, left, height, width) in zip(images, crops, BOXES, strict=True):
        box = image[top : top + height, left : left + width].permute(2, 0, 1).double()
        size = (size_pixels, size_pixels)
        exact = F.interpolate(box[None], size, mode="bilinear", antialias=antialiased)[0]
        assert (crop.double() - exact).abs().max() <= 0.5 + 1e-4  # rounding; float32 adds at most 1e-5


def test_a_crop_without_resizing_is_the_pixels() -> None:
    images = torch.randint(256, (2, 12, 10, 3), dtype=torch.uint8)
    crops = crop_and_resize(images, torch.tensor([(3, 1, 8, 8), (4, 2, 8, 8)]), size_pixels=8)
    assert torch.equal(crops[0], images[0, 3:11, 1:9].permute(2, 0, 1))
    assert torch.equal(crops[1], images[1, 4:12, 2:10].permute(2, 0, 1))
