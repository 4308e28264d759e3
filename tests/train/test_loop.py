"""Whole runs through the task: resumed runs are the run that was never stopped, to the bit."""

import json
import math
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fvcore.common.config import CfgNode
from safetensors.torch import load_file
from torch import Tensor

from sce_video.augment.batch import TrainBatch
from sce_video.config import config_text, load_config
from sce_video.config.same_run import config_record
from sce_video.errors import CheckpointError, ConfigError, ManifestError, NonFiniteLossError, StoppedError
from sce_video.launch.local import run_task
from sce_video.runtime.checkpoints import CheckpointFolder, load_checkpoint
from sce_video.runtime.logging import logged_metrics
from sce_video.runtime.progress import progress_bar
from sce_video.runtime.seeds import seed_everything
from sce_video.tasks.pretrain import build_pretrain_run
from sce_video.train.loop import Run, _show, train
from sce_video.train.plan import Rates
from sce_video.train.resume import resume

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "demo_sce.yaml"
NUM_STEPS = 20  # 5 epochs of 4 steps


def config(videos: Path, output_dir: Path, **changes: object) -> CfgNode:
    settings: dict[str, object] = {
        "DATA.ROOT": videos,
        "DATA.NUM_WORKERS": 0,
        "CLIP.SECONDS": 0.5,
        "CLIP.NUM_FRAMES": 2,
        "CLIP.SIZE_PIXELS": 32,
        "MODEL.PREDICTOR_HIDDEN_DIM": 16,
        "METHOD.QUEUE_LENGTH": 40,
        "OPTIM.NAME": "lars",
        "OPTIM.BASE_LR": 20.0,
        "OPTIM.WARMUP_EPOCHS": 1,
        "TRAIN.NUM_EPOCHS": 5,
        "TRAIN.GLOBAL_BATCH_SIZE": 6,
        "TRAIN.LOG_EVERY_STEPS": 3,
        "TRAIN.CHECKPOINT_EVERY_STEPS": 4,
        "RUN.OUTPUT_DIR": output_dir,
        "RUN.DEVICE": "cpu",
        **{key.replace("__", "."): value for key, value in changes.items()},
    }
    return load_config(CONFIG, shared=[str(text) for pair in settings.items() for text in pair])


def final_state(output_dir: Path) -> dict[str, Any]:
    state = CheckpointFolder(output_dir / "checkpoints", num_kept=1).load_newest()
    assert state is not None
    assert state["step"] == NUM_STEPS
    return state


def tensors(state: object, name: str = "") -> dict[str, Tensor]:
    if isinstance(state, Tensor):
        return {name: state}
    parts = state.items() if isinstance(state, dict) else enumerate(state) if isinstance(state, list) else []
    return {key: value for k, part in parts for key, value in tensors(part, f"{name}/{k}").items()}


def losses(output_dir: Path) -> dict[int, float]:
    lines = [json.loads(line) for line in (output_dir / "metrics.jsonl").read_text().splitlines()]
    steps = [line["step"] for line in lines]
    assert steps == sorted(set(steps))
    return {line["step"]: line["loss"] for line in lines}


def assert_same_to_the_bit(first: dict[str, Any], second: dict[str, Any], *, at_least: int = 200) -> None:
    ours, theirs = tensors(first), tensors(second)
    assert ours.keys() == theirs.keys()
    assert len(ours) > at_least  # online and momentum branch, queue, and the optimiser's buffers
    different = [name for name in ours if not torch.equal(ours[name], theirs[name])]
    assert different == []


