"""Every config in configs/ loads, builds at full size, and trains or evaluates for one step when shrunk to a CPU."""

from pathlib import Path

import pytest
import torch
import yaml

from sce_video.build.method import build_method
from sce_video.build.model import build_classifier
from sce_video.build.optim import (
    build_finetune_optimizer,
    build_optimizer,
    build_plan,
    build_schedules,
)
from sce_video.config import load_config
from sce_video.config.defaults import SETTINGS
from sce_video.config.sections.task import TRAINING_TASKS
from sce_video.config.uses import get
from sce_video.launch.local import run_task

CONFIGS = sorted((Path(__file__).resolve().parents[1] / "configs").glob("*.yaml"))
NAMES = [file.stem for file in CONFIGS]
# After shrinking, identical to the configs of UCF101, K400, 8 frames, CIFAR-10 and ImageNet, or only another network.
SHRUNK_ALIKE = (
    *("hmdb51_", "k200_", "k400_sce_r3d50_16f", "k400_sce_r3d18_small"),
    *("cifar100_", "stl10_", "cifar10_knn", "cifar10_linear", "ssv2_", "diving48_"),
    *("imagenet100_", "tiny_imagenet_", "imagenet_linear.yaml"),
)
# The baselines on K400 are the demo's, on the network of `k400_sce_r3d50`; tests/tools has local views,
# tests/tasks joint pretraining.
BASELINES = ("moco_v2", "moco_v3", "ressl", "byol", "simclr")
# Tasks and networks that others have, on other networks and for other tasks.
COMBINED_ALIKE = (
    "ucf101_retrieval_small",
    "ucf101_finetune_small",
    "k400_linear_small",
    "ucf101_knn",
    "jhmdb_retrieval",
)
MULTICROP = ("k400_sce_r3d50_multicrop", "imagenet_sce_r50_multicrop")
RARELY_RUN = (
    *SHRUNK_ALIKE,
    *COMBINED_ALIKE,
    *MULTICROP,
    "k400_imagenet_sce_r3d18",
    *(f"k400_{name}" for name in BASELINES),
)
OPENING_WORDS = ("Command:", "Hardware:", "Duration:", "Result:")


def test_there_are_the_promised_configs() -> None:
    promised = {
        *(
            "k400_sce",
            "k400_sce_s3d",
            "k400_sce_r3d50",
            "k400_sce_r3d50_16f",
            "k400_sce_r3d50_multicrop",
            "k400_sce_vit_s",
        ),
        *(f"{data}_{method}" for data in ("k400", "demo") for method in BASELINES),
        *(
            "k400_sce_r3d18",
            "k400_sce_r3d18_small",
            "k200_sce_r3d18",
            "k200_sce_r3d18_small",
            "k200_sce_r3d18_baseline",
        ),
        "k400_imagenet_sce_r3d18",
        *("k400_linear", "k400_linear_small", "k200_linear", "k200_linear_small", "ucf101_knn"),
        *("k200_supervised_r3d18", "ssv2_finetune", "ssv2_linear", "diving48_finetune"),
        *("ucf101_retrieval", "hmdb51_retrieval", "ucf101_retrieval_small", "hmdb51_retrieval_small"),
        *("ucf101_finetune", "hmdb51_finetune", "ucf101_finetune_small", "hmdb51_finetune_small"),
        *("jhmdb_sce", "jhmdb_finetune", "jhmdb_knn", "jhmdb_retrieval", "jhmdb_linear", "jhmdb_linear_features"),
        "jhmdb_floors",
        *("cifar10_sce_r18", "cifar100_sce_r18", "stl10_sce_r18", "cifar10_knn", "cifar10_linear"),
        *("imagenet_sce_r50", "imagenet_sce_r50_multicrop", "imagenet100_sce_r50", "tiny_imagenet_sce_r18"),
        *("imagenet_linear", "imagenet_linear_moco", "tiny_imagenet_linear"),
        *("demo_motion", "own_motion"),
        *("demo_sce", "demo_knn", "own_videos", "folder_knn", "folder_extract", "folder_examine"),
    }
    assert promised <= set(NAMES)


