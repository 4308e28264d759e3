"""Parameters and multiplications of the paper's networks, measured with the authors' code or counted by hand."""

from pathlib import Path

import pytest
import torch
from pytorchvideo.models.x3d import create_x3d

from sce_video.cli.describe.networks import gmacs, meta_model, num_parameters
from sce_video.config import load_config
from sce_video.models.backbones import make_backbone
from tests.models.inputs import INPUT

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
# Measured with the authors' code, or torchvision's tables of its networks without their classifiers.
PARAMETERS = {
    "slow_r50": 31_634_496,
    "r3d18_sce": 20_023_872,
    "r3d_18": 33_371_472 - 400 * 513,
    "r2plus1d_18": 31_505_325 - 400 * 513,
    "mvit_v1_b": 36_610_672 - 400 * 769,
    "mvit_v2_s": 34_537_744 - 400 * 769,
    "vit_s": 21_884_928,  # test_vit.py
}


@pytest.mark.parametrize(
    ("backbone", "num_frames", "size_pixels", "expected"),
    [("slow_r50", *each) for each in ((8, 224, 41.7), (16, 224, 83.5), (8, 256, 54.5))]
    + [("r3d18_sce", *each) for each in ((8, 224, 20.1), (16, 112, 11.0), (16, 128, 13.1))]
    + [pytest.param("mvit_v1_b", 16, 224, 70.6, marks=pytest.mark.thorough)]  # torchvision's table
    + [("mvit_v2_s", 16, 224, 64.2)]  # torchvision's table
    + [("vit_s", 16, 224, 56.9)],  # 57 in VideoMAE's table; by hand in test_vit.py
)
def test_multiplications_of_published_networks(
    backbone: str, num_frames: int, size_pixels: int, expected: float
) -> None:
    """The config names weights that do not exist."""
    overrides = ["MODEL.BACKBONE", backbone, "CLIP.NUM_FRAMES", str(num_frames), "MODEL.WEIGHTS", "none.pt"]
    model = meta_model(load_config(CONFIGS / "k400_sce_r3d50.yaml", overrides), num_classes=0)
    counted = gmacs(model.get_submodule("backbone"), num_frames=num_frames, size_pixels=size_pixels)
    assert round(counted, 1) == expected
    assert num_parameters(model)["backbone"] == PARAMETERS[backbone]
    assert model.training


@pytest.mark.parametrize(("num_frames", "size_pixels", "expected"), [(13, 160, 1.96), (16, 224, 4.73)])
def test_x3d_s_is_x3d_m_on_smaller_views(num_frames: int, size_pixels: int, expected: float) -> None:
    """The paper's multiplications of both (arXiv:2004.04730); pytorchvideo's networks have the same tensors."""
    with torch.device("meta"):
        backbone = make_backbone("x3d_m", input=INPUT)
        library = create_x3d(input_clip_length=num_frames, input_crop_size=size_pixels)
    counted = gmacs(backbone, num_frames=num_frames, size_pixels=size_pixels)
    assert round(counted, 2) == expected
    kept = {key: each.shape for key, each in library.state_dict().items() if not key.startswith("blocks.5.proj.")}
    assert {key: each.shape for key, each in backbone.state_dict().items()} == kept


def test_parameters_of_the_papers_network() -> None:
    """Heads 2048-4096-4096-256 and 256-4096-256 without biases; batch norms with weight and bias, except the last."""
    projector = 2048 * 4096 + 4096 * 4096 + 4096 * 256 + 2 * 2 * 4096
    assert num_parameters(meta_model(load_config(CONFIGS / "k400_sce_r3d50.yaml"), num_classes=0)) == {
        "backbone": 31_634_496,
        "projector": projector,
        "predictor": 2 * 256 * 4096 + 2 * 4096,
        "momentum_backbone": 31_634_496,
        "momentum_projector": projector,
    }


def test_networks_of_every_config() -> None:
    """Multiplications of each network once."""
    multiplied: dict[str, float] = {}
    for file in sorted(CONFIGS.glob("*.yaml")):
        cfg = load_config(file)
        model = meta_model(cfg, num_classes=10)
        backbone, counted = cfg.MODEL.BACKBONE, num_parameters(model)["backbone"]
        assert counted == PARAMETERS.get(backbone, counted), file
        network = str(model.get_submodule("backbone"))
        if network not in multiplied:
            multiplied[network] = gmacs(model.get_submodule("backbone"), num_frames=2, size_pixels=32)
        assert multiplied[network] > 0, file


def test_a_classifier_needs_no_checkpoint() -> None:
    """The config names one that does not exist here."""
    model = meta_model(load_config(CONFIGS / "ucf101_finetune.yaml"), num_classes=101)
    assert num_parameters(model) == {"backbone": 31_634_496, "linear": 2049 * 101}
    linear = meta_model(load_config(CONFIGS / "k400_linear.yaml"), num_classes=400)
    assert [name for name, each in linear.named_parameters() if each.requires_grad] == ["linear.weight", "linear.bias"]


def test_an_evaluation_has_a_backbone() -> None:
    assert num_parameters(meta_model(load_config(CONFIGS / "ucf101_retrieval.yaml"), num_classes=0)) == {
        "backbone": 31_634_496
    }
