"""Thumbnails of views made by hand."""

import torch
from torch import nn

from sce_video.evaluate.examine.thumbnails import NUM_THUMBNAIL_VALUES, WithThumbnails, are_still, thumbnails_of


def test_thumbnails_follow_the_features() -> None:
    views = torch.arange(8.0)[None, None, :, None, None].expand(1, 3, 8, 16, 16)
    found = WithThumbnails(nn.Flatten())(views)
    assert found.shape == (1, 3 * 8 * 16 * 16 + NUM_THUMBNAIL_VALUES)
    assert found[0, -NUM_THUMBNAIL_VALUES:].unflatten(0, (8, 64)).mean(dim=1).tolist() == list(range(8))


def test_a_small_movement_is_visible_and_the_noise_of_a_camera_is_not() -> None:
    """A gray level of the normalised views is about 0.02; a 64th of the picture blinks by ten of them."""
    noise = torch.randn(3, 3, 8, 64, 64, generator=torch.Generator().manual_seed(0))
    picture = torch.rand(1, 1, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    views = picture + 0.1 * noise  # five gray levels
    views[1, :, ::2, 8:16, 8:16] += 0.2
    views[2] = picture
    assert are_still(thumbnails_of(views)).tolist() == [True, False, True]
    assert are_still(thumbnails_of(views[:, :, :1])).all()
