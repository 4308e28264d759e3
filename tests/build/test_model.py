"""The weights of an evaluation, and the warnings if they were trained on other views."""

import logging
from pathlib import Path

import pytest
import torch
from fvcore.common.config import CfgNode
from safetensors.torch import load_file, save_file
from torch import nn

from sce_video.build.model import build_backbone, build_classifier, build_evaluated_backbone, build_pretrained_backbone
from sce_video.config.defaults import default_config
from sce_video.errors import CheckpointError, ConfigError
from sce_video.models.base import NetworkInput
from sce_video.models.weights import save_backbone
from sce_video.runtime.logging import LOGGER


def config(*overrides: object) -> CfgNode:
    cfg = default_config()
    cfg.merge_from_list(["MODEL.BACKBONE", "r2plus1d_mini", *overrides])
    return cfg


def test_a_backbone_is_for_the_views_of_its_run() -> None:
    assert build_backbone(config("CLIP.NUM_FRAMES", 8), size_pixels=96).input == NetworkInput(
        num_frames=8, seconds=1.28, size_pixels=96, mean=(0.45, 0.45, 0.45), std=(0.225, 0.225, 0.225)
    )


def test_a_backbone_takes_its_own_settings_of_model() -> None:
    network = build_backbone(config("MODEL.BACKBONE", "resnet18", "MODEL.SMALL_INPUT_STEM", True), size_pixels=32)
    assert network.state_dict()["conv1.weight"].shape == (64, 3, 3, 3)


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backbone of the default views after 7 steps."""
    torch.manual_seed(1)
    file = tmp_path_factory.mktemp("run") / "backbone.safetensors"
    save_backbone(build_backbone(config(), size_pixels=112), file, name="r2plus1d_mini", step=7)
    return file


def evaluated(weights: Path, caplog: pytest.LogCaptureFixture, *overrides: object) -> tuple[nn.Module, str, list[str]]:
    """The backbone of an evaluation, the description of its weights, and the warnings."""
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger=LOGGER.name):
        backbone, words = build_evaluated_backbone(
            config("TASK", "knn", "EVAL.CHECKPOINT", str(weights), *overrides), size_pixels=128
        )
    return backbone, words, caplog.messages


@pytest.fixture(autouse=True)
def _propagates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LOGGER, "propagate", True)


def test_weights_are_those_of_the_file(pretrained: Path, caplog: pytest.LogCaptureFixture) -> None:
    """No warning for 128 pixels of a network trained on 112, as in the protocols."""
    backbone, words, warnings = evaluated(pretrained, caplog, "EVAL.SIZE_PIXELS", 128)
    saved = load_file(pretrained)
    assert all(torch.equal(value, saved[name]) for name, value in backbone.state_dict().items())
    assert words == f"r2plus1d_mini after 7 steps, {pretrained}"
    assert warnings == []


def test_the_weights_of_an_image_network_are_inflated(tmp_path: Path) -> None:
    image = build_backbone(config("MODEL.BACKBONE", "resnet18"), size_pixels=32)
    file = tmp_path / "image.safetensors"
    save_backbone(image, file, name="resnet18", step=7)
    cfg = config("MODEL.BACKBONE", "r3d18_sce", "MODEL.INFLATION", "center", "EVAL.CHECKPOINT", str(file))
    backbone, words = build_evaluated_backbone(cfg, size_pixels=32)
    kernel = backbone.state_dict()["blocks.4.res_blocks.1.branch2.conv_a.weight"]
    assert torch.equal(kernel[:, :, 1], image.state_dict()["layer4.1.conv1.weight"])
    assert words == f"r3d18_sce inflated (center) from resnet18 after 7 steps, {file}"


def test_a_network_of_timm_is_known_by_its_name(tmp_path: Path) -> None:
    named, file = ("MODEL.BACKBONE", "timm/test_resnet"), tmp_path / "backbone.safetensors"
    save_backbone(build_backbone(config(*named), size_pixels=32), file, name="timm/test_resnet", step=7)
    backbone, words = build_evaluated_backbone(config(*named, "EVAL.CHECKPOINT", str(file)), size_pixels=32)
    assert torch.equal(load_file(file)["network.conv1.0.weight"], backbone.get_parameter("network.conv1.0.weight"))
    assert words == f"timm/test_resnet after 7 steps, {file}"


def test_without_weights_it_is_at_random() -> None:
    torch.manual_seed(3)
    expected = build_backbone(config("TASK", "knn"), size_pixels=128)
    torch.manual_seed(3)
    backbone, words = build_evaluated_backbone(config("TASK", "knn"), size_pixels=128)
    assert all(torch.equal(value, expected.state_dict()[name]) for name, value in backbone.state_dict().items())
    assert words == "r2plus1d_mini, random initialisation"


@pytest.mark.parametrize(
    ("overrides", "before", "now"),
    [
        (["CLIP.NUM_FRAMES", 8], "CLIP.NUM_FRAMES 16", "CLIP.NUM_FRAMES 8"),
        (["CLIP.SECONDS", 2.56], "CLIP.SECONDS 1.28", "CLIP.SECONDS 2.56"),
        (
            ["AUG.STD", [0.2, 0.2, 0.3], "CLIP.NUM_FRAMES", 4, "AUG.MEAN", [0.5, 0.5, 0.5]],
            "CLIP.NUM_FRAMES 16, AUG.MEAN [0.45, 0.45, 0.45], AUG.STD [0.225, 0.225, 0.225]",
            "CLIP.NUM_FRAMES 4, AUG.MEAN [0.5, 0.5, 0.5], AUG.STD [0.2, 0.2, 0.3]",
        ),
        (
            ["AUG.ANTIALIASED_RESIZE", True],
            "AUG.ANTIALIASED_RESIZE false",
            "AUG.ANTIALIASED_RESIZE true",
        ),
    ],
)
def test_what_differs_from_training_is_named(
    pretrained: Path, caplog: pytest.LogCaptureFixture, overrides: list[object], before: str, now: str
) -> None:
    *_, warnings = evaluated(pretrained, caplog, *overrides)
    assert warnings == [f"{pretrained} was trained with {before}; this run has {now}"]


def test_weights_for_another_representation_are_refused(pretrained: Path, tmp_path: Path) -> None:
    """Each way round, in every evaluation; also of a network of the same shapes."""
    file = tmp_path / "difference.safetensors"
    differences = build_backbone(config("MODEL.REPRESENTATION", "difference"), size_pixels=112)
    save_backbone(differences, file, name="r2plus1d_mini", step=7)
    cases = [
        (file, "rgb", "differences of frames", "difference"),
        (file, "absolute_difference", "differences of frames", "difference"),
        (pretrained, "difference", "RGB frames", "rgb"),
        (pretrained, "rgb_and_difference", "RGB frames", "rgb"),
    ]
    for weights, seen, trained, fix in cases:
        cfg = config("TASK", "knn", "EVAL.CHECKPOINT", str(weights), "MODEL.REPRESENTATION", seen)
        with pytest.raises(CheckpointError) as caught:
            build_evaluated_backbone(cfg, size_pixels=112)
        assert str(caught.value) == (
            f"EVAL.CHECKPOINT: {weights} was trained on {trained}, but MODEL.REPRESENTATION is {seen}; "
            f"set MODEL.REPRESENTATION {fix}"
        )


@pytest.mark.parametrize("seen", ["difference", "rgb_and_difference"])
def test_pretraining_of_differences_can_start_from_rgb(
    pretrained: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, seen: str
) -> None:
    cfg = config("MODEL.WEIGHTS", str(pretrained), "MODEL.REPRESENTATION", seen, "RUN.OUTPUT_DIR", str(tmp_path))
    with caplog.at_level(logging.WARNING, logger=LOGGER.name):
        started = build_pretrained_backbone(cfg)
    assert f"{pretrained} was trained on RGB frames; this run's network sees" in caplog.text
    saved, stem = load_file(pretrained), "stem.0.weight"
    loaded = started.state_dict()
    assert torch.equal(loaded[stem][:, :3], saved[stem])
    assert not loaded[stem][:, 3:].any()  # added channels are not seen at first
    assert all(torch.equal(loaded[name], saved[name]) for name in saved if name != stem)


def test_pretraining_of_rgb_does_not_start_from_differences(tmp_path: Path) -> None:
    file = tmp_path / "difference.safetensors"
    differences = build_backbone(config("MODEL.REPRESENTATION", "difference"), size_pixels=112)
    save_backbone(differences, file, name="r2plus1d_mini", step=7)
    cfg = config("MODEL.WEIGHTS", str(file), "RUN.OUTPUT_DIR", str(tmp_path))
    with pytest.raises(CheckpointError, match="^MODEL.WEIGHTS: .* was trained on differences of frames"):
        build_pretrained_backbone(cfg)


def test_files_of_before_the_record(pretrained: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Earlier versions wrote the views as a sentence; this one is of the default config."""
    sentence = "16 frames in 1.28 s, mean [0.45, 0.45, 0.45], std [0.225, 0.225, 0.225]"
    about = {"backbone": "r2plus1d_mini", "step": "7", "network_input": sentence}
    save_file(load_file(pretrained), tmp_path / "old.safetensors", metadata=about)
    assert evaluated(tmp_path / "old.safetensors", caplog)[2] == []
    *_, warnings = evaluated(tmp_path / "old.safetensors", caplog, "CLIP.SECONDS", 0.5)
    assert warnings == [f"{tmp_path}/old.safetensors was trained with CLIP.SECONDS 1.28; this run has CLIP.SECONDS 0.5"]


