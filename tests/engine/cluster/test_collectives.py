"""Ranks and collectives with and without torch.distributed."""

import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing

from sce_video.engine.cluster.collectives import (
    all_gathered,
    connect,
    disconnect,
    gathered_rows_with_gradient,
    is_distributed,
    is_main_process,
    largest_of_ranks,
    rank,
    rendezvous,
)
from sce_video.errors import UserError


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
def test_maximum_over_any_number_of_ranks(tmp_path: Path, values: list[int]) -> None:
    multiprocessing.start_processes(
        largest_on, args=(values, str(tmp_path)), nprocs=len(values), join=True, start_method="fork"
    )
    assert [int((tmp_path / str(rank)).read_text()) for rank in range(len(values))] == [max(values)] * len(values)


def test_maximum_in_one_process() -> None:
    assert largest_of_ranks(4) == 4


def gather_on(rank: int, address: str, port: int, folder: str) -> None:
    store = rendezvous(rank=rank, num_ranks=2, address=address, port=port)
    connect(store, rank=rank, num_ranks=2, on_gpu=False)
    (Path(folder) / str(rank)).write_text("".join(all_gathered(str(rank))))
    disconnect()


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_ranks_connect(tmp_path: Path, address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family) as free:
            free.bind((address, 0))
            port = free.getsockname()[1]
    except OSError:
        pytest.skip(f"this machine has no {address}")
    multiprocessing.start_processes(
        gather_on, args=(address, port, str(tmp_path)), nprocs=2, join=True, start_method="fork"
    )
    assert [(tmp_path / str(rank)).read_text() for rank in range(2)] == ["01", "01"]


@pytest.mark.parametrize("rank", [0, 1])
def test_missing_ranks_are_an_error_after_the_timeout(rank: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sce_video.engine.cluster.collectives._RENDEZVOUS_TIMEOUT", timedelta(seconds=1.5))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(UserError, match=rf"rank {rank} did not find all 3 ranks at 127.0.0.1:{port} \(.*imed out"):
        rendezvous(rank=rank, num_ranks=3, address="127.0.0.1", port=port)


def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=r"rank 0 did not find all 2 ranks at 127.0.0.1:\d+ \(.*already in use"):
            rendezvous(rank=0, num_ranks=2, address="127.0.0.1", port=port)


def gradient_on(rank: int, folder: str) -> None:
    """The loss of rank r weights the gathered rows by 1..8, times r + 1."""
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    rows = torch.full((2, 2), float(rank), requires_grad=True)
    gathered = gathered_rows_with_gradient(rows)
    weights = (rank + 1) * torch.arange(1.0, 9.0).reshape(4, 2)
    (gathered * weights).sum().backward()
    torch.save({"gathered": gathered.detach(), "gradient": rows.grad}, Path(folder) / str(rank))
    dist.destroy_process_group()


def test_gathered_rows_have_the_gradient_of_the_losses_of_all_ranks(tmp_path: Path) -> None:
    multiprocessing.start_processes(gradient_on, args=(str(tmp_path),), nprocs=2, join=True, start_method="fork")
    for number, expected in enumerate([[[3.0, 6.0], [9.0, 12.0]], [[15.0, 18.0], [21.0, 24.0]]]):  # 1 + 2 times 1..8
        found = torch.load(tmp_path / str(number), weights_only=True)
        assert found["gathered"].tolist() == [[0.0, 0.0], [0.0, 0.0], [1.0, 1.0], [1.0, 1.0]]
        assert found["gradient"].tolist() == expected


def test_gathered_rows_with_gradient_in_one_process() -> None:
    rows = torch.ones(2, 2, requires_grad=True)
    assert gathered_rows_with_gradient(rows) is rows
