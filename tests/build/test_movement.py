"""The examination in training: its scalars and its sentence."""

from pathlib import Path

import pytest
import torch

from sce_video.augment.batch import ClipBatch, TrainBatch
from sce_video.augment.draw import ViewParameters
from sce_video.build.method import build_method
from sce_video.build.movement import build_movement
from sce_video.config import load_config
from sce_video.train.plan import Rates
from sce_video.train.probes.base import Seen

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "demo_sce.yaml"
CPU = torch.device("cpu")


def test_it_measures_every_hundredth_step_and_the_last(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "sce_video")
    cfg = load_config(CONFIG, ["CLIP.NUM_FRAMES", "4"])
    probe, method = build_movement(cfg, CPU, num_steps=7), build_method(cfg, steps_per_epoch=3)
    assert probe is not None
    noise = torch.randint(256, (2, 6, 4, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    nothing = ViewParameters(*(torch.empty(0) for _ in ViewParameters._fields))
    batch = TrainBatch(list(range(6)), [ClipBatch(clips, clips[:0], nothing) for clips in noise], [])
    for step, is_measured in ((1, False), (6, True), (99, False), (100, True)):
        probe.look(Seen(step, [batch], Rates(0.0), method))
        scalars = probe.read()
        assert bool(scalars) == is_measured
    names = ("frozen_similarity", "reversed_similarity", "other_clip_similarity", "other_videos_cosine")
    assert set(scalars) == set(names)
    assert 0 < scalars["other_videos_cosine"] < 1
    words = f"From 0, another video, to 1, the same clip: frozen {scalars['frozen_similarity']:.2f}, backwards "
    assert f"step 6, what do the features see? {words}" in caplog.text


def test_images_have_none() -> None:
    cfg = load_config(CONFIG, ["CLIP.NUM_FRAMES", "1"])
    assert build_movement(cfg, CPU, num_steps=7) is None
