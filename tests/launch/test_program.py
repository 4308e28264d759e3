"""Log and exit code of programs, what a refused start leaves, and numbers of the command line."""

from argparse import ArgumentTypeError
from pathlib import Path

import pytest
import torch
from fvcore.common.config import CfgNode

from sce_video.build.training import Work
from sce_video.config import load_config
from sce_video.errors import StoppedError
from sce_video.launch.local import run_task
from sce_video.launch.program import exit_code_of, number_from, positive_number
from sce_video.tasks.table import TASKS
from tests.tools.test_run_net import REPOSITORY, overrides

pytestmark = pytest.mark.usefixtures("restored_logger")


def code_of(videos: Path, output_dir: Path, **changes: str) -> int:
    cfg = load_config(REPOSITORY / "configs" / "demo_sce.yaml", overrides(videos, output_dir, **changes))
    return exit_code_of(lambda: run_task(cfg))


def test_a_refused_start_is_logged_and_changes_nothing_else(motion_videos: Path, tmp_path: Path) -> None:
    assert code_of(motion_videos, tmp_path, TASK="knn") == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert code_of(motion_videos, tmp_path, TASK="retrieval", EVAL__CHECKPOINT="/nowhere.pt") == 2
    assert code_of(Path("/nowhere"), tmp_path, TASK="knn") == 2
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    log = after.pop(tmp_path / "run.log").decode()
    assert log.startswith(before.pop(tmp_path / "run.log").decode())
    assert "ERROR error: EVAL.CHECKPOINT: checkpoint /nowhere.pt does not exist" in log
    assert "ERROR error: /nowhere/train is not a folder" in log
    assert after == before


@pytest.mark.parametrize("begins", [True, False])
def test_an_internal_error_is_in_the_log(
    motion_videos: Path, tmp_path: Path, begins: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(cfg: CfgNode, device: torch.device) -> Work:
        def work() -> None:
            1 // 0  # noqa: B018

        if not begins:
            work()
        return work

    monkeypatch.setitem(TASKS, "knn", broken)
    assert code_of(motion_videos, tmp_path / "run", TASK="knn") == 1
    log = (tmp_path / "run" / "run.log").read_text()
    assert "CRITICAL internal error: integer division or modulo by zero" in log
    assert "Traceback (most recent call last):" in log
    assert "ZeroDivisionError" in log.splitlines()[-1]


def test_a_path_that_cannot_be_used_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()

    def write() -> None:
        (tmp_path / "file" / "folder").mkdir()

    assert exit_code_of(write) == 2
    path = tmp_path / "file" / "folder"
    assert capsys.readouterr().err == f"error: {path}: Not a directory; fix this or choose another path\n"


@pytest.mark.parametrize(
    ("stop", "code", "words"),
    [
        (StoppedError(15, step=40), 143, "stopped by signal 15 after 40 steps"),
        (StoppedError(12), 140, "stopped by signal 12"),
        (KeyboardInterrupt(), 130, "stopped"),
    ],
)
def test_a_stop_is_one_line_with_what_the_next_start_does(
    stop: BaseException, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def action() -> None:
        raise stop

    assert exit_code_of(action) == code
    assert capsys.readouterr().err == f"{words}; what was finished is kept; rerun to resume\n"
    assert exit_code_of(action, when_stopped="it starts again") == code
    assert capsys.readouterr().err == f"{words}; it starts again\n"


def test_numbers_of_the_command_line() -> None:
    assert [number_from(0)("0"), number_from(1)("12"), positive_number("0.5")] == [0, 12, 0.5]
    for text in ("0", "-1", "1.5", "x", "", "9" * 30):
        with pytest.raises(ArgumentTypeError, match="is not a whole number of at least 1"):
            number_from(1)(text)
    for text in ("0", "-1", "nan", "inf", "x"):
        with pytest.raises(ArgumentTypeError, match="is not a number above 0"):
            positive_number(text)
