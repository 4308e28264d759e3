"""What is read of a run and of the pretraining that it evaluates."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sce_video.cli.collect.runs import read_runs


def test_an_evaluation_has_the_settings_of_its_pretraining(tmp_path: Path, write_run: Callable[..., Path]) -> None:
    """The checkpoint is named as a folder, as a file in it, or below it; a file of no run is a setting itself."""
    pretraining = write_run("pretrain", "METHOD.NAME: simclr\nRUN.SEED: 7")
    (tmp_path / "elsewhere").mkdir()
    for number, path in enumerate(("", "backbone.safetensors", "checkpoints/step_1.pt", "../elsewhere/step.pt")):
        write_run(f"knn/{number}", f"TASK: knn\nDATA.TEST: b.txt\nEVAL.CHECKPOINT: {pretraining / path}")
    *found, other = read_runs([tmp_path / "knn"])
    for run in found:
        assert run.settings["EVAL.CHECKPOINT"] == "a run"
        assert (run.settings["RUN.SEED"], run.settings["pretraining RUN.SEED"]) == ("42", "7")
        assert run.settings["pretraining METHOD.NAME"] == "simclr"
        assert "pretraining METHOD.COEFF" not in run.settings  # SimCLR has none
    assert other.settings["EVAL.CHECKPOINT"].endswith("elsewhere/step.pt")
    assert [key for key in other.settings if key.startswith("pretraining")] == []


def test_random_weights_are_a_setting(tmp_path: Path, write_run: Callable[..., Path]) -> None:
    write_run("knn", "TASK: knn\nDATA.TEST: b.txt", metrics={"knn_top1": 0.5}, chance={"knn_top1": 0.125})
    (run,) = read_runs([tmp_path])
    assert run.settings["EVAL.CHECKPOINT"] == '""'
    assert (run.numbers, run.chance) == ({"knn_top1": 0.5}, {"knn_top1": 0.125})


def test_numbers_of_the_last_step(sweep: Path) -> None:
    (run,) = read_runs([sweep / "byol"])
    assert run.numbers == {"step": 1, "loss": 0.125}
    assert [line["loss"] for line in run.log] == [1.125, 0.125]


def test_the_last_loss_may_not_be_finite(write_run: Callable[..., Path]) -> None:
    folder = write_run("diverged", "RUN.SEED: 1", loss=2.5)
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"step": 7, "loss": NaN}\n{"step": 9, "loss": Infinity}\n')
    (run,) = read_runs([folder])
    assert run.numbers == {"step": 9, "loss": float("inf")}


def test_configs_of_something_else_are_skipped(
    tmp_path: Path, write_run: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    """Also beside a checkpoint, whose path is then the setting."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.yaml").write_text("architectures: [ResNet]\n")
    write_run("knn", f"TASK: knn\nDATA.TEST: b.txt\nEVAL.CHECKPOINT: {tmp_path}/other/weights.pt")
    (run,) = read_runs([tmp_path])
    assert run.settings["EVAL.CHECKPOINT"] == f"{tmp_path}/other/weights.pt"
    (message,) = caplog.messages
    assert message.startswith(f"{tmp_path}/other/config.yaml is skipped: it is not the config of a run (")
    assert "architectures" in message
