import pytest

from sce_video.optim.schedules import CosineEMA, LearningRate, Ramp
from sce_video.train.plan import Plan, Schedules


def plan(**changes: int) -> Plan:
    numbers = {
        "num_steps": 20,
        "steps_per_epoch": 5,
        "log_every_steps": 4,
        "checkpoint_every_steps": 0,
        "checkpoint_every_epochs": 0,
        "stop_at_step": 0,
    }
    return Plan(**{**numbers, **changes})


@pytest.mark.parametrize(
    ("changes", "saved_at"),
    [
        ({}, [20]),
        ({"checkpoint_every_epochs": 1}, [5, 10, 15, 20]),
        ({"checkpoint_every_epochs": 3}, [15, 20]),
        ({"checkpoint_every_steps": 7}, [7, 14, 20]),
        ({"checkpoint_every_steps": 7, "checkpoint_every_epochs": 2}, [7, 10, 14, 20]),
        ({"stop_at_step": 11}, [11]),
        ({"stop_at_step": 30}, [20]),
    ],
)
def test_when_it_saves(changes: dict[str, int], saved_at: list[int]) -> None:
    numbers = plan(**changes)
    assert [step for step in range(1, numbers.last_step + 1) if numbers.should_save(step)] == saved_at


def test_when_it_logs() -> None:
    numbers = plan(stop_at_step=11)
    assert [step for step in range(1, 12) if numbers.should_log(step)] == [4, 8, 11]


def schedules(num_steps: int) -> Schedules:
    return Schedules(
        num_steps,
        LearningRate(warmup_steps=350, peak=4.8, final=0.0),
        {
            "coeff": Ramp(1.0, 0.5, 100, "linear"),
            "temperature": Ramp(0.3, 0.1, 0, "linear"),
            "target_temperature": Ramp(0.04, 0.07, 101, "cosine"),
            "ema_momentum": CosineEMA(0.99),
        },
    )


def test_rates_are_those_of_the_recipe() -> None:
    rates = schedules(2000)
    assert rates.at(1).lr == pytest.approx(0.01375, abs=1e-5)  # measured on the authors' code
    assert rates.at(349).lr == rates.at(350).lr == 4.8
    assert rates.at(1999).lr < 1e-4
    assert rates.at(0).method["ema_momentum"] == pytest.approx(0.99)
    assert rates.at(1999).method["ema_momentum"] == pytest.approx(1.0)


def three(rates: Schedules, step: int) -> tuple[float, ...]:
    at = rates.at(step).method
    return at["coeff"], at["temperature"], at["target_temperature"]


def test_ramps_go_up_and_down_and_end() -> None:
    rates = schedules(2000)
    assert three(rates, 0) == (1.0, 0.1, 0.04)
    assert three(rates, 33)[0] == pytest.approx(1 - 0.5 / 3)  # a third of the 99 intervals between 100 steps
    assert three(rates, 25)[2] == pytest.approx(0.04 + 0.03 * 0.1464466)
    assert three(rates, 98)[0] > 0.5
    assert three(rates, 99)[:2] == (0.5, 0.1)  # the last of the ramp's steps
    assert three(rates, 100) == three(rates, 1500) == (0.5, 0.1, 0.07)
