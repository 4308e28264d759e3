"""The description of every config, and of a few in detail."""

from dataclasses import replace
from pathlib import Path

import pytest

from sce_video.cli.describe.description import Description, TrainingCost, describe
from sce_video.cli.describe.page import table_text
from sce_video.config import load_config
from sce_video.config.sections.task import TRAINING_TASKS
from sce_video.errors import ConfigError

CONFIGS = sorted((Path(__file__).resolve().parents[3] / "configs").glob("*.yaml"))
DOCS = [line.split() for line in (CONFIGS[0].parents[1] / "docs" / "describe.md").read_text().splitlines()]
# Steps of the others are like these or those of test_training_step.py; test_networks.py has all networks.
ONE_OF_EACH = ("demo_ressl", "jhmdb_linear", "ucf101_retrieval")


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(file, marks=() if file.stem in ONE_OF_EACH else pytest.mark.thorough, id=file.stem)
        for file in CONFIGS
    ],
)
def test_every_config_is_described(file: Path) -> None:
    cfg = load_config(file)
    described = describe(cfg)
    assert (described.task, described.backbone) == (cfg.TASK, cfg.MODEL.BACKBONE)
    assert described.parameters["backbone"] > 0
    assert all(view.gmacs > 0 for view in described.views)
    assert (described.training is not None) == (cfg.TASK in TRAINING_TASKS)
    if described.training:
        assert described.training.peak_gib > sum(described.parameters.values()) * 4 / 2**30
        assert described.fits(1000) == "yes"
    assert table_text({file.stem: described}, 80.0).splitlines()[-1].split() in DOCS


def test_the_docs_have_every_config() -> None:
    assert {file.stem for file in CONFIGS} <= {line[0] for line in DOCS if line}


def small(motion_videos: Path, *overrides: object) -> list[str]:
    sized = ("CLIP.SIZE_PIXELS", 32, "CLIP.NUM_FRAMES", 2, "DATA.ROOT", motion_videos, "TRAIN.GLOBAL_BATCH_SIZE", 8)
    return [str(word) for word in (*sized, *overrides)]


def test_a_pretraining_with_its_videos(motion_videos: Path) -> None:
    """24 videos, 3 of each of 8 motions; rates are per 256 videos; every global view has keys."""
    overrides = small(motion_videos, "OPTIM.BASE_LR", 0.64, "METHOD.NAME", "sce", "CLIP.NUM_GLOBAL_VIEWS", 3)
    cfg = load_config(CONFIGS[0].parent / "demo_sce.yaml", overrides)
    described = describe(cfg, num_gpus=2)
    cost = described.training
    assert cost is not None
    assert (cost.list, cost.steps_per_epoch, cost.videos_at_once) == ("24 videos", 3, 4)
    assert cost.peak_lr == pytest.approx(0.02)
    assert [(view.num_frames, view.size_pixels) for view in described.views] == [(2, 32)] * 3
    assert cost.sent_bytes["embeddings"] == 3 * 4 * cfg.MODEL.PROJECTOR_DIMS[-1] * 4
    assert list(described.parameters) == ["backbone", "projector", "momentum_backbone", "momentum_projector"]
    assert cost.sent_bytes["gradients"] == 4 * (described.parameters["backbone"] + described.parameters["projector"])


def test_joint_pretraining(motion_videos: Path) -> None:
    """24 videos and 8 images in batches of 8."""
    images = ("DATA.IMAGE_SHARE", 0.25, "DATA.IMAGE_SOURCE", "class_folders", "DATA.IMAGE_ROOT", motion_videos)
    overrides = small(motion_videos, *images, "DATA.IMAGE_TRAIN", "test")
    cost = describe(load_config(CONFIGS[0].parent / "demo_sce.yaml", overrides)).training
    assert cost is not None
    assert (cost.list, cost.steps_per_epoch, cost.image_steps_per_epoch) == ("24 videos and 8 images", 4, 1)


def test_classes_are_those_of_the_list(motion_videos: Path) -> None:
    overrides = ("DATA.SOURCE", "class_folders", "DATA.TRAIN", "train", "DATA.TEST", "test", "EVAL.CHECKPOINT", "none")
    cfg = load_config(CONFIGS[0].parent / "jhmdb_finetune.yaml", shared=small(motion_videos, *overrides))
    described = describe(cfg)
    assert described.parameters["linear"] == 8 * (128 + 1)
    assert described.training is not None
    assert described.training.sent_bytes == {}


def test_what_a_config_does_not_have(tmp_path: Path) -> None:
    """A list that can be read here; embeddings of other ranks, which BYOL does without."""
    overrides = small(tmp_path / "none", "METHOD.NAME", "byol", "MODEL.PREDICTOR_HIDDEN_DIM", 16)
    cost = describe(load_config(CONFIGS[0].parent / "demo_sce.yaml", shared=overrides), num_gpus=2).training
    assert cost is not None
    assert cost.steps_per_epoch is None
    assert cost.list.startswith("not known: ")
    assert cost.sent_bytes["embeddings"] == 0


def test_a_batch_is_divided_equally(motion_videos: Path) -> None:
    cfg = load_config(CONFIGS[0].parent / "demo_sce.yaml", small(motion_videos))
    with pytest.raises(ConfigError, match=r"^TRAIN.GLOBAL_BATCH_SIZE is 8; it must be a multiple of .* 3 GPUs$"):
        describe(cfg, num_gpus=3)


@pytest.mark.parametrize(("gpu_gib", "fits"), [(12.6, "yes"), (12.4, "perhaps"), (9.6, "perhaps"), (9.4, "no")])
def test_a_step_fits_with_a_margin(gpu_gib: float, fits: str) -> None:
    """10 GiB, 15 % more or less, and 1 GiB for the context of CUDA."""
    cost = TrainingCost("", None, None, videos_at_once=1, peak_lr=1.0, sent_bytes={}, peak_gib=10.0)
    described = Description("pretrain", "resnet18", "rgb", "sce", {}, [], num_gpus=1, training=cost)
    assert described.fits(gpu_gib) == fits
    assert replace(described, training=None).fits(gpu_gib) == ""
