import pytest
import torch
from torch.nn import functional

from sce_video.train.probes.collapse import alike_keys, collapse
from sce_video.train.probes.trend import Line


def measured(own: float, others: float) -> list[Line]:
    return [{"step": 9, "loss": 5.0}, {"step": 19, "positive_similarity": own, "negative_similarity": others}]


def test_vectors_around_a_point_are_collapsed_and_uniform_ones_are_not() -> None:
    """The same noise, around a vector of length 100 and around 0."""
    noise = torch.randn(500, 64, generator=torch.Generator().manual_seed(0))
    for center, is_collapsed in [(100.0, True), (0.0, False)]:
        keys = functional.normalize(noise + center, dim=1)
        line = {"step": 29, "embedding_dim": 64.0, "key_rank": 9.0, "key_std": keys.std(0).mean().item()}
        found = collapse([line])
        assert found.startswith("collapsed since step 29: ") if is_collapsed else found == ""


@pytest.mark.parametrize(
    ("own", "others", "are_alike"),
    [(0.85, 0.84, True), (0.80, 0.84, True), (0.85, 0.75, False), (0.03, 0.0, False), (0.73, -0.01, False)],
)
def test_keys_are_alike_if_those_of_other_videos_are_as_near_as_the_own(
    own: float, others: float, are_alike: bool
) -> None:
    said = alike_keys(measured(own, others))
    assert bool(said) == are_alike
    assert not are_alike or f"to its own key is {own:.2f}, to those of other videos {others:.2f}." in said


def test_nothing_is_said_without_measurements() -> None:
    assert collapse([{"step": 9, "loss": 5.0}]) == ""
    assert alike_keys([{"step": 9, "loss": 5.0}]) == ""
