"""LARS against a loop written from the formula, against timm and against SGD."""

import copy
import io

import pytest
import torch
from timm.optim import Lars as TimmLars
from torch import Tensor, nn

from sce_video.optim.lars import LARS

pytestmark = pytest.mark.rounding

SHAPES = [(4, 3), (2, 3, 1, 2, 2), (5,), (), (1, 1)]
LEARNING_RATES = [0.0, 0.7, 1.4, 4.8, 2.0]


def make_params(seed: int = 0) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(seed)
    return [nn.Parameter(torch.randn(s, generator=generator, dtype=torch.float64)) for s in SHAPES]


def set_gradients(params: list[nn.Parameter], step: int) -> None:
    generator = torch.Generator().manual_seed(100 + step)
    for p in params:
        p.grad = torch.randn(p.shape, generator=generator, dtype=p.dtype)


def norm(tensor: Tensor) -> float:
    return sum(x * x for x in tensor.flatten().tolist()) ** 0.5


def slow_step(p: Tensor, grad: Tensor, mu: Tensor, *, lr: float, decay: float, trust: float) -> tuple[Tensor, Tensor]:
    """LARS (arXiv:1708.03888) as the authors' code has it, one tensor; momentum 0.9."""
    d = grad.clone()
    if p.ndim > 1:
        d = grad + decay * p
        if norm(p) > 0 and norm(d) > 0:
            d = d * (trust * norm(p) / norm(d))
    mu = 0.9 * mu + d
    return p - lr * mu, mu


def test_several_steps_of_the_formula() -> None:
    params = make_params()
    with torch.no_grad():
        params[0].zero_()  # norm 0: factor 1 in the first step
    expected = [(p.detach().clone(), torch.zeros_like(p)) for p in params]
    optimizer = LARS(params, lr=1.0, weight_decay=0.125)
    for step, lr in enumerate([1.0, *LEARNING_RATES]):
        set_gradients(params, step)
        if step == 2:
            params[1].grad = -0.125 * params[1].detach()  # cancels the decay exactly: d has norm 0
        expected = [
            slow_step(q, p.grad, mu, lr=lr, decay=0.125, trust=0.001)
            for p, (q, mu) in zip(params, expected, strict=True)
        ]
        optimizer.param_groups[0]["lr"] = lr
        optimizer.step()
        for p, (q, mu) in zip(params, expected, strict=True):
            torch.testing.assert_close(p.detach(), q, rtol=1e-12, atol=1e-14)
            torch.testing.assert_close(optimizer.state[p]["mu"], mu, rtol=1e-12, atol=1e-14)


def test_first_step_worked_out_by_hand() -> None:
    weight = nn.Parameter(torch.tensor([[3.0, 4.0]]))  # norm 5
    bias = nn.Parameter(torch.tensor([1.0]))
    weight.grad, bias.grad = torch.tensor([[0.0, 2.0]]), torch.tensor([2.0])
    LARS([weight, bias], lr=10.0, weight_decay=0.0, trust_coefficient=0.01).step()
    torch.testing.assert_close(weight.detach(), torch.tensor([[3.0, 3.5]]))  # 10 * 0.01 * 5 along the gradient
    torch.testing.assert_close(bias.detach(), torch.tensor([-19.0]))  # 10 * 2, neither scaled nor decayed


def timm_lars(params: list[nn.Parameter], *, weight_decay: float) -> TimmLars:
    """timm adapts by group, not by ndim: weights always, vectors never (no decay means no adaption)."""
    weights = {"params": [p for p in params if p.ndim > 1], "weight_decay": weight_decay, "always_adapt": True}
    vectors = {"params": [p for p in params if p.ndim <= 1], "weight_decay": 0.0}
    return TimmLars([weights, vectors], lr=1.0, momentum=0.9, trust_coeff=0.001, eps=0.0)


@pytest.mark.parametrize("weight_decay", [0.0, 0.2])
def test_parity_with_timm(weight_decay: float) -> None:
    """timm divides by |g| + decay * |p|, the formula by |g + decay * p|: one number where g is along p."""
    ours, theirs = make_params(), make_params()
    optimizers = LARS(ours, lr=1.0, weight_decay=weight_decay), timm_lars(theirs, weight_decay=weight_decay)
    for step, lr in enumerate(LEARNING_RATES):
        for params, optimizer in zip((ours, theirs), optimizers, strict=True):
            set_gradients(params, step)
            for p in params:
                if weight_decay > 0 and p.ndim > 1:
                    p.grad = (0.5 + step) * p.detach()
            for group in optimizer.param_groups:
                group["lr"] = lr
            optimizer.step()
        for p, q in zip(ours, theirs, strict=True):
            torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-14)
    assert not torch.equal(ours[0], make_params()[0])


