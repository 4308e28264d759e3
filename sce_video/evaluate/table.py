"""Evaluations on cached features by TASK."""

from collections.abc import Callable

from sce_video.evaluate.knn import knn_metrics
from sce_video.evaluate.linear import linear_metrics
from sce_video.evaluate.metrics import Measured
from sce_video.evaluate.retrieval import retrieval_metrics

# (test features, training features, by keyword as needed: settings of EVAL, device, seed, search, balanced_part)
EVALUATIONS: dict[str, Callable[..., Measured]] = {
    "linear_features": linear_metrics,
    "knn": knn_metrics,
    "retrieval": retrieval_metrics,
}
