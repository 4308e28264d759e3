"""Bytes of a step's messages, counted by hand."""

import ast
import inspect

import pytest
from torch import nn

from sce_video.methods.base import Method
from sce_video.methods.table import METHODS
from sce_video.train.traffic import sent_bytes


def model() -> nn.Module:
    """6 weights and 2 biases, 2 * 2 of a norm, in both branches; those of the momentum branch have no gradient."""
    both = {name: nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)) for name in ("backbone", "momentum_backbone")}
    both["momentum_backbone"].requires_grad_(False)
    return nn.ModuleDict({**both, "head": nn.Linear(2, 1, bias=False)})


def test_by_hand() -> None:
    assert sent_bytes(model(), num_passes=3, num_momentum_passes=2, num_embeddings=10, embedding_dim=7) == {
        "gradients": 4 * (6 + 2 + 2 * 2 + 2),
        "embeddings": 10 * 7 * 4,
        "norm_statistics": (3 + 2) * 4 * (2 * 2 + 1),  # passes x bytes x numbers
        "norm_gradients": 3 * 4 * (2 * 2),
    }


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_a_method_declares_whether_it_gathers_embeddings(method: type[Method]) -> None:
    modules = [inspect.getmodule(each) for each in method.__mro__ if issubclass(each, Method)]
    nodes = [node for module in modules if module for node in ast.walk(ast.parse(inspect.getsource(module)))]
    used = {node.id for node in nodes if isinstance(node, ast.Name)}
    assert bool(used & {"gathered_rows", "gathered_rows_with_gradient"}) == method.GATHERS_EMBEDDINGS
