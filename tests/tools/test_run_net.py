"""The program as a user runs it: from a folder of videos to metrics; errors are one line, exit code 2."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.settings import used_overrides

REPOSITORY = Path(__file__).resolve().parents[2]
SMALL = {
    "DATA.TEST": "test",
    "DATA.NUM_WORKERS": "0",
    "CLIP.SECONDS": "0.5",
    "CLIP.NUM_FRAMES": "2",
    "CLIP.SIZE_PIXELS": "32",
    "METHOD.QUEUE_LENGTH": "40",
    "TRAIN.NUM_EPOCHS": "1",
    "TRAIN.GLOBAL_BATCH_SIZE": "8",
    "OPTIM.WARMUP_EPOCHS": "0",
    "EVAL.NUM_CLIPS": "2",
    "EVAL.NUM_CROPS": "1",
    "EVAL.SIZE_PIXELS": "32",
    "EVAL.LOCAL_BATCH_SIZE": "32",
    "RUN.DEVICE": "cpu",
}


def run_net(*arguments: str, config: str = "configs/demo_sce.yaml") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "tools/run_net.py", "--cfg", config, *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
    )


def overrides(videos: Path, output_dir: Path, **changes: str) -> list[str]:
    settings = {**SMALL, "DATA.ROOT": str(videos), "RUN.OUTPUT_DIR": str(output_dir)}
    settings |= {key.replace("__", "."): value for key, value in changes.items()}
    return used_overrides(REPOSITORY / "configs/demo_sce.yaml", settings)


def test_from_videos_to_numbers(
    motion_videos: Path, tmp_path: Path, tool: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """The pretraining in a process of its own."""
    pretrained = run_net(*overrides(motion_videos, tmp_path / "pretrain"))
    assert pretrained.returncode == 0, pretrained.stderr
    assert "clips/s" in pretrained.stderr
    assert " clips/s, wait " in pretrained.stderr
    for task, name in (("knn", "knn_top1"), ("finetune", "finetune_top1")):  # tests/tasks has the others
        checkpoint = str(tmp_path / "pretrain")
        settings = overrides(motion_videos, tmp_path / task, TASK=task, EVAL__CHECKPOINT=checkpoint)
        assert tool("run_net", "--cfg", "configs/demo_sce.yaml", *settings) == 0
        shown = capsys.readouterr().err
        assert name in shown
        assert "8 of 8 test videos evaluated" in shown
        assert ("against 24 of 24 training videos" in shown) == (task == "knn")
        assert (tmp_path / task / "report.html").is_file()
        results = json.loads((tmp_path / task / "results.json").read_text())
        assert 0 <= results["metrics"][name] <= 1
        assert (results["num_evaluated"], results["num_expected"]) == (8, 8)
        assert results["protocol"]["num_clips"] == 2
        assert results["weights"].endswith("backbone.safetensors")
        assert "Traceback" not in shown


def pretrained(
    tool: Callable[..., int], videos: Path, output_dir: Path, views: dict[str, str]
) -> tuple[list[dict[str, float]], dict[str, torch.Tensor]]:
    """Lines of the log and the method's tensors after three steps with these views."""
    settings = {**SMALL, **views, "DATA.ROOT": str(videos), "RUN.OUTPUT_DIR": str(output_dir)}
    config = REPOSITORY / "configs/demo_sce.yaml"
    assert tool("run_net", "--cfg", config, *used_overrides(config, settings)) == 0
    lines = [json.loads(line) for line in (output_dir / "metrics.jsonl").read_text().splitlines()]
    return lines, torch.load(output_dir / "checkpoints" / "step_00000003.pt", weights_only=True)["model"]


@pytest.mark.parametrize(("seconds", "num_negatives"), [("0.25", 1), ("2.5", 0)])
def test_clips_of_other_times_as_negatives(
    motion_videos: Path,
    tmp_path: Path,
    tool: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    seconds: str,
    num_negatives: int,
) -> None:
    """Videos of 4 s: two clips of 0.25 s at one time leave room for a third, those of 2.5 s do not, which is said."""
    times = {
        "CLIP.SECONDS": seconds,
        "CLIP.PAIR": "distance",
        "CLIP.DISTANCE_SECONDS": "0,0",
        "CLIP.NUM_NEGATIVES": "1",
    }
    lines, state = pretrained(tool, motion_videos, tmp_path, times)
    measured = [line for line in lines if "loss_chance" in line]
    assert {line["share_with_negatives"] for line in measured} == {num_negatives}
    chance = [line["loss_chance"] for line in measured]
    assert chance == pytest.approx([math.log(1 + 40 + num_negatives)] * len(chance))
    assert ("CLIP.NUM_NEGATIVES has no effect so far" in capsys.readouterr().err) == (num_negatives == 0)
    assert int(state["backbone.stem.1.num_batches_tracked"]) == 3 * 2
    assert int(state["momentum_backbone.stem.1.num_batches_tracked"]) == 3 * 3


def test_two_global_and_four_local_views_of_other_sizes_and_lengths(
    motion_videos: Path, tmp_path: Path, tool: Callable[..., int]
) -> None:
    local = {
        "CLIP.LOCAL_SIZES_PIXELS": "40,40,36,32",
        "CLIP.LOCAL_SECONDS": "0.25",
        "CLIP.LOCAL_NUM_FRAMES": "3",
        "AUG.LOCAL_CROP_AREAS": "0.3,0.9,0.3,0.8,0.2,0.7,0.1,0.5",
    }
    lines, state = pretrained(tool, motion_videos, tmp_path, local)
    assert all(0 < line["loss"] < 10 for line in lines)
    assert int(state["backbone.stem.1.num_batches_tracked"]) == 3 * 6
    assert int(state["momentum_backbone.stem.1.num_batches_tracked"]) == 3 * 2
    assert int(state["queue.position"]) == 2 * 24 % 40


