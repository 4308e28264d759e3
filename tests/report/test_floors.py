"""Files of floors, where they are found, and the sentence that compares a number with them."""

import json
from pathlib import Path

import pytest

from sce_video.report.floors import (
    Floor,
    add_floors,
    comparable_metrics,
    find_floors,
    in_words,
    is_stale,
    mean_floors,
    read_floors,
)

MAP, FRAME = Floor("absolute differences", 0.152, 0.021), Floor("middle frame", 0.129, 0.019)
RIDGE = Floor("ridge", 0.245, 0.024)


def sentence(name: str, value: float, error: float = 0.02) -> str:
    (words,) = in_words({"metrics": {name: value}, "standard_errors": {name: error}}, [FRAME, MAP, RIDGE])
    return words


def test_a_number_below_floors_names_them_highest_first() -> None:
    assert sentence("knn_top1", 0.152).startswith(
        "kNN 15.2 ± 2.0 % does not beat the ridge, 24.5 ± 2.4 %, nor absolute differences, 15.2 ± 2.1 % (equal):"
    )
    assert "middle frame" not in sentence("knn_top1", 0.152)


def test_a_number_that_equals_the_highest_floor_says_no_less() -> None:
    assert sentence("knn_top1", 0.245) == (
        "kNN 24.5 ± 2.0 % does not beat the ridge, 24.5 ± 2.4 % (equal): these features say no more of the class "
        "than that."
    )


def test_a_number_just_above_may_be_the_choice_of_videos() -> None:
    """Two errors of the difference: 2 sqrt(0.02^2 + 0.024^2) = 0.0625."""
    assert "by less than 2 standard errors of the difference (6.2)" in sentence("linear_top1", 0.3)
    assert sentence("linear_top1", 0.31) == (
        "linear 31.0 ± 2.0 % beats every floor; the highest is the ridge, 24.5 ± 2.4 %."
    )


def test_recall_at_1_is_compared_and_nothing_else_of_a_retrieval() -> None:
    results = {"metrics": {"retrieval_r1": 0.1, "retrieval_r10": 0.5, "knn_top5": 0.5, "knn_mean_class": 0.1}}
    assert comparable_metrics(results) == ["retrieval_r1"]
    assert sentence("retrieval_r1", 0.1).startswith("R@1 (1-NN) 10.0 ± 2.0 % does not beat")
    assert comparable_metrics({**results, "protocol": {"retrieval_level": "clip"}}) == []


def test_a_file_keeps_other_lists_and_other_networks(tmp_path: Path) -> None:
    file = tmp_path / "floors.json"
    for digest, floors in (("a", [MAP, Floor("random s3d", 0.1, 0.01)]), ("b", [FRAME]), ("a", [RIDGE, MAP])):
        file.write_text(add_floors(file, digest, floors))
    assert read_floors(file) == {"a": [RIDGE, MAP, Floor("random s3d", 0.1, 0.01)], "b": [FRAME]}


@pytest.mark.parametrize("text", ["[", "[]", '{"a": 1}', '{"a": {"floors": [{"title": "x", "top1": 3}]}}'])
def test_a_damaged_file_is_a_warning(tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "floors.json").write_text(text)
    with caplog.at_level("WARNING", logger="sce_video"):
        assert read_floors(tmp_path / "floors.json") == {}
    assert str(tmp_path / "floors.json") in caplog.text


def test_they_are_found_beside_the_list_then_in_and_beside_the_run(tmp_path: Path) -> None:
    beside = tmp_path / "data" / "test.txt.floors.json"
    results = {"lists": {"digest": "a", "floors_file": str(beside)}}
    run = tmp_path / "runs" / "knn"
    assert find_floors(results, run) == []
    versions = [Floor("ridge", top1, 0.02) for top1 in (0.1, 0.2, 0.3)]
    files = ("runs/floors/floors.json", "runs/knn/floors.json", beside)
    for file, floor in zip(files, versions, strict=True):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(add_floors(tmp_path / file, "a", [floor]))
        assert find_floors(results, run) == [floor]
    assert find_floors({"metrics": {}}, run) == []


def test_the_random_network_is_the_one_of_the_same_views(tmp_path: Path) -> None:
    """Whichever was measured last, and in whichever folder."""
    small, large = (Floor(f"random s3d (rgb, {pixels} pixels)", 0.1, 0.01) for pixels in (32, 64))
    for name, floor in (("floors_a", small), ("floors_b", large)):
        file = tmp_path / name / "floors.json"
        file.parent.mkdir()
        file.write_text(add_floors(file, "a", [MAP, floor]))
    results = {"lists": {"digest": "a"}}
    for floor in (small, large):
        assert find_floors({**results, "random_floor": floor.title}, tmp_path / "knn") == [MAP, floor]
    assert find_floors({**results, "random_floor": "random s3d (difference, 32 pixels)"}, tmp_path / "knn") == [MAP]
    assert find_floors(results, tmp_path / "knn") == [MAP]


def test_those_of_a_split_are_beside_it_or_in_the_split_of_another_run(tmp_path: Path) -> None:
    file = tmp_path / "floors" / "split_2" / "floors.json"
    file.parent.mkdir(parents=True)
    file.write_text(add_floors(file, "b", [MAP]))
    assert find_floors({"lists": {"digest": "b"}}, tmp_path / "knn" / "split_2") == [MAP]
    assert find_floors({"lists": {"digest": "other"}}, tmp_path / "knn" / "split_2") == []


def test_floors_of_lists_that_have_changed_are_stale(tmp_path: Path) -> None:
    file = tmp_path / "test.txt.floors.json"
    a, b = ({"lists": {"digest": digest, "floors_file": str(file)}} for digest in "ab")
    run = tmp_path / "runs" / "knn"
    assert not is_stale(a, run)
    file.write_text(add_floors(file, "a", [MAP]))
    assert not is_stale(a, run)
    assert is_stale(b, run)
    beside_run = tmp_path / "runs" / "floors" / "floors.json"
    beside_run.parent.mkdir(parents=True)
    beside_run.write_text(add_floors(beside_run, "b", [MAP]))
    assert not is_stale(b, run)
    assert is_stale({"lists": {"digest": "c", "floors_file": ""}}, run)
    assert not is_stale({}, run)


def test_mean_over_splits() -> None:
    """Errors of independent halves: sqrt(0.03^2 + 0.04^2) / 2 = 0.025."""
    (found,) = mean_floors([[Floor("ridge", 0.2, 0.03), MAP], [Floor("ridge", 0.3, 0.04)]])
    assert found.title == "ridge"
    assert found[1:] == pytest.approx((0.25, 0.025))


def test_the_file_is_json_that_people_can_read(tmp_path: Path) -> None:
    text = add_floors(tmp_path / "none.json", "a", [MAP])
    expected = {"title": "absolute differences", "top1": 0.152, "standard_error": 0.021}
    assert json.loads(text) == {"a": {"floors": [expected]}}
