"""Ranks of one machine, started, monitored and ended together."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sce_video.engine.death_of_parent import signal_at_death_of_parent
from sce_video.engine.machine import available_cores
from sce_video.errors import PEER_LOST_EXIT_CODE, UserError

_POLL_SECONDS, _GRACE_SECONDS = 0.1, 10.0
LAUNCHER = "SCE_VIDEO_LAUNCHER"  # environment variable: process id of `start_ranks`


def start_ranks(command: Sequence[str], *, num_processes: int, log: Path | None = None) -> int:
    """Run a command as `num_processes` ranks on this machine and wait for all of them.

    When one fails, the others are ended: they would wait for it. Ctrl-C, SIGTERM and SIGUSR2 are passed on to all.

    Args:
        log: the run's log file, to which a rank's death by a signal is appended: rank 0 may be the one that died.
    Returns:
        The exit code of the first rank that failed, 128 + the signal that killed it, or 0.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(num_processes)}
    shared |= {"LOCAL_WORLD_SIZE": str(num_processes), LAUNCHER: str(os.getpid())}
    threads = {"OMP_NUM_THREADS": str(max(1, available_cores() // num_processes))}
    here = {name: value for name, value in os.environ.items() if not name.startswith("TORCHELASTIC_")}
    processes = [
        subprocess.Popen(command, env={**threads, **here, **shared, "RANK": str(i), "LOCAL_RANK": str(i)})
        for i in range(num_processes)
    ]

    def pass_on(number: int, _: object) -> None:
        for process in processes:
            if process.poll() is None:
                process.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2)}
    try:
        return _first_failure(processes, log)
    finally:
        _end(processes)
        for number, handler in before.items():
            signal.signal(number, handler)


def end_with_launcher() -> None:
    """Send this process SIGTERM when the `start_ranks` that started it dies (Linux)."""
    if LAUNCHER in os.environ and sys.platform == "linux":
        signal_at_death_of_parent(signal.SIGTERM)
        if os.getppid() != int(os.environ[LAUNCHER]):
            raise UserError("the program that started this process has ended; start it again")


def _first_failure(processes: Sequence["subprocess.Popen[bytes]"], log: Path | None) -> int:
    until = float("inf")
    while True:
        codes = [process.poll() for process in processes]
        failed = [(code, rank) for rank, code in enumerate(codes) if code]
        if any(code == PEER_LOST_EXIT_CODE for code in codes):
            until = min(until, time.monotonic() + _GRACE_SECONDS)  # for the rank that they have lost to end
        if failed and (min(failed)[0] != PEER_LOST_EXIT_CODE or time.monotonic() > until):
            code, rank = min(failed)
            if code < 0:
                _report(f"error: rank {rank} was ended by signal {-code}; the others are stopped", log)
            return code if code > 0 else 128 - code
        if all(code == 0 for code in codes):
            return 0
        time.sleep(_POLL_SECONDS)


def _report(line: str, log: Path | None) -> None:
    print(line, file=sys.stderr)
    if log is not None and log.is_file():
        with suppress(OSError), log.open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')},000 ERROR {line}\n")


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
