"""Scalars that stay as they are."""

from collections.abc import Mapping

from sce_video.methods.base import Scheduled
from sce_video.optim.schedules import Ramp


def still(scalars: Mapping[str, float]) -> dict[str, Scheduled]:
    return {name: Ramp(value, value, ramp_steps=0, shape="linear") for name, value in scalars.items()}
