"""Pretraining from a config: how many steps, what a step changes, and which files remain at the end."""

import json
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from fvcore.common.config import CfgNode
from PIL import Image
from safetensors import safe_open

from sce_video.build.model import build_backbone, build_evaluated_backbone, build_pretrained_backbone
from sce_video.config.same_run import config_record
from sce_video.errors import CheckpointError, ManifestError
from sce_video.models.norms import NormNumbers, norm_numbers, set_norm_numbers
from sce_video.models.weights import save_backbone
from sce_video.runtime.logging import LOGGER
from sce_video.tasks.pretrain import build_pretrain_run
from sce_video.tasks.table import TASKS
from sce_video.train.resume import resume

CPU = torch.device("cpu")


@pytest.mark.parametrize(("batch", "accumulation", "steps"), [(4, 1, 1), (2, 1, 2), (4, 2, 1)])
def test_steps_of_an_epoch_of_four_videos(
    config: Callable[..., CfgNode], batch: int, accumulation: int, steps: int
) -> None:
    cfg = config(
        "pretrain", TRAIN__GLOBAL_BATCH_SIZE=batch, TRAIN__ACCUMULATION_STEPS=accumulation, TRAIN__NUM_EPOCHS=3
    )
    run = build_pretrain_run(cfg, CPU, config_record(cfg))
    assert (run.plan.steps_per_epoch, run.plan.num_steps) == (steps, 3 * steps)
    assert run.loader.steps_per_epoch == steps
    assert run.record["labels"] == ""


def test_the_finished_backbone_is_that_of_the_run(config: Callable[..., CfgNode], tmp_path: Path) -> None:
    TASKS["pretrain"](config("pretrain"), CPU)()
    file = tmp_path / "run" / "backbone.safetensors"
    state = torch.load(tmp_path / "run" / "checkpoints" / "step_00000002.pt", weights_only=True)
    with safe_open(file, framework="pt") as weights:
        about, names = weights.metadata(), set(weights.keys())
        assert names == {name.removeprefix("backbone.") for name in state["model"] if name.startswith("backbone.")}
        assert all(torch.equal(weights.get_tensor(name), state["model"][f"backbone.{name}"]) for name in names)
    assert (about["backbone"], about["step"]) == ("r2plus1d_mini", "2")


def test_a_run_that_is_stopped_has_no_finished_backbone(config: Callable[..., CfgNode], tmp_path: Path) -> None:
    TASKS["pretrain"](config("pretrain", TRAIN__STOP_AT_STEP=1), CPU)()
    assert (tmp_path / "run" / "checkpoints" / "step_00000001.pt").is_file()
    assert not (tmp_path / "run" / "backbone.safetensors").exists()


def test_a_network_of_differences_is_evaluated_on_differences(
    config: Callable[..., CfgNode], motion_videos: Path, tmp_path: Path
) -> None:
    clips = {
        **{"DATA__SOURCE": "class_folders", "DATA__ROOT": motion_videos, "DATA__TRAIN": "train"},
        **{"CLIP__NUM_FRAMES": 2, "CLIP__SECONDS": 0.5, "MODEL__REPRESENTATION": "rgb_and_difference"},
    }
    TASKS["pretrain"](config("pretrain", **clips, TRAIN__NUM_EPOCHS=1, TRAIN__STOP_AT_STEP=1), CPU)()
    evaluation = {
        **clips,
        "DATA__TEST": "test",
        "EVAL__CHECKPOINT": tmp_path / "run",
        "RUN__OUTPUT_DIR": tmp_path / "knn",
    }
    TASKS["knn"](config("knn", **evaluation), CPU)()
    results = json.loads((tmp_path / "knn" / "results.json").read_text())
    assert results["protocol"]["representation"] == "rgb_and_difference"
    with pytest.raises(CheckpointError, match="was trained on RGB frames and their differences, but MODEL.REPR"):
        TASKS["knn"](config("knn", **evaluation | {"MODEL__REPRESENTATION": "rgb"}), CPU)()


@pytest.fixture
def joint(config: Callable[..., CfgNode], motion_videos: Path, tmp_path: Path) -> Callable[..., CfgNode]:
    """8 steps on 24 videos and 4 images in batches of 4: steps 3 and 7 are of images, of which one is broken."""
    for number, size in enumerate((40, 50, 60)):
        file = tmp_path / "images" / "a class" / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((size, size), 90).convert("RGB").save(file)
    file.with_name("broken.png").write_bytes(b"no image")
    videos = {"DATA__SOURCE": "class_folders", "DATA__ROOT": motion_videos, "DATA__TRAIN": "train"}
    sizes = {"CLIP__NUM_FRAMES": 2, "CLIP__SECONDS": 0.5, "TRAIN__NUM_EPOCHS": 1, "DATA__MAX_FAILED_SHARE": 0.25}
    images = {"DATA__IMAGE_SHARE": 0.25, "DATA__IMAGE_ROOT": tmp_path / "images"}
    return partial(config, "pretrain", **videos, **sizes, **images)


