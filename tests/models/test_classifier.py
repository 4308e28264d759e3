import pytest
import torch
from torch import nn

from sce_video.models.backbones import BACKBONES, make_backbone
from sce_video.models.classifier import Classifier
from sce_video.models.pooled import PooledBackbone
from tests.models.inputs import INPUT


def tiny(**changes) -> Classifier:
    """Three blocks of a 1x1x1 convolution and a batch norm each."""
    torch.manual_seed(0)
    parts = {
        f"block{i}": nn.Sequential(nn.Conv3d(3 if i == 0 else 4, 4, 1), nn.BatchNorm3d(4), nn.ReLU()) for i in range(3)
    }
    settings = {"num_classes": 5, "dropout": 0.0, "num_trained_blocks": 3, **changes}
    return Classifier(PooledBackbone(parts, feature_dim=4, input=INPUT), **settings)


def views(count: int = 6) -> torch.Tensor:
    return torch.randn(count, 3, 2, 4, 4, generator=torch.Generator().manual_seed(1))


def test_logits_are_a_linear_map_of_the_feature() -> None:
    classifier = tiny(dropout=0.8).eval()
    feature = classifier.backbone(views())
    torch.testing.assert_close(classifier(views()), feature @ classifier.linear.weight.T + classifier.linear.bias)


def test_it_starts_from_small_weights() -> None:
    """As the authors' code has it: linear N(0, 0.01), bias 0."""
    torch.manual_seed(0)
    backbone = make_backbone("r2plus1d_mini", input=INPUT)
    classifier = Classifier(backbone, num_classes=400, dropout=0.8, num_trained_blocks=5)
    weight = classifier.linear.weight
    assert weight.shape == (400, 128)
    assert abs(weight.std() / 0.01 - 1) < 0.02
    assert abs(weight.mean()) < 2e-4
    assert not classifier.linear.bias.any()


def test_dropout_acts_on_the_feature_in_training_alone() -> None:
    classifier = tiny(dropout=0.5)
    torch.nn.init.ones_(classifier.linear.weight)
    classifier.backbone = PooledBackbone({"same": nn.Identity()}, feature_dim=4, input=INPUT)
    ones = torch.ones(1000, 4, 1, 1, 1)
    torch.manual_seed(0)
    sums = classifier.train()(ones)[:, 0]  # each of 4 features is 0 or 2
    assert sorted(sums.unique().tolist()) == [0, 2, 4, 6, 8]
    assert abs(sums.mean() - 4) < 0.2
    assert classifier.eval()(ones).unique().tolist() == [4]


@pytest.mark.parametrize("num_trained", [0, 1, 2, 3])
def test_only_the_last_blocks_are_trained(num_trained: int) -> None:
    classifier = tiny(num_trained_blocks=num_trained).train()
    before = {name: value.clone() for name, value in classifier.state_dict().items()}
    trained = [parameter for parameter in classifier.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=10.0)
    for _ in range(2):  # the first step moves the linear layer alone where its weights are near 0
        optimizer.zero_grad()
        nn.functional.cross_entropy(classifier(views()), torch.arange(6) % 5).backward()
        optimizer.step()
    changed = {name for name, value in classifier.state_dict().items() if not torch.equal(value, before[name])}
    blocks = {int(name.split("block")[1][0]) for name in changed if "block" in name}
    assert blocks == set(range(3 - num_trained, 3))
    assert {"linear.weight", "linear.bias"} <= changed


def test_more_blocks_than_there_are() -> None:
    with pytest.raises(ValueError, match="num_trained_blocks is 4; the backbone has 3 blocks"):
        tiny(num_trained_blocks=4)


@pytest.mark.parametrize(("name", "num_blocks"), [("r2plus1d_18", 5), ("r3d_18", 5), ("s3d", 16), ("slow_r50", 5)])
def test_blocks_in_a_row_are_the_backbone(name: str, num_blocks: int) -> None:
    backbone = make_backbone(name, input=INPUT).eval()
    maps = torch.randn(1, 3, 4, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = backbone(maps)
        for block in backbone.blocks_in_order():
            maps = block(maps)
    assert len(backbone.blocks_in_order()) == num_blocks
    assert torch.equal(maps.mean(dim=(2, 3, 4)), expected)
    assert name in BACKBONES
