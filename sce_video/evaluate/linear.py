"""Linear probe on cached features: multinomial logistic regression, fitted to convergence."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sce_video.errors import ConfigError
from sce_video.evaluate.features import FeatureSet
from sce_video.evaluate.metrics import Measured, classification_metrics, topk_accuracy
from sce_video.runtime.logging import LOGGER

_MAX_ITERATIONS, _MAX_EVALUATIONS = 1000, 4000


def fit_linear(features: Tensor, labels: Tensor, *, num_classes: int, weight_decay: float) -> tuple[Tensor, Tensor]:
    """Weights and bias that minimise mean cross-entropy + weight_decay / 2 * |weights|^2, by L-BFGS in double.

    The problem is convex: there is one optimum, and no learning rate, seed or number of epochs to choose.

    Args:
        features: float (n, D); labels: int64 (n,).
    Returns:
        Weights (num_classes, D) and bias (num_classes,), double.
    """
    features = features.double()
    weights = torch.zeros(num_classes, features.shape[1], dtype=torch.double, device=features.device)
    bias = torch.zeros(num_classes, dtype=torch.double, device=features.device)
    parameters = [weights.requires_grad_(), bias.requires_grad_()]
    optimizer = torch.optim.LBFGS(
        parameters,
        max_iter=_MAX_ITERATIONS,
        max_eval=_MAX_EVALUATIONS,
        history_size=20,
        tolerance_grad=1e-7,
        tolerance_change=1e-12,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(features @ weights.T + bias, labels) + weight_decay / 2 * weights.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    state = optimizer.state[weights]
    if state["n_iter"] >= _MAX_ITERATIONS or state["func_evals"] >= _MAX_EVALUATIONS:
        LOGGER.warning("the linear probe has not converged after %d iterations", state["n_iter"])
    return weights.detach(), bias.detach()


def linear_metrics(
    test: FeatureSet,
    train: FeatureSet,
    *,
    linear_weight_decays: Sequence[float],
    linear_held_out_share: float,
    balanced_part: Callable[..., Sequence[int]],
    seed: int,
    device: torch.device,
) -> Measured:
    """Top-1, top-5 and mean class accuracy of the probe, in [0, 1]; features are standardised by the training set.

    Of several weight decays the best on held-out training rows is chosen, and the probe is then fitted on all training
    rows. Test rows are not used for the choice.

    Args:
        linear_weight_decays: above 0, or separable classes have no optimum.
        linear_held_out_share: of the training rows of each class, in (0, 1); at least one of two or more.
        balanced_part: (labels, share=, seed=) -> indices of a random part with the same share of each class.
        device: where the probe is fitted.
    Raises:
        ConfigError: there are several weight decays, but no class has a row to hold out.
    """
    num_classes = int(max(test.labels.max(), train.labels.max())) + 1
    scores_of = partial(_scores, num_classes=num_classes, device=device)
    details: dict[str, Any] = {}
    weight_decay = linear_weight_decays[0]
    if len(linear_weight_decays) > 1:
        fitted = balanced_part(train.labels.tolist(), share=1 - linear_held_out_share, seed=seed)
        kept, held_out = _divided(train, fitted)
        tried = [
            topk_accuracy(scores_of(held_out, kept, weight_decay=each), held_out.labels, k=1)
            for each in linear_weight_decays
        ]
        weight_decay = linear_weight_decays[max(range(len(tried)), key=tried.__getitem__)]
        details["held_out_top1"] = dict(zip(map(str, linear_weight_decays), tried, strict=True))
        LOGGER.info(
            "weight decay %g is the best of %s on held-out training videos", weight_decay, list(linear_weight_decays)
        )
    scores = scores_of(test, train, weight_decay=weight_decay)
    metrics = classification_metrics(scores, test.labels, name="linear_features")
    return Measured(metrics, {"weight_decay": weight_decay, **details}, scores=scores.softmax(dim=1))


def _scores(
    test: FeatureSet, train: FeatureSet, *, num_classes: int, weight_decay: float, device: torch.device
) -> Tensor:
    """Logits of the test rows, double (n, num_classes), on the CPU."""
    mean, std = train.features.mean(dim=0), train.features.std(dim=0, correction=0).clamp_min(1e-6)
    weights, bias = fit_linear(
        ((train.features - mean) / std).to(device),
        train.labels.to(device),
        num_classes=num_classes,
        weight_decay=weight_decay,
    )
    return ((test.features - mean) / std).double() @ weights.T.cpu() + bias.cpu()


def _divided(rows: FeatureSet, fitted: Sequence[int]) -> tuple[FeatureSet, FeatureSet]:
    """Rows to fit on, at least one per class, and held-out rows, at least one per class with two or more."""
    kept = torch.zeros(len(rows.labels), dtype=torch.bool)
    kept[list(fitted)] = True
    for label in rows.labels.unique():
        of_class = (rows.labels == label).nonzero().flatten()
        if len(of_class) > 1 and kept[of_class].all():
            kept[of_class[-1]] = False
    if kept.all():
        raise ConfigError(
            "EVAL.LINEAR_WEIGHT_DECAYS has several values, but no class has two training videos, so none can be held "
            "out to choose by; give one value, or a larger EVAL.LABEL_SHARE"
        )
    return rows.part(kept), rows.part(~kept)
