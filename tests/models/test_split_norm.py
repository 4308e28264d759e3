"""Against separate batch norms of torch on each part of a batch."""

import pytest
import torch
from torch import nn

from sce_video.models.backbones import make_backbone
from sce_video.models.split_norm import SplitBatchNorm, split_batch_norms
from tests.models.inputs import INPUT

KINDS = [(nn.BatchNorm2d, (5, 6)), (nn.BatchNorm3d, (2, 5, 6))]


def norm_with_numbers(kind: type[nn.BatchNorm2d] | type[nn.BatchNorm3d], *, affine: bool = True) -> nn.Module:
    norm = kind(3, eps=1e-3, momentum=0.3, affine=affine)
    with torch.no_grad():
        for tensor in norm.state_dict().values():
            if tensor.is_floating_point():
                tensor.uniform_(0.5, 2.0)
    return norm


@pytest.mark.parametrize(("kind", "size"), KINDS)
@pytest.mark.parametrize("affine", [True, False])
def test_it_is_a_norm_of_its_own_on_each_part(kind, size: tuple[int, ...], affine: bool) -> None:
    torch.manual_seed(0)
    norm, inputs = norm_with_numbers(kind, affine=affine), 3 * torch.randn(8, 3, *size) + 1
    copies = [kind(3, eps=1e-3, momentum=0.3, affine=affine) for _ in range(4)]
    for copy in copies:
        copy.load_state_dict(norm.state_dict())
    split = SplitBatchNorm(norm, groups=4)
    outputs = split(inputs)
    for part, copy in enumerate(copies):
        torch.testing.assert_close(outputs[part::4], copy(inputs[part::4]))
    for name in ("running_mean", "running_var"):
        mean = torch.stack([copy.state_dict()[name] for copy in copies]).mean(dim=0)
        torch.testing.assert_close(split.state_dict()[name], mean)
    assert int(split.num_batches_tracked) == 1
    assert not torch.allclose(outputs, kind(3, eps=1e-3)(inputs), atol=0.1)  # the parts differ from the batch
    plain = kind(3, eps=1e-3, affine=affine)
    plain.load_state_dict(split.state_dict())
    assert torch.equal(split.eval()(inputs), plain.eval()(inputs))


def test_one_group_is_torchs_norm() -> None:
    norm, inputs = norm_with_numbers(nn.BatchNorm2d), torch.randn(4, 3, 5, 6)
    plain = nn.BatchNorm2d(3, eps=1e-3, momentum=0.3)
    plain.load_state_dict(norm.state_dict())
    split = SplitBatchNorm(norm, groups=1)
    torch.testing.assert_close(split(inputs), plain(inputs))
    torch.testing.assert_close(split.state_dict(), plain.state_dict())


def test_a_batch_that_cannot_be_divided_is_refused() -> None:
    split = SplitBatchNorm(nn.BatchNorm2d(3), groups=4)
    with pytest.raises(ValueError, match="a batch of 6 cannot be divided into 4 groups"):
        split(torch.randn(6, 3, 2, 2))
    with pytest.raises(ValueError, match="no running statistics"):
        SplitBatchNorm(nn.BatchNorm2d(3, track_running_stats=False), groups=2)


def test_names_and_tensors_of_a_network_stay() -> None:
    network = make_backbone("resnet18", input=INPUT)
    before, parameters = network.state_dict(), list(network.parameters())
    split_batch_norms(network, groups=2)
    after = network.state_dict()
    assert list(after) == list(before)
    assert all(after[name].data_ptr() == before[name].data_ptr() for name in after)
    assert [id(each) for each in network.parameters()] == [id(each) for each in parameters]
    norms = [part for part in network.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    assert len(norms) == 20
    assert all(isinstance(norm, SplitBatchNorm) for norm in norms)
