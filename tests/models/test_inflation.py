"""Image weights in video networks: a still video has the image's feature."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision import models

from sce_video.errors import CheckpointError
from sce_video.models.backbones import make_backbone
from sce_video.models.base import Backbone
from sce_video.models.inflation import INFLATED, inflated
from sce_video.models.weights import load_backbone, save_backbone
from tests.models.inputs import INPUT

PAIRS = tuple(INFLATED.items())


def image_network(name: str) -> nn.Module:
    """torchvision's without classifier, with norms that are not the identity."""
    torch.manual_seed(0)
    network = getattr(models, name)(weights=None)
    network.fc = nn.Identity()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network.eval()


def file_of(network: nn.Module, folder: Path, *, name: str) -> Path:
    """Weights as anybody can write them: torchvision's names."""
    save_file(dict(network.state_dict()), folder / "image.safetensors", metadata={"backbone": name})
    return folder / "image.safetensors"


def video_network(name: str, file: Path, inflation: str) -> Backbone:
    with torch.device("meta"):
        network = make_backbone(name, input=INPUT)
    network.to_empty(device="cpu")
    load_backbone(network, file, name=name, inflation=inflation)
    return network.eval()


def still_video(image: Tensor, num_frames: int) -> Tensor:
    return image.unsqueeze(2).expand(-1, -1, num_frames, -1, -1)


@pytest.mark.rounding
@pytest.mark.parametrize(("video", "image"), PAIRS)
@torch.no_grad()
def test_a_still_video_has_the_feature_of_the_image(video: str, image: str, tmp_path: Path) -> None:
    """Measured: 1e-6 of the largest value."""
    library = image_network(image)
    images = torch.randn(2, 3, 32, 48, generator=torch.Generator().manual_seed(1))
    expected = library(images)
    assert expected.std() > 0
    file = file_of(library, tmp_path, name=image)
    ours = video_network(video, file, "center")
    margin = 1e-5 * float(expected.abs().max())
    torch.testing.assert_close(ours(still_video(images, 3)), expected, rtol=1e-4, atol=margin)
    # With "mean" each temporal convolution sees the padding one frame further from both ends.
    ours = video_network(video, file, "mean")
    blocks = ours.get_submodule("blocks")
    num_temporal = sum(isinstance(each, nn.Conv3d) and each.kernel_size[0] == 3 for each in blocks.modules())
    frames = blocks(still_video(images[:1], 2 * num_temporal + 1)).mean(dim=(3, 4))[0].T
    torch.testing.assert_close(frames[num_temporal], expected[0], rtol=1e-4, atol=margin)
    assert (frames[0] - expected[0]).abs().max() > 100 * margin


def test_kernels_by_hand() -> None:
    kernel = torch.tensor([[[[3.0, -6.0]]]])
    video = {"blocks.3.res_blocks.1.branch2.conv_a.weight": torch.zeros(1, 1, 3, 1, 2)}
    for how, frames in (("center", [[0, 0], [3, -6], [0, 0]]), ("mean", [[1, -2]] * 3)):
        ((name, weight),) = inflated({"layer3.1.conv1.weight": kernel}, video, how=how).items()
        assert name == "blocks.3.res_blocks.1.branch2.conv_a.weight"
        assert weight[0, 0, :, 0].tolist() == frames


def test_files_of_earlier_versions_are_inflated_too(tmp_path: Path) -> None:
    tensors = image_network("resnet18").state_dict()
    file = tmp_path / "old.safetensors"
    save_file({f"network.{key}": value for key, value in tensors.items()}, file, metadata={"backbone": "resnet18"})
    ours = video_network("r3d18_sce", file, "center")
    assert torch.equal(ours.get_buffer("blocks.0.norm.running_var"), tensors["bn1.running_var"])


def refusal(file: Path, *, name: str, inflation: str) -> str:
    with torch.device("meta"):
        network = make_backbone(name, input=INPUT)
    with pytest.raises(CheckpointError) as caught:
        load_backbone(network, file, name=name, inflation=inflation)
    return str(caught.value)


def test_weights_that_cannot_be_inflated_are_named(tmp_path: Path) -> None:
    file = file_of(image_network("resnet18"), tmp_path, name="resnet18")
    has = f"{file} has the backbone resnet18, but"
    fix = "MODEL.INFLATION center or mean inflates it"
    assert refusal(file, name="r3d18_sce", inflation="none") == f"{has} MODEL.BACKBONE is r3d18_sce; {fix}"
    assert refusal(file, name="slow_r50", inflation="mean") == f"{has} MODEL.INFLATION mean needs resnet50"
    assert refusal(file, name="r2plus1d_mini", inflation="none") == f"{has} MODEL.BACKBONE is r2plus1d_mini"
    with_small_stem = make_backbone("resnet18", input=INPUT, small_input_stem=True)
    save_backbone(with_small_stem, file, name="resnet18", step=1)
    message = refusal(file, name="r3d18_sce", inflation="center")
    assert "1 of 120 tensors of r3d18_sce are missing or of another shape" in message
    assert "for example blocks.0.conv.weight" in message
