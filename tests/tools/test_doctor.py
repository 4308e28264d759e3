"""The program as a user runs it."""

import json
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

REPOSITORY = Path(__file__).resolve().parents[2]


def doctor(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    settings = {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", "COLUMNS": "100"}
    return subprocess.run(
        [sys.executable, "tools/doctor.py", "--seconds", "0.3", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        env={**os.environ, **settings, **environ},
    )


def test_a_page_on_ones_own_videos(motion_videos: Path, tmp_path: Path) -> None:
    videos = tmp_path / "my videos"
    shutil.copytree(motion_videos / "test", videos)
    (videos / "broken.mp4").write_bytes(b"\x00" * 5000)
    (tmp_path / "metrics.jsonl").write_text('{"step": 9, "clips_per_second": 1e7, "data_wait_share": 0.0}\n')
    page_file = tmp_path / "page.json"
    arguments = [str(videos), "--cfg", "configs/demo_sce.yaml", "--run", str(tmp_path), "--json", str(page_file)]
    in_a_job = {"SLURM_JOB_ID": "17", "SLURM_CPUS_PER_TASK": "1"}
    shown = doctor(*arguments, "--strict", **in_a_job)
    assert shown.returncode == 1, shown.stderr  # no machine decodes ten million clips per second
    assert shown.stderr == ""
    for text in (
        "cores: 1 usable",
        "SLURM_JOB_ID 17",
        "9 of 9 videos",
        "8 frames over 1 s",
        "decoding with pyav",
        "1 of 9 videos cannot be decoded",
        "broken.mp4",
        "! PROBLEM  loader:",
        "takes 10000000",
    ):
        assert text in " ".join(shown.stdout.split()) or text in shown.stdout, f"{text} is not in\n{shown.stdout}"
    assert max(map(len, shown.stdout.splitlines())) <= 100
    page = json.loads(page_file.read_text())
    findings = [finding for section in page["sections"].values() for finding in section]
    assert all(finding["fact"] and bool(finding["way_out"]) == (finding["level"] != "ok") for finding in findings)
    words = "".join(shown.stdout.split())
    assert all("".join(finding["fact"].split()) in words for finding in findings)
    assert page["config"] == "configs/demo_sce.yaml"
    assert page["environment"]["torch"]


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """The program in this process, which has already imported everything."""
    monkeypatch.chdir(REPOSITORY)

    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["doctor.py", *arguments])
        exit_code: int = runpy.run_path("tools/doctor.py")["main"]()
        return exit_code

    return run


def test_problems_change_the_exit_code_only_with_strict(
    main: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--cfg", "configs/k400_sce.yaml", "--seconds", "0.1"]
    assert main(*arguments) == 0
    assert "! PROBLEM  videos: data/k400/train.csv cannot be read" in capsys.readouterr().out
    assert main(*arguments, "--strict") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "error: nowhere does not exist; give a folder of videos or a list of them\n"),
        (["{empty}"], "{empty} holds no videos"),
        (["--cfg", "nowhere.yaml"], "config nowhere.yaml does not exist"),
        (["--run", "{empty}"], "{empty}/metrics.jsonl does not exist"),
    ],
)
def test_missing_paths_are_an_error(
    main: Callable[..., int], capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], message: str
) -> None:
    assert main(*(text.format(empty=tmp_path) for text in arguments)) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert message.format(empty=tmp_path) in shown.err
    assert shown.err.count("\n") == 1


def test_overrides_and_the_step_on_a_cpu(
    main: Callable[..., int], capsys: pytest.CaptureFixture[str], motion_videos: Path
) -> None:
    arguments = [str(motion_videos / "test"), "--cfg", "configs/demo_sce.yaml", "--seconds", "0.1"]
    assert main(*arguments, "CLIP.NUM_FRAMES", "4", "RUN.DEVICE", "cpu", "TRAIN.GLOBAL_BATCH_SIZE", "6") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "for the loader of configs/demo_sce.yaml with CLIP.NUM_FRAMES 4 RUN.DEVICE cpu" in shown
    assert "2 clips of 4 frames over 1 s" in shown
    assert (
        f"measured on the CPU with {torch.get_num_threads()} threads: r2plus1d_mini, 6 made-up videos at a time"
        in shown
    )
    assert main(*arguments, "CLIP.NUM_FRAME", "4") == 2
    assert "unknown key CLIP.NUM_FRAME; did you mean CLIP.NUM_FRAMES?" in capsys.readouterr().err
