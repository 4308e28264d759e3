"""Settings chosen from facts, each with its reason. No I/O: the same facts give the same settings."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from sce_video.cli.init_config.choice import Choice, settings_of
from sce_video.cli.init_config.facts import Facts, Machine
from sce_video.cli.init_config.schedule import (
    choose_batch,
    choose_computation,
    choose_epochs,
    choose_method,
    choose_optimiser,
)
from sce_video.cli.init_config.views import (
    SEES_MOVEMENT,
    choose_augmentation,
    choose_clip,
    choose_loading,
    choose_network,
)

# (settings so far) -> how many videos of such views a GPU trains on at once.
MostVideos = Callable[[Mapping[str, Any]], int]


def choose(facts: Facts, machine: Machine, *, most_videos: MostVideos, sees_movement: bool = False) -> list[Choice]:
    """Settings of pretraining, but those of DATA that list the videos, and RUN.OUTPUT_DIR.

    Args:
        most_videos: called only if there is a GPU.
        sees_movement: the network sees frame differences; not for images.
    """
    clip, network = choose_clip(facts, machine, sees_movement=sees_movement), choose_network(facts, machine)
    if sees_movement:
        network.insert(1, SEES_MOVEMENT)
    batch = choose_batch(facts, machine, lambda: most_videos(settings_of([*clip, *network])))
    steps_per_epoch = facts.num_videos // batch.value  # a broken one is replaced
    epochs = choose_epochs(steps_per_epoch, machine)
    num_steps = epochs.value * steps_per_epoch
    return [
        *choose_loading(facts, machine),
        *clip,
        *choose_augmentation(facts, num_steps, sees_movement=sees_movement),
        *network,
        *choose_method(facts, batch.value, num_steps),
        *choose_optimiser(batch.value, epochs.value),
        epochs,
        batch,
        *choose_computation(facts, machine),
        Choice("TRAIN.CHECKPOINT_EVERY_EPOCHS", math.ceil(epochs.value / 20)),
    ]