@pytest.mark.parametrize("file", CONFIGS, ids=NAMES)
def test_config_opens_with_what_a_reader_needs(file: Path) -> None:
    opening = file.read_text().split("\n\n")[0].splitlines()
    assert all(line.startswith("#") for line in opening)
    for word in OPENING_WORDS:
        assert any(word in line for line in opening), f"{file.name} has no {word}"
    assert f"configs/{file.name}" in "\n".join(opening)


@pytest.mark.parametrize("file", CONFIGS, ids=NAMES)
def test_config_stays_in_the_repository(file: Path) -> None:
    """Only J-HMDB's name the developers' copy of the data, and say how to get it."""
    cfg, text = load_config(file), file.read_text()
    paths = [str(get(cfg, key)) for key, setting in SETTINGS.items() if setting.is_path]
    is_outside = any(path.startswith(("/", "~")) or ".." in Path(path).parts for path in paths)
    assert is_outside == file.name.startswith("jhmdb_")
    assert ("../" in text) == is_outside
    says_how = "http://jhmdb.is.tue.mpg.de" in text or "jhmdb_knn.yaml says how to get it" in text
    assert says_how == is_outside


@pytest.mark.parametrize("file", CONFIGS, ids=NAMES)
def test_config_says_what_batch_norm_sees_of_an_accumulated_batch(file: Path) -> None:
    cfg, opening = load_config(file), file.read_text().split("\n\n")[0]
    accumulates = cfg.TASK in TRAINING_TASKS and cfg.TRAIN.ACCUMULATION_STEPS > 1
    part = cfg.TRAIN.GLOBAL_BATCH_SIZE // cfg.TRAIN.ACCUMULATION_STEPS
    assert ("# Batch norm: " in opening) == accumulates
    assert (f"# Batch norm: sees {part} videos, a part of the batch," in opening) == accumulates


@pytest.mark.parametrize("file", CONFIGS, ids=NAMES)
def test_config_is_at_most_one_base_away(file: Path) -> None:
    base = yaml.safe_load(file.read_text()).get("_BASE_")
    if base is not None:
        assert "_BASE_" not in yaml.safe_load((file.parent / base).read_text())


@pytest.mark.parametrize("file", CONFIGS, ids=NAMES)
def test_config_builds_at_full_size(file: Path) -> None:
    cfg = load_config(file)
    with torch.device("meta"):
        model = build_method(cfg, steps_per_epoch=7)
        optimizer = build_optimizer(cfg, model)
    schedules, plan = build_schedules(cfg, 7, model), build_plan(cfg, steps_per_epoch=7)
    if "ema_momentum" in model.SCALARS:
        last = cfg.METHOD.EMA_MOMENTUM if cfg.METHOD.EMA_SHAPE == "constant" else 1.0
        assert schedules.at(plan.num_steps - 1).method["ema_momentum"] == pytest.approx(last)
    assert_all_optimized(optimizer, model)


@pytest.mark.parametrize(
    "file", [file for file in CONFIGS if load_config(file).TASK == "finetune"], ids=lambda file: file.stem
)
def test_finetuning_config_builds_at_full_size(file: Path) -> None:
    cfg = load_config(file, ["EVAL.CHECKPOINT", ""])
    with torch.device("meta"):
        classifier, _ = build_classifier(cfg, num_classes=101, dropout=0.8, num_trained_blocks=-1)
        optimizer = build_finetune_optimizer(cfg, classifier)
    assert build_schedules(cfg, steps_per_epoch=7).at(0).lr >= 0
    assert_all_optimized(optimizer, classifier)


