"""Finetuning through the task: what it learns, that it resumes to the bit, and what it leaves."""

import json
from pathlib import Path

import pytest
import torch
from fvcore.common.config import CfgNode
from safetensors.torch import save_file

from sce_video.config import load_config
from sce_video.errors import CheckpointError, ConfigError
from sce_video.launch.local import run_task
from sce_video.models.s3d import s3d
from sce_video.models.video_resnet import r2plus1d_mini
from sce_video.models.weights import load_backbone
from sce_video.runtime.checkpoints import CheckpointFolder

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "demo_sce.yaml"
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
    return load_config(CONFIG, [str(text) for pair in settings.items() for text in pair])


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
    """Dropout too is that of the step; the test results are the same number."""
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
    """A finetuned run is a checkpoint of its backbone too. With a frozen backbone that is what it ends with."""
    given = r2plus1d_mini()
    load_backbone(given, undisturbed, name="r2plus1d_mini")
    changes = {"EVAL__CHECKPOINT": undisturbed, "MODEL__NUM_TRAINED_BLOCKS": 0}
    run_task(config(motion_videos, tmp_path, **changes))
    ended = newest(tmp_path)
    for name, value in given.state_dict().items():
        assert torch.equal(ended[f"backbone.{name}"], value), name
    assert not torch.equal(ended["linear.weight"], newest(undisturbed)["linear.weight"])


def test_a_run_goes_on_only_from_the_weights_it_began_with(
    undisturbed: Path, motion_videos: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"another value of EVAL\.CHECKPOINT; choose another RUN\.OUTPUT_DIR"):
        run_task(config(motion_videos, undisturbed, EVAL__CHECKPOINT=tmp_path))


def test_a_run_goes_on_only_with_the_batch_norms_it_began_with(motion_videos: Path, tmp_path: Path) -> None:
    """Converted weights bring torchvision's along; whether they are still that is seen when they are loaded again."""
    given = tmp_path / "s3d.safetensors"
    weights = s3d().state_dict()
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


def test_a_run_goes_on_only_with_the_labels_it_began_with(motion_videos: Path, tmp_path: Path) -> None:
    files = sorted((motion_videos / "train").rglob("*.mp4"))
    listed, tested = tmp_path / "train.txt", tmp_path / "test.txt"
    tests = sorted((motion_videos / "test").rglob("*.mp4"))
    tested.write_text("\n".join(f"{file} {i % 3}" for i, file in enumerate(tests)))
    changes = {"DATA__SOURCE": "list", "DATA__TRAIN": listed, "DATA__TEST": tested}
    listed.write_text("\n".join(f"{file} {i % 3}" for i, file in enumerate(files)))
    run_task(config(Path("/"), tmp_path / "run", TRAIN__STOP_AT_STEP=2, **changes))
    listed.write_text("\n".join(f"{file} {i % 4}" for i, file in enumerate(files)))
    with pytest.raises(CheckpointError, match="have other labels than at the start of the run"):
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


def test_it_learns(motion_videos: Path, tmp_path: Path) -> None:
    """The training videos themselves, of which 24 are easily learnt by heart; chance is 12.5 %."""
    changes = {
        "DATA__TEST": "train_again",
        "TRAIN__NUM_EPOCHS": 40,
        "OPTIM__NAME": "adamw",
        "OPTIM__BASE_LR": 0.1,
        "MODEL__DROPOUT": 0.0,
        "TRAIN__CHECKPOINT_EVERY_STEPS": 0,
        "TRAIN__CHECKPOINT_EVERY_EPOCHS": 0,
        "EVAL__NUM_CLIPS": 5,
    }
    videos = tmp_path / "videos"
    videos.mkdir()
    for name in ("train", "train_again"):
        (videos / name).symlink_to(motion_videos / "train")
    run_task(config(videos, tmp_path / "run", **changes))
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["metrics"]["finetune_top1"] > 0.5
    losses = [json.loads(line)["loss"] for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert abs(losses[0] - torch.log(torch.tensor(8.0)).item()) < 0.7
    assert losses[-1] < 0.5 * losses[0]
