"""Linear probe on frozen features: multinomial logistic regression, to its optimum."""

import torch
import torch.nn.functional as F
from torch import Tensor

from sce_video.evaluate.metrics import classification_metrics
from sce_video.runtime.logging import LOGGER

_MAX_ITERATIONS = 1000


def fit_linear(features: Tensor, labels: Tensor, *, num_classes: int, weight_decay: float) -> tuple[Tensor, Tensor]:
    """Weights and bias that minimise mean cross-entropy + weight_decay / 2 * |weights|^2, by L-BFGS in double.

    The problem is convex, so there is one optimum and no learning rate, seed or epoch to choose.

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
    if optimizer.state[weights]["n_iter"] >= _MAX_ITERATIONS:
        LOGGER.warning("the linear probe has not converged after %d iterations", _MAX_ITERATIONS)
    return weights.detach(), bias.detach()


def linear_metrics(
    test: Tensor, test_labels: Tensor, train: Tensor, train_labels: Tensor, *, weight_decay: float
) -> dict[str, float]:
    """Top-1, top-5 and mean class accuracy of the probe, in [0, 1]; features are standardised by the training set."""
    num_classes = int(max(test_labels.max(), train_labels.max())) + 1
    mean, std = train.mean(dim=0), train.std(dim=0).clamp_min(1e-6)
    train, test = (train - mean) / std, (test - mean) / std
    weights, bias = fit_linear(train, train_labels, num_classes=num_classes, weight_decay=weight_decay)
    scores = test.double() @ weights.T + bias
    return classification_metrics(scores, test_labels, name="linear")
