"""Metrics of TASK floors: their titles, their order, and what each is."""

from collections.abc import Iterable, Mapping, Sequence

RANDOM_KNN, RANDOM_R1 = "random_initialisation", "random_initialisation_r1"
WHAT_FLOORS_ARE: Mapping[str, str] = {
    "majority_class": "the most frequent class of the test videos, for all of them",
    "middle_frame": "1-NN on the middle frame, of 32x24 pixels",
    "absolute_differences": "1-NN on a coarse map of absolute frame differences: of where something moves",
    "signed_differences": "1-NN on coarse maps of signed frame differences in order of time: of the movement",
    "ridge": "ridge regression of the class on the map of absolute differences and histograms of the colours",
    RANDOM_KNN: "kNN of the network with random weights; other results name its network and views",
    RANDOM_R1: "R@1 of that network, which a retrieval has to beat",
}


def floor_title(metric: str) -> str:
    """`signed_differences` -> signed differences; other metrics as they are."""
    return metric.replace("_", " ") if metric in WHAT_FLOORS_ARE else metric


def in_order(results: Sequence[Mapping[str, float]]) -> list[str]:
    """Names of the metrics of one or more runs: in their own order, but floors last and the highest first."""
    names: Iterable[str] = dict.fromkeys(name for metrics in results for name in metrics)
    highest = {name: max(metrics[name] for metrics in results if name in metrics) for name in names}
    return sorted(names, key=lambda name: (name in WHAT_FLOORS_ARE, -highest[name] * (name in WHAT_FLOORS_ARE)))
