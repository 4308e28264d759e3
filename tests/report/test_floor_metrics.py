"""Titles, order and words of the metrics of TASK floors."""

from pathlib import Path

import torch

from sce_video.evaluate.features import FeatureRows, labeled
from sce_video.evaluate.floor_features import ROW_LENGTH
from sce_video.evaluate.floors import floor_accuracies
from sce_video.report.floor_metrics import WHAT_FLOORS_ARE, floor_title, in_order
from sce_video.report.text_table import metrics_table
from tests.report.runs import parse, reported, rows_of, table, write_results
from tests.report.test_page import page_of

FLOORS = {"majority_class": 0.125, "middle_frame": 0.0625, "signed_differences": 0.75, "random_initialisation": 0.25}
HIGHEST_FIRST = ["signed differences", "random initialisation", "majority class", "middle frame"]


def test_every_floor_has_words() -> None:
    features = torch.rand(4, ROW_LENGTH, generator=torch.Generator().manual_seed(0))
    features[:, 0] = 0  # no images
    rows = labeled(FeatureRows(features, torch.arange(4), []), [0, 1, 0, 1])
    of_network = {"random_initialisation", "random_initialisation_r1"}
    assert floor_accuracies(rows, rows).keys() | of_network == WHAT_FLOORS_ARE.keys()


def test_floors_are_in_order_of_the_highest_of_all_runs_behind_other_metrics() -> None:
    others = {"knn_top1": 0.1, "knn_mean_class": 0.2, "middle_frame": 0.875}
    assert in_order([FLOORS, others]) == [
        "knn_top1",
        "knn_mean_class",
        "middle_frame",
        "signed_differences",
        "random_initialisation",
        "majority_class",
    ]
    assert floor_title("knn_top1") == "knn_top1"


def test_the_terminal_has_the_names_that_pages_have() -> None:
    lines = metrics_table(FLOORS, standard_errors={}, chance={}).splitlines()[2:]
    assert [line.split("  ")[0] for line in lines] == HIGHEST_FIRST


def test_a_page_of_floors_says_what_they_are_and_which_a_number_has_to_beat(tmp_path: Path) -> None:
    write_results(tmp_path, "floors", FLOORS, standard_errors=dict.fromkeys(FLOORS, 0.0125))
    read = parse(page_of(reported(tmp_path, task="floors")))
    assert [row[0] for row in rows_of(table(read, "Metrics"))[:-1]] == HIGHEST_FIRST
    about = dict(rows_of(table(read, "What the floors are")))
    assert list(about) == HIGHEST_FIRST
    assert about["middle frame"] == "1-NN on the middle frame, of 32x24 pixels"
    assert "The highest floor is signed differences, 75.0 ± 1.2 %" in read.one("section", id="results").text


def test_floors_beside_a_knn_keep_their_names(tmp_path: Path) -> None:
    runs = []
    for task, metrics in (("floors", FLOORS), ("knn", {"knn_top1": 0.5})):
        (tmp_path / task).mkdir()
        write_results(tmp_path / task, task, metrics)
        runs.append(reported(tmp_path / task, name=task, task=task))
    rows = rows_of(table(parse(page_of(*runs)), "Metrics"))
    assert [row[0] for row in rows[:-1]] == ["knn top-1", *HIGHEST_FIRST]