def test_weights_from_elsewhere(pretrained: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    save_file(load_file(pretrained), tmp_path / "foreign.safetensors", metadata={"backbone": "r2plus1d_mini"})
    _, words, warnings = evaluated(tmp_path / "foreign.safetensors", caplog)
    assert words == f"r2plus1d_mini after unknown steps, {tmp_path}/foreign.safetensors"
    assert warnings == [f"{tmp_path}/foreign.safetensors does not record what clips it was trained on"]


def test_weights_that_cannot_be_used_name_the_key(pretrained: Path) -> None:
    with pytest.raises(CheckpointError, match="^EVAL.CHECKPOINT: checkpoint /no.pt does not exist"):
        build_evaluated_backbone(config("TASK", "knn", "EVAL.CHECKPOINT", "/no.pt"), size_pixels=128)
    cfg = config("TASK", "knn", "EVAL.CHECKPOINT", str(pretrained))
    cfg.MODEL.BACKBONE = "resnet18"
    with pytest.raises(CheckpointError, match="has the backbone r2plus1d_mini, but MODEL.BACKBONE is resnet18"):
        build_evaluated_backbone(cfg, size_pixels=128)


@pytest.mark.parametrize(("num_trained_blocks", "num_frozen"), [(-1, 0), (5, 0), (2, 3), (0, 5)])
def test_a_classifier_trains_the_last_blocks(pretrained: Path, num_trained_blocks: int, num_frozen: int) -> None:
    cfg = config("TASK", "finetune", "EVAL.CHECKPOINT", str(pretrained))
    classifier, words = build_classifier(cfg, num_classes=7, dropout=0.5, num_trained_blocks=num_trained_blocks)
    assert words.startswith("r2plus1d_mini after 7 steps")
    assert (classifier.linear.in_features, classifier.linear.out_features, classifier.dropout.p) == (128, 7, 0.5)
    names = ["stem", "layer1", "layer2", "layer3", "layer4"]
    frozen = {name.split(".")[1] for name, each in classifier.named_parameters() if not each.requires_grad}
    assert frozen == set(names[:num_frozen])


@pytest.mark.parametrize(("num_trained_blocks", "num_calls"), [(-1, 2), (0, 1)])
def test_a_classifier_recomputes_activations_of_what_is_trained(num_trained_blocks: int, num_calls: int) -> None:
    cfg = config("TASK", "finetune", "TRAIN.RECOMPUTES_ACTIVATIONS", True)
    classifier, _ = build_classifier(cfg, num_classes=7, dropout=0.5, num_trained_blocks=num_trained_blocks)
    calls: list[nn.Module] = []
    classifier.get_submodule("backbone.layer4.0.conv2").register_forward_pre_hook(lambda layer, _: calls.append(layer))
    classifier(torch.randn(2, 3, 2, 32, 32)).sum().backward()
    assert len(calls) == num_calls


def test_more_blocks_than_the_backbone_has_are_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        build_classifier(config("TASK", "finetune"), num_classes=7, dropout=0.5, num_trained_blocks=6)
    assert str(caught.value) == "MODEL.NUM_TRAINED_BLOCKS is 6; r2plus1d_mini has 5 blocks (-1 trains all)"
