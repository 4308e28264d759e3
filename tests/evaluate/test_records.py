import csv

import torch

from sce_video.evaluate.features import FeatureSet
from sce_video.evaluate.records import write_neighbors, write_predictions


def rows(videos, labels):
    return FeatureSet(torch.zeros(len(videos), 2), torch.tensor(labels), torch.tensor(videos), [], len(videos))


def lines_of(file):
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def test_predictions_are_the_best_scores(tmp_path):
    file = tmp_path / "predictions.csv"
    scores = torch.tensor([[0.25, 0.75], [0.5, 0.125]])
    write_predictions(file, rows([0, 2], [0, 5]), ["a, b.mp4", "broken.mp4", "c.mp4"], scores)
    assert lines_of(file) == [
        {"path": "a, b.mp4", "label": "0", "predicted": "1", "score": "0.75", "score_of_label": "0.25"},
        {"path": "c.mp4", "label": "5", "predicted": "0", "score": "0.5", "score_of_label": "0"},
    ]


def test_neighbors_are_named(tmp_path):
    file = tmp_path / "neighbors.csv"
    # Bank row 1 is of bank video 3.
    neighbors = torch.tensor([[0.5, 0.25]]), torch.tensor([[1, 0]])
    write_neighbors(file, rows([1], [7]), rows([0, 3], [7, 8]), ["x", "q.mp4"], ["b0", "b1", "b2", "b3"], neighbors)
    common = {"path": "q.mp4", "label": "7"}
    assert lines_of(file) == [
        {**common, "place": "1", "neighbor_path": "b3", "neighbor_label": "8", "similarity": "0.5"},
        {**common, "place": "2", "neighbor_path": "b0", "neighbor_label": "7", "similarity": "0.25"},
    ]


def test_ten_neighbors_at_most(tmp_path):
    file = tmp_path / "neighbors.csv"
    neighbors = torch.arange(20.0)[None], torch.arange(20)[None]
    write_neighbors(file, rows([0], [0]), rows(range(20), [0] * 20), ["q"], [str(i) for i in range(20)], neighbors)
    assert len(lines_of(file)) == 10


def test_names_that_are_not_utf_8_stay_what_they_are(tmp_path):
    file = tmp_path / "predictions.csv"
    name = b"\xff.mp4".decode("utf-8", "surrogateescape")
    write_predictions(file, rows([0], [0]), [name], torch.ones(1, 1))
    assert b"\xff.mp4,0,0" in file.read_bytes()
