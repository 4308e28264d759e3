"""Every task that TASK can name."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from fvcore.common.config import CfgNode

from sce_video.config.defaults import SETTINGS
from sce_video.errors import UserError
from sce_video.tasks.table import TASKS

CPU = torch.device("cpu")


def test_every_choice_of_the_config_is_a_task() -> None:
    assert list(SETTINGS["TASK"].choices) == list(TASKS)


@pytest.mark.parametrize("task", TASKS)
def test_what_a_task_builds_writes_nothing_before_its_work(
    config: Callable[..., CfgNode], tmp_path: Path, task: str
) -> None:
    """A start that is refused later must leave no trace."""
    TASKS[task](config(task), CPU)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("task", TASKS)
def test_a_list_that_is_missing_is_refused_before_the_work(
    config: Callable[..., CfgNode], tmp_path: Path, task: str
) -> None:
    with pytest.raises(UserError, match=r"nowhere\.txt"):
        TASKS[task](config(task, DATA__TRAIN=tmp_path / "nowhere.txt"), CPU)
