import json
from pathlib import Path

import pytest
import torch

from sce_video.errors import UserError
from sce_video.evaluate import records
from sce_video.evaluate.features import FeatureSet
from sce_video.report.run_folder import Neighbor, Prediction, Query, read_run
from tests.report.runs import write_metrics_log, write_neighbors, write_predictions, write_results


def test_all_files_are_read(tmp_path: Path) -> None:
    write_results(tmp_path, "knn", {"knn_top1": 0.5})
    write_metrics_log(tmp_path, num_lines=3)
    write_predictions(tmp_path, [("a/x.mp4", 0, 1), ("b, c/y\n.mp4", 1, 1)])
    write_neighbors(tmp_path, [("a/x.mp4", 0, [("b/1.mp4", 1), ("a/2.mp4", 0)]), ("b/y.mp4", 1, [("b/1.mp4", 1)])])
    run = read_run(tmp_path)
    assert run.results["metrics"] == {"knn_top1": 0.5}
    assert [line["step"] for line in run.metrics_log] == [9, 19, 29]
    assert run.predictions == [Prediction("a/x.mp4", 0, 1), Prediction("b, c/y\n.mp4", 1, 1)]
    assert run.queries == [
        Query("a/x.mp4", 0, (Neighbor("b/1.mp4", 1, 0.9), Neighbor("a/2.mp4", 0, 0.8))),
        Query("b/y.mp4", 1, (Neighbor("b/1.mp4", 1, 0.9),)),
    ]
    assert run.answers == run.predictions


def test_without_predictions_the_nearest_neighbour_counts(tmp_path: Path) -> None:
    write_results(tmp_path, "retrieval", {"retrieval_r1": 0.5})
    write_neighbors(tmp_path, [("a/x.mp4", 0, [("b/1.mp4", 1), ("a/2.mp4", 0)])])
    assert read_run(tmp_path).answers == [Prediction("a/x.mp4", 0, 1)]


def test_clips_of_one_video_are_queries_of_their_own(tmp_path: Path) -> None:
    write_results(tmp_path, "retrieval", {"retrieval_r1": 0.5})
    write_neighbors(tmp_path, [("x.mp4", 0, [("1.mp4", 1), ("2.mp4", 0)]), ("x.mp4", 0, [("2.mp4", 0), ("1.mp4", 1)])])
    assert [query.neighbors[0].path for query in read_run(tmp_path).queries] == ["1.mp4", "2.mp4"]


def test_tables_of_an_evaluation_are_read_back(tmp_path: Path) -> None:
    """Also names that are not UTF-8."""
    paths, bank_paths = ["caf\udce9/x.mp4", 'say "hi", you/y.mp4'], ["1.mp4", "2.mp4", "3.mp4"]
    rows = FeatureSet(torch.zeros(2, 1), torch.tensor([4, 7]), torch.tensor([0, 1]), [], 2)
    bank = FeatureSet(torch.zeros(3, 1), torch.tensor([7, 7, 4]), torch.tensor([0, 1, 2]), [], 3)
    write_results(tmp_path, "knn", {"knn_top1": 0.5})
    records.write_predictions(tmp_path / records.PREDICTIONS_FILE, rows, paths, torch.eye(8)[[4, 5]])
    near = torch.tensor([[0.5, 0.25], [0.75, 0.5]]), torch.tensor([[2, 0], [1, 2]])
    records.write_neighbors(tmp_path / records.NEIGHBORS_FILE, rows, bank, paths, bank_paths, near)
    run = read_run(tmp_path)
    assert run.predictions == [Prediction(paths[0], 4, 4), Prediction(paths[1], 7, 5)]
    assert run.queries[1] == Query(paths[1], 7, (Neighbor("2.mp4", 7, 0.75), Neighbor("3.mp4", 4, 0.5)))


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds neither results\.json nor metrics\.jsonl"):
        read_run(tmp_path)


def results_with(**changes: object) -> str:
    return json.dumps({"metrics": {}, "num_evaluated": 8, "num_expected": 8, "protocol": {}, **changes})


DAMAGE = {
    "torn json": ("results.json", '{"metrics": {', "cannot be read"),
    "other json": ("results.json", '{"random": 1}', r"does not hold the results of an evaluation \(metrics, "),
    "a list": ("results.json", "[1]", "does not hold the results"),
    "deep json": ("results.json", "[" * 100_000, "cannot be read"),
    "a text for metrics": (
        "results.json",
        results_with(metrics="high"),
        r"\(metrics is 'high'\)",
    ),
    "a metric that is none": ("results.json", results_with(metrics={"knn_top1": None}), r"\(metrics is "),
    "no finite metric": ("results.json", results_with(metrics={"knn_top1": float("nan")}), r"\(metrics is "),
    "a count that is none": ("results.json", results_with(num_evaluated="8"), r"\(num_evaluated is '8'\)"),
    "a chance that is none": ("results.json", results_with(chance=[0.1]), r"\(chance is \[0\.1\]\)"),
    "an error that is none": ("results.json", results_with(standard_errors={"a": "b"}), r"\(standard_errors is "),
    "a class without a number": ("results.json", results_with(class_names={"a": "b"}), r"\(class_names is "),
    "no failures": ("results.json", results_with(failures=7), r"\(failures is 7\)"),
    "an examination of texts": (
        "results.json",
        results_with(examination={"words": [], "bars": [{"title": "x", "mean": "high"}], "shares": []}),
        r"\(examination is ",
    ),
    "an examination without words": ("results.json", results_with(examination={}), r"\(examination is \{\}\)"),
    "an environment of numbers": ("results.json", results_with(environment={"torch": 2}), r"\(environment is "),
    "no finite similarity": (
        "neighbors.csv",
        "path,label,place,neighbor_path,neighbor_label,similarity\nx,1,1,y,1,nan\n",
        "neighbors.csv, line 2: similarity is nan",
    ),
    "a huge field": ("predictions.csv", "path,label,predicted\n" + "x" * 200_000 + ",1,2\n", "predictions.csv, line "),
    "no column": ("predictions.csv", "path,label\nx,1\n", "predictions.csv has no column predicted"),
    "nothing": ("neighbors.csv", "", "neighbors.csv has no column path"),
    "no number": ("predictions.csv", "path,label,predicted\nx,1,2\ny,one,2\n", "predictions.csv, line 3: .*'one'"),
    "torn line": ("predictions.csv", "path,label,predicted\nx,1,2\ny,1\n", "predictions.csv, line 3: "),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_named(tmp_path: Path, damage: str) -> None:
    name, text, message = DAMAGE[damage]
    write_results(tmp_path, "knn", {"knn_top1": 0.5})
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        read_run(tmp_path)
    assert "\n" not in str(caught.value)
