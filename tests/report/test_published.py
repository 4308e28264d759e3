"""The numbers are those of the table in the docs of SCE's code and of the other sources, typed in again here."""

from collections import Counter

import pytest

from sce_video.report.published import PROTOCOLS, dataset_of, is_comparable, published_for, read_published

SCE_16_FRAMES = {
    ("Kinetics-400", "linear"): 69.6,
    ("UCF101", "finetune"): 95.3,
    ("UCF101", "retrieval R@1"): 83.9,
    ("HMDB51", "finetune"): 74.7,
    ("HMDB51", "retrieval R@1"): 45.9,
}
SCE_8_FRAMES = {
    ("Kinetics-400", "linear"): 67.6,
    ("UCF101", "finetune"): 94.1,
    ("UCF101", "retrieval R@1"): 81.5,
    ("HMDB51", "finetune"): 70.5,
    ("HMDB51", "retrieval R@1"): 43.0,
}


@pytest.mark.parametrize(("frames", "values"), [(16, SCE_16_FRAMES), (8, SCE_8_FRAMES)])
def test_results_of_sce(frames: int, values: dict[tuple[str, str], float]) -> None:
    rows = [row for row in read_published() if row.method == "SCE" and row.frames == frames]
    assert {(row.dataset, row.protocol): row.value for row in rows} == values
    assert {(row.backbone, row.pretraining, row.pretraining_epochs) for row in rows} == {
        ("R3D-50", "Kinetics-400", 200)
    }
    assert all("docs/source/contributions/sce_mvap.md" in row.source for row in rows)


def test_every_row_is_complete_and_unique() -> None:
    rows = read_published()
    for row in rows:
        assert row.method
        assert row.backbone
        assert row.source
        assert row.pretraining
        assert 0 < row.value < 100
        assert row.certainty in ("stated", "secondary")
        assert row.protocol in {protocol for protocol, _ in PROTOCOLS.values()}
        assert row.dataset in ("UCF101", "HMDB51", "Kinetics-400")
    keys = Counter((row.method, row.frames, row.pretraining_epochs, row.dataset, row.protocol) for row in rows)
    assert max(keys.values()) == 1


def test_results_of_one_protocol_and_data_set_highest_first() -> None:
    found = published_for("UCF101", "retrieval")
    assert [(row.method, row.value) for row in found] == [("SCE", 83.9), ("SCE", 81.5), ("TCLR", 56.1)]
    values = [row.value for row in published_for("Kinetics-400", "linear")]
    assert values == sorted(values, reverse=True)
    assert len(values) == 13
    assert published_for("UCF101", "knn") == []  # nobody reports it
    assert published_for("Kinetics-400", "linear_features") == []  # another protocol than linear
    assert published_for(None, "finetune") == []


@pytest.mark.parametrize(
    ("protocol", "num_classes", "dataset"),
    [
        ({"source": "ucf101", "split": 1}, 101, "UCF101"),
        ({"source": "hmdb51"}, 51, "HMDB51"),
        ({"source": "kinetics200"}, 200, "Kinetics-200"),
        ({"source": "kinetics"}, 400, "Kinetics-400"),
        ({"source": "kinetics"}, 399, None),
        ({"source": "list", "train": "ucf101.txt"}, 101, None),
        ({}, 10, None),
    ],
)
def test_a_data_set_is_never_guessed(protocol: dict, num_classes: int, dataset: str | None) -> None:
    assert dataset_of(protocol, list(range(num_classes)) * 2) == dataset


@pytest.mark.parametrize(
    ("task", "protocol", "expected"),
    [
        ("finetune", {"label_share": 1.0, "num_trained_blocks": -1}, True),
        ("finetune", {"label_share": 0.1, "num_trained_blocks": -1}, False),
        ("finetune", {"label_share": 1.0, "num_trained_blocks": 2}, False),
        ("linear", {"label_share": 1.0, "num_trained_blocks": 0}, True),
        ("retrieval", {"retrieval_level": "video"}, True),
        ("retrieval", {"retrieval_level": "clip"}, False),
        ("knn", {}, False),
    ],
)
def test_published_numbers_are_of_all_labels_all_weights_and_whole_videos(task, protocol, expected) -> None:
    metrics = {"finetune_top1": 0.5, "linear_top1": 0.5, "retrieval_r1": 0.5, "knn_top1": 0.5}
    assert is_comparable({"task": task, "protocol": protocol, "metrics": metrics}) is expected


def test_without_r1_there_is_nothing_to_compare() -> None:
    results = {"task": "retrieval", "protocol": {"retrieval_level": "video"}, "metrics": {"retrieval_r5": 0.5}}
    assert not is_comparable(results)
