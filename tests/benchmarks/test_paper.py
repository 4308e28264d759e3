"""The cost model of a step on many GPUs, calculated by hand; counted bytes; teams of processes."""

import os
import socket
from collections.abc import Callable
from types import ModuleType

import pytest

Module = Callable[[str], ModuleType]


def test_bytes_of_collectives(benchmark_module: Module) -> None:
    """A ring sums in p - 1 steps of n / p bytes and distributes the sums in as many."""
    paper = benchmark_module("paper")
    assert paper.ring_all_reduce_bytes(100.0, 1) == 0
    assert paper.ring_all_reduce_bytes(100.0, 2) == 100
    assert paper.ring_all_reduce_bytes(100.0, 4) == 150
    assert paper.ring_all_reduce_bytes(1e6, 512) == pytest.approx(2 * 511 * 1e6 / 512)
    assert paper.all_gather_bytes(100.0, 1) == 0
    assert paper.all_gather_bytes(100.0, 512) == 51_100


def test_small_messages_cost_hops(benchmark_module: Module) -> None:
    """Microseconds of the fastest algorithm, summed by hand: LL; rings for gathers, trees for sums over nodes."""
    paper = benchmark_module("paper")
    assert paper.all_gather_seconds(0.0, 8) == pytest.approx(1e-6 * (6.6 + 7 * 0.6))
    assert paper.all_gather_seconds(0.0, 16) == pytest.approx(1e-6 * (6.6 + 14 * 1.0 + 1 * 2.7))
    assert paper.all_gather_seconds(0.0, 512) == pytest.approx(1e-6 * (6.6 + 448 * 1.0 + 63 * 2.7))
    assert paper.all_reduce_seconds(0.0, 8) == pytest.approx(1e-6 * (6.6 + 14 * 0.6))  # as a tree 0.2 us more
    assert paper.all_reduce_seconds(0.0, 512) == pytest.approx(1e-6 * (6.8 + 2 * (7 * 0.6 + 6 * 5.0)))
    # Twice around the ring: 2 x 511 hops of 25 us.
    assert paper.flag_seconds(512) == pytest.approx(1022 * 25e-6)
    assert paper.flag_seconds(1) == 0


def test_large_messages_cost_bandwidth(benchmark_module: Module) -> None:
    """10 GB: over NVLink at 370.8 GB/s, between nodes at 0.8 x 8 ports of 50 GB/s; latencies are below a thousandth."""
    paper = benchmark_module("paper")
    assert paper.all_gather_seconds(10e9 / 8, 8) == pytest.approx(8.75e9 / 370.8e9, rel=0.01)
    assert paper.all_gather_seconds(10e9 / 64, 64) == pytest.approx(10e9 * 63 / 64 / 320e9, rel=0.05)
    assert paper.all_reduce_seconds(10e9, 8) == pytest.approx(17.5e9 / 370.8e9, rel=0.01)
    # Consecutive buckets cost at least as much as one message.
    assert paper.gradients_seconds(240e6, 64) >= paper.all_reduce_seconds(240e6, 64)
    assert paper.gradients_seconds(0.0, 64) == 0


def test_a_step_by_hand(benchmark_module: Module) -> None:
    """Norms of width 0, no gradients, 2 GPUs with 4 videos each, of which two fit at once."""
    paper = benchmark_module("paper")
    job = paper.Job(
        part_seconds={2: 0.5},
        gradient_bytes=0.0,
        key_dim=0,
        channels=paper.Channels(all=[0, 0], online=[0]),
        checkpoint_seconds=1.0,
    )
    assert job.compute(1) == (0.5, 1)
    assert job.compute(2) == (0.5, 1)
    assert job.compute(4) == (1.0, 2)
    assert job.compute(5) == (1.25, 3)
    cost = paper.cost_of_step(job, paper.Storage(read_bytes=3e6), num_gpus=2, num_videos=4)
    gather = 6.6e-6 + 0.6e-6  # one hop; the 4 bytes of the count are negligible
    total = 6.6e-6 + 2 * 0.6e-6
    assert cost["compute_ms"] == 1000
    assert cost["keys_ms"] == pytest.approx(1000 * 2 * gather)
    assert cost["norms_ms"] == pytest.approx(1000 * 2 * 2 * (2 * gather + total), rel=1e-4)
    assert cost["flag_ms"] == pytest.approx(0.05)
    seconds = 1 + 2 * gather + 4 * (2 * gather + total) + 50e-6
    assert cost["step_seconds"] == pytest.approx(seconds, rel=1e-6)
    assert cost["clips_per_second"] == pytest.approx(16 / seconds)
    assert cost["share_of_ideal"] == pytest.approx(8 / seconds / (2 * 4))  # one GPU alone has 4 videos/s
    assert cost["opens_per_second"] == pytest.approx(8 / seconds)
    assert cost["read_mb_per_second"] == pytest.approx(24 / seconds)
    assert cost["epoch_seconds"] == pytest.approx(30_000 * seconds)
    assert cost["checkpoint_share"] == pytest.approx(1 / (30_000 * seconds + 1))


def test_received_bytes_are_counted(benchmark_module: Module) -> None:
    team = benchmark_module("team")
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as sender:
        receiver, _ = server.accept()
        with receiver:
            before = team.received_bytes()
            sender.sendall(bytes(30_001))
            left = 30_001
            while left:
                left -= len(receiver.recv(left))
            assert team.received_bytes() - before == 30_001
        # Bytes of closed connections are no longer counted: differences need connections that stay open.
        assert team.received_bytes() < before + 30_001


def _number(state: dict[str, int], step: int) -> int:
    state["sum"] = state.get("sum", 0) + step
    if step < 0:
        raise ValueError("negative")
    return state["sum"]


def test_a_team_keeps_its_state_and_reports_what_fails(benchmark_module: Module) -> None:
    core = min(os.sched_getaffinity(0))
    with benchmark_module("team").Team(2, cores=[core]) as team:
        assert team.call(_number, 2) == [2, 2]
        assert team.call(_number, 3) == [5, 5]
        with pytest.raises(RuntimeError, match="ValueError: negative"):
            team.call(_number, -1)