def assert_all_optimized(optimizer: torch.optim.Optimizer, model: torch.nn.Module) -> None:
    num_optimized = sum(len(group["params"]) for group in optimizer.param_groups)
    assert num_optimized == sum(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(file, marks=pytest.mark.thorough if file.name.startswith(RARELY_RUN) else (), id=file.stem)
        for file in CONFIGS
    ],
)
def test_config_does_one_shrunk_step(file: Path, motion_videos: Path, tmp_path: Path) -> None:
    take_one_step(file, {}, motion_videos, tmp_path)


@pytest.mark.parametrize(
    "file", [pytest.param(file, id=file.stem) for file in CONFIGS if file.name.startswith(RARELY_RUN)]
)
def test_config_does_one_shrunk_step_on_a_small_network(file: Path, motion_videos: Path, tmp_path: Path) -> None:
    """Those that do not run per change on their own."""
    is_of_images = load_config(file).MODEL.BACKBONE.startswith("resnet")
    take_one_step(file, {"MODEL.BACKBONE": "resnet18" if is_of_images else "r2plus1d_mini"}, motion_videos, tmp_path)


def take_one_step(file: Path, network: dict[str, str], motion_videos: Path, tmp_path: Path) -> None:
    cfg = load_config(file)
    shrunk = {
        "DATA.SOURCE": "class_folders",
        "DATA.ROOT": motion_videos,
        "DATA.TRAIN": "train",
        "DATA.TEST": "test",
        "DATA.NUM_WORKERS": 0,
        "DATA.IMAGE_SOURCE": "class_folders",
        "DATA.IMAGE_ROOT": motion_videos,
        "CLIP.SECONDS": 0.4,
        "CLIP.NUM_FRAMES": 2,
        "CLIP.SIZE_PIXELS": 32,
        "METHOD.QUEUE_LENGTH": 8,
        "TRAIN.GLOBAL_BATCH_SIZE": 4,
        "TRAIN.ACCUMULATION_STEPS": min(cfg.TRAIN.ACCUMULATION_STEPS, 2),
        "TRAIN.STOP_AT_STEP": 1,
        "EVAL.CHECKPOINT": "",
        "EVAL.NUM_CLIPS": 1,
        "EVAL.NUM_CROPS": 1,
        "EVAL.SIZE_PIXELS": 32,
        "RUN.DEVICE": "cpu",
        "RUN.OUTPUT_DIR": tmp_path,
        **network,
    }
    if cfg.AUG.CROP == "short_side":
        shrunk["AUG.CROP_SHORT_SIDE_PIXELS"] = "32,40"
    if cfg.CLIP.LOCAL_SIZES_PIXELS != [0]:
        shrunk["CLIP.LOCAL_SIZES_PIXELS"] = ",".join("32" for _ in cfg.CLIP.LOCAL_SIZES_PIXELS)
    if cfg.DATA.ON_DEVICE:
        shrunk["DATA.ON_DEVICE"] = False
    if cfg.MODEL.MOMENTUM_NORM_GROUPS > 1:
        shrunk["MODEL.MOMENTUM_NORM_GROUPS"] = 2
    if cfg.TASK == "pretrain":
        shrunk["MODEL.PROJECTOR_DIMS"] = ",".join("64" for _ in cfg.MODEL.PROJECTOR_DIMS)
        if cfg.MODEL.PREDICTOR_HIDDEN_DIM:
            shrunk["MODEL.PREDICTOR_HIDDEN_DIM"] = 64
        shrunk["TRAIN.PRECISION"] = "fp32"  # fp16 needs a GPU; evaluation must run with the config's own precision
    overrides = [str(text) for pair in shrunk.items() for text in pair]
    run_task(load_config(file, shared=overrides))
    if cfg.TASK in TRAINING_TASKS:
        assert (tmp_path / "checkpoints" / "step_00000001.pt").is_file()
    else:
        assert (tmp_path / "results.json").is_file()


def test_schema_has_not_many_more_than_a_hundred_keys() -> None:
    assert len(SETTINGS) <= 142
