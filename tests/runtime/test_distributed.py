"""The rank with and without torch.distributed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch.distributed as dist

from sce_video.runtime.distributed import is_distributed, is_main_process, rank


@pytest.fixture
def group_of_one(tmp_path: Path) -> Iterator[None]:
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def test_alone() -> None:
    assert not is_distributed()
    assert (rank(), is_main_process()) == (0, True)


@pytest.mark.usefixtures("group_of_one")
def test_in_a_group_of_one() -> None:
    assert is_distributed()
    assert (rank(), is_main_process()) == (0, True)


@pytest.mark.usefixtures("second_process")
def test_second_of_two() -> None:
    assert is_distributed()
    assert (rank(), is_main_process()) == (1, False)
