"""Finetuning through the task: what it learns, that it resumes to the bit, and what it leaves."""

import json
import math
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from fvcore.common.config import CfgNode
from numpy.typing import NDArray
from safetensors.torch import save_file

from sce_video.config import load_config
from sce_video.errors import CheckpointError, ConfigError
from sce_video.launch.local import run_task
from sce_video.models.s3d import s3d
from sce_video.models.video_resnet import r2plus1d_mini
from sce_video.models.weights import load_backbone
from sce_video.runtime.checkpoints import CheckpointFolder
from tests.models.inputs import INPUT

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "demo_knn.yaml"
NUM_STEPS = 12


def config(videos: Path, output_dir: Path, **changes: object) -> CfgNode:
    """24 videos of 8 motions, 3 epochs of 4 steps."""
    settings: dict[str, object] = {
        "TASK": "finetune",
        "DATA.ROOT": videos,
        "DATA.NUM_WORKERS": 0,
        "CLIP.SECONDS": 0.5,
        "CLIP.NUM_FRAMES": 2,
        "CLIP.SIZE_PIXELS": 32,
        "AUG.CROP": "short_side",
        "AUG.CROP_AREA": "0.2,0.766",
        "AUG.CROP_SHORT_SIDE_PIXELS": "32,40",
        "OPTIM.NAME": "sgd",
        "OPTIM.BASE_LR": 1.0,
        "OPTIM.WARMUP_EPOCHS": 0,
        "TRAIN.NUM_EPOCHS": 3,
        "TRAIN.GLOBAL_BATCH_SIZE": 6,
        "TRAIN.CHECKPOINT_EVERY_STEPS": 1,
        "EVAL.NUM_CLIPS": 2,
        "EVAL.SIZE_PIXELS": 32,
        "RUN.OUTPUT_DIR": output_dir,
        "RUN.DEVICE": "cpu",
        **{key.replace("__", "."): value for key, value in changes.items()},
    }
    return load_config(CONFIG, shared=[str(text) for pair in settings.items() for text in pair])


def newest(output_dir: Path) -> dict[str, torch.Tensor]:
    state = CheckpointFolder(output_dir / "checkpoints", num_kept=1).load_newest()
    assert state is not None
    assert state["step"] == NUM_STEPS
    model: dict[str, torch.Tensor] = state["model"]
    return model


