import torch

from sce_video.augment.solarize import solarize


def test_solarize_inverts_from_one_half_on():
    views = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0]).view(1, 1, 1, 1, 5)
    assert solarize(views).flatten().tolist() == [0.0, 0.25, 0.5, 0.25, 0.0]
