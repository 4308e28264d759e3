"""When the examination in training looks, in which mode, and what it says."""

import logging
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn

from sce_video.augment.batch import ClipBatch, TrainBatch
from sce_video.augment.draw import ViewParameters
from sce_video.methods.base import Method
from sce_video.runtime.logging import LOGGER
from sce_video.train.plan import Rates
from sce_video.train.probes.base import Seen
from sce_video.train.probes.movement import Movement
from tests.train.probes.tiny import tiny_method

NOTHING = ViewParameters(*(torch.empty(0) for _ in ViewParameters._fields))


class Counted:
    """Counts the measurements; the similarity falls by 0.4 with each."""

    def __init__(self) -> None:
        self.modes: list[tuple[bool, bool]] = []
        self.shapes: list[torch.Size] = []

    def __call__(self, backbone: nn.Module, clips: Tensor, others: Tensor) -> dict[str, float]:
        self.modes.append((backbone.training, torch.is_grad_enabled()))
        self.shapes += [clips.shape, others.shape]
        return {"frozen_similarity": 1.0 - 0.4 * len(self.modes)}


def in_words(scalars: Mapping[str, float]) -> tuple[str, str]:
    brief = "there" if scalars["frozen_similarity"] > 0 else "happens"
    return brief, f"they see what {brief}."


def seen(step: int, method: Method, *, num_videos: int = 40, num_frames: int = 2) -> Seen:
    view = ClipBatch(torch.zeros(num_videos, num_frames, 3, 4, 4, dtype=torch.uint8), torch.empty(0), NOTHING)
    return Seen(step, [TrainBatch(list(range(num_videos)), [view] * 3, [])], Rates(0.0), method)


def test_it_looks_in_eval_mode_and_says_what_has_changed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger=LOGGER.name)
    method, measure = tiny_method("sce"), Counted()
    method.train()
    probe = Movement(measure, in_words, every_steps=3, last_step=10)
    for step in range(11):
        probe.look(seen(step, method))
    assert measure.modes == [(False, False)] * 5  # steps 0, 3, 6, 9 and the last
    assert set(measure.shapes) == {(32, 2, 3, 4, 4)}
    assert method.training
    assert method.get_submodule("backbone").training
    said = [record.getMessage() for record in caplog.records if "what do the features see" in record.getMessage()]
    assert said == [
        "step 0, what do the features see? they see what there.",
        "step 6, what do the features see? they see what happens.",
        "step 10, what do the features see? they see what happens.",
    ]
    assert probe.read() == {"frozen_similarity": pytest.approx(-1.0)}
    assert probe.read() == {}


@pytest.mark.parametrize("batch", [{"num_frames": 1}, {"num_videos": 3}], ids=["images", "few videos"])
def test_batches_that_say_nothing_are_passed_over(batch: dict[str, int]) -> None:
    measure = Counted()
    Movement(measure, in_words, every_steps=1, last_step=0).look(seen(0, tiny_method("sce"), **batch))
    assert measure.modes == []


def test_parts_in_eval_mode_stay_so() -> None:
    method = tiny_method("sce")
    backbone = method.get_submodule("backbone")
    backbone.dropout = nn.Dropout()
    method.train()
    backbone.dropout.eval()
    Movement(Counted(), in_words, every_steps=1, last_step=0).look(seen(0, method))
    assert [module.training for module in backbone.modules()] == [True, False]