@pytest.fixture(scope="module")
def undisturbed(motion_videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output_dir = tmp_path_factory.mktemp("undisturbed")
    run_task(config(motion_videos, output_dir))
    return output_dir


@pytest.mark.parametrize("num_workers", [pytest.param(0, marks=pytest.mark.rounding), 2])
def test_stopped_at_step_11_and_resumed(
    undisturbed: Path, motion_videos: Path, tmp_path: Path, num_workers: int
) -> None:
    """Step 11 is the last but one of an epoch: the resumed run begins in the middle of it."""
    run_task(config(motion_videos, tmp_path, DATA__NUM_WORKERS=num_workers, TRAIN__STOP_AT_STEP=11))
    assert not (tmp_path / "backbone.safetensors").exists()
    run_task(config(motion_videos, tmp_path, DATA__NUM_WORKERS=num_workers))
    assert_same_to_the_bit(final_state(tmp_path), final_state(undisturbed))
    assert losses(tmp_path)[NUM_STEPS - 1] == losses(undisturbed)[NUM_STEPS - 1]
    ours, theirs = (load_file(folder / "backbone.safetensors") for folder in (tmp_path, undisturbed))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_in_channels_last_memory_a_resumed_run_is_the_same_to_the_bit(
    undisturbed: Path, motion_videos: Path, tmp_path: Path
) -> None:
    """Its weights have the names and shapes of any other run."""
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    run_task(config(motion_videos, whole, TRAIN__SPEED="channels_last"))
    run_task(config(motion_videos, resumed, TRAIN__SPEED="channels_last", TRAIN__STOP_AT_STEP=11))
    run_task(config(motion_videos, resumed, TRAIN__SPEED="channels_last"))
    assert_same_to_the_bit(final_state(resumed), final_state(whole))
    ours, theirs = (load_file(folder / "backbone.safetensors") for folder in (whole, undisturbed))
    assert {name: each.shape for name, each in ours.items()} == {name: each.shape for name, each in theirs.items()}


def test_probes_change_no_number(undisturbed: Path, motion_videos: Path, tmp_path: Path) -> None:
    """The same run without them has the same weights, queue and optimiser, to the bit; the log has what they saw."""
    run_task(config(motion_videos, tmp_path, TRAIN__PROBE_EVERY_STEPS=0))
    ours, theirs = final_state(tmp_path), final_state(undisturbed)
    assert "probes" in theirs
    assert_same_to_the_bit({**ours, "probes": None}, {**theirs, "probes": None})
    assert losses(tmp_path) == losses(undisturbed)
    first, second = (logged_metrics(folder / "metrics.jsonl")[0] for folder in (tmp_path, undisturbed))
    measured = second.keys() - first.keys()
    assert {"key_rank", "loss_mismatched", "gradient_norm", "queue_age_steps", "frozen_similarity"} <= measured
    assert second["loss_chance"] == pytest.approx(math.log(1 + 40))


def test_the_bar_shows_an_alarm_first() -> None:
    scalars = {"loss": 7.5, "clips_per_second": 46.78, "data_wait_share": 0.25}
    with progress_bar(total=2, description="pretrain", unit="step") as bar:
        _show(bar, scalars, "")
        assert bar.postfix == "loss 7.500, 46.8 clips/s, wait 25%"
        _show(bar, scalars, "above chance")
        assert bar.postfix == "ABOVE CHANCE, loss 7.500, 46.8 clips/s, wait 25%"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 64 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", disk], capture_output=True)
    if mounted.returncode and os.environ.get("SCE_REQUIRE_SLURM") != "1":
        pytest.skip("only root mounts a file system")
    assert mounted.returncode == 0, mounted.stderr
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def begun(cfg: CfgNode) -> Run:
    """As `run_task` begins it."""
    seed_everything(cfg.RUN.SEED)
    run = build_pretrain_run(cfg, torch.device("cpu"), config_record(cfg))
    (run.output_dir / "config.yaml").write_text(config_text(cfg))
    return run


def run_with_full_disk(cfg: CfgNode, disk: Path, *, steps: range) -> None:
    """The disk is full while these steps are made."""
    run = begun(cfg)
    ballast = disk / "ballast"

    def fill(parts: Sequence[TrainBatch], rates: Rates, *, step: int) -> Tensor:
        if step == steps.start:
            with suppress(OSError), ballast.open("wb", buffering=0) as file:
                while file.write(bytes(4096)):
                    pass
        if step == steps.stop:
            ballast.unlink()
        return run.take_step(parts, rates, step=step)

    train(replace(run, take_step=fill), step=resume(run))


def test_a_full_disk_costs_checkpoints_and_not_the_run(
    undisturbed: Path, motion_videos: Path, small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Those of steps 8 and 12; that of step 4 is kept until there is one of step 16."""
    run_with_full_disk(config(motion_videos, small_disk), small_disk, steps=range(5, 13))
    said = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert [line[:50] for line in said if "checkpoint" in line] == [
        f"the checkpoint of step {step} cannot be written ([Errno 28] "[:50] for step in (8, 12)
    ]
    assert "No space left on device" in said[-1]
    assert "older ones are kept; the run continues" in said[-1]
    assert sum("metrics of step" in line for line in said) == 1
    assert CheckpointFolder(small_disk / "checkpoints", num_kept=1).steps() == [16, 20]
    assert_same_to_the_bit(final_state(small_disk), final_state(undisturbed))
    assert losses(small_disk) == losses(undisturbed)  # lines that did not fit were written later


def test_a_last_checkpoint_that_cannot_be_written_is_an_error(motion_videos: Path, small_disk: Path) -> None:
    with pytest.raises(CheckpointError, match="the checkpoint of step 20 cannot be written"):
        run_with_full_disk(config(motion_videos, small_disk), small_disk, steps=range(17, 100))


def test_killed_in_a_step_and_resumed_past_a_torn_checkpoint(
    undisturbed: Path, motion_videos: Path, tmp_path: Path
) -> None:
    """Dies after 14 steps; the checkpoint of step 12 is torn, so it resumes from step 8, with two workers."""
    cfg = config(motion_videos, tmp_path)
    run = begun(cfg)

    def die(parts: Sequence[TrainBatch], rates: Rates, *, step: int) -> Tensor:
        if step == 14:
            raise KeyboardInterrupt
        return run.take_step(parts, rates, step=step)

    with pytest.raises(KeyboardInterrupt):
        train(replace(run, take_step=die), step=0)
    folder = CheckpointFolder(tmp_path / "checkpoints", num_kept=2)
    assert folder.steps() == [8, 12]
    os.truncate(folder.path(12), 1000)
    run_task(config(motion_videos, tmp_path, DATA__NUM_WORKERS=2))
    assert_same_to_the_bit(final_state(tmp_path), final_state(undisturbed))


@pytest.mark.parametrize(
    "number",
    [signal.SIGUSR2, *(pytest.param(each, marks=pytest.mark.thorough) for each in (signal.SIGTERM, signal.SIGINT))],
)
def test_a_signal_lets_the_step_finish_and_saves(
    undisturbed: Path, motion_videos: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """In the middle of step 9, between two periodic checkpoints."""
    cfg = config(motion_videos, tmp_path)
    run = begun(cfg)
    before = signal.getsignal(number)

    def asked(parts: Sequence[TrainBatch], rates: Rates, *, step: int) -> Tensor:
        if step == 9:
            os.kill(os.getpid(), number)
        return run.take_step(parts, rates, step=step)

    with pytest.raises(StoppedError, match=f"stopped by signal {number:d} after 10 steps") as stop:
        train(replace(run, take_step=asked), step=0)
    assert stop.value.signal_number == number
    assert signal.getsignal(number) is before
    assert run.checkpoints.steps()[-1] == 10
    run_task(cfg)
    assert_same_to_the_bit(final_state(tmp_path), final_state(undisturbed))


def test_training_moves_every_part(undisturbed: Path, motion_videos: Path) -> None:
    cfg = config(motion_videos, undisturbed)
    torch.manual_seed(0)
    model = build_pretrain_run(cfg, torch.device("cpu"), config_record(cfg)).model
    start, end = model.state_dict(), final_state(undisturbed)["model"]
    for part in ("backbone.", "projector.", "predictor.", "momentum_backbone.", "momentum_projector."):
        names = [name for name in start if name.startswith(part) and "num_batches" not in name]
        assert len(names) > 3
        assert all(not torch.equal(start[name], end[name]) for name in names), part
    assert end["queue.position"] == 2 * 6 * NUM_STEPS % 40


def test_the_record_tells_what_it_was_made_with(undisturbed: Path) -> None:
    state = final_state(undisturbed)
    assert state["backbone"] == "r2plus1d_mini"
    assert "QUEUE_LENGTH: 40" in state["config"]
    assert state["environment"]["torch"].startswith(torch.__version__.split("+")[0])


def test_metrics_are_logged(undisturbed: Path) -> None:
    lines = [json.loads(line) for line in (undisturbed / "metrics.jsonl").read_text().splitlines()]
    # every 3 steps, before each checkpoint (every 4 steps and every epoch of 4), and at the end
    assert [line["step"] + 1 for line in lines] == [3, 4, 6, 8, 9, 12, 15, 16, 18, 20]
    assert {"loss", "lr", "coeff", "temperature", "target_temperature", "ema_momentum"} <= lines[0].keys()
    assert all(0 <= line["data_wait_share"] <= 1 and line["clips_per_second"] > 0 for line in lines)
    assert list((undisturbed / "tensorboard").glob("events.*"))


def test_a_run_resumes_only_with_its_own_config(undisturbed: Path, motion_videos: Path) -> None:
    with pytest.raises(ConfigError, match="another value of METHOD.TEMPERATURE; choose another RUN.OUTPUT_DIR"):
        run_task(config(motion_videos, undisturbed, METHOD__TEMPERATURE=0.2))
    run_task(config(motion_videos, undisturbed, TRAIN__LOG_EVERY_STEPS=1))  # nothing left to do


def test_a_run_can_be_extended(motion_videos: Path, tmp_path: Path) -> None:
    """Rates by hand: an epoch is 4 steps; a cosine goes from 256 / 6 * 6 / 256 = 1 to 0 in all steps."""
    settings: dict[str, object] = {"OPTIM__BASE_LR": 256 / 6, "METHOD__EMA_MOMENTUM": 0.5, "OPTIM__WARMUP_EPOCHS": 0}
    run_task(config(motion_videos, tmp_path, TRAIN__NUM_EPOCHS=1, **settings))
    longer = config(motion_videos, tmp_path, TRAIN__NUM_EPOCHS=2, **settings)
    with pytest.raises(
        ConfigError, match=r"value of TRAIN\.NUM_EPOCHS \(to train for more epochs set TRAIN\.EXTENDS_RUN"
    ):
        run_task(longer)
    extended = config(motion_videos, tmp_path, TRAIN__NUM_EPOCHS=2, TRAIN__EXTENDS_RUN=True, **settings)
    run_task(extended)
    lr_before, lr_then = (1 + math.cos(math.pi * 3 / 4)) / 2, (1 + math.cos(math.pi * 4 / 8)) / 2
    momentum_then = 1 - 0.5 * (1 + math.cos(math.pi * 4 / 7)) / 2
    line = next(line for line in (tmp_path / "run.log").read_text().splitlines() if "is extended to 8" in line)
    assert f"the learning rate from {lr_before:.6g} to {lr_then:.6g}" in line
    assert f"ema_momentum from 1 to {momentum_then:.6g}" in line
    assert max(losses(tmp_path)) == 7
    with pytest.raises(ConfigError, match=r"value of TRAIN\.NUM_EPOCHS"):  # never shorter
        run_task(config(motion_videos, tmp_path, TRAIN__NUM_EPOCHS=1, TRAIN__EXTENDS_RUN=True, **settings))
    run_task(longer)  # it is one of 2 epochs now


def test_the_saved_config_gives_the_same_run(undisturbed: Path, tmp_path: Path) -> None:
    run_task(load_config(undisturbed / "config.yaml", ["RUN.OUTPUT_DIR", str(tmp_path)]))
    assert_same_to_the_bit(final_state(tmp_path), final_state(undisturbed))


def test_a_diverging_run_stops_and_keeps_its_last_good_checkpoint(motion_videos: Path, tmp_path: Path) -> None:
    with pytest.raises(NonFiniteLossError, match=r"step \d+ with learning rate .*train/"):
        run_task(config(motion_videos, tmp_path, OPTIM__NAME="sgd", OPTIM__BASE_LR=1e38, OPTIM__WARMUP_EPOCHS=0))
    first, last = logged_metrics(tmp_path / "metrics.jsonl", keeps_non_finite=True)
    assert math.isfinite(first["loss"])  # the mean of the steps before, of the same log line
    assert not math.isfinite(last["loss"])
    assert last["step"] == first["step"] + 1 < 3
    assert "is it learning? diverged: the loss is " in (tmp_path / "run.log").read_text()


def test_no_checkpoint_holds_weights_that_are_not_finite(motion_videos: Path, tmp_path: Path) -> None:
    """The loss of the last step is still finite when its update is not."""
    cfg = config(motion_videos, tmp_path, TRAIN__CHECKPOINT_EVERY_STEPS=1, TRAIN__LOG_EVERY_STEPS=1)
    run = build_pretrain_run(cfg, torch.device("cpu"), config_record(cfg))
    finish_step = run.model.finish_step
    steps = []

    def poison(*, at: Mapping[str, float]) -> None:
        finish_step(at=at)
        steps.append(at)
        if len(steps) == 3:
            next(run.model.parameters()).data[0] = float("nan")

    run.model.finish_step = poison  # type: ignore[method-assign]
    with pytest.raises(NonFiniteLossError, match="weights are not finite after step 2 with learning rate"):
        train(run, step=0)
    newest = CheckpointFolder(tmp_path / "checkpoints", num_kept=1).load_newest()
    assert newest is not None
    assert newest["step"] == 2
    assert all(torch.isfinite(value).all() for value in tensors(newest["model"]).values())


@pytest.mark.parametrize("num_workers", [pytest.param(0, marks=pytest.mark.thorough), 2])
def test_the_full_recipe_resumes_to_the_bit(motion_videos: Path, tmp_path: Path, num_workers: int) -> None:
    """All ops of the recipe, a predictor, AdamW, in-batch keys and accumulation; stopped twice."""
    recipe: dict[str, object] = {
        "AUG__CROP_AREA": "0.2,0.766",
        "AUG__COLOR_STRENGTH": 1.0,
        "AUG__TEMPORAL_DIFFERENCE_PROBABILITY": 0.3,
        "AUG__BLUR_PROBABILITIES": "1.0,0.1",
        "AUG__SOLARIZE_PROBABILITIES": "0.0,0.2",
        "MODEL__PREDICTOR_HIDDEN_DIM": 32,
        "METHOD__IN_BATCH_KEYS": True,
        "METHOD__COEFF_WARMUP_EPOCHS": 1,
        "OPTIM__NAME": "adamw",
        "OPTIM__BASE_LR": 0.05,
        "TRAIN__NUM_EPOCHS": 2,
        "TRAIN__ACCUMULATION_STEPS": 2,
    }
    run_task(config(motion_videos, tmp_path / "whole", **recipe))
    for stop in (3, 5, 0):
        changes = {**recipe, "TRAIN__STOP_AT_STEP": stop, "DATA__NUM_WORKERS": num_workers}
        run_task(config(motion_videos, tmp_path / "parts", **changes))
    whole, parts = (CheckpointFolder(tmp_path / name / "checkpoints", num_kept=1) for name in ("whole", "parts"))
    assert whole.steps()[-1] == 8
    assert_same_to_the_bit(parts.load_newest() or {}, whole.load_newest() or {})


def not_finite(state: dict[str, Any]) -> dict[str, Any]:
    model = {name: value.clone() for name, value in state["model"].items()}
    next(iter(model.values()))[0] = float("nan")
    return {"model": model}


def without(state: dict[str, Any], name: str) -> dict[str, Any]:
    return {"model": {key: value for key, value in state["model"].items() if key != name}}


def other_buffers(state: dict[str, Any]) -> dict[str, Any]:
    optimizer = state["optimizer"]
    return {"optimizer": {**optimizer, "state": {0: {"mu": torch.zeros(7)}}}}


def other_order(state: dict[str, Any]) -> dict[str, Any]:
    optimizer = state["optimizer"]
    first, *others = optimizer["param_groups"]
    return {"optimizer": {**optimizer, "param_groups": [{**first, "params": first["params"][::-1]}, *others]}}


DAMAGE: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "weights that are not finite": not_finite,
    "a tensor is missing": lambda state: without(state, next(iter(state["model"]))),
    "a model of numbers": lambda state: {"model": dict.fromkeys(state["model"], 0.0)},
    "no model": lambda state: {"model": None},
    "a list": lambda state: {"optimizer": [1]},
    "buffers of another shape": other_buffers,
    "parameters in another order": other_order,
    "a failed video that is none": lambda state: {"failures": {"failed": [10**6]}},
    "a text": lambda state: {"failures": "none"},
    "a config that is none": lambda state: {"config": "]["},
}


@pytest.fixture(scope="module")
def half_way(motion_videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with checkpoints of steps 4 and 8."""
    output_dir = tmp_path_factory.mktemp("half")
    run_task(config(motion_videos, output_dir, TRAIN__STOP_AT_STEP=8))
    return output_dir


@pytest.mark.parametrize("damage", DAMAGE)
def test_of_a_wrong_checkpoint_the_one_before_is_used(
    undisturbed: Path,
    half_way: Path,
    motion_videos: Path,
    tmp_path: Path,
    damage: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    shutil.copytree(half_way, tmp_path / "run")
    state = load_checkpoint(half_way / "checkpoints" / "step_00000008.pt")
    torch.save({**state, **DAMAGE[damage](state)}, tmp_path / "run" / "checkpoints" / "step_00000008.pt")
    cfg = config(motion_videos, tmp_path / "run")
    run = build_pretrain_run(cfg, torch.device("cpu"), config_record(cfg))
    assert resume(run) == 4
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 2
    assert "step_00000008.pt" in warnings[0]
    assert warnings[0].endswith("trying the one before it")
    assert warnings[1] == "steps after step 4 that are lost and will be redone, according to metrics.jsonl: 4"
    good = load_checkpoint(half_way / "checkpoints" / "step_00000004.pt")
    assert all(torch.equal(value, good["model"][name]) for name, value in run.model.state_dict().items())
    assert_same_to_the_bit(run.optimizer.state_dict(), good["optimizer"], at_least=20)


def test_lost_steps_are_logged_also_without_a_checkpoint(
    half_way: Path, motion_videos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copy(half_way / "metrics.jsonl", tmp_path)
    cfg = config(motion_videos, tmp_path)
    assert resume(build_pretrain_run(cfg, torch.device("cpu"), config_record(cfg))) == 0
    assert "after the start (there is no checkpoint) that are lost and will be redone" in caplog.text
    assert "according to metrics.jsonl: 8" in caplog.text


def test_a_checkpoint_of_another_run_is_refused(half_way: Path, motion_videos: Path, tmp_path: Path) -> None:
    """Also under this run's config.yaml, as if the file was copied there; the one before is not used either."""
    other = tmp_path / "other"
    run_task(config(motion_videos, other, TRAIN__STOP_AT_STEP=8, METHOD__TEMPERATURE=0.2, RUN__SEED=7))
    shutil.copytree(half_way, tmp_path / "run")
    shutil.copy(other / "checkpoints" / "step_00000008.pt", tmp_path / "run" / "checkpoints")
    before = sorted((tmp_path / "run").rglob("*"))
    with pytest.raises(
        CheckpointError, match=r"step_00000008\.pt.* of METHOD\.TEMPERATURE, RUN\.SEED; use the config of that run"
    ):
        run_task(config(motion_videos, tmp_path / "run"))
    assert sorted((tmp_path / "run").rglob("*")) == before


def test_a_deleted_config_is_refused(half_way: Path, motion_videos: Path, tmp_path: Path) -> None:
    shutil.copytree(half_way, tmp_path / "run")
    (tmp_path / "run" / "config.yaml").unlink()
    with pytest.raises(ConfigError, match=r"holds checkpoints but no config\.yaml.*restore it"):
        run_task(config(motion_videos, tmp_path / "run"))


def test_a_step_beyond_the_plan_is_refused(half_way: Path, motion_videos: Path, tmp_path: Path) -> None:
    """Of an old checkpoint, which does not record its config."""
    shutil.copytree(half_way, tmp_path / "run")
    state = load_checkpoint(half_way / "checkpoints" / "step_00000008.pt")
    for name in ("config", "steps_per_epoch"):
        del state[name]
    torch.save({**state, "step": 24}, tmp_path / "run" / "checkpoints" / "step_00000024.pt")
    with pytest.raises(CheckpointError, match=r"is of step 24 of a longer run; this one has 20 steps"):
        run_task(config(motion_videos, tmp_path / "run"))


def test_an_old_checkpoint_without_records_is_resumed(
    undisturbed: Path, half_way: Path, motion_videos: Path, tmp_path: Path
) -> None:
    shutil.copytree(half_way, tmp_path / "run")
    state = load_checkpoint(half_way / "checkpoints" / "step_00000008.pt")
    for name in ("config", "steps_per_epoch", "labels", "decoder", "decoder_version"):
        del state[name]
    torch.save(state, tmp_path / "run" / "checkpoints" / "step_00000008.pt")
    run_task(config(motion_videos, tmp_path / "run"))
    assert_same_to_the_bit(final_state(tmp_path / "run"), final_state(undisturbed))


def test_another_list_of_videos_is_not_the_same_run(motion_videos: Path, tmp_path: Path) -> None:
    listed = broken_list(motion_videos, tmp_path, num_good=24, num_broken=0)
    changes = {"DATA__SOURCE": "list", "DATA__TRAIN": listed}
    run_task(config(motion_videos, tmp_path / "run", TRAIN__STOP_AT_STEP=4, **changes))
    listed.write_text("\n".join(reversed(listed.read_text().splitlines())))
    with pytest.raises(CheckpointError, match="list of training videos has changed"):
        run_task(config(motion_videos, tmp_path / "run", **changes))


def test_evaluation_does_not_write_into_a_pretraining_run(undisturbed: Path, motion_videos: Path) -> None:
    before = (undisturbed / "config.yaml").read_bytes()
    with pytest.raises(ConfigError, match="holds a run with TASK pretrain; give TASK knn another RUN.OUTPUT_DIR"):
        run_task(config(motion_videos, undisturbed, TASK="knn", DATA__TEST="test", EVAL__CHECKPOINT=undisturbed))
    assert (undisturbed / "config.yaml").read_bytes() == before


def broken_list(videos: Path, folder: Path, *, num_good: int, num_broken: int) -> Path:
    """A list of `num_good` good lines and `num_broken` files that are no videos."""
    good = sorted((videos / "train").rglob("*.mp4"))
    lines = [f"{good[i % len(good)]} 0" for i in range(num_good)]
    for i in range(num_broken):
        file = folder / f"broken {i}.mp4"
        file.write_bytes(good[0].read_bytes()[:200] if i % 2 else b"")
        lines.insert(30 * i, f"{file} 0")
    listed = folder / "list.txt"
    listed.write_text("\n".join(lines))
    return listed


def test_three_percent_broken_videos_are_replaced_and_named(motion_videos: Path, tmp_path: Path) -> None:
    listed = broken_list(motion_videos, tmp_path, num_good=97, num_broken=3)
    changes = {"DATA__NUM_WORKERS": 2, "TRAIN__NUM_EPOCHS": 2, "TRAIN__GLOBAL_BATCH_SIZE": 10}
    run_task(config(motion_videos, tmp_path, DATA__SOURCE="list", DATA__ROOT="/", DATA__TRAIN=listed, **changes))
    log = (tmp_path / "run.log").read_text().splitlines()
    for i in range(3):
        assert sum(f"broken {i}.mp4" in line for line in log) == 1
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["step"] == 19
    assert lines[-1]["failed_videos"] == 3


def test_too_many_broken_videos_stop_the_run_with_their_list(motion_videos: Path, tmp_path: Path) -> None:
    listed = broken_list(motion_videos, tmp_path, num_good=91, num_broken=9)
    with pytest.raises(ManifestError, match=r"6 of 100 videos.*MAX_FAILED_SHARE 0.05.*broken") as caught:
        run_task(
            config(
                motion_videos,
                tmp_path,
                DATA__SOURCE="list",
                DATA__ROOT="/",
                DATA__TRAIN=listed,
                TRAIN__GLOBAL_BATCH_SIZE=4,
            )
        )
    names, first = str(caught.value).split(" and 1 more, each named in run.log (the first: ")
    assert (names.count("broken "), first.count("broken ")) == (5, 1)
