"""On features made by hand: classes that are easy, a video that must not find itself, and a slow loop."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sce_video.augment.batch import TrainBatch
from sce_video.train.plan import Rates
from sce_video.train.probes.base import Seen
from sce_video.train.probes.labelled import Labelled, Neighbors
from tests.train.probes.tiny import CPU, random_views, tiny_method

FEATURE_DIM = 16


def seen_after(backbone: nn.Module, batches: list[list[int]], views: list[Tensor], step: int = 0) -> Seen:
    """The parts of a step, after the backbone has seen two views of each."""
    for view in views:
        for _ in range(2):
            backbone(view)
    parts = [TrainBatch(videos, [], []) for videos in batches]
    return Seen(step, parts, Rates(0.0), tiny_method("sce"))


def classes(num_videos: int, *, seed: int) -> Tensor:
    """Views of 48 numbers, of two classes in turn."""
    prototypes = random_views(2, seed=99)[torch.arange(num_videos) % 2]
    return 3 * prototypes + random_views(num_videos, seed=seed)


def probed(labels: list[int], *, num_videos: int = 40) -> tuple[nn.Module, Labelled]:
    backbone = tiny_method("sce").backbone
    return backbone, Labelled(labels, backbone, feature_dim=FEATURE_DIM, num_videos=num_videos, device=CPU)


def test_classes_that_are_easy_are_found() -> None:
    backbone, probe = probed([0, 1] * 20)
    for step in range(60):
        probe.look(seen_after(backbone, [list(range(40))], [classes(40, seed=step)], step))
    read = probe.read()
    assert read["online_knn"] > 0.95
    assert read["online_linear"] > 0.9
    assert read["online_chance"] == 0.5
    assert probe.read() == {}


def test_labels_without_meaning_are_not_found() -> None:
    """The neighbours of a video are not itself: those of its last visit would give its label away."""
    labels = torch.randint(2, (40,), generator=torch.Generator().manual_seed(3)).tolist()
    backbone, probe = probed(labels)
    for step in range(60):
        probe.look(seen_after(backbone, [list(range(40))], [3 * random_views(40) + classes(40, seed=step)], step))
    assert probe.read()["online_knn"] < 0.7


def test_neighbors_vote_in_a_slow_loop() -> None:
    generator = torch.Generator().manual_seed(0)
    neighbors = Neighbors(12, 4, device=CPU)
    bank, labels = torch.randn(15, 4, generator=generator), torch.randint(3, (15,), generator=generator)
    for start in range(0, 15, 5):
        rows = slice(start, start + 5)
        neighbors.add(bank[rows], labels[rows], torch.arange(15)[rows])
    asked, videos = torch.randn(6, 4, generator=generator), torch.tensor([100, 101, 102, 14, 13, 12])
    found = neighbors.classes_of(asked, videos, num_classes=3)
    for row in range(6):
        votes = [0.0] * 3
        for kept in range(3, 15):  # the newest 12
            if kept != videos[row]:
                votes[labels[kept]] += float((F.cosine_similarity(asked[row], bank[kept], dim=0) / 0.07).exp())
        assert int(found[row]) == votes.index(max(votes))


def test_one_step_of_adam_is_of_the_first_view_of_each_part() -> None:
    """Adam's first step is its learning rate, in the direction of the gradient's sign. Video 2 has no label."""
    backbone, probe = probed([0, 1, -1, 1])
    views = [random_views(2, seed=1), random_views(2, seed=2)]
    probe.look(seen_after(backbone, [[0, 1], [2, 3]], views))
    first, second = (backbone(view).detach() for view in views)
    weight = torch.zeros(2, FEATURE_DIM, requires_grad=True)
    bias = torch.zeros(2, requires_grad=True)
    adam = torch.optim.Adam([weight, bias], lr=1e-4)
    for features, labels in ((first, [0, 1]), (second[1:], [1])):
        adam.zero_grad()
        F.cross_entropy(features @ weight.T + bias, torch.tensor(labels)).backward()
        adam.step()
    kept = probe.state_dict()
    torch.testing.assert_close(kept["linear"][0], weight.detach())
    torch.testing.assert_close(kept["neighbors"][0][:3], F.normalize(torch.cat([first, second[1:]])))
    assert kept["neighbors"][1][:3].tolist() == [0, 1, 1]


def test_what_other_probes_compute_is_not_taken_for_the_step() -> None:
    backbone, probe = probed([0, 1, 0, 1])
    view = random_views(4)
    with torch.no_grad():
        backbone(random_views(9, seed=5))
    probe.look(seen_after(backbone, [[0, 1, 2, 3]], [view]))
    torch.testing.assert_close(probe.state_dict()["neighbors"][0][:4], F.normalize(backbone(view).detach()))


def after(probe: Labelled, backbone: nn.Module, steps: range) -> dict[str, Any]:
    for step in steps:
        probe.look(seen_after(backbone, [list(range(8))], [classes(8, seed=step)], step))
        if step % 3 == 2:
            probe.read()
    return probe.state_dict()


def test_it_continues_where_it_was() -> None:
    (backbone, whole), (other, first), (third, then) = (probed([0, 1] * 4) for _ in range(3))
    expected = after(whole, backbone, range(6))
    then.load_state_dict(after(first, other, range(3)))
    resumed = after(then, third, range(3, 6))
    assert torch.equal(resumed["linear"][0], expected["linear"][0])
    assert torch.equal(resumed["neighbors"][0], expected["neighbors"][0])
    _, more_classes = probed([0, 1, 2, 1])
    with pytest.raises(ValueError, match="other classes"):
        more_classes.load_state_dict(expected)