def test_joint_pretraining_is_resumed_to_the_bit(
    joint: Callable[..., CfgNode], tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LOGGER, "propagate", True)
    caplog.set_level(logging.INFO, logger=LOGGER.name)
    for folder, stops in (("whole", (0,)), ("resumed", (3, 4, 0))):
        for stop in stops:
            TASKS["pretrain"](joint(RUN__OUTPUT_DIR=tmp_path / folder, TRAIN__STOP_AT_STEP=stop), CPU)()
    assert f"of the 8 steps of an epoch 2 are of images, {tmp_path}/images" in caplog.text
    assert f"replaced: {tmp_path}/images/a class/broken.png" in caplog.text
    ends = [
        torch.load(tmp_path / folder / "checkpoints" / "step_00000008.pt", weights_only=True)
        for folder in ("whole", "resumed")
    ]
    assert ends[0]["failures"] == ends[1]["failures"] == {"failed": [27], "lost": [], "lost_by_signal": []}
    assert all(torch.equal(value, ends[1]["model"][name]) for name, value in ends[0]["model"].items())


def test_joint_pretraining_is_not_resumed_with_other_images(joint: Callable[..., CfgNode], tmp_path: Path) -> None:
    TASKS["pretrain"](joint(TRAIN__STOP_AT_STEP=1), CPU)()
    (tmp_path / "images" / "a class" / "0.png").rename(tmp_path / "images" / "a class" / "9.png")
    with pytest.raises(CheckpointError, match="the list of images has changed since the start of the run"):
        TASKS["pretrain"](joint(), CPU)


def test_a_wrong_folder_of_images_is_named(joint: Callable[..., CfgNode], tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("1.png\n2.png\n")
    cfg = joint(DATA__IMAGE_SOURCE="list", DATA__IMAGE_TRAIN=tmp_path / "list.txt")
    with pytest.raises(ManifestError, match=r"none of the 2 videos exists, .*; check DATA\.IMAGE_ROOT$"):
        TASKS["pretrain"](cfg, CPU)


def test_evaluation_on_other_clips_than_in_training_is_a_warning(
    config: Callable[..., CfgNode], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    TASKS["pretrain"](config("pretrain"), CPU)()
    build_evaluated_backbone(config("knn", EVAL__CHECKPOINT=tmp_path / "run"), size_pixels=32)
    assert "was trained" not in caplog.text
    build_evaluated_backbone(config("knn", EVAL__CHECKPOINT=tmp_path / "run", CLIP__SECONDS=0.25), size_pixels=32)
    assert "backbone.safetensors was trained with CLIP.SECONDS 1.0; this run has CLIP.SECONDS 0.25" in caplog.text


def test_a_resumed_run_does_not_need_the_weights_that_it_started_from(
    config: Callable[..., CfgNode], tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their batch-norm numbers, which are not those of a new network, come from the checkpoint."""
    monkeypatch.setattr(LOGGER, "propagate", True)
    caplog.set_level(logging.INFO, logger=LOGGER.name)
    file = tmp_path / "weights.safetensors"
    given = build_backbone(config("pretrain"), size_pixels=32)
    set_norm_numbers(given, NormNumbers(1e-3, 0.01))
    save_backbone(given, file, name="r2plus1d_mini", step=7)
    TASKS["pretrain"](config("pretrain", MODEL__WEIGHTS=file, TRAIN__STOP_AT_STEP=1), CPU)()
    assert (
        f"pretraining starts from all {len(given.state_dict())} tensors of r2plus1d_mini after 7 steps" in caplog.text
    )
    file.unlink()
    caplog.clear()
    cfg = config("pretrain", MODEL__WEIGHTS=file)
    run = build_pretrain_run(cfg, CPU, config_record(cfg))
    assert resume(run) == 1
    for part in ("backbone", "momentum_backbone"):
        assert norm_numbers(run.model.get_submodule(part)) == NormNumbers(1e-3, 0.01)
    assert "starts from" not in caplog.text


def test_missing_weights_are_one_line(config: Callable[..., CfgNode], tmp_path: Path) -> None:
    cfg = config("pretrain", MODEL__WEIGHTS=tmp_path / "none.safetensors")
    with pytest.raises(CheckpointError) as caught:
        TASKS["pretrain"](cfg, CPU)
    assert str(caught.value) == f"MODEL.WEIGHTS: {tmp_path}/none.safetensors does not exist"


def test_the_log_says_what_a_checkpoint_has_besides_the_backbone(
    config: Callable[..., CfgNode], tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    TASKS["pretrain"](config("pretrain", TRAIN__STOP_AT_STEP=1), CPU)()
    names = torch.load(tmp_path / "run" / "checkpoints" / "step_00000001.pt", weights_only=True)["model"]
    num_of_backbone = sum(name.startswith("backbone.") for name in names)
    monkeypatch.setattr(LOGGER, "propagate", True)
    caplog.set_level(logging.INFO, logger=LOGGER.name)
    build_pretrained_backbone(config("pretrain", MODEL__WEIGHTS=tmp_path / "run", RUN__OUTPUT_DIR=tmp_path / "other"))
    assert f"starts from all {num_of_backbone} tensors of r2plus1d_mini after 1 steps, {tmp_path}/run" in caplog.text
    assert f"left over: {len(names) - num_of_backbone}" in caplog.text
