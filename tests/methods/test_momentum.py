"""The momentum encoder: what it starts as, and what moves."""

import copy
import math

import pytest
import torch
from torch import nn

from sce_video.methods.momentum import momentum_copy, update_momentum

pytestmark = pytest.mark.rounding


def small_network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2, bias=False))


def flat(module: nn.Module) -> list[float]:
    return [number for parameter in module.parameters() for number in parameter.flatten().tolist()]


def test_it_starts_as_an_equal_but_separate_copy() -> None:
    online = small_network()
    online(torch.randn(8, 3))  # running statistics that differ from fresh ones
    before = copy.deepcopy(online.state_dict())
    momentum = momentum_copy(online)
    assert momentum.training
    for name, tensor in momentum.state_dict().items():
        assert torch.equal(tensor, before[name])
        tensor.add_(1)
    for name, tensor in online.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_it_has_no_gradients_and_the_online_encoder_keeps_its_own() -> None:
    online = small_network()
    momentum = momentum_copy(online)
    assert not any(parameter.requires_grad for parameter in momentum.parameters())
    assert all(parameter.requires_grad for parameter in online.parameters())
    update_momentum(momentum, online, ema_momentum=0.5)
    assert not any(parameter.requires_grad for parameter in momentum.parameters())


@pytest.mark.parametrize("ema_momentum", [0.0, 0.3, 0.5, 0.99, 0.9999, 1.0])
def test_update_is_the_average_of_every_parameter(ema_momentum: float) -> None:
    online, momentum = small_network(0), momentum_copy(small_network(1))
    leaders, followers = flat(online), flat(momentum)
    update_momentum(momentum, online, ema_momentum=ema_momentum)
    expected = [ema_momentum * m + (1 - ema_momentum) * o for m, o in zip(followers, leaders, strict=True)]
    assert flat(momentum) == pytest.approx(expected, rel=1e-5, abs=1e-7)
    assert flat(online) == leaders


def test_limits_are_exact() -> None:
    """1 leaves the momentum encoder unchanged, 0 makes it equal to the online one, to the bit."""
    online, momentum = small_network(0), momentum_copy(small_network(1))
    before = flat(momentum)
    update_momentum(momentum, online, ema_momentum=1.0)
    assert flat(momentum) == before
    update_momentum(momentum, online, ema_momentum=0.0)
    assert flat(momentum) == flat(online)


def test_many_updates_approach_the_online_encoder_geometrically() -> None:
    online, momentum = small_network(0), momentum_copy(small_network(1))
    gaps = [m - o for m, o in zip(flat(momentum), flat(online), strict=True)]
    for _ in range(10):
        update_momentum(momentum, online, ema_momentum=0.9)
    left = [m - o for m, o in zip(flat(momentum), flat(online), strict=True)]
    assert left == pytest.approx([0.9**10 * gap for gap in gaps], abs=1e-6)


def test_running_statistics_are_its_own() -> None:
    """They come from what the momentum encoder itself has seen, not from the online one's (arXiv:1911.05722)."""
    online = small_network()
    momentum = momentum_copy(online)
    online(torch.randn(16, 3) + 5)
    momentum(torch.randn(16, 3))
    buffers = {name: buffer.clone() for name, buffer in momentum.named_buffers()}
    assert not torch.equal(buffers["1.running_mean"], online[1].running_mean)
    update_momentum(momentum, online, ema_momentum=0.5)
    for name, buffer in momentum.named_buffers():
        assert torch.equal(buffer, buffers[name])


def test_a_module_without_parameters_is_accepted() -> None:
    online = nn.BatchNorm1d(3, affine=False)
    momentum = momentum_copy(online)
    update_momentum(momentum, online, ema_momentum=0.5)
    assert torch.equal(momentum.running_mean, torch.zeros(3))


@pytest.mark.parametrize("ema_momentum", [-0.01, 1.01, math.nan])
def test_momentum_out_of_range_is_refused(ema_momentum: float) -> None:
    online = small_network()
    with pytest.raises(ValueError, match=f"ema_momentum is {ema_momentum}"):
        update_momentum(momentum_copy(online), online, ema_momentum=ema_momentum)
