import pytest
from hypothesis import given
from hypothesis import strategies as st

from sce_video.data.subsets import balanced_part

LABELS = [0] * 100 + [1] * 50 + [2] * 3


@given(labels=st.lists(st.integers(0, 5), min_size=1), share=st.floats(0.01, 1), seed=st.integers(0, 100))
def test_every_class_has_its_share_and_at_least_one(labels: list[int], share: float, seed: int) -> None:
    chosen = balanced_part(labels, share=share, seed=seed)
    assert chosen == sorted(set(chosen))
    for label in set(labels):
        number = labels.count(label)
        assert sum(labels[index] == label for index in chosen) == max(1, round(share * number))


def test_all_of_it() -> None:
    assert balanced_part(LABELS, share=1.0, seed=0) == list(range(153))


@pytest.mark.parametrize("seed", range(5))
def test_a_larger_share_holds_the_smaller_one(seed: int) -> None:
    small, large = (set(balanced_part(LABELS, share=share, seed=seed)) for share in (0.1, 0.3))
    assert small < large


def test_seeds_choose_differently_and_always_the_same() -> None:
    first, again, other = (balanced_part(LABELS, share=0.1, seed=seed) for seed in (1, 1, 2))
    assert first == again != other


def test_a_class_does_not_depend_on_the_others() -> None:
    alone = balanced_part([7] * 20, share=0.5, seed=3)
    mixed = balanced_part([1] * 5 + [7] * 20, share=0.5, seed=3)
    assert [index - 5 for index in mixed if index >= 5] == alone


def test_every_index_is_equally_likely() -> None:
    counts = [0] * 10
    for seed in range(2000):
        for index in balanced_part([0] * 10, share=0.3, seed=seed):
            counts[index] += 1
    assert sum(counts) == 6000
    assert max(abs(count - 600) for count in counts) < 5 * (2000 * 0.3 * 0.7) ** 0.5
