"""Verdicts on small runs made to go wrong, and on runs that learn: 48 videos of 48 numbers, two noisy views of each."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sce_video.arguments import keyword_names
from sce_video.augment.batch import TrainBatch
from sce_video.methods.base import Method
from sce_video.methods.table import METHODS
from sce_video.train.plan import Rates
from sce_video.train.precision import Precision
from sce_video.train.probes.base import Probes, Seen
from sce_video.train.probes.embeddings import Embeddings
from sce_video.train.probes.updates import Updates
from sce_video.train.probes.verdict import Line, verdict
from sce_video.train.step import pretrain_step
from tests.methods.still import still
from tests.train.probes.tiny import CPU, SCALARS

pytestmark = pytest.mark.rounding

NUM_STEPS, NUM_VIDEOS, BATCH, QUEUE, WIDTH, EVERY = 150, 48, 16, 128, 16, 10


def layers(*widths: int, has_norms: bool) -> list[nn.Module]:
    """Linear layers, each but the last followed by batch norm, if wanted, and ReLU."""
    built: list[nn.Module] = []
    for into, out in pairwise(widths):
        built += [nn.Linear(into, out), *([nn.BatchNorm1d(out)] if has_norms else []), nn.ReLU()]
    return built[:-2] if has_norms else built[:-1]


def method_of(name: str, scalars: dict[str, float], *, has_norms: bool) -> Method:
    method = METHODS[name]
    end = [nn.BatchNorm1d(WIDTH, affine=False)] if has_norms else []
    given: dict[str, Any] = {
        "backbone": nn.Sequential(nn.Flatten(), *layers(48, 64, 32, has_norms=has_norms), nn.ReLU()),
        "projector": nn.Sequential(*layers(32, 32, WIDTH, has_norms=has_norms), *end),
        "predictor": nn.Sequential(*layers(WIDTH, 32, WIDTH, has_norms=True))
        if name in ("byol", "moco_v3")
        else nn.Identity(),
        "embedding_dim": WIDTH,
        "queue_length": QUEUE,
        "in_batch_keys": False,
        "scheduled": still({each: value for each, value in scalars.items() if each in method.SCALARS}),
    }
    return method(**{each: value for each, value in given.items() if each in keyword_names(method)})


def logged_run(name: str, *, lr: float = 0.05, has_norms: bool = True, **changes: float) -> list[Line]:
    """The lines of a run, one for every 10 steps; the learning rate is warmed up over 10."""
    torch.manual_seed(0)
    scalars = SCALARS | changes
    method = method_of(name, scalars, has_norms=has_norms)
    prototypes = torch.randn(NUM_VIDEOS, 48)
    optimizer = torch.optim.SGD([each for each in method.parameters() if each.requires_grad], lr=0.0, momentum=0.9)
    probes = Probes({"embeddings": Embeddings(every_steps=EVERY), "updates": Updates(every_steps=EVERY)})
    at = {each: scalars[each] for each in method.SCALARS}
    lines: list[Line] = []
    losses: list[float] = []
    for step in range(NUM_STEPS):
        videos = torch.randperm(NUM_VIDEOS)[:BATCH]
        views = [prototypes[videos] + torch.randn(BATCH, 48) for _ in range(2)]
        part, rates = TrainBatch(videos.tolist(), [], []), Rates(lr * min(1, (step + 1) / 10), at)

        def make_views(_: TrainBatch, views: list[Tensor] = views) -> list[Tensor]:
            return views

        def look(seen: Method, step: int = step, part: TrainBatch = part, rates: Rates = rates) -> None:
            probes.look(Seen(step, [part], rates, seen))

        loss = pretrain_step(
            [part],
            rates,
            replica=method,
            optimizer=optimizer,
            precision=Precision("fp32", CPU),
            make_views=make_views,
            look=look,
        )
        losses.append(float(loss))
        if (step + 1) % EVERY == 0:
            lines.append({"step": step, "loss": sum(losses[-EVERY:]) / EVERY, **probes.read()})
    return lines


@pytest.mark.parametrize(
    "name",
    ["sce", *(pytest.param(each, marks=pytest.mark.thorough) for each in METHODS if each != "sce")],
)
def test_no_alarm_in_a_run_that_learns(name: str) -> None:
    """SCE's loss begins above chance; the margins were seen with two seeds: 3.9 of 5.6 and more."""
    lines = logged_run(name)
    found = [verdict(lines[: end + 1], num_steps=NUM_STEPS) for end in range(len(lines))]
    assert {each.kind for each in found if each is not None} == {"too early", "learning"}
    assert found[-1] is not None
    assert found[-1].kind == "learning"


@pytest.mark.parametrize(
    ("name", "changes", "kind", "advice"),
    [
        ("moco_v2", {"ema_momentum": 0.0, "has_norms": False}, "collapsed", "raise METHOD.EMA_MOMENTUM"),
        ("sce", {"coeff": 0.0, "target_temperature": 1.0}, "above chance", "lower METHOD.TARGET_TEMPERATURE"),
        ("sce", {"coeff": 0.0, "target_temperature": 1.0, "has_norms": False}, "collapsed", "TARGET_TEMPERATURE"),
        ("sce", {"lr": 5.0, "has_norms": False}, "collapsed", "Lower OPTIM.BASE_LR"),  # times 100
    ],
    ids=["no EMA", "uniform target", "uniform target, no norms", "learning rate x 100"],
)
def test_runs_made_to_go_wrong(name: str, changes: dict[str, Any], kind: str, advice: str) -> None:
    found = verdict(logged_run(name, **changes), num_steps=NUM_STEPS)
    assert found is not None
    assert (found.kind, found.is_alarm) == (kind, True)
    assert advice in found.sentence
