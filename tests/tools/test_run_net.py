"""The program as a user runs it: from a folder of videos to a number; every mistake one line, exit code 2."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

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


def test_from_videos_to_numbers(motion_videos: Path, tmp_path: Path) -> None:
    pretrained = run_net(*overrides(motion_videos, tmp_path / "pretrain"))
    assert pretrained.returncode == 0, pretrained.stderr
    assert "clips/s" in pretrained.stderr
    assert " clips/s, wait " in pretrained.stderr
    tasks = [
        ("knn", "knn_top1"),
        ("retrieval", "retrieval_r1"),
        ("linear_features", "linear_features_top1"),
        ("linear", "linear_top1"),
        ("finetune", "finetune_top1"),
    ]
    for task, name in tasks:
        checkpoint = str(tmp_path / "pretrain")
        evaluated = run_net(*overrides(motion_videos, tmp_path / task, TASK=task, EVAL__CHECKPOINT=checkpoint))
        assert evaluated.returncode == 0, evaluated.stderr
        assert name in evaluated.stderr
        assert "8 of 8 test videos evaluated" in evaluated.stderr
        assert ("against 24 of 24 training videos" in evaluated.stderr) == (task not in ("linear", "finetune"))
        assert (tmp_path / task / "report.html").is_file()
        results = json.loads((tmp_path / task / "results.json").read_text())
        assert 0 <= results["metrics"][name] <= 1
        assert (results["num_evaluated"], results["num_expected"]) == (8, 8)
        assert results["protocol"]["num_clips"] == 2
        assert results["weights"].endswith("backbone.safetensors")
        assert "Traceback" not in evaluated.stderr


def test_one_folder_for_one_evaluation_after_the_other(motion_videos: Path, tmp_path: Path) -> None:
    """Features are taken over where they are the same; tables of the task before are not."""
    for task, tables in (("linear_features", ["predictions"]), ("retrieval", ["neighbors"])):
        done = run_net(*overrides(motion_videos, tmp_path, TASK=task))
        assert done.returncode == 0, done.stderr
        assert sorted(file.stem for file in tmp_path.glob("*.csv")) == tables
    before = json.loads((tmp_path / "results.json").read_text())
    changes = {"EVAL__RETRIEVAL_LEVEL": "clip", "EVAL__RETRIEVAL_RANKS": "5,2", "EVAL__SEARCH": "faiss"}
    done = run_net(*overrides(motion_videos, tmp_path, TASK="retrieval", **changes))
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert f"wrote {tmp_path}/report.html" in done.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    assert list(results["metrics"]) == ["retrieval_r5", "retrieval_r2"]
    assert results["features"] != before["features"]
    assert sorted(folder.name for folder in (tmp_path / "features").iterdir()) == [
        *("test", "test_clips", "train", "train_clips")
    ]


def test_a_tenth_of_the_labels(motion_videos: Path, tmp_path: Path) -> None:
    share = {"TASK": "linear_features", "EVAL__LABEL_SHARE": "0.1", "RUN__SEED": "5"}
    refused = run_net(*overrides(motion_videos, tmp_path, **share))
    assert refused.returncode == 2
    assert "no class has two training videos" in refused.stderr.splitlines()[-1]
    done = run_net(*overrides(motion_videos, tmp_path, EVAL__LINEAR_WEIGHT_DECAYS="0.01", **share))
    assert done.returncode == 0, done.stderr
    assert "against 8 of 8 training videos" in done.stderr
    assert (tmp_path / "features" / "train_share_0.1_seed_5").is_dir()


def test_features_for_other_programs(motion_videos: Path, tmp_path: Path) -> None:
    extracted = run_net(*overrides(motion_videos, tmp_path, TASK="extract"))
    assert extracted.returncode == 0, extracted.stderr
    for name, count in (("train", 24), ("test", 8)):
        with np.load(tmp_path / f"{name}.npz") as content:
            assert content["features"].shape == (count, 128)
            assert np.bincount(content["labels"]).tolist() == [count // 8] * 8
            in_arrays = content["paths"].tolist()
        with (tmp_path / f"{name}.csv").open(newline="") as opened:
            paths = [line["path"] for line in csv.DictReader(opened)]
        assert all((motion_videos / path).is_file() for path in paths)
        assert len(paths) == count
        assert in_arrays == paths
    assert json.loads((tmp_path / "results.json").read_text())["lists"]["test"]["num_evaluated"] == 8


def test_features_of_a_folder_whatever_the_config_says_of_tests(motion_videos: Path, tmp_path: Path) -> None:
    """A folder has no test videos; those that the config's list had are no folder's."""
    folder = ["TASK", "extract", "DATA.SOURCE", "folder", "EVAL.NUM_CLIPS", "1", "RUN.DEVICE", "cpu"]
    places = ["DATA.ROOT", str(motion_videos), "DATA.TRAIN", "test", "RUN.OUTPUT_DIR", str(tmp_path)]
    extracted = run_net(*folder, *places, "DATA.NUM_WORKERS", "0", config="configs/demo_knn.yaml")
    assert extracted.returncode == 0, extracted.stderr
    with np.load(tmp_path / "train.npz") as content:
        assert sorted(content["paths"].tolist()) == sorted(
            str(path.relative_to(motion_videos)) for path in (motion_videos / "test").rglob("*.mp4")
        )
    assert not (tmp_path / "test.npz").exists()


def test_evaluation_counts_a_broken_video_and_replaces_none(motion_videos: Path, tmp_path: Path) -> None:
    train, test = (sorted((motion_videos / part).rglob("*.mp4")) for part in ("train", "test"))
    (tmp_path / "torn.mp4").write_bytes(train[0].read_bytes()[:300])
    for name, videos in [("train.txt", train), ("test.txt", [*test[:3], tmp_path / "torn.mp4"])]:
        (tmp_path / name).write_text("\n".join(f"{video} {i % 3}" for i, video in enumerate(videos)))
    lists = {"DATA__TRAIN": str(tmp_path / "train.txt"), "DATA__TEST": str(tmp_path / "test.txt")}
    evaluated = run_net(*overrides(Path("/"), tmp_path / "knn", TASK="knn", DATA__SOURCE="list", **lists))
    assert evaluated.returncode == 0, evaluated.stderr
    results = json.loads((tmp_path / "knn" / "results.json").read_text())
    assert (results["num_evaluated"], results["num_expected"]) == (3, 4)
    assert "torn.mp4" in results["failures"][0]
    assert "left out: " in evaluated.stderr


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
    "batch larger than the set": (["TRAIN.GLOBAL_BATCH_SIZE", "64"], "24 videos, fewer than TRAIN.GLOBAL_BATCH_SIZE"),
    "no GPU": (["RUN.DEVICE", "cuda"], "torch sees no GPU here"),
    "fp16 on a CPU": (["RUN.DEVICE", "auto", "TRAIN.PRECISION", "fp16"], "TRAIN.PRECISION is fp16"),
    "list that is not there": (["DATA.SOURCE", "list", "DATA.TRAIN", "/no.csv"], "/no.csv cannot be read"),
    "no such checkpoint": (["TASK", "knn", "EVAL.CHECKPOINT", "/nowhere.pt"], "/nowhere.pt does not exist"),
    "empty run": (["TASK", "knn", "EVAL.CHECKPOINT", "/"], "has the run saved anything?"),
}


# Imports once, then one process for each: what a start costs is mostly the import of torch.
FORKING = """
import json, os, sys
sys.path.insert(0, "tools")
import run_net
for arguments, said in json.load(sys.stdin):
    if os.fork() == 0:
        os.dup2(os.open(said, os.O_CREAT | os.O_WRONLY), 2)
        sys.argv = ["run_net.py", "--cfg", "configs/demo_sce.yaml", *arguments]
        sys.exit(run_net.main())
    print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
