"""Processes of one machine that do the same thing at the same time, and the bytes that travel between them.

with Team(2, cores=[0, 1]) as team:
    results = team.ask(function, argument)    # function(state, argument) in each; `state` is its own dict
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
_BYTES_RECEIVED = 128  # where Linux's struct tcp_info has tcpi_bytes_received (linux/tcp.h), 64 bits


class Team:
    """Forked processes, each with one thread on a core of its own; with several ranks, connected by gloo.

    Begin them before this process computes anything with torch.
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

    def tell(self, function: Callable[..., Any], *arguments: object) -> None:
        for pipe in self._ours:
            pipe.send((function, arguments))

    def hear(self) -> list[Any]:
        """What the function gave in each process.

        Raises:
            RuntimeError: it failed in one; the others are ended.
        """
        results: dict[Connection, Any] = {}
        while len(results) < len(self._ours):
            # The first that has something to say: where one fails, the others may wait for it for ever.
            for pipe in connection.wait([pipe for pipe in self._ours if pipe not in results]):
                assert isinstance(pipe, Connection)
                results[pipe], failure = pipe.recv()
                if failure:
                    self.end()
                    raise RuntimeError(f"in a process of the benchmark:\n{failure}")
        return [results[pipe] for pipe in self._ours]

    def ask(self, function: Callable[..., Any], *arguments: object) -> list[Any]:
        self.tell(function, *arguments)
        return self.hear()

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
            if os.getppid() != parent:  # it was killed; other processes of the team hold its end of the pipe open
                return
        try:
            function, arguments = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send((function(state, *arguments), ""))
        except Exception:  # whatever it is, the program that asked must not wait for ever
            pipe.send((None, traceback.format_exc()))


def received_bytes() -> int:
    """Bytes that this process's TCP connections have received so far, without headers: what the kernel counts.

    Linux only. gloo sends no data before its receiver asks for it, so after a collective this holds all of it and
    of the next one at most announcements of some bytes.
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
