"""One optimiser step of SCE on 2 x 2 weights: every number also in plain Python, the gradient derived by hand."""

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from sce_video.augment.batch import TrainBatch
from sce_video.methods.sce import SCE
from sce_video.optim.table import OPTIMIZERS
from sce_video.train.plan import Rates
from sce_video.train.precision import Precision
from sce_video.train.step import pretrain_step
from tests.methods.still import still

pytestmark = pytest.mark.rounding

Vector = Sequence[float]
Matrix = Sequence[Vector]

LR, WEIGHT_DECAY = 0.5, 0.1
COEFF, TEMPERATURE, TARGET_TEMPERATURE, EMA_MOMENTUM = 0.3, 0.2, 0.1, 0.75
SCALARS = {
    "coeff": COEFF,
    "temperature": TEMPERATURE,
    "target_temperature": TARGET_TEMPERATURE,
    "ema_momentum": EMA_MOMENTUM,
}
BACKBONE: Matrix = [[1.0, -0.5], [0.25, 2.0]]
PROJECTOR: Matrix = [[0.5, 1.0], [-1.5, 0.75]]
MOMENTUM_BACKBONE: Matrix = [[0.9, -0.25], [0.5, 1.5]]
MOMENTUM_PROJECTOR: Matrix = [[0.75, 0.5], [-1.0, 1.0]]
QUEUE: Matrix = [[0.6, 0.8], [-1.0, 0.0], [0.28, -0.96]]
VIEWS: Sequence[Matrix] = [[[1.0, 2.0], [-1.5, 0.5]], [[0.5, 2.5], [-1.0, -0.75]]]  # of two videos


def times(matrix: Matrix, vector: Vector) -> list[float]:
    return [dot(row, vector) for row in matrix]


def dot(one: Vector, other: Vector) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def normalised(vector: Vector) -> list[float]:
    return [value / math.sqrt(dot(vector, vector)) for value in vector]


def softmax(values: Vector) -> list[float]:
    exponentials = [math.exp(value) for value in values]
    return [each / sum(exponentials) for each in exponentials]


def key_of(view: Vector) -> list[float]:
    return normalised(times(MOMENTUM_PROJECTOR, times(MOMENTUM_BACKBONE, view)))


def of_pair(query_view: Vector, key_view: Vector) -> tuple[float, Matrix, Matrix]:
    """Loss of one query, and its gradients with respect to backbone and projector.

    With w* the target, p the softmax over c of q . n_c / t, and n_c the own key, then the queue:
    dL/dq = sum_c (p_c - w*_c) n_c / t, and behind q = z / |z|: dL/dz = (dL/dq - (q . dL/dq) q) / |z|.
    """
    hidden = times(BACKBONE, query_view)
    embedding = times(PROJECTOR, hidden)
    length = math.sqrt(dot(embedding, embedding))
    query, key = normalised(embedding), key_of(key_view)
    candidates = [key, *QUEUE]
    relations = softmax([dot(key, past) / TARGET_TEMPERATURE for past in QUEUE])
    target = [COEFF, *((1 - COEFF) * relation for relation in relations)]
    predicted = softmax([dot(query, each) / TEMPERATURE for each in candidates])
    loss = -sum(wanted * math.log(share) for wanted, share in zip(target, predicted, strict=True))
    weights = [(share - wanted) / TEMPERATURE for wanted, share in zip(target, predicted, strict=True)]
    by_query = [dot(weights, column) for column in zip(*candidates, strict=True)]
    by_embedding = [(by_query[i] - dot(query, by_query) * query[i]) / length for i in range(2)]
    by_hidden = times(list(zip(*PROJECTOR, strict=True)), by_embedding)
    return loss, outer(by_hidden, query_view), outer(by_embedding, hidden)


def outer(one: Vector, other: Vector) -> Matrix:
    return [[a * b for b in other] for a in one]


def mean_of(matrices: Sequence[Matrix]) -> Matrix:
    return [[sum(each[i][j] for each in matrices) / len(matrices) for j in range(2)] for i in range(2)]


def updated(weight: Matrix, gradient: Matrix) -> Matrix:
    """SGD's first step, whose momentum is still empty, with weight decay."""
    return [[weight[i][j] - LR * (gradient[i][j] + WEIGHT_DECAY * weight[i][j]) for j in range(2)] for i in range(2)]


def followed(momentum: Matrix, online: Matrix) -> Matrix:
    return [[EMA_MOMENTUM * momentum[i][j] + (1 - EMA_MOMENTUM) * online[i][j] for j in range(2)] for i in range(2)]


class Flat(nn.Linear):
    """A backbone of one layer: (B, C, T, H, W) -> (B, 2)."""

    def forward(self, view: Tensor) -> Tensor:
        return super().forward(view.flatten(1))


def tiny_sce() -> SCE:
    model = SCE(
        backbone=Flat(2, 2, bias=False),
        projector=nn.Linear(2, 2, bias=False),
        predictor=nn.Identity(),
        embedding_dim=2,
        queue_length=3,
        in_batch_keys=False,
        scheduled=still(SCALARS),
    ).double()
    given = {"backbone": BACKBONE, "projector": PROJECTOR}
    given |= {"momentum_backbone": MOMENTUM_BACKBONE, "momentum_projector": MOMENTUM_PROJECTOR}
    state = {f"{name}.weight": torch.tensor(value, dtype=torch.double) for name, value in given.items()}
    queue = {"queue.keys": torch.tensor(QUEUE, dtype=torch.double), "queue.position": torch.tensor(0)}
    model.load_state_dict({**state, **queue})
    return model


def test_one_step_in_plain_python() -> None:
    model = tiny_sce()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = OPTIMIZERS["sgd"]([{"params": trained, "weight_decay": WEIGHT_DECAY}], sgd_momentum=0.9)
    views = [torch.tensor(view, dtype=torch.double).reshape(2, 1, 1, 1, 2) for view in VIEWS]
    loss = pretrain_step(
        [TrainBatch(videos=[0, 1], views=[], failures=[])],
        Rates(lr=LR, method=SCALARS),
        replica=model,
        optimizer=optimizer,
        precision=Precision("fp32", torch.device("cpu")),
        make_views=lambda _: views,
    )

    def assert_equal(found: Tensor, expected: object) -> None:
        assert found.tolist() == pytest.approx(expected, rel=1e-12, abs=1e-14)

    first, second = VIEWS
    pairs = [of_pair(*views) for views in (*zip(second, first, strict=True), *zip(first, second, strict=True))]
    losses, by_backbone, by_projector = zip(*pairs, strict=True)
    assert loss.item() == pytest.approx(sum(losses) / 4, rel=1e-12)
    backbone, projector = updated(BACKBONE, mean_of(by_backbone)), updated(PROJECTOR, mean_of(by_projector))
    for i in range(2):
        assert_equal(model.backbone.weight.grad[i], mean_of(by_backbone)[i])
        assert_equal(model.projector.weight.grad[i], mean_of(by_projector)[i])
        assert_equal(model.backbone.weight[i], backbone[i])
        assert_equal(model.projector.weight[i], projector[i])
        assert_equal(model.momentum_backbone.weight[i], followed(MOMENTUM_BACKBONE, backbone)[i])
        assert_equal(model.momentum_projector.weight[i], followed(MOMENTUM_PROJECTOR, projector)[i])
    # The keys of view 1 take places 0 and 1, those of view 2 places 2 and, past the end of the ring, 0.
    for place, view in ((1, first[1]), (2, second[0]), (0, second[1])):
        assert_equal(model.queue.keys[place], key_of(view))
    assert model.queue.position.item() == 1
