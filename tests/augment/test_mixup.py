import numpy as np
import pytest
import torch

from sce_video.augment.mixup import mixup


def batch():
    """Four views, each of one gray, and their classes."""
    grays = torch.tensor([0.0, 1.0, 10.0, 100.0])
    return grays[:, None, None, None, None].expand(4, 3, 2, 5, 5), torch.eye(4)


@pytest.mark.parametrize("seed", range(5))
def test_labels_are_mixed_like_their_views(seed):
    views, targets = batch()
    mixed, mixed_targets = mixup(views, targets, alpha=0.8, random=np.random.default_rng(seed))
    assert mixed.shape == views.shape
    torch.testing.assert_close(mixed_targets.sum(dim=1), torch.ones(4))
    composed = mixed_targets @ torch.tensor([0.0, 1.0, 10.0, 100.0])
    torch.testing.assert_close(mixed, composed[:, None, None, None, None].expand_as(views))


def test_every_view_is_used_once_as_the_other_one():
    _, targets = mixup(*batch(), alpha=0.8, random=np.random.default_rng(1))
    torch.testing.assert_close(targets.sum(dim=0), torch.ones(4))


def test_the_weight_is_drawn_from_a_beta_distribution():
    """Two views; if they are swapped, the first one's weight has the distribution: mean 1/2,
    variance 1 / (4 (2 alpha + 1))."""
    random = np.random.default_rng(0)
    views, targets = torch.zeros(2, 1, 1, 1, 1), torch.eye(2)
    shares = torch.stack([mixup(views, targets, alpha=0.2, random=random)[1][0, 0] for _ in range(4000)])
    mixed = shares[shares < 1 - 1e-6]
    assert 1700 < len(mixed) < 2100  # half of the permutations of two change nothing; rarely the weight rounds to 1
    assert abs(mixed.mean() - 0.5) < 0.05
    assert abs(mixed.var() - 1 / (4 * 1.4)) < 0.02


def test_it_is_a_function_of_its_generator():
    first, second, other = (mixup(*batch(), alpha=1.0, random=np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert torch.equal(first[0], second[0])
    assert not torch.equal(first[0], other[0])
