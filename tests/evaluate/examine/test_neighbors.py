"""Shares of neighbours by hand, and chance by enumeration of all neighbours."""

import itertools
import random

import pytest
import torch
from torch import Tensor

from sce_video.evaluate.examine.neighbors import Share, near_duplicates, share_of_nearest, shares


def distances_of(places: list[float]) -> Tensor:
    points = torch.tensor(places, dtype=torch.float64)
    return (points - points[:, None]).abs()


def all_other(count: int) -> Tensor:
    return ~torch.eye(count, dtype=torch.bool)


def test_shares_by_hand() -> None:
    """On a line; the nearest neighbour of each is its partner of the pairs 0 1, 2 3, 4 5."""
    distances = distances_of([0, 1, 10, 11, 20, 21])
    groups, labels = ["a", "a", "b", "b", "b", "c"], [0, 1, 1, 1, 0, 0]
    found = shares(distances, is_other=all_other(6), groups=groups, labels=labels)
    # The group c has one video, which can have no neighbour of its group. Of a b and c: 0, 1, 2, 3 are right, 4 is not.
    assert found["same_group"].share == pytest.approx(4 / 5)
    assert found["same_group"].chance == pytest.approx((2 * 1 / 5 + 3 * 2 / 5) / 5)
    assert found["same_group"].error == pytest.approx((0.8 * 0.2 / 5) ** 0.5)
    assert (found["same_class"].share, found["same_class"].num_videos) == (pytest.approx(4 / 6), 6)
    # Nearest of another group: 0 -> 2 (wrong), 1 -> 2, 2 -> 1, 3 -> 1 and 5 (one of two is right), 4 -> 5, 5 -> 4.
    assert found["same_class_of_other_groups"].share == pytest.approx(4.5 / 6)
    # Same class among other groups: 0 and 1: two of four; 2 and 3: one of three; 4: two of three; 5: two of five.
    assert found["same_class_of_other_groups"].chance == pytest.approx(
        (2 / 4 + 2 / 4 + 1 / 3 + 1 / 3 + 2 / 3 + 2 / 5) / 6
    )


def test_chance_is_that_of_all_orders_of_the_neighbours() -> None:
    """A video's nearest neighbour is equally often each of the others."""
    groups = "aabbb"
    matches = torch.tensor([[one == other for other in groups] for one in groups])
    counted = [groups[near] == groups[video] for video, near in itertools.permutations(range(5), 2)]
    found = share_of_nearest(torch.rand(5, 5), candidates=all_other(5), matches=matches)
    assert found is not None
    assert found.chance == pytest.approx(sum(counted) / len(counted))


@pytest.mark.parametrize(("groups", "share"), [("aabbccddeeff", 1.0), ("abababababab", 0.0)])
def test_none_and_all_have_an_error(groups: str, share: float) -> None:
    """12 videos in pairs, of the same group or not: 14 of 16 or 2 of 16 instead of 12 or 0 of 12 (Agresti, Coull)."""
    distances = distances_of([10 * pair + place for pair in range(6) for place in (0, 1)])
    found = shares(distances, is_other=all_other(12), groups=list(groups), labels=None)["same_group"]
    assert (found.share, found.num_videos) == (share, 12)
    assert found.error == pytest.approx((14 / 16 * 2 / 16 / 16) ** 0.5)


def test_random_features_are_at_chance() -> None:
    dice = random.Random(0)
    groups = [dice.choice("aaabcd") for _ in range(400)]
    features = torch.randn(400, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = shares(torch.cdist(features, features), is_other=all_other(400), groups=groups, labels=None)["same_group"]
    assert abs(found.share - found.chance) < 3 * found.error


def test_ties_count_in_part_so_that_collapsed_features_are_at_chance() -> None:
    found = shares(torch.zeros(6, 6), is_other=all_other(6), groups=list("aabbbc"), labels=None)["same_group"]
    assert found.share == pytest.approx(found.chance)


def test_near_duplicates_and_videos_without_a_group_do_not_count() -> None:
    distances = distances_of([0, 1, 3, 100, 101])
    is_other = all_other(5)
    is_other[0, 1] = is_other[1, 0] = False
    found = shares(distances, is_other=is_other, groups=["a", "a", "b", "", ""], labels=[0, 0, 1, 1, 0])
    assert "same_group" not in found  # the two of a show the same
    assert found["same_class"].num_videos == 5
    assert shares(distances, is_other=is_other, groups=["a"] * 5, labels=None) == {}  # all are of one group
    assert shares(distances, is_other=is_other, groups=None, labels=None) == {}


def moving_thumbnails(*, scene: int, movement: int, noise: int = 0, strength: float = 0.3) -> Tensor:
    """Thumbnails, (8 * 64,), of a scene with a movement."""
    of_scene, of_movement, other = (
        torch.Generator().manual_seed(seed) for seed in (scene, 100 + movement, 200 + noise)
    )
    picture = torch.randn(64, generator=of_scene).expand(8, -1)
    return (
        picture
        + strength * torch.randn(8, 64, generator=of_movement)
        + (0.02 * torch.randn(8, 64, generator=other) if noise else 0)
    ).flatten()


def test_near_duplicates_show_the_same_movement_too() -> None:
    found = near_duplicates(
        torch.stack(
            [
                moving_thumbnails(scene=1, movement=1),
                moving_thumbnails(scene=1, movement=1, noise=1),  # encoded anew
                moving_thumbnails(scene=1, movement=2, strength=0.1),  # the same room
                moving_thumbnails(scene=1, movement=3, strength=0.1),
                moving_thumbnails(scene=2, movement=1),
                moving_thumbnails(scene=3, movement=1, strength=0.0),  # pictures
                moving_thumbnails(scene=3, movement=2, strength=0.0, noise=2),
                moving_thumbnails(scene=4, movement=2, strength=0.0),
            ]
        )
    )
    pairs = found.nonzero().tolist()
    assert [(one, other) for one, other in pairs if one < other] == [(0, 1), (5, 6)]
    assert found.diagonal().all()
    assert torch.equal(found, found.T)


def with_gesture(place: int, *, noise: int = 0) -> Tensor:
    """Thumbnails, (8 * 64,), of one room in which one of the 64 places blinks by 0.1."""
    thumbnails = moving_thumbnails(scene=1, movement=0, strength=0.0, noise=noise).unflatten(0, (8, 64)).clone()
    thumbnails[::2, place] += 0.2
    return thumbnails.flatten()


def test_small_gestures_in_one_room_are_no_near_duplicates() -> None:
    """A standard deviation of 0.1 at one of 64 places is visible, though over all places it is an eighth of that."""
    found = near_duplicates(torch.stack([with_gesture(3), with_gesture(40), with_gesture(3)]))
    assert [(one, other) for one, other in found.nonzero().tolist() if one < other] == [(0, 2)]


def test_a_share_is_a_record() -> None:
    assert Share(0.5, 0.1, 0.05, 100)._asdict() == {"share": 0.5, "chance": 0.1, "error": 0.05, "num_videos": 100}
