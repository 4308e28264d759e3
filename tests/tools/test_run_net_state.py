"""Damage in a run's folder: the run resumes from what is intact, or one line names what to fix."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from sce_video.config import load_config
from sce_video.launch.local import run_task
from tests.tools.test_run_net import REPOSITORY, overrides

CONFIG = REPOSITORY / "configs/demo_sce.yaml"
EVERY_STEP = {"TRAIN__CHECKPOINT_EVERY_STEPS": "1", "TRAIN__NUM_CHECKPOINTS_KEPT": "2", "TRAIN__LOG_EVERY_STEPS": "1"}


@pytest.fixture(scope="module")
def stopped(motion_videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three steps, stopped after two, with a checkpoint of each."""
    folder = tmp_path_factory.mktemp("stopped")
    run_task(load_config(CONFIG, overrides(motion_videos, folder, TRAIN__STOP_AT_STEP="2", **EVERY_STEP)))
    return folder


def diverge(folder: Path) -> None:
    file = folder / "checkpoints" / "step_00000002.pt"
    state = torch.load(file, weights_only=True)
    next(iter(state["model"].values()))[0] = float("nan")
    torch.save(state, file)


def tear(folder: Path) -> None:
    for file in (folder / "checkpoints").iterdir():
        file.write_bytes(file.read_bytes()[:-100])


def spoil_log(folder: Path) -> None:
    with (folder / "metrics.jsonl").open("ab") as file:
        file.write(b"\xff\x00\n[[[[\n{}\n")


def replace_lock_by_folder(folder: Path) -> None:
    (folder / ".owner.json").mkdir()


def forget_config(folder: Path) -> None:
    (folder / "config.yaml").unlink()


def spoil_config(folder: Path) -> None:
    (folder / "config.yaml").write_bytes(b"\xff\xfe\x00")


def spoil_decoder_choice(folder: Path) -> None:
    (folder / "decoder.json").write_bytes(b"\xff")


BROKEN: list[tuple[Callable[[Path], None], int, str]] = [
    (diverge, 0, "steps after step 1 that are lost and will be redone, according to metrics.jsonl: 1"),
    (spoil_log, 0, "metrics.jsonl: 2 lines are damaged and left out, the first is line 3"),
    (tear, 2, "none of the 2 checkpoints in"),
    (replace_lock_by_folder, 2, ".owner.json, which names the process that uses the folder, cannot be read"),
    (forget_config, 2, "holds checkpoints but no config.yaml"),
    (spoil_config, 2, "config.yaml"),
    (spoil_decoder_choice, 2, "decoder.json does not name the run's decoder"),
]


@pytest.mark.parametrize(("break_it", "code", "message"), BROKEN, ids=lambda value: getattr(value, "__name__", ""))
def test_damage_is_skipped_or_named(
    stopped: Path,
    motion_videos: Path,
    tmp_path: Path,
    tool: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    break_it: Callable[[Path], None],
    code: int,
    message: str,
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(stopped, folder)
    break_it(folder)
    decoder = {"DATA__DECODER": "auto"} if break_it is spoil_decoder_choice else {}
    assert tool("run_net", "--cfg", CONFIG, *overrides(motion_videos, folder, **EVERY_STEP, **decoder)) == code
    errors = capsys.readouterr().err
    assert message in errors
    assert "Traceback" not in errors
    assert sum(line.startswith("error: ") for line in errors.splitlines()) == (code == 2)
    assert (folder / "backbone.safetensors").exists() == (code == 0)
