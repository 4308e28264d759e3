"""The layout of projector and predictor, and what they compute."""

import pytest
import torch
from torch import nn

from sce_video.models.heads import mlp

pytestmark = pytest.mark.rounding


def test_projector_of_the_paper() -> None:
    with torch.device("meta"):
        projector = mlp((2048, 4096, 4096, 256), last_norm=True)
    assert [type(layer) for layer in projector] == [
        nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Linear, nn.BatchNorm1d,
    ]  # fmt: skip
    shapes = {name: tuple(p.shape) for name, p in projector.named_parameters()}
    assert shapes == {
        "0.weight": (4096, 2048),
        "1.weight": (4096,),
        "1.bias": (4096,),
        "3.weight": (4096, 4096),
        "4.weight": (4096,),
        "4.bias": (4096,),
        "6.weight": (256, 4096),
    }
    assert {name for name, _ in projector.named_buffers()} >= {"7.running_mean", "7.running_var"}


def test_predictor_of_the_paper() -> None:
    with torch.device("meta"):
        predictor = mlp((256, 4096, 256), last_norm=False)
    assert [type(layer) for layer in predictor] == [nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Linear]
    shapes = {name: tuple(p.shape) for name, p in predictor.named_parameters()}
    assert shapes == {
        "0.weight": (4096, 256),
        "1.weight": (4096,),
        "1.bias": (4096,),
        "3.weight": (256, 4096),
    }


def test_projector_of_the_paper_s_cifar_recipe() -> None:
    """Published shapes; the first layer has no bias, as a batch norm follows it."""
    projector = mlp((512, 512, 128), last_norm=False, last_bias=True)
    assert [type(layer) for layer in projector] == [nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Linear]
    assert {name: tuple(p.shape) for name, p in projector.named_parameters()} == {
        "0.weight": (512, 512),
        "1.weight": (512,),
        "1.bias": (512,),
        "3.weight": (128, 512),
        "3.bias": (128,),
    }
    assert [name for name, _ in projector.named_buffers()] == [
        *("1.running_mean", "1.running_var", "1.num_batches_tracked")
    ]


def test_two_dims_are_one_linear_layer() -> None:
    head = mlp((3, 2), last_norm=False)
    x = torch.randn(4, 3)
    torch.testing.assert_close(head(x), x @ head[0].weight.T)


def test_forward_worked_out_by_hand() -> None:
    # Two rows, one hidden unit: hidden 1 and 3, normalised to -1 and 1, ReLU 0 and 1, times 5: 0 and 5; normalised.
    head = mlp((2, 1, 1), last_norm=True)
    with torch.no_grad():
        head[0].weight.copy_(torch.tensor([[1.0, 2.0]]))
        head[3].weight.fill_(5.0)
    outputs = head(torch.tensor([[1.0, 0.0], [1.0, 1.0]]))
    torch.testing.assert_close(outputs, torch.tensor([[-1.0], [1.0]]), rtol=1e-4, atol=1e-4)


def test_scale_of_a_weight_does_not_reach_the_projector_s_output() -> None:
    torch.manual_seed(0)
    head = mlp((16, 32, 32, 8), last_norm=True)
    x = 10 * torch.randn(64, 16)
    before = head(x)
    with torch.no_grad():
        for index in (0, 3, 6):
            head[index].weight *= 7
    torch.testing.assert_close(head(x), before, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("dims", [(), (8,), (8, 0, 4), (-1, 4)])
def test_dims_that_make_no_mlp(dims: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=rf"dims is \({', '.join(map(str, dims))},?\)"):
        mlp(dims, last_norm=False)
