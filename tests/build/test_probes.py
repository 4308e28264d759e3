from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from sce_video.build.method import build_method
from sce_video.build.probes import build_probes
from sce_video.config import load_config
from sce_video.data.videos import videos_from_paths

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "demo_sce.yaml"
CPU = torch.device("cpu")


def names(labels: Sequence[int] | None, *overrides: str) -> list[str]:
    cfg = load_config(CONFIG, overrides)
    listed = videos_from_paths("/videos", ["a.mp4", "b.mp4"], labels, "a list")
    return build_probes(cfg, build_method(cfg, steps_per_epoch=1), [listed, listed], CPU, num_steps=1).names


def test_probes_are_on_unless_switched_off(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "sce_video")
    without = ["updates", "embeddings", "movement"]
    assert names(None) == without
    assert names([-1, -1]) == without
    assert names([1, 0], "TRAIN.PROBE_LABELLED_VIDEOS", "0") == without
    assert names([1, 0], "TRAIN.PROBE_EVERY_STEPS", "0") == []
    assert caplog.records == []
    assert set(names([1, -1])) == {*without, "labelled"}
    assert "look at the labels of 1 videos; nothing else of the run does" in caplog.text
    assert names([1, 5000]) == without
    assert "5001 classes, more than 2000" in caplog.text
