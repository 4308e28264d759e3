"""Published results, to compare with a run's."""

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, NamedTuple

# Task -> protocol of the published numbers, and the metric to compare with them.
PROTOCOLS = {
    "finetune": ("finetune", "finetune_top1"),
    "linear": ("linear", "linear_top1"),
    "retrieval": ("retrieval R@1", "retrieval_r1"),
}
_DATASETS = {"ucf101": "UCF101", "hmdb51": "HMDB51", "kinetics200": "Kinetics-200"}
_KINETICS_CLASSES = {400: "Kinetics-400", 600: "Kinetics-600"}


class Published(NamedTuple):
    """A published result, `value` in percent; None where the `source` does not report something.

    `certainty`: "stated" in the docs of the method's own code, or "secondary", from another source.
    """

    method: str
    backbone: str
    frames: int | None
    pretraining: str
    pretraining_epochs: int | None
    dataset: str
    protocol: str
    value: float
    source: str
    certainty: str


def read_published() -> list[Published]:
    text = resources.files("sce_video.report").joinpath("published.json").read_text(encoding="utf-8")
    return [Published(**row) for row in json.loads(text)]


def dataset_of(protocol: Mapping[str, Any], labels: Sequence[int]) -> str | None:
    """Data set that a run was tested on; None if its source does not identify it.

    Args:
        protocol: of `results.json`.
        labels: of the test videos; their number tells Kinetics-400 from -600.
    """
    source = protocol.get("source")
    if source == "kinetics":
        return _KINETICS_CLASSES.get(len(set(labels)))
    return _DATASETS.get(str(source))


def is_comparable(results: Mapping[str, Any]) -> bool:
    """Whether a run followed the published protocol: all labels, all weights, whole videos.

    Args:
        results: `results.json`.
    """
    task, protocol = results.get("task"), results["protocol"]
    return bool(
        PROTOCOLS.get(str(task), ("", ""))[1] in results["metrics"]
        and protocol.get("label_share", 1) == 1
        and (task != "finetune" or protocol.get("num_trained_blocks", -1) == -1)
        and (task != "retrieval" or protocol.get("retrieval_level", "video") == "video")
    )


def published_for(dataset: str | None, task: str) -> list[Published]:
    """Published results of a task's protocol on a data set, highest first."""
    protocol, _ = PROTOCOLS.get(task, (None, ""))
    fitting = [row for row in read_published() if (row.dataset, row.protocol) == (dataset, protocol)]
    return sorted(fitting, key=lambda row: -row.value)
