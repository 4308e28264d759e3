"""Real processes, one of which ends in some way: what the others learn."""

import os
import signal
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
import torch.distributed as dist
import torch.multiprocessing as multiprocessing

from sce_video.engine.cluster.collectives import rendezvous
from sce_video.engine.cluster.failure_detector import FailureDetector, Peer, PeerFailure, detect_failures
from sce_video.errors import UserError

NUM_RANKS = 3
DOOMED = 2


def die(detector: FailureDetector, folder: Path) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_and_leave_a_child(detector: FailureDetector, folder: Path) -> None:
    """As a rank with loader processes, which are forked and live a moment longer."""
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    (folder / "child").write_text(str(child))
    os.kill(os.getpid(), signal.SIGKILL)


def fall_silent(detector: FailureDetector, folder: Path) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def fail(detector: FailureDetector, folder: Path) -> None:
    detector.fail("the disk\nis full")
    os._exit(2)


def leave(detector: FailureDetector, folder: Path) -> None:
    detector.close()
    os._exit(0)


ENDS = {"dies": die, "child": die_and_leave_a_child, "silent": fall_silent, "fails": fail, "leaves": leave}


def on_rank(rank: int, end: str, doomed: int, folder: str) -> None:
    """Without a process group: a rank that dies while groups are created is noticed too."""
    here = Path(folder)
    (here / f"{rank}.pid").write_text(str(os.getpid()))

    def note(failure: PeerFailure) -> None:
        (here / f"{rank}.txt").write_text(f"{int(failure.is_error)} {failure.line}")
        os._exit(0)

    detector = detect_failures(
        dist.FileStore(f"{folder}/store", NUM_RANKS),
        rank=rank,
        num_ranks=NUM_RANKS,
        address="127.0.0.1",
        on_failure=note,
        heartbeat_seconds=float(os.environ.get("SCE_TEST_BEAT_SECONDS", "4")),
    )
    if rank == doomed:
        ENDS[end](detector, here)
    time.sleep(3 if end == "leaves" else 60)
    os._exit(0)


def failures(tmp_path: Path, end: str, doomed: int) -> dict[int, str]:
    """Rank -> the failure that it learned of; ranks that learned of none are missing."""
    context = multiprocessing.start_processes(
        on_rank, args=(end, doomed, str(tmp_path)), nprocs=NUM_RANKS, join=False, start_method="fork"
    )
    others = [rank for rank in range(NUM_RANKS) if rank != doomed]
    for rank in others:
        context.processes[rank].join(60)
        assert context.processes[rank].exitcode == 0
    context.processes[doomed].kill()
    context.processes[doomed].join()
    return {rank: file.read_text() for rank in others if (file := tmp_path / f"{rank}.txt").is_file()}


@pytest.mark.parametrize("doomed", [0, DOOMED])
@pytest.mark.parametrize(
    ("end", "line"),
    [("dies", "0 {name} has ended"), ("child", "0 {name} has ended"), ("fails", "1 {name}: the disk is full")],
)
def test_all_others_learn_which_rank_has_ended(
    tmp_path: Path, end: str, line: str, doomed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sce_video.engine.cluster.failure_detector._DELAY_AFTER_ERROR_SECONDS", 0.5)
    monkeypatch.setenv("SCE_TEST_BEAT_SECONDS", "60")  # missed heartbeats are not noticed
    expected = line.format(name=f"rank {doomed} on {socket.gethostname()}")
    assert failures(tmp_path, end, doomed) == {rank: expected for rank in range(NUM_RANKS) if rank != doomed}
    if end == "child":
        os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)


@pytest.mark.parametrize("doomed", [0, DOOMED])
def test_a_rank_without_heartbeats_has_ended(tmp_path: Path, doomed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead node closes no connection."""
    monkeypatch.setenv("SCE_TEST_BEAT_SECONDS", "0.2")
    name = f"rank {doomed} on {socket.gethostname()}"
    heard = failures(tmp_path, "silent", doomed)
    assert set(heard.values()) == {f"0 {name} sends no heartbeat"}
    assert len(heard) == NUM_RANKS - 1


@pytest.mark.parametrize("doomed", [0, DOOMED])
def test_a_normal_end_is_no_failure(tmp_path: Path, doomed: int) -> None:
    assert failures(tmp_path, "leaves", doomed) == {}


def test_a_paused_process_reports_no_failure() -> None:
    """After Ctrl-Z and fg the heartbeats that others sent meanwhile are still to be read."""
    code = (
        "import socket, time\nfrom sce_video.engine.cluster.failure_detector import Peer, FailureDetector\n"
        "ours, theirs = socket.socketpair()\nours.setblocking(False)\ntheirs.setblocking(False)\n"
        "here = FailureDetector([Peer('there', ours)], name='here', on_failure=print, heartbeat_seconds=0.05)\n"
        "there = FailureDetector([Peer('here', theirs)], name='there', on_failure=print, heartbeat_seconds=0.05)\n"
        "print('up', flush=True)\ntime.sleep(4)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGSTOP)
    time.sleep(2)  # of 0.5 s that are allowed
    process.send_signal(signal.SIGCONT)
    rest, _ = process.communicate(timeout=30)
    assert rest == ""


def test_unknown_messages_are_ignored() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    heard: list[PeerFailure] = []
    peers = [Peer("rank 1 on x", ours)]
    detector = FailureDetector(peers, name="rank 0 on y", on_failure=heard.append, heartbeat_seconds=4)
    theirs.sendall(b"\xff\xfe nonsense\n\n\nbeat\nlo")
    time.sleep(0.2)
    assert heard == []
    theirs.sendall(b"st rank 7 on z has ended\n")
    detector.wait(60)
    assert heard == [PeerFailure("rank 7 on z has ended", is_error=False)]
    theirs.close()


def test_a_rank_that_ends_by_itself_meanwhile_does_not_report_the_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal reaches all ranks, some a moment later."""
    monkeypatch.setattr("sce_video.engine.cluster.failure_detector._DELAY_AFTER_ERROR_SECONDS", 3.0)
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    heard: list[PeerFailure] = []
    peers = [Peer("rank 1 on x", ours)]
    detector = FailureDetector(peers, name="rank 0 on y", on_failure=heard.append, heartbeat_seconds=4)
    theirs.sendall(b"failed rank 1 on x: stopped by signal 15\n")
    time.sleep(0.3)
    detector.fail("stopped by signal 15")
    detector.wait(60)
    assert heard == []
    theirs.close()


def come_without_the_last(rank: int, port: int, folder: str) -> None:
    try:
        store = rendezvous(rank=rank, num_ranks=3, address="127.0.0.1", port=port)
        detect_failures(store, rank=rank, num_ranks=3, address="127.0.0.1", on_failure=lambda _: None)
    except UserError as error:
        (Path(folder) / str(rank)).write_text(str(error))


def test_a_rank_that_never_connects_is_an_error_on_all_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sce_video.engine.cluster.collectives._RENDEZVOUS_TIMEOUT", timedelta(seconds=3))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    multiprocessing.start_processes(
        come_without_the_last, args=(port, str(tmp_path)), nprocs=2, join=True, start_method="fork"
    )
    first, second = ((tmp_path / str(rank)).read_text() for rank in range(2))
    assert "rank 0 did not find all 3 ranks" in first
    assert "2/3 clients joined" in first
    assert second == "rank 1 did not find all 3 ranks, and rank 0 has ended; see its log"
