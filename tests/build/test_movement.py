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


NOTHING = ViewParameters(*(torch.empty(0) for _ in ViewParameters._fields))


def measured(
    caplog: pytest.LogCaptureFixture, *changes: str, num_videos: int = 12, is_still: bool = False
) -> tuple[dict[str, float], str]:
    """The scalars of step 6, the last, and what the log says."""
    caplog.set_level("INFO", "sce_video")
    cfg = load_config(CONFIG, ["CLIP.NUM_FRAMES", "4", *changes])
    probe, method = build_movement(cfg, CPU, num_steps=7), build_method(cfg, steps_per_epoch=3)
    assert probe is not None
    shape = (2, num_videos, 4, 3, 32, 32)
    noise = torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    views = noise[:, :, :1].expand_as(noise) if is_still else noise
    batch = TrainBatch(list(range(num_videos)), [ClipBatch(clips, clips[:0], NOTHING) for clips in views], [])
    scalars = {}
    for step, is_measured in ((1, False), (6, True)):
        probe.look(Seen(step, [batch], Rates(0.0), method))
        scalars = probe.read()
        assert bool(scalars) == is_measured
    return scalars, caplog.messages[-1]


def test_it_measures_every_hundredth_step_and_the_last(caplog: pytest.LogCaptureFixture) -> None:
    scalars, said = measured(caplog)
    names = ("frozen_similarity", "reversed_similarity", "other_clip_similarity", "other_videos_cosine")
    assert set(scalars) == {*names, "moving_videos"}
    assert 0 < scalars["other_videos_cosine"] < 1
    words = f"From 0, another video, to 1, the same clip: frozen {scalars['frozen_similarity']:.2f}, backwards "
    assert f"step 6, what do the features see? {words}" in said
    assert "of 12 videos that move visibly: these features see" in said


def test_a_network_of_differences_is_not_asked_about_frozen_clips(caplog: pytest.LogCaptureFixture) -> None:
    scalars, said = measured(caplog, "MODEL.REPRESENTATION", "difference")
    assert "frozen_similarity" not in scalars
    assert f"to 1, the same clip: backwards {scalars['reversed_similarity']:.2f}, another clip" in said
    assert said.endswith("A frozen clip is blank for a network that sees differences of frames: it is left out.")


@pytest.mark.parametrize("representation", ["rgb", "absolute_difference"])
def test_videos_that_do_not_move(representation: str, caplog: pytest.LogCaptureFixture) -> None:
    scalars, said = measured(caplog, "MODEL.REPRESENTATION", representation, num_videos=4, is_still=True)
    assert scalars["moving_videos"] == 0
    assert not {"frozen_similarity", "reversed_similarity"} & scalars.keys()
    assert said.endswith("No video of the batch moves visibly: nothing can be said of movement.")


def test_few_videos_are_too_few_to_say(caplog: pytest.LogCaptureFixture) -> None:
    assert measured(caplog, num_videos=4)[1].endswith("; only 4 videos move visibly: too few to say.")


def test_images_have_none() -> None:
    cfg = load_config(CONFIG, ["CLIP.NUM_FRAMES", "1"])
    assert build_movement(cfg, CPU, num_steps=7) is None