def test_biases_and_norms_move_as_with_sgd() -> None:
    ours, theirs = make_params()[2:4], make_params()[2:4]
    lars = LARS(ours, lr=0.3, sgd_momentum=0.8, weight_decay=0.5)
    sgd = torch.optim.SGD(theirs, lr=0.3, momentum=0.8)
    for step in range(4):
        set_gradients(ours, step)
        set_gradients(theirs, step)
        lars.step()
        sgd.step()
    for p, q in zip(ours, theirs, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-14)


def test_groups_have_their_own_numbers() -> None:
    params = make_params()
    apart = copy.deepcopy(params)
    numbers = [
        {"lr": 2.0, "weight_decay": 0.1, "sgd_momentum": 0.5},
        {"lr": 0.1, "weight_decay": 0.0, "trust_coefficient": 0.02},
    ]
    together = LARS([{"params": params[:2], **numbers[0]}, {"params": params[2:], **numbers[1]}], lr=9.0)
    separate = [LARS(apart[:2], **numbers[0]), LARS(apart[2:], **numbers[1])]
    for step in range(3):
        set_gradients(params, step)
        set_gradients(apart, step)
        together.step()
        for optimizer in separate:
            optimizer.step()
    assert all(torch.equal(p, q) for p, q in zip(params, apart, strict=True))


def test_resumed_run_is_identical_to_the_bit() -> None:
    params = make_params()
    optimizer = LARS(params, lr=1.0, weight_decay=0.1)
    for step in range(3):
        set_gradients(params, step)
        optimizer.step()
    file = io.BytesIO()
    torch.save({"params": [p.data for p in params], "optimizer": optimizer.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    assert {key for state in saved["optimizer"]["state"].values() for key in state} == {"mu"}

    resumed = [nn.Parameter(p) for p in saved["params"]]
    second = LARS(resumed, lr=5.0)  # its numbers come from the checkpoint
    second.load_state_dict(saved["optimizer"])
    for step in range(3, 6):
        for tensors, resumable in ((params, optimizer), (resumed, second)):
            set_gradients(tensors, step)
            resumable.step()
    assert all(torch.equal(p, q) for p, q in zip(params, resumed, strict=True))


def test_parameters_without_gradient_stay() -> None:
    params = make_params()
    before = [p.detach().clone() for p in params]
    optimizer = LARS(params, lr=1.0)
    optimizer.step()
    assert all(torch.equal(p, q) for p, q in zip(params, before, strict=True))
    params[2].grad = torch.ones_like(params[2])
    optimizer.step()
    assert [not torch.equal(p, q) for p, q in zip(params, before, strict=True)] == [False, False, True, False, False]
    assert list(optimizer.state) == [params[2]]


def test_gradients_are_left_as_they_are() -> None:
    params = make_params()
    set_gradients(params, 0)
    gradients = [p.grad.clone() for p in params]
    LARS(params, lr=1.0, weight_decay=0.1).step()
    assert all(torch.equal(p.grad, g) for p, g in zip(params, gradients, strict=True))


def test_a_step_never_reads_a_value_back() -> None:
    params = [nn.Parameter(torch.empty(s, device="meta")) for s in SHAPES]  # .item() on these raises
    for p in params:
        p.grad = torch.empty_like(p)
    optimizer = LARS(params, lr=1.0, weight_decay=0.1)
    optimizer.step()
    assert optimizer.state[params[0]]["mu"].is_meta
    with pytest.raises(RuntimeError):
        params[0].norm().item()


def test_closure_runs_with_gradients() -> None:
    weight = nn.Parameter(torch.ones(2, 2))

    def closure() -> float:
        loss = weight.square().sum()
        loss.backward()
        return loss.item()

    assert LARS([weight], lr=1.0).step(closure) == 4.0
    assert weight.grad is not None
    assert (weight < 1).all()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lr", -0.1),
        ("sgd_momentum", -0.1),
        ("sgd_momentum", 1.0),
        ("weight_decay", -1e-6),
        ("trust_coefficient", 0.0),
    ],
)
def test_numbers_outside_their_range(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value}; it must be"):
        LARS(make_params(), **{"lr": 1.0, name: value})
