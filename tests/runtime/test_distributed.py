"""The rank with and without torch.distributed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch.distributed as dist
import torch.multiprocessing as multiprocessing

from sce_video.runtime.distributed import is_distributed, is_main_process, largest_of_ranks, rank


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


def largest_on(rank: int, values: list[int], folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=len(values))
    (Path(folder) / str(rank)).write_text(str(largest_of_ranks(values[rank])))
    dist.destroy_process_group()


@pytest.mark.parametrize("values", [[0, 3], [5, 0, 1], [0, 0, 0, 0, 0, 0, 2], [0, 0, 0, 7, 1]])
def test_the_largest_of_any_number_of_ranks(tmp_path: Path, values: list[int]) -> None:
    multiprocessing.start_processes(
        largest_on, args=(values, str(tmp_path)), nprocs=len(values), join=True, start_method="fork"
    )
    assert [int((tmp_path / str(rank)).read_text()) for rank in range(len(values))] == [max(values)] * len(values)


def test_alone_it_is_ones_own() -> None:
    assert largest_of_ranks(4) == 4
