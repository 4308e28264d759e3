"""Mutations of good checkpoints, backbones and kept features: what is read is sound, or one error names the file."""

import io
import json
import random
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save
from torch import nn

from sce_video.errors import CheckpointError
from sce_video.evaluate.feature_files import read_features
from sce_video.models.base import recorded_input
from sce_video.models.pooled import PooledBackbone
from sce_video.models.weights import load_backbone
from sce_video.runtime.checkpoints import load_checkpoint

pytestmark = pytest.mark.filterwarnings("ignore:Detected pickle protocol")

NUMBERS = (0, 1, 2**31 - 1, 2**31, 2**63 - 1, 2**64 - 1, 10**18)
STRANGE = (None, "", "x" * 999, -1, 2**70, float("nan"), [], {}, [[]], torch.zeros(0), torch.zeros(2, dtype=torch.int8))
INPUT = '{"num_frames": 8, "seconds": 1.0, "size_pixels": 32, "mean": [0.5], "std": [0.5]}'


def checkpoint() -> bytes:
    state = {
        "step": 3,
        "model": {"weight": torch.arange(6.0).view(2, 3), "bias": torch.ones(2)},
        "optimizer": {"state": {0: {"mu": torch.ones(2, 3)}}, "param_groups": [{"lr": 0.1, "params": [0, 1]}]},
        "backbone": "linear",
        "network_input": INPUT,
        "failures": {"failed": [1]},
    }
    return saved(state)


def saved(state: Any) -> bytes:
    file = io.BytesIO()
    torch.save(state, file)
    return file.getvalue()


def with_strange_values(good: bytes, dice: random.Random) -> bytes:
    """One value somewhere in the state is something else, tensors of a few bytes that pose as huge ones among them."""
    state = torch.load(io.BytesIO(good), weights_only=True)
    inner: Any = state
    while True:
        key = dice.choice(list(inner) if isinstance(inner, dict) else range(len(inner)))
        if not isinstance(inner[key], dict | list) or not inner[key] or dice.random() < 0.4:
            break
        inner = inner[key]
    inner[key] = dice.choice([*STRANGE, torch.zeros(1).expand(10**6, 10**6), torch.zeros(2, 3, dtype=torch.complex64)])
    return saved(state)


def with_other_pickle(good: bytes, dice: random.Random) -> bytes:
    """Bytes of the pickle in the archive are others, and its checksum is right."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(good)) as before, zipfile.ZipFile(out, "w") as after:
        for entry in before.infolist():
            content = before.read(entry)
            if entry.filename.endswith("data.pkl"):
                content = flipped(content, dice)
            info = zipfile.ZipInfo(entry.filename)
            after.writestr(info, content)
            after.infolist()[-1].external_attr = 0  # as torch writes it
    return out.getvalue()


def packed(good: bytes, dice: random.Random) -> bytes:
    """Entries are compressed, of zeros without end, or lie on one another."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(good)) as before, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as after:
        for entry in before.infolist():
            is_data = "/data/" in entry.filename or entry.filename.endswith(".npy")
            content = bytes(2**24) if is_data and dice.random() < 0.3 else before.read(entry)
            after.writestr(entry.filename, content)
    return out.getvalue()


def flipped(good: bytes, dice: random.Random) -> bytes:
    content = bytearray(good)
    for _ in range(dice.choice((1, 1, 2, 8, 64))):
        content[dice.randrange(len(content))] = dice.randrange(256)
    return bytes(content)


def cut(good: bytes, dice: random.Random) -> bytes:
    start, stop = sorted(dice.randrange(len(good) + 1) for _ in range(2))
    return dice.choice((good[:start], good[:start] + good[stop:], good[:start] + bytes(stop - start) + good[stop:]))


def with_number(good: bytes, dice: random.Random) -> bytes:
    """Eight or four bytes anywhere, the length of a safetensors header among them, are a strange number."""
    at = dice.choice((0, dice.randrange(len(good) - 8)))
    number = dice.choice(NUMBERS)
    field = struct.pack("<Q", number % 2**64) if dice.random() < 0.5 else struct.pack("<I", number % 2**32)
    return good[:at] + field + good[at + len(field) :]


def with_other_header(good: bytes, dice: random.Random) -> bytes:
    """Safetensors with another JSON header of the right length."""
    length = struct.unpack("<Q", good[:8])[0]
    header = json.loads(good[8 : 8 + length])
    about = header[dice.choice([name for name in header if name != "__metadata__"])]
    name = dice.choice(("dtype", "shape", "data_offsets"))
    number = dice.choice(NUMBERS)
    about[name] = dice.choice(
        ("F64", "I8", "BOOL", "F8_E4M3", "C64", [number], [number, number], [0, number], [[]], None)
    )
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + good[8 + length :]


def mutations(
    good: bytes, seeds: Iterator[int], ways: list[Callable[[bytes, random.Random], bytes]]
) -> Iterator[bytes]:
    for seed in seeds:
        dice = random.Random(seed)
        yield ways[seed % len(ways)](good, dice)


def require_one_line(error: Exception, file: Path) -> None:
    assert str(file) in str(error)
    assert "\n" not in str(error)
    assert len(str(error)) < 1000


def test_checkpoints(seeds: Iterator[int], tmp_path: Path) -> None:
    ways = [flipped, cut, with_number, with_other_pickle, with_strange_values, packed]
    file, good, num_read = tmp_path / "step_00000003.pt", checkpoint(), 0
    for content in mutations(good, seeds, ways):
        file.write_bytes(content)
        try:
            state = load_checkpoint(file)
        except CheckpointError as error:
            require_one_line(error, file)
            continue
        num_read += 1
        for value in state.get("model", {}).values():
            assert torch.isfinite(value).all()
    assert num_read > 0


@pytest.mark.parametrize("is_safe", [True, False])
def test_backbones(seeds: Iterator[int], tmp_path: Path, is_safe: bool) -> None:
    tensors = {"linear.weight": torch.arange(6.0).view(2, 3), "linear.bias": torch.ones(2)}
    good = save(tensors, metadata={"backbone": "linear", "step": "3", "network_input": INPUT})
    if not is_safe:
        state = torch.load(io.BytesIO(checkpoint()), weights_only=True)
        good = saved({**state, "model": {f"backbone.{name}": value for name, value in tensors.items()}})
    ways = [flipped, cut, with_number]
    ways += [with_other_header] if is_safe else [with_other_pickle, with_strange_values, packed]
    file = tmp_path / ("backbone.safetensors" if is_safe else "step_00000003.pt")
    for content in mutations(good, seeds, ways):
        file.write_bytes(content)
        linear = PooledBackbone({"linear": nn.Linear(3, 2)}, feature_dim=2, input=recorded_input(INPUT))
        try:
            load_backbone(linear, file, name="linear")
        except CheckpointError as error:
            require_one_line(error, file)
            continue
        assert all(torch.isfinite(value).all() for value in linear.state_dict().values())


def test_features(seeds: Iterator[int], tmp_path: Path) -> None:
    out = io.BytesIO()
    features = np.arange(8, dtype=np.float32).reshape(4, 2)
    np.savez(out, features=features, videos=np.arange(4), failures=np.array("[]"), about=np.array("0" * 64))
    file = tmp_path / "part_000000.npz"
    for content in mutations(out.getvalue(), seeds, [flipped, cut, with_number, packed]):
        file.write_bytes(content)
        try:
            rows = read_features(tmp_path)
        except CheckpointError as error:
            require_one_line(error, file)
            continue
        assert rows is not None
        assert torch.equal(rows.features, torch.from_numpy(features))