"""


def task_of(arguments: list[str]) -> str:
    return arguments[arguments.index("TASK") + 1] if "TASK" in arguments else "pretrain"


@pytest.fixture(scope="module")
def mistaken(motion_videos: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str, Path]]:
    """Exit code of each mistake, what it says, and the folder that it was to make a run in."""
    folders = {mistake: tmp_path_factory.mktemp("mistake") for mistake in MISTAKES}
    said = {mistake: tmp_path_factory.mktemp("said") / "stderr" for mistake in MISTAKES}
    starts = [
        (
            [*overrides(motion_videos, folders[mistake] / "deep" / "run", TASK=task_of(arguments)), *arguments],
            str(said[mistake]),
        )
        for mistake, (arguments, _) in MISTAKES.items()
    ]
    done = subprocess.run(
        [sys.executable, "-c", FORKING],
        input=json.dumps(starts),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
    )
    assert done.returncode == 0, done.stderr
    codes = map(int, done.stdout.split())
    return {
        mistake: (code, said[mistake].read_text(), folders[mistake])
        for mistake, code in zip(MISTAKES, codes, strict=True)
    }


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(mistaken: dict[str, tuple[int, str, Path]], mistake: str) -> None:
    code, said, folder = mistaken[mistake]
    assert code == 2
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert MISTAKES[mistake][1] in errors[0]
    assert "Traceback" not in said
    assert list(folder.iterdir()) == []  # no folder, log or config of a start that is refused


@pytest.mark.parametrize("num_workers", ["0", "2"])
def test_a_folder_of_broken_videos_is_one_line_with_their_names(tmp_path: Path, num_workers: str) -> None:
    for i in range(24):
        (tmp_path / f"{i}.mp4").write_bytes(b"<html>404 not found</html>")
    source = {"DATA__SOURCE": "folder", "DATA__TRAIN": ".", "DATA__NUM_WORKERS": num_workers}
    outcome = run_net(*overrides(tmp_path, tmp_path / "run", **source))
    assert outcome.returncode == 2
    errors = [line for line in outcome.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "of 24 videos cannot be decoded, more than DATA.MAX_FAILED_SHARE 0.05 allows" in errors[0]
    assert "Traceback" not in outcome.stderr
    assert errors[0] in (tmp_path / "run" / "run.log").read_text()


def test_an_output_folder_that_cannot_be_made_is_named(motion_videos: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    outcome = run_net(*overrides(motion_videos, tmp_path / "file" / "run"))
    assert outcome.returncode == 2
    assert outcome.stderr.startswith("error: ")
    assert str(tmp_path / "file") in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_evaluation_on_other_clips_than_in_training_is_said(motion_videos: Path, tmp_path: Path) -> None:
    stop = {"TRAIN__STOP_AT_STEP": "1"}
    assert run_net(*overrides(motion_videos, tmp_path / "run", **stop)).returncode == 0
    weights = {"TASK": "knn", "EVAL__CHECKPOINT": str(tmp_path / "run")}
    same = run_net(*overrides(motion_videos, tmp_path / "same", **weights))
    other = run_net(*overrides(motion_videos, tmp_path / "other", CLIP__SECONDS="0.25", **weights))
    assert same.returncode == other.returncode == 0
    assert "was trained on" not in same.stderr
    assert "was trained on 2 frames in 0.5 s" in other.stderr


def test_a_missing_config_is_named(tmp_path: Path) -> None:
    outcome = run_net(config=str(tmp_path / "no.yaml"))
    assert outcome.returncode == 2
    assert outcome.stderr.strip() == f"error: config {tmp_path / 'no.yaml'} does not exist"


@pytest.mark.slow
def test_an_evaluation_that_is_asked_to_stop(motion_videos: Path, tmp_path: Path) -> None:
    """As by Slurm before the time is over: it ends with the signal's code, by which the job goes back to the queue."""
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
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGUSR2
    assert "stopped by signal 12; what was finished is kept, and the same command goes on from there" in said
    assert "Traceback" not in said


def test_a_program_starts_without_what_only_some_need() -> None:
    """torchvision alone takes as long as torch."""
    names = "('torchvision', 'tensorboard')"
    code = f"import sys, sce_video.launch.local; print([name for name in {names} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