MISTAKES = {
    "unknown key": (["METHOD.TEMPRATURE", "0.1"], "METHOD.TEMPRATURE; did you mean METHOD.TEMPERATURE?"),
    "wrong type": (["TRAIN.NUM_EPOCHS", "many"], "TRAIN.NUM_EPOCHS is 'many'; a whole number was expected"),
    "no value": (["TRAIN.NUM_EPOCHS"], "TRAIN.NUM_EPOCHS has no value"),
    "contradiction": (["METHOD.QUEUE_LENGTH", "0"], "METHOD.QUEUE_LENGTH is 0 and METHOD.IN_BATCH_KEYS is False"),
    "split": (["DATA.SPLIT", "4"], "DATA.SPLIT is 4; choose one of 1, 2, 3"),
    "no such folder": (["DATA.ROOT", "/nowhere"], "/nowhere/train is not a folder that can be read"),
    "clip longer than the videos": (
        ["CLIP.SECONDS", "60"],
        "CLIP.SECONDS is 60.0, but the longest of 8 videos",
    ),
    "local clip longer than the videos": (
        ["CLIP.LOCAL_SIZES_PIXELS", "32", "CLIP.LOCAL_SECONDS", "60"],
        "CLIP.LOCAL_SECONDS is 60.0, but the longest of 8 videos",
    ),
    "batch larger than the set": (["TRAIN.GLOBAL_BATCH_SIZE", "64"], "24 videos, fewer than TRAIN.GLOBAL_BATCH_SIZE"),
    "no GPU": (["RUN.DEVICE", "cuda"], "torch sees no GPU here"),
    "fp16 on a CPU": (["RUN.DEVICE", "auto", "TRAIN.PRECISION", "fp16"], "TRAIN.PRECISION is fp16"),
    "list that is not there": (["DATA.SOURCE", "list", "DATA.TRAIN", "/no.csv"], "/no.csv cannot be read"),
    "no such checkpoint": (["TASK", "knn", "EVAL.CHECKPOINT", "/nowhere.pt"], "/nowhere.pt does not exist"),
    "empty run": (["TASK", "knn", "EVAL.CHECKPOINT", "/"], "has the run saved a checkpoint yet?"),
}


def task_of(arguments: list[str]) -> str:
    return arguments[arguments.index("TASK") + 1] if "TASK" in arguments else "pretrain"


@pytest.fixture
def refused(tool: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """The error line of these arguments, with exit code 2 and no traceback."""

    def run(*arguments: str, config: Path = REPOSITORY / "configs/demo_sce.yaml") -> str:
        assert tool("run_net", "--cfg", config, *arguments) == 2
        errors = capsys.readouterr().err
        assert "Traceback" not in errors
        (error,) = [line for line in errors.splitlines() if line.startswith("error: ")]
        return error

    return run


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(
    refused: Callable[..., str], motion_videos: Path, tmp_path: Path, mistake: str
) -> None:
    arguments, message = MISTAKES[mistake]
    run = tmp_path / "deep" / "run"
    assert message in refused(*overrides(motion_videos, run, TASK=task_of(arguments)), *arguments)
    assert list(tmp_path.iterdir()) == []  # a refused start leaves no folder, log or config


def test_a_folder_of_broken_videos_is_one_line_with_their_names(refused: Callable[..., str], tmp_path: Path) -> None:
    for i in range(24):
        (tmp_path / f"{i}.mp4").write_bytes(b"<html>404 not found</html>")
    source = {"DATA__SOURCE": "folder", "DATA__TRAIN": ".", "DATA__NUM_WORKERS": "2"}
    error = refused(*overrides(tmp_path, tmp_path / "run", **source))
    assert "of 24 videos cannot be decoded, more than DATA.MAX_FAILED_SHARE 0.05 allows" in error
    assert error in (tmp_path / "run" / "run.log").read_text()


def test_an_output_folder_that_cannot_be_created_is_named(
    refused: Callable[..., str], motion_videos: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    assert str(tmp_path / "file") in refused(*overrides(motion_videos, tmp_path / "file" / "run"))


def test_a_missing_config_is_named(refused: Callable[..., str], tmp_path: Path) -> None:
    assert refused(config=tmp_path / "no.yaml") == f"error: config {tmp_path / 'no.yaml'} does not exist"


def test_an_evaluation_stopped_by_a_signal(motion_videos: Path, tmp_path: Path) -> None:
    """As by Slurm before the time limit: it exits with the signal's code, by which the job is requeued."""
    settings = overrides(motion_videos, tmp_path, TASK="knn", EVAL__NUM_CLIPS="2000")
    process = subprocess.Popen(
        [sys.executable, "tools/run_net.py", "--cfg", "configs/demo_sce.yaml", *settings],
        cwd=REPOSITORY,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
    )
    until = time.monotonic() + 120
    while not ((log := tmp_path / "run.log").is_file() and "evaluating" in log.read_text()):
        assert time.monotonic() < until
        time.sleep(0.05)
    process.send_signal(signal.SIGUSR2)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGUSR2
    assert "stopped by signal 12; what was finished is kept; rerun to resume" in errors
    assert "Traceback" not in errors


def test_optional_libraries_are_not_imported_at_start() -> None:
    """torchvision alone takes as long to import as torch."""
    names = "('torchvision', 'tensorboard')"
    code = f"import sys, sce_video.launch.local; print([name for name in {names} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
