"""The mean of the steps that were timed."""

import pytest

from sce_video.cli.init_config.timing import step_time


@pytest.mark.parametrize(
    ("clock", "seconds", "num_steps", "is_first"),
    [
        ([100.0, 174.0], 74.0, 1, True),
        ([100.0, 115.0, 117.0], 2.0, 1, False),
        ([100.0, 109.0, 110.0, 113.0], 2.0, 2, False),
    ],
)
def test_the_first_step_is_left_out_if_there_are_others(
    clock: list[float], seconds: float, num_steps: int, is_first: bool
) -> None:
    timed = step_time(clock, "cpu")
    assert (timed.seconds, timed.num_steps, timed.is_first) == (seconds, num_steps, is_first)
