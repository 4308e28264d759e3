from pathlib import Path

import pytest
import torch

from sce_video.cli.doctor import training_step
from sce_video.cli.doctor.training_step import measured_demand
from sce_video.config import load_config

REPOSITORY = Path(__file__).resolve().parents[3]
CONFIG = REPOSITORY / "configs" / "demo_sce.yaml"
SMALL = ["CLIP.SECONDS", "0.5", "CLIP.NUM_FRAMES", "2", "METHOD.QUEUE_LENGTH", "40"]


def test_steps_of_the_config_are_measured() -> None:
    found = measured_demand(load_config(CONFIG, SMALL), torch.device("cpu"), 4, seconds=0.1)
    assert 0 < found.clips_per_second < 1e5
    assert found.origin == (
        f"measured on the CPU with {torch.get_num_threads()} threads: r2plus1d_mini, 4 made-up videos at a time, fp32"
    )


def test_both_clips_of_every_video_count(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []

    def rate(*_: object, num_clips: int, **__: object) -> float:
        counted.append(num_clips)
        return 1.0

    monkeypatch.setattr(training_step, "clips_per_second", rate)
    measured_demand(load_config(CONFIG, SMALL), torch.device("cpu"), 4, seconds=0.1)
    assert counted == [2 * 4]
