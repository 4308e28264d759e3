"""What an evaluation passes to its measure, what it refuses, and which tables it writes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from fvcore.common.config import CfgNode

from sce_video.errors import ManifestError
from sce_video.evaluate.features import FeatureSet
from sce_video.evaluate.metrics import Measured
from sce_video.tasks.evaluation import evaluate_task
from tests.tasks.conftest import NUM_CLASSES, TEST_LABELS

CPU = torch.device("cpu")


def by_scores(test: FeatureSet, train: FeatureSet) -> Measured:
    """Predicts class 2 for all."""
    return Measured(
        {"knn_top1": 0.25}, {"asked": len(test.labels)}, scores=torch.eye(NUM_CLASSES)[[2] * len(test.labels)]
    )


def by_neighbors(test: FeatureSet, train: FeatureSet) -> Measured:
    """Finds the last training video for all."""
    rows = torch.full((len(test.labels), 1), len(train.labels) - 1)
    return Measured({"retrieval_r1": 0.0}, {}, neighbors=(torch.ones_like(rows, dtype=torch.float32), rows))


def results_of(run: Path) -> dict:
    return json.loads((run / "results.json").read_text())


def test_the_measure_gets_both_lists_with_their_labels(config: Callable[..., CfgNode], tmp_path: Path) -> None:
    seen = {}

    def measure(test: FeatureSet, train: FeatureSet) -> Measured:
        seen.update(test=test, train=train)
        return by_scores(test, train)

    evaluate_task(config("knn"), CPU, measure, settings={"searched": "by hand"})()
    assert seen["test"].labels.tolist() == list(TEST_LABELS)
    assert seen["train"].labels.tolist() == list(range(NUM_CLASSES))
    torch.testing.assert_close(seen["test"].features, seen["train"].features)  # of the same pictures
    results = results_of(tmp_path / "run")
    assert results["details"] == {"asked": 4}
    assert results["protocol"]["searched"] == "by hand"
    assert results["weights"] == "r2plus1d_mini, random initialisation"
    assert (results["num_evaluated"], results["num_bank"]) == (4, 4)


def test_a_folder_has_only_the_tables_of_its_last_task(config: Callable[..., CfgNode], tmp_path: Path) -> None:
    for measure, table in ((by_scores, "predictions"), (by_neighbors, "neighbors"), (by_scores, "predictions")):
        evaluate_task(config("knn"), CPU, measure, settings={})()
        assert [file.stem for file in (tmp_path / "run").glob("*.csv")] == [table]
    lines = (tmp_path / "run" / "predictions.csv").read_text().splitlines()
    assert lines[1] == "test0.png,0,2,1,0"


def test_the_standard_error_is_that_of_the_predictions(config: Callable[..., CfgNode], tmp_path: Path) -> None:
    """Class 2 for all is right for one of 4; class 3, of whom the nearest is one, for none: 2 of 8."""
    for measure, name, error in (
        (by_scores, "knn_top1", (0.25 * 0.75 / 4) ** 0.5),
        (by_neighbors, "retrieval_r1", (0.25 * 0.75 / 8) ** 0.5),
    ):
        evaluate_task(config("knn"), CPU, measure, settings={})()
        assert results_of(tmp_path / "run")["standard_errors"][name] == pytest.approx(error)


def test_a_broken_video_is_counted_and_not_replaced(
    config: Callable[..., CfgNode], pictures: Path, tmp_path: Path
) -> None:
    (tmp_path / "torn.png").write_bytes((pictures / "test3.png").read_bytes()[:100])
    listed = tmp_path / "test.txt"
    listed.write_text(f"{pictures}/test0.png 0\n{tmp_path}/torn.png 1\n{pictures}/test2.png 2\n")
    evaluate_task(
        config("knn", DATA__ROOT="/", DATA__TRAIN=train_of(pictures, tmp_path), DATA__TEST=listed),
        CPU,
        by_scores,
        settings={},
    )()
    results = results_of(tmp_path / "run")
    assert (results["num_evaluated"], results["num_expected"]) == (2, 3)
    assert [reason.partition(":")[0] for reason in results["failures"]] == [str(tmp_path / "torn.png")]
    lines = (tmp_path / "run" / "predictions.csv").read_text().splitlines()
    assert [line.rpartition("/")[2].split(",")[0] for line in lines[1:]] == ["test0.png", "test2.png"]


def train_of(pictures: Path, folder: Path) -> Path:
    listed = folder / "train.txt"
    listed.write_text("".join(f"{pictures}/{line}\n" for line in (pictures / "train.txt").read_text().splitlines()))
    return listed


def test_labels_of_no_training_video_are_refused(config: Callable[..., CfgNode], tmp_path: Path) -> None:
    (tmp_path / "test.txt").write_text("test0.png 40\ntest1.png 41\n")
    with pytest.raises(ManifestError, match=r"test\.txt"):
        evaluate_task(config("knn", DATA__TEST=tmp_path / "test.txt"), CPU, by_scores, settings={})


def test_a_part_of_the_labels_leaves_of_every_class_as_many(
    config: Callable[..., CfgNode], pictures: Path, tmp_path: Path
) -> None:
    """Of three videos of each class a tenth is one; its features are kept apart from those of all."""
    (tmp_path / "more").mkdir()
    lines = []
    for copy in range(3):
        for label in range(NUM_CLASSES):
            file = tmp_path / "more" / f"{copy}_{label}.png"
            file.write_bytes((pictures / f"train{label}.png").read_bytes())
            lines.append(f"{file} {label}\n")
    listed = tmp_path / "train.txt"
    listed.write_text("".join(lines))
    seen = {}

    def measure(test: FeatureSet, train: FeatureSet) -> Measured:
        seen["labels"] = train.labels.tolist()
        return by_scores(test, train)

    part = {"EVAL__LABEL_SHARE": 0.1, "RUN__SEED": 5, "DATA__TRAIN": listed, "DATA__ROOT": "/"}
    test = tmp_path / "test.txt"
    test.write_text(f"{pictures}/test0.png 0\n")
    evaluate_task(config("knn", DATA__TEST=test, **part), CPU, measure, settings={})()
    assert sorted(seen["labels"]) == list(range(NUM_CLASSES))
    results = results_of(tmp_path / "run")
    assert (results["num_bank"], results["num_bank_expected"], results["protocol"]["label_share"]) == (4, 4, 0.1)
    assert (tmp_path / "run" / "features" / "train_share_0.1_seed_5").is_dir()
