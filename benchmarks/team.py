"""Processes that run the same function in parallel, and the bytes that they receive from each other.

with Team(2, cores=[0, 1]) as team:
    results = team.call(function, argument)    # function(state, argument) in each; `state` is its own dict
"""

import os
import socket
import struct
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from typing import Any

import torch

from sce_video.engine.cluster.collectives import connect, rendezvous

State = dict[str, Any]
_BYTES_RECEIVED = 128  # offset of tcpi_bytes_received (64 bits) in Linux's struct tcp_info (linux/tcp.h)


class Team:
    """Forked processes with one thread each, pinned to `cores`; several ranks are connected by gloo.

    Create it before this process computes anything with torch.
    """

    def __init__(self, num_ranks: int, *, cores: Sequence[int]) -> None:
        context = get_context("fork")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        pipes = [context.Pipe() for _ in range(num_ranks)]
        self._ours = [ours for ours, _ in pipes]
        self._processes = [
            context.Process(
                target=partial(_serve, theirs, rank, num_ranks, port, cores[rank % len(cores)]), daemon=True
            )
            for rank, (_, theirs) in enumerate(pipes)
        ]
        for process in self._processes:
            process.start()
        for _, theirs in pipes:
            theirs.close()

    def submit(self, function: Callable[..., Any], *arguments: object) -> None:
        for pipe in self._ours:
            pipe.send((function, arguments))

    def results(self) -> list[Any]:
        """The results of the submitted function, by rank.

        Raises:
            RuntimeError: it failed in one process; all are ended.
        """
        results: dict[Connection, Any] = {}
        while len(results) < len(self._ours):
            # In order of completion: if one process fails, the others may wait for it forever.
            for pipe in connection.wait([pipe for pipe in self._ours if pipe not in results]):
                assert isinstance(pipe, Connection)
                results[pipe], failure = pipe.recv()
                if failure:
                    self.end()
                    raise RuntimeError(f"in a process of the benchmark:\n{failure}")
        return [results[pipe] for pipe in self._ours]

    def call(self, function: Callable[..., Any], *arguments: object) -> list[Any]:
        self.submit(function, *arguments)
        return self.results()

    def end(self) -> None:
        for process in self._processes:
            process.terminate()
            process.join()

    def __enter__(self) -> "Team":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def _serve(pipe: Connection, rank: int, num_ranks: int, port: int, core: int) -> None:
    torch.set_num_threads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    torch.manual_seed(rank)
    if num_ranks > 1:
        store = rendezvous(rank=rank, num_ranks=num_ranks, address="127.0.0.1", port=port)
        connect(store, rank=rank, num_ranks=num_ranks, on_gpu=False)
    state: State = {}
    parent = os.getppid()
    while True:
        while not pipe.poll(1.0):
            if os.getppid() != parent:  # it was killed; other processes of the team keep its end of the pipe open
                return
        try:
            function, arguments = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send((function(state, *arguments), ""))
        except Exception:  # report every error: the parent waits for a result
            pipe.send((None, traceback.format_exc()))


def received_bytes() -> int:
    """Payload bytes that this process's open TCP connections have received so far, as counted by the kernel.

    Linux only. gloo sends no data before the receiver is ready, so after a collective this includes all of its bytes
    and only a few of the next one.
    """
    total = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                continue
            with socket.socket(fileno=os.dup(int(name))) as duplicate:
                info = duplicate.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        except OSError:  # closed meanwhile, or not TCP
            continue
        if len(info) >= _BYTES_RECEIVED + 8:
            total += struct.unpack_from("<Q", info, _BYTES_RECEIVED)[0]
    return total
