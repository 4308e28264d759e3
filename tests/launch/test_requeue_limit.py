import os
from pathlib import Path

import pytest

from sce_video.launch.requeue_limit import may_requeue


def test_a_record_that_is_not_a_file_is_ignored(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "requeues.json")
    assert may_requeue(tmp_path, {"SLURM_JOB_ID": "7", "SLURM_RESTART_COUNT": "0"})


def test_a_job_that_loses_processes_without_a_new_checkpoint_is_not_requeued(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three requeues in a row without progress are allowed; a new checkpoint resets the count."""

    def lost_at(restart: int) -> bool:
        environ = {"SLURM_JOB_ID": "7", "SLURM_RESTART_COUNT": str(restart)}
        answers = {may_requeue(tmp_path, environ) for _ in range(2)}  # by one process after the other
        assert len(answers) == 1
        return answers.pop()

    assert [lost_at(restart) for restart in range(3)] == [True] * 3
    write(tmp_path / "checkpoints" / "step_00000010.pt")
    assert [lost_at(restart) for restart in range(3, 7)] == [True, True, True, False]
    assert "lost a process 4 times without a new checkpoint in between; it is not requeued" in capsys.readouterr().err
    write(tmp_path / "split_1" / "checkpoints" / "step_00000005.pt")
    assert lost_at(7)


def test_another_job_in_the_same_folder_resets_the_count(tmp_path: Path) -> None:
    def lost_at(job: str, restart: int) -> bool:
        return may_requeue(tmp_path, {"SLURM_JOB_ID": job, "SLURM_RESTART_COUNT": str(restart)})

    assert [lost_at("7", restart) for restart in range(4)] == [True, True, True, False]
    assert lost_at("8", 0)
    for torn in ("{torn", "[7]", '{"job": "8", "without_progress": "many"}', '{"job": "8"}', "[" * 100_000):
        (tmp_path / "requeues.json").write_text(torn)
        assert lost_at("8", 1)


def write(checkpoint: Path) -> None:
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
