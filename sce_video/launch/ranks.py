"""The processes of one run: found in the environment of torchrun or Slurm, or started here, one per GPU."""

import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from sce_video.errors import PeerLostError, StoppedError, UserError
from sce_video.runtime.distributed import connect, disconnect
from sce_video.runtime.machine import available_cores

_POLL_SECONDS, _GRACE_SECONDS = 0.1, 10.0
_SECONDS_BEHIND = 5.0
# What gloo and NCCL say when a peer is gone.
_LOST_PEER = re.compile(r"onnection (closed|reset|refused)|roken pipe|remote process exited|ncclRemoteError|Timed out")


@dataclass(frozen=True)
class Place:
    """Which of all processes this one is, and where they meet."""

    rank: int
    local_rank: int
    num_ranks: int
    address: str
    port: int


def place_in(environ: Mapping[str, str] = os.environ) -> Place | None:
    """What torchrun (or `start_ranks`), submitit or Slurm says of this process; None where it is the only one.

    Raises:
        UserError: a variable is missing or no number.
    """
    if "RANK" in environ and "WORLD_SIZE" in environ and _number(environ, "WORLD_SIZE") > 1:
        return Place(
            rank=_number(environ, "RANK"),
            local_rank=_number(environ, "LOCAL_RANK"),
            num_ranks=_number(environ, "WORLD_SIZE"),
            address=_text(environ, "MASTER_ADDR"),
            port=_number(environ, "MASTER_PORT"),
        )
    if environ.get("SUBMITIT_EXECUTOR") == "local" and _number(environ, "SUBMITIT_LOCAL_NTASKS") > 1:
        return Place(
            rank=_number(environ, "SUBMITIT_LOCAL_GLOBALID"),
            local_rank=_number(environ, "SUBMITIT_LOCAL_LOCALID"),
            num_ranks=_number(environ, "SUBMITIT_LOCAL_NTASKS"),
            address="127.0.0.1",
            port=_port_of(environ.get("SUBMITIT_LOCAL_JOB_ID", "")),
        )
    if "SLURM_PROCID" in environ and "SLURM_STEP_NUM_TASKS" in environ and _number(environ, "SLURM_STEP_NUM_TASKS") > 1:
        return Place(
            rank=_number(environ, "SLURM_PROCID"),
            local_rank=_number(environ, "SLURM_LOCALID"),
            num_ranks=_number(environ, "SLURM_STEP_NUM_TASKS"),
            address=first_host(_text(environ, "SLURM_STEP_NODELIST")),
            port=_port_of(f"{environ.get('SLURM_JOB_ID')}.{environ.get('SLURM_STEP_ID')}"),
        )
    return None


def _port_of(job: str) -> int:
    """The same for all tasks of a job and another one for the next job on these nodes."""
    return 20000 + int.from_bytes(hashlib.sha256(job.encode()).digest()[:4], "little") % 20000


def first_host(node_list: str) -> str:
    """`gpu[007-009,12],x1` -> `gpu007`: the first name of Slurm's short form."""
    found = re.match(r"([^\[,]+)(?:\[([^\],-]+)[^\]]*\])?([^,]*)", node_list)
    assert found is not None, node_list
    return found[1] + (found[2] or "") + found[3]


def _number(environ: Mapping[str, str], name: str) -> int:
    text = _text(environ, name)
    if not text.isdecimal():
        raise UserError(f"the environment variable {name} is {text!r}; a number was expected")
    return int(text)


def _text(environ: Mapping[str, str], name: str) -> str:
    if name not in environ:
        raise UserError(
            f"the environment variable {name} is not set, though others say that there are several processes"
        )
    return environ[name]


@contextmanager
def joined_ranks(device: str) -> Iterator[None]:
    """Inside it torch.distributed connects all processes of the run, if there are several.

    Args:
        device: RUN.DEVICE; unless it is cpu, each process takes its own GPU where there are any.
    """
    place = place_in()
    if place is None:
        yield
        return
    on_gpu = device != "cpu" and torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(place.local_rank % torch.cuda.device_count())
    connect(rank=place.rank, num_ranks=place.num_ranks, address=place.address, port=place.port, on_gpu=on_gpu)
    try:
        yield
    except (UserError, StoppedError, OSError):
        # Mostly that of all ranks: the main process says so first, and the others are ended before they do.
        time.sleep(_SECONDS_BEHIND if place.rank else 0.0)
        raise
    except RuntimeError as error:
        if not _LOST_PEER.search(str(error)):
            raise
        time.sleep(_SECONDS_BEHIND)  # the other one's exit code is the run's
        line = " ".join(str(error).split())[:200]
        raise PeerLostError(f"another process of the run has ended ({line})") from error
    disconnect()  # else the end of the process does it: before that the others would fail first


def start_ranks(command: Sequence[str], *, num_processes: int) -> int:
    """Run a command in so many processes on this machine, which find each other; wait for the end of all.

    When one fails, the others are ended: they would wait for it. Ctrl-C, SIGTERM and SIGUSR2 reach all.

    Returns:
        The exit code of the first that failed, 128 + its signal if that was the end of it, or 0.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(num_processes)}
    shared |= {"LOCAL_WORLD_SIZE": str(num_processes)}
    threads = {"OMP_NUM_THREADS": str(max(1, available_cores() // num_processes))}
    processes = [
        subprocess.Popen(command, env={**threads, **os.environ, **shared, "RANK": str(i), "LOCAL_RANK": str(i)})
        for i in range(num_processes)
    ]

    def pass_on(number: int, _: object) -> None:
        for process in processes:
            if process.poll() is None:
                process.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2)}
    try:
        return _first_failure(processes)
    finally:
        _end(processes)
        for number, handler in before.items():
            signal.signal(number, handler)


def _first_failure(processes: Sequence["subprocess.Popen[bytes]"]) -> int:
    while True:
        codes = [process.poll() for process in processes]
        for place, code in enumerate(codes):
            if code:
                if code < 0:
                    print(f"error: rank {place} was ended by signal {-code}; the others are stopped", file=sys.stderr)
                return code if code > 0 else 128 - code
        if all(code == 0 for code in codes):
            return 0
        time.sleep(_POLL_SECONDS)


def _end(processes: Sequence["subprocess.Popen[bytes]"]) -> None:
    for process in processes:
        if process.poll() is None:
            process.terminate()
    until = time.monotonic() + _GRACE_SECONDS
    for process in processes:
        try:
            process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
