"""Checkpoint files: bit-equal, the last few kept, damage found and skipped, no code run."""

import logging
import os
import pickle
import signal
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from sce_video.errors import CheckpointError, StoppedError
from sce_video.runtime.checkpoints import CheckpointFolder, load_checkpoint
from sce_video.runtime.signals import stopped_by_signals


def some_state(seed: int = 0) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(seed)
    return {
        "model": {"weight": torch.randn(3, 4, generator=generator), "count": torch.tensor(seed)},
        "half": torch.randn(5, generator=generator).to(torch.bfloat16),
        "optimizer": {"state": {0: {"mu": torch.tensor([float("nan"), float("inf"), -0.0])}}, "lr": 0.1 + 0.2},
        "backbone": "r2plus1d_mini",
        "failed": [3, 5],
    }


def assert_same_bits(actual: Any, expected: Any) -> None:
    assert type(actual) is type(expected)
    if isinstance(expected, dict):
        assert list(actual) == list(expected)
        for key in expected:
            assert_same_bits(actual[key], expected[key])
    elif isinstance(expected, torch.Tensor):
        assert actual.dtype == expected.dtype
        assert actual.shape == expected.shape
        assert actual.contiguous().view(-1).view(torch.uint8).tolist() == expected.view(-1).view(torch.uint8).tolist()
    else:
        assert actual == expected


def saved(folder: Path, *steps: int, num_kept: int = 10) -> CheckpointFolder:
    checkpoints = CheckpointFolder(folder, num_kept=num_kept)
    for step in steps:
        checkpoints.save(step, some_state(step))
    return checkpoints


def flip_a_byte_of_the_weights(path: Path, step: int) -> None:
    content = path.read_bytes()
    weight = some_state(step)["model"]["weight"].numpy().tobytes()
    at = content.index(weight)
    path.write_bytes(content[: at + 5] + bytes([content[at + 5] ^ 1]) + content[at + 6 :])


def cut_in_half(path: Path, step: int) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def empty(path: Path, step: int) -> None:
    path.write_bytes(b"")


def test_checkpoints_round_trip_to_the_bit(tmp_path: Path) -> None:
    state = saved(tmp_path, 7).load_newest()
    assert state is not None
    assert_same_bits(state, {"step": 7, **some_state(7)})


def test_a_new_folder_has_no_checkpoint(tmp_path: Path) -> None:
    checkpoints = CheckpointFolder(tmp_path / "not yet there", num_kept=1)
    assert checkpoints.steps() == []
    assert checkpoints.load_newest() is None


@pytest.mark.parametrize("num_kept", [1, 2, 3])
def test_the_last_few_are_kept_by_number_not_by_name(tmp_path: Path, num_kept: int) -> None:
    steps = [5, 99999999, 100000000, 100000001]  # the names' alphabet puts the nine digits before the eight
    checkpoints = saved(tmp_path, *steps, num_kept=num_kept)
    assert checkpoints.steps() == steps[-num_kept:]
    assert len(list(tmp_path.iterdir())) == num_kept
    state = checkpoints.load_newest()
    assert state is not None
    assert state["step"] == 100000001


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    others = ["step_00000001.pt.bak", "step_best.pt", "notes.txt"]
    for name in others:
        (tmp_path / name).write_text("mine")
    checkpoints = saved(tmp_path, 1, 2, num_kept=1)
    assert checkpoints.steps() == [2]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*others, "step_00000002.pt"])


