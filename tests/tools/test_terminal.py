"""Programs whose terminal is full, closed or gone do their work, and `run.log` has their messages."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools.test_run_net import REPOSITORY, overrides

BROKEN = {
    "full": "> /dev/full 2> /dev/full",
    "closed": ">&- 2>&-",
    "gone": "2>&1 | true",  # its reader has ended before the first output
}


def one_of_broken(name: str) -> list:
    """One case per change: all programs share the code that writes to the terminal."""
    return [pytest.param(each, marks=() if each == name else pytest.mark.thorough) for each in BROKEN]


def run_broken(broken: str, tool: str, *arguments: str) -> int:
    """Exit code of a program with such a terminal."""
    command = shlex.join([sys.executable, f"tools/{tool}.py", *arguments])
    script = f"set -o pipefail; {command} {BROKEN[broken]}"
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run(["bash", "-c", script], cwd=REPOSITORY, env=environment).returncode


@pytest.fixture(scope="module")
def trained(motion_videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three steps, with a loader process, whose terminal is gone."""
    folder = tmp_path_factory.mktemp("trained")
    cfg = ["--cfg", "configs/demo_sce.yaml", *overrides(motion_videos, folder, DATA__NUM_WORKERS="1")]
    assert run_broken("gone", "run_net", *cfg) == 0
    return folder


def assert_has_trained(folder: Path) -> None:
    assert (folder / "backbone.safetensors").is_file()
    assert (folder / "report.html").is_file()
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 1
    log = (folder / "run.log").read_text()
    assert "pretraining r2plus1d_mini for 3 steps" in log
    assert "Traceback" not in log


def test_training_with_a_terminal_that_is_gone(trained: Path) -> None:
    assert_has_trained(trained)


@pytest.mark.parametrize("broken", [pytest.param("full", marks=pytest.mark.thorough), "closed"])
def test_several_processes_train_without_a_terminal(motion_videos: Path, tmp_path: Path, broken: str) -> None:
    """Closed: the first file opened must not get the terminal's descriptor, to which libraries print."""
    cfg = ["--cfg", "configs/demo_sce.yaml", "--nproc", "2", *overrides(motion_videos, tmp_path, DATA__NUM_WORKERS="1")]
    assert run_broken(broken, "run_net", *cfg) == 0
    assert_has_trained(tmp_path)


@pytest.mark.parametrize("broken", one_of_broken("full"))
def test_a_mistake_has_its_exit_code(trained: Path, broken: str) -> None:
    cfg = ["--cfg", str(trained / "config.yaml"), "METHOD.TEMPERATURE", "0.2"]
    assert run_broken(broken, "run_net", *cfg) == 2


@pytest.mark.parametrize("broken", one_of_broken("gone"))
@pytest.mark.parametrize(
    "program",
    ["report", "doctor", *(pytest.param(name, marks=pytest.mark.thorough) for name in ("prepare_data", "submit"))],
)
def test_the_other_programs(trained: Path, motion_videos: Path, tmp_path: Path, program: str, broken: str) -> None:
    videos, trained_config = str(motion_videos / "test"), str(trained / "config.yaml")
    page, checked, measured = tmp_path / "page.html", tmp_path / "checked", tmp_path / "doctor.json"
    arguments = {
        "report": [str(trained), "--output", str(page)],
        "doctor": [videos, "--seconds", "0.2", "--json", str(measured)],
        "prepare_data": [videos, str(checked), "--check"],
        "submit": ["--cfg", trained_config, "--dry-run", "--time", "10"],
    }
    written = {"report": page, "doctor": measured, "prepare_data": checked / "report.json", "submit": trained}
    assert run_broken(broken, program, *arguments[program]) == 0
    assert written[program].exists()
