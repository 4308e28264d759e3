from collections import Counter

from sce_video.report.classes import class_accuracies
from sce_video.report.gallery import choose_queries, shown_paths
from sce_video.report.run_folder import Neighbor, Prediction, Query


def queries(**nums: int) -> list[Query]:
    """`c3=5`: five queries of class 3, all right or all wrong as the class is even or odd."""
    made = []
    for name, num in nums.items():
        label = int(name[1:])
        found = label if label % 2 == 0 else label + 1
        made += [Query(f"{label}/{i}.mp4", label, (Neighbor(f"{found}/n.mp4", found, 0.5),)) for i in range(num)]
    return made


def chosen(asked: list[Query], most: int) -> list[Query]:
    answers = [Prediction(query.path, query.label, query.neighbors[0].label) for query in asked]
    return choose_queries(asked, class_accuracies(answers), max_queries=most)


def test_each_class_gets_as_many_and_the_worst_come_first() -> None:
    made = chosen(queries(c0=10, c1=10, c2=10, c3=10), 20)
    assert Counter(query.label for query in made) == {0: 5, 1: 5, 2: 5, 3: 5}
    assert list(dict.fromkeys(query.label for query in made)) == [1, 3, 0, 2]
    assert [query.path for query in made[:5]] == ["1/0.mp4", "1/2.mp4", "1/4.mp4", "1/6.mp4", "1/8.mp4"]


def test_a_remainder_goes_to_the_worst() -> None:
    assert Counter(query.label for query in chosen(queries(c0=10, c1=10, c2=10, c3=10), 6)) == {1: 2, 3: 2, 0: 1, 2: 1}
    assert [query.label for query in chosen(queries(c0=10, c1=10, c2=10, c3=10), 2)] == [1, 3]


def test_small_classes_leave_their_share_to_others() -> None:
    assert Counter(query.label for query in chosen(queries(c0=2, c1=1, c2=50), 12)) == {0: 2, 1: 1, 2: 9}
    assert len(chosen(queries(c0=2, c1=1), 60)) == 3


def test_of_several_clips_of_a_video_one_is_shown() -> None:
    asked = [Query("a.mp4", 0, (Neighbor(f"{i}.mp4", 0, 0.5),)) for i in range(3)]
    assert chosen(asked, 60) == asked[:1]


def test_without_queries_none_is_chosen() -> None:
    assert chosen([], 60) == []


def test_videos_are_decoded_once() -> None:
    near = [Neighbor(f"n{i}.mp4", 0, 0.5) for i in range(8)]
    asked = [Query("a.mp4", 0, tuple(near[:6])), Query("b.mp4", 0, tuple(near[1:8]))]
    assert shown_paths(asked) == (["a.mp4", "b.mp4"], [f"n{i}.mp4" for i in range(6)])
