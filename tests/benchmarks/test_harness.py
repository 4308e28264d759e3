"""Order, arithmetic and JSON of the benchmarks' shared code."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

Module = Callable[[str], ModuleType]


@pytest.fixture
def harness(benchmark_module: Module) -> ModuleType:
    return benchmark_module("harness")


def test_rounds_alternate_and_begin_in_turn(harness: ModuleType) -> None:
    order: list[str] = []
    candidates = {name: lambda name=name: order.append(name) for name in "abc"}
    seconds = harness.alternate(candidates, num_rounds=4)
    assert "".join(order) == "abc" + "bca" + "cab" + "abc"
    assert {name: len(taken) for name, taken in seconds.items()} == {"a": 4, "b": 4, "c": 4}
    assert all(taken >= 0 for each in seconds.values() for taken in each)


def test_a_candidate_may_time_itself(harness: ModuleType) -> None:
    own = iter([3.0, 0.0, 5.0])
    seconds = harness.alternate({"own": lambda: next(own), "whole call": lambda: None}, num_rounds=3)
    assert seconds["own"] == [3.0, 0.0, 5.0]
    assert all(taken >= 0 for taken in seconds["whole call"])


def test_ratios_compare_within_a_round(harness: ModuleType) -> None:
    # Round 2 was slow for all; the ratio of medians would be 6 / 2 = 3.
    assert harness.speed_ratio([1.0, 10.0, 2.0], [4.0, 60.0, 6.0]) == 4.0


def test_table_and_json(harness: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "new" / "results.json"
    rows = [{"name": "ours", "seconds": 0.123456, "each": [1, 2]}, {"name": "peer", "wrong": 3}]
    harness.publish(rows=rows, ratios={"ours_vs_peer": 2.5}, json_file=file)
    record = json.loads(file.read_text())
    assert record["rows"] == rows
    assert record["ratios"] == {"ours_vs_peer": 2.5}
    assert record["machine"]["cores"] >= 1
    assert record["commit"]
    assert {"python", "torch", "av", "torchcodec"} <= record["versions"].keys()
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["name", "seconds", "wrong"]  # lists are for the JSON
    assert lines[2:4] == [["ours", "0.1235", "-"], ["peer", "-", "3"]]
    assert lines[-1] == ["ours_vs_peer", "2.50"]


def test_options(harness: ModuleType) -> None:
    arguments = harness.new_parser("What it compares.\n\nMore.").parse_args(["--quick", "--json", "a.json"])
    assert arguments.quick
    assert arguments.json == Path("a.json")
