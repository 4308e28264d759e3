"""The choice of videos: deterministic, each once, with several of a group."""

from collections import Counter

from sce_video.evaluate.examine.choice import choose_videos, groups_by_pattern


def test_groups_by_pattern() -> None:
    paths = ["s01/a.mp4", "s02/b.mp4", "s01_c.mp4", "other.mp4", "s_.mp4"]
    assert groups_by_pattern(paths, r"s(\d+)[/_]") == ["01", "02", "01", "", ""]
    assert groups_by_pattern(["ab", "b"], "(a)?b") == ["a", ""]


def test_few_videos_are_all_chosen_but_each_path_once() -> None:
    assert choose_videos(["a", "b", "a", "c"], None, num_videos=10, seed=0) == [0, 1, 3]


def test_the_choice_depends_on_the_seed_alone() -> None:
    paths = [f"{i}.mp4" for i in range(100)]
    chosen = choose_videos(paths, None, num_videos=30, seed=0)
    assert chosen == sorted(set(chosen))
    assert (len(chosen), chosen == choose_videos(paths, None, num_videos=30, seed=0)) == (30, True)
    assert chosen != choose_videos(paths, None, num_videos=30, seed=1)


def test_up_to_ten_of_a_group_are_chosen_before_other_groups() -> None:
    groups = [f"{i // 20}" for i in range(2000)] + [""] * 5
    paths = [f"{i}.mp4" for i in range(2005)]
    of_group = Counter(groups[video] for video in choose_videos(paths, groups, num_videos=200, seed=0))
    of_group.pop("", None)
    assert sorted(of_group.values())[1:] == [10] * (len(of_group) - 1)  # all, but perhaps the last


def test_few_large_groups_fill_the_choice() -> None:
    groups = ["a"] * 50 + ["b"] * 12
    paths = [f"{i}.mp4" for i in range(62)]
    of_group = Counter(groups[video] for video in choose_videos(paths, groups, num_videos=40, seed=0))
    assert of_group == {"a": 28, "b": 12}