@pytest.mark.parametrize("damage", [flip_a_byte_of_the_weights, cut_in_half, empty])
def test_a_damaged_newest_is_skipped_with_a_warning(
    tmp_path: Path, damage: Any, restored_logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoints = saved(tmp_path, 10, 20, 30)
    damage(checkpoints.path(30), 30)
    with caplog.at_level(logging.WARNING, logger=restored_logger.name):
        state = checkpoints.load_newest()
    assert state is not None
    assert_same_bits(state, {"step": 20, **some_state(20)})
    assert len(caplog.records) == 1
    assert str(checkpoints.path(30)) in caplog.text


def test_resuming_before_a_damaged_checkpoint_keeps_what_is_saved(tmp_path: Path) -> None:
    """A run went back from the damaged step 30 to 10; its step 20 must not be taken for the oldest and deleted."""
    checkpoints = saved(tmp_path, 10, 30)
    cut_in_half(checkpoints.path(30), 30)
    saved(tmp_path, 20, num_kept=1)
    state = checkpoints.load_newest()
    assert state is not None
    assert state["step"] == 20
    saved(tmp_path, 30, 40, num_kept=1)
    assert checkpoints.steps() == [40]


def test_a_signal_while_one_is_read_is_not_taken_for_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise an intact checkpoint would be skipped, and the run go on from an older one."""
    folder = CheckpointFolder(tmp_path, num_kept=2)
    for step in (1, 2):
        folder.save(step, {"model": {}})
    load = torch.load

    def load_during_a_signal(*args: Any, **settings: Any) -> Any:
        signal.raise_signal(signal.SIGTERM)
        return load(*args, **settings)

    monkeypatch.setattr(torch, "load", load_during_a_signal)
    with stopped_by_signals(), pytest.raises(StoppedError):
        folder.load_newest()


def test_if_none_can_be_read_training_does_not_silently_start_over(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, 10, 20)
    for step in (10, 20):
        cut_in_half(checkpoints.path(step), step)
    with pytest.raises(CheckpointError, match=r"none of the 2 checkpoints in .* can be read; delete") as caught:
        checkpoints.load_newest()
    assert str(tmp_path) in str(caught.value)


def test_every_flipped_byte_is_found_or_harmless(tmp_path: Path) -> None:
    """Of headers, names, padding and contents: torch itself would load some of these as other numbers."""
    state = {"weight": torch.arange(1.0, 5.0), "name": "r3d_18"}
    CheckpointFolder(tmp_path, num_kept=1).save(3, state)
    content = (tmp_path / "step_00000003.pt").read_bytes()
    flips = [(at, 0xFF) for at in range(len(content))]
    flips += [(at, 8) for at in range(content.index(b"PK\x01\x02"), len(content))]  # 8 is also "compressed"
    refused = 0
    for at, bits in flips:
        damaged = bytearray(content)
        damaged[at] ^= bits
        (tmp_path / "damaged.pt").write_bytes(damaged)
        try:
            assert_same_bits(load_checkpoint(tmp_path / "damaged.pt"), {"step": 3, **state})
        except CheckpointError:
            refused += 1
    assert refused > len(content) // 2


def test_every_shortened_file_is_refused(tmp_path: Path) -> None:
    CheckpointFolder(tmp_path, num_kept=1).save(3, {"weight": torch.arange(4.0)})
    content = (tmp_path / "step_00000003.pt").read_bytes()
    for length in range(0, len(content), 7):
        (tmp_path / "short.pt").write_bytes(content[:length])
        with pytest.raises(CheckpointError, match=r"short\.pt cannot be read"):
            load_checkpoint(tmp_path / "short.pt")


def as_archive(path: Path, *, compression: int = zipfile.ZIP_STORED, times: int = 1) -> None:
    """As torch writes it, but for the compression, and with each entry listed so often."""
    with zipfile.ZipFile(path) as archive:
        contents = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
            archive.filelist[-1].external_attr = 0
        archive.filelist += archive.filelist * (times - 1)


def test_an_archive_that_would_unpack_to_any_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "step_00000003.pt"
    CheckpointFolder(tmp_path, num_kept=1).save(3, {"weight": torch.zeros(2**20)})
    as_archive(path)
    assert load_checkpoint(path)["weight"].shape == (2**20,)
    as_archive(path, times=1000)
    with pytest.raises(CheckpointError, match="cannot be read .its entries are larger than the file"):
        load_checkpoint(path)
    CheckpointFolder(tmp_path, num_kept=1).save(3, {"weight": torch.zeros(2**20)})
    as_archive(path, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 2**15
    with pytest.raises(CheckpointError, match="cannot be read .* is compressed"):
        load_checkpoint(path)


def test_a_few_bytes_are_not_expanded_to_a_large_tensor(tmp_path: Path) -> None:
    torch.save({"model": {"weight": torch.zeros(1).expand(10**6, 10**6)}}, tmp_path / "large.pt")
    with pytest.raises(CheckpointError, match=r"a tensor of shape \(1000000, 1000000\) is not stored in full"):
        load_checkpoint(tmp_path / "large.pt")


@pytest.mark.parametrize(
    "model", [{"weight": torch.tensor([1.0, float("inf")])}, {"weight": 1.0}, {1: torch.ones(1)}, 7]
)
def test_an_invalid_model_is_skipped(tmp_path: Path, model: object) -> None:
    checkpoints = saved(tmp_path, 10)
    checkpoints.save(20, {**some_state(20), "model": model})
    state = checkpoints.load_newest()
    assert state is not None
    assert state["step"] == 10


def test_a_checkpoint_under_the_name_of_another_is_skipped(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, 10, 20)
    checkpoints.path(20).rename(checkpoints.path(30))
    state = checkpoints.load_newest()
    assert state is not None
    assert state["step"] == 10


@pytest.mark.parametrize("step", [None, "20", 20.0, torch.zeros(2), torch.tensor(20)])
def test_a_step_that_is_not_an_integer_is_skipped(tmp_path: Path, step: object) -> None:
    checkpoints = saved(tmp_path, 10)
    torch.save({**some_state(20), "step": step}, checkpoints.path(20))
    state = checkpoints.load_newest()
    assert state is not None
    assert state["step"] == 10


class MakesFolder:
    """Unpickled, it makes a folder: stands for any code in a file from elsewhere."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("as_archive", [True, False])
def test_code_in_a_file_is_not_run(tmp_path: Path, as_archive: bool) -> None:
    made, path = tmp_path / "made", tmp_path / "evil.pt"
    if as_archive:
        torch.save({"model": MakesFolder(made)}, path)
    else:
        path.write_bytes(pickle.dumps(MakesFolder(made)))
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    assert not made.exists()
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "weights_only" not in str(caught.value)  # torch's own text tells how to run it


def test_other_contents_are_named(tmp_path: Path) -> None:
    torch.save(torch.zeros(2), tmp_path / "tensor.pt")
    with pytest.raises(CheckpointError, match=r"tensor\.pt cannot be read \(it holds a Tensor; a dict was expected\)"):
        load_checkpoint(tmp_path / "tensor.pt")
    with pytest.raises(CheckpointError, match=r"missing\.pt does not exist"):
        load_checkpoint(tmp_path / "missing.pt")
    with pytest.raises(CheckpointError, match="does not exist"):
        load_checkpoint(tmp_path)


def test_a_failed_save_leaves_what_was_there(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, 1)
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
        checkpoints.save(2, {"model": lambda: None})
    assert [path.name for path in tmp_path.iterdir()] == ["step_00000001.pt"]


@pytest.mark.usefixtures("second_process")
def test_other_processes_write_nothing(tmp_path: Path) -> None:
    saved(tmp_path / "checkpoints", 1)
    assert list(tmp_path.iterdir()) == []


def test_keeping_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="num_kept is 0"):
        CheckpointFolder(tmp_path, num_kept=0)
