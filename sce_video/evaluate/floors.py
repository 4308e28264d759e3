"""Floors: what crude classifiers reach on a labelled list, without a network; a number has to beat them."""

import torch
import torch.nn.functional as F
from torch import Tensor

from sce_video.evaluate.chance import chance_levels
from sce_video.evaluate.features import FeatureSet
from sce_video.evaluate.floor_features import part
from sce_video.evaluate.metrics import topk_accuracy

# Penalty of the ridge regression on standardised features, beside the sum of squares over the training videos.
RIDGE_PENALTY = 3000.0
_QUERIES_AT_ONCE = 256
_HARDLY_VARIES = 1e-3  # of the root mean square of all columns' deviations


def floor_accuracies(test: FeatureSet, train: FeatureSet, *, device: torch.device | None = None) -> dict[str, float]:
    """Top-1 accuracy, in [0, 1], of each floor; for images, which do not move, without those of differences.

    majority_class: the most frequent class of the test videos for all of them. middle_frame, signed_differences: the
    class of the training video whose frame, or differences, correlate most. absolute_differences: that of the nearest
    map, cells standardised over the training videos. ridge: see `ridge_scores`, on absolute differences and colours.

    Args:
        test, train: rows of `floor_features`, (n, ROW_LENGTH).
        device: where the nearest are searched.
    """
    moves = not part(torch.cat([test.features, train.features]), "is_image").bool().all()
    differences = ("absolute_differences", "signed_differences") if moves else ()
    found = {"majority_class": chance_levels(["_top1"], labels=test.labels, bank_labels=None)["_top1"]}
    for name in ("middle_frame", *differences):
        query, bank = part(test.features, name), part(train.features, name)
        comparable = _standardised if name == "absolute_differences" else _correlating
        labels = nearest_labels(*comparable(query, bank), train.labels, device=device)
        found[name] = (labels == test.labels).double().mean().item()
    seen = ("absolute_differences", "colors") if moves else ("colors",)
    of_test, of_train = (torch.cat([part(rows.features, name) for name in seen], 1) for rows in (test, train))
    found["ridge"] = topk_accuracy(ridge_scores(of_test, of_train, train.labels), test.labels, k=1)
    return found


def nearest_labels(query: Tensor, bank: Tensor, labels: Tensor, *, device: torch.device | None = None) -> Tensor:
    """Label of the bank row at the least Euclidean distance: (n, D), (m, D), int64 (m,) -> int64 (n,)."""
    bank = bank.to(device)
    rows = [torch.cdist(chunk.to(device), bank).argmin(dim=1).cpu() for chunk in query.split(_QUERIES_AT_ONCE)]
    return labels[torch.cat(rows)]


def _correlating(query: Tensor, bank: Tensor) -> tuple[Tensor, Tensor]:
    """Each row with mean 0 and norm 1, so that the nearest is the one that correlates most."""
    centred = (rows - rows.mean(dim=1, keepdim=True) for rows in (query, bank))
    query, bank = (F.normalize(rows, dim=1) for rows in centred)
    return query, bank


def _standardised(query: Tensor, bank: Tensor) -> tuple[Tensor, Tensor]:
    """Each column with mean 0 and deviation 1 over the bank; one that hardly varies there is divided as a usual one.

    Divided by its own deviation, a black bar would decide alone as soon as anything moves there in a query.
    """
    mean, std = bank.mean(dim=0), bank.std(dim=0, correction=0)
    usual = std.square().mean().sqrt().clamp_min(1e-8)
    std = torch.where(std < _HARDLY_VARIES * usual, usual, std)
    return (query - mean) / std, (bank - mean) / std


def ridge_scores(query: Tensor, bank: Tensor, labels: Tensor, *, penalty: float = RIDGE_PENALTY) -> Tensor:
    """Scores of the classes, double (n, classes), by ridge regression of one-hot labels, in closed form.

    W minimises |X W - Y|^2 + penalty |W|^2, where X are the bank's rows, standardised, and Y their classes, centred.

    Args:
        query: (n, D); bank: (m, D); labels: int64 (m,).
    """
    query, bank = _standardised(query.double(), bank.double())
    classes = F.one_hot(labels).double()
    shares = classes.mean(dim=0)
    gram = bank.T @ bank + penalty * torch.eye(bank.shape[1], dtype=torch.double)
    weights = torch.linalg.solve(gram, bank.T @ (classes - shares))  # (D, classes)
    return query @ weights + shares
