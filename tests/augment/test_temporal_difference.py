import torch

from sce_video.augment.temporal_difference import temporal_difference


def test_by_hand():
    """(0.4 - 0.8 + 1) / 2 = 0.3 and (0.8 - 0 + 1) / 2 = 0.9; torchvision's gray weights sum to 0.9999."""
    views, successors = (
        torch.tensor(levels).view(2, 1, 1, 1, 1).expand(2, 3, 2, 4, 5) for levels in ((0.4, 0.8), (0.8, 0.0))
    )
    expected = torch.tensor((0.3, 0.9)).view(2, 1, 1, 1, 1).expand(2, 1, 2, 4, 5)
    torch.testing.assert_close(temporal_difference(views, successors), expected, rtol=0, atol=2e-4)
