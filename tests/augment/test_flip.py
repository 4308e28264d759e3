import torch

from sce_video.augment.flip import flip


def test_flip_mirrors_left_and_right_only():
    views = torch.arange(4.0).view(1, 1, 1, 2, 2)
    assert flip(views).flatten().tolist() == [1.0, 0.0, 3.0, 2.0]