@pytest.fixture(scope="module")
def undisturbed(motion_videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output_dir = tmp_path_factory.mktemp("undisturbed")
    run_task(config(motion_videos, output_dir))
    return output_dir


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_stopped_run_resumes_to_the_bit(
    undisturbed: Path, motion_videos: Path, tmp_path: Path, num_workers: int
) -> None:
    """Dropout is a function of the step; the test results are equal."""
    for stop in (5, 0):
        run_task(config(motion_videos, tmp_path, TRAIN__STOP_AT_STEP=stop, DATA__NUM_WORKERS=num_workers))
        assert (tmp_path / "results.json").exists() == (stop == 0)
    ours, theirs = newest(tmp_path), newest(undisturbed)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []
    results = [json.loads((folder / "results.json").read_text()) for folder in (tmp_path, undisturbed)]
    assert results[0]["metrics"] == results[1]["metrics"]


def test_the_results_say_what_was_done(undisturbed: Path) -> None:
    results = json.loads((undisturbed / "results.json").read_text())
    assert results["task"] == "finetune"
    assert set(results["metrics"]) == {"finetune_top1", "finetune_top5", "finetune_mean_class"}
    assert (results["num_evaluated"], results["num_expected"]) == (8, 8)
    protocol = results["protocol"]
    assert (protocol["num_clips"], protocol["num_crops"], protocol["num_epochs"], protocol["dropout"]) == (2, 1, 3, 0.8)
    assert results["weights"] == "r2plus1d_mini, random initialisation"


def test_it_starts_from_the_weights_it_is_given(undisturbed: Path, motion_videos: Path, tmp_path: Path) -> None:
    """A finetuned run is a checkpoint of its backbone too; a frozen backbone ends as it started."""
    given = r2plus1d_mini(INPUT)
    load_backbone(given, undisturbed, name="r2plus1d_mini")
    changes = {"EVAL__CHECKPOINT": undisturbed, "MODEL__NUM_TRAINED_BLOCKS": 0}
    run_task(config(motion_videos, tmp_path, **changes))
    ended = newest(tmp_path)
    for name, value in given.state_dict().items():
        assert torch.equal(ended[f"backbone.{name}"], value), name
    assert not torch.equal(ended["linear.weight"], newest(undisturbed)["linear.weight"])


def test_a_run_resumes_only_from_its_initial_weights(undisturbed: Path, motion_videos: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"another value of EVAL\.CHECKPOINT; choose another RUN\.OUTPUT_DIR"):
        run_task(config(motion_videos, undisturbed, EVAL__CHECKPOINT=tmp_path))


def test_a_run_resumes_only_with_its_batch_norm_numbers(motion_videos: Path, tmp_path: Path) -> None:
    """Converted weights have torchvision's numbers, which are compared when the weights are loaded again."""
    given = tmp_path / "s3d.safetensors"
    weights = s3d(INPUT).state_dict()
    small = {"MODEL__BACKBONE": "s3d", "EVAL__CHECKPOINT": given}
    save_file(weights, given, metadata={"backbone": "s3d"})
    for stop in (1, 2):
        run_task(config(motion_videos, tmp_path / "run", TRAIN__STOP_AT_STEP=stop, **small))
        state = CheckpointFolder(tmp_path / "run" / "checkpoints", num_kept=1).load_newest()
        assert state is not None
        assert (state["step"], state["batch_norm"]) == (stop, "eps 0.001, momentum 0.001")
    save_file(weights, given, metadata={"backbone": "s3d", "batch_norm": "eps 1e-05, momentum 0.1"})
    with pytest.raises(
        CheckpointError, match=r"batch norms have eps 0\.001, momentum 0\.001, not eps 1e-05, momentum 0\.1"
    ):
        run_task(config(motion_videos, tmp_path / "run", **small))


def test_a_run_resumes_only_with_its_labels(motion_videos: Path, tmp_path: Path) -> None:
    files = sorted((motion_videos / "train").rglob("*.mp4"))
    listed, tested = tmp_path / "train.txt", tmp_path / "test.txt"
    tests = sorted((motion_videos / "test").rglob("*.mp4"))
    tested.write_text("\n".join(f"{file} {i % 3}" for i, file in enumerate(tests)))
    changes = {"DATA__SOURCE": "list", "DATA__TRAIN": listed, "DATA__TEST": tested}
    listed.write_text("\n".join(f"{file} {i % 3}" for i, file in enumerate(files)))
    run_task(config(Path("/"), tmp_path / "run", TRAIN__STOP_AT_STEP=2, **changes))
    listed.write_text("\n".join(f"{file} {i % 4}" for i, file in enumerate(files)))
    with pytest.raises(CheckpointError, match="labels of training videos have changed since the start of the run"):
        run_task(config(Path("/"), tmp_path / "run", **changes))


def test_few_labels(motion_videos: Path, tmp_path: Path) -> None:
    """A third of three videos per class: one of each of the 8 motions; the classifier has all of them."""
    run_task(config(motion_videos, tmp_path, EVAL__LABEL_SHARE=0.34, TRAIN__GLOBAL_BATCH_SIZE=4))
    assert CheckpointFolder(tmp_path / "checkpoints", num_kept=1).steps()[-1] == 3 * 2
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["protocol"]["label_share"] == 0.34
    assert results["num_evaluated"] == 8


def test_more_blocks_than_the_backbone_has(motion_videos: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"NUM_TRAINED_BLOCKS is 9; r2plus1d_mini has 5 blocks \(-1 trains all\)"):
        run_task(config(motion_videos, tmp_path, MODEL__NUM_TRAINED_BLOCKS=9))


# Four classes that any network tells apart by the mean of a frame, so that learning does not depend on rounding.
COLORS = {"black": (30, 30, 30), "blue": (30, 30, 220), "green": (30, 220, 30), "red": (220, 30, 30)}


def write_colors(root: Path) -> None:
    """6 training and 3 test videos of each color, each in a shade of its own."""
    shades = np.random.default_rng(0)
    for part, number in (("train", 6), ("test", 3)):
        for name, color in COLORS.items():
            (root / part / name).mkdir(parents=True)
            for i in range(number):
                pixel = (np.array(color) + shades.integers(-10, 11, 3)).astype(np.uint8)
                write_still(root / part / name / f"{i}.mp4", np.full((48, 48, 3), pixel))


def write_still(path: Path, image: NDArray[np.uint8]) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=8)
        stream.height, stream.width = image.shape[:2]
        stream.pix_fmt = "yuv420p"
        for _ in range(8):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def learn(videos: Path, output_dir: Path, **changes: object) -> tuple[list[float], float]:
    """Mean loss of each of 10 epochs of 2 steps, and the share of test videos that are then right."""
    settings = {
        "AUG__GRAYSCALE_PROBABILITY": 0.0,
        "AUG__JITTER_PROBABILITY": 0.0,
        "MODEL__DROPOUT": 0.0,
        "OPTIM__NAME": "adamw",
        "OPTIM__BASE_LR": 0.1,
        "TRAIN__NUM_EPOCHS": 10,
        "TRAIN__GLOBAL_BATCH_SIZE": 12,
        "TRAIN__LOG_EVERY_STEPS": 2,
        "TRAIN__CHECKPOINT_EVERY_STEPS": 0,
        "TRAIN__CHECKPOINT_EVERY_EPOCHS": 0,
        **changes,
    }
    run_task(config(videos, output_dir, **settings))
    losses = [json.loads(line)["loss"] for line in (output_dir / "metrics.jsonl").read_text().splitlines()]
    assert len(losses) == 10
    top1: float = json.loads((output_dir / "results.json").read_text())["metrics"]["finetune_top1"]
    return losses, top1


@pytest.mark.rounding
def test_it_learns(tmp_path: Path) -> None:
    """From some videos, tested on others; chance is 25 %.

    Measured over 4 sets of kernels (SSE4.1 to AVX2), 1 and 2 threads and 6 seeds: the first loss is 1.30 to 1.41, the
    last one 0.015 to 0.038 of it, and all test videos are right. Without learning (rate 1e-9) the last one is 0.99 to
    1.00 of the first, with labels that the colors do not tell 0.91 to 0.94, and at most a third of the videos is right.
    """
    write_colors(tmp_path / "videos")
    losses, top1 = learn(tmp_path / "videos", tmp_path / "run")
    assert abs(losses[0] - math.log(4)) < 0.3
    assert losses[-1] < 0.25 * losses[0]
    assert top1 > 0.75
