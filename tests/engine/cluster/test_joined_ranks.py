"""Two real, connected processes: what the other one learns when one ends."""

import os
import socket
import time
from pathlib import Path

import pytest
import torch.distributed as dist
import torch.multiprocessing as multiprocessing

from sce_video.engine.cluster.collectives import all_gathered
from sce_video.engine.cluster.failure_detector import PeerFailure
from sce_video.engine.cluster.joined_ranks import joined_ranks, require_same_device
from sce_video.errors import StoppedError, UserError


def on_rank(rank: int, port: int, step: int | None, folder: str) -> None:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}

    def note(failure: PeerFailure) -> None:
        Path(folder, str(rank)).write_text(f"{int(failure.is_error)} {failure.line}")
        os._exit(0)

    try:
        with joined_ranks("cpu", on_failure=note):
            all_gathered("here")
            if rank == 1:
                raise StoppedError(15, step=step)
            time.sleep(60 if step is None else 4)
            os._exit(0)
    except StoppedError:
        os._exit(0)


@pytest.mark.parametrize(
    ("step", "heard"),
    [
        (None, {"0": "1 rank 1 on {host}: stopped by signal 15"}),  # as in evaluation: perhaps on this rank alone
        (7, {}),  # all ranks stop at this step
    ],
)
def test_a_signal_that_stopped_one_rank_is_reported(
    tmp_path: Path, step: int | None, heard: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sce_video.engine.cluster.failure_detector._DELAY_AFTER_ERROR_SECONDS", 0.2)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    multiprocessing.start_processes(on_rank, args=(port, step, str(tmp_path)), nprocs=2, join=True, start_method="fork")
    expected = {rank: line.format(host=socket.gethostname()) for rank, line in heard.items()}
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == expected


@pytest.mark.parametrize("first", [True, False])
def test_a_host_without_gpus_is_named(first: bool) -> None:
    store = dist.HashStore()
    for rank in (0, 1):
        require_same_device(store, rank=rank, on_gpu=first)
    sees = ["sees GPUs", "sees no GPU"]
    there, here = sees if first else reversed(sees)
    with pytest.raises(UserError, match=f"rank 0 {there}, but rank 2 on {socket.gethostname()} {here}; check the driv"):
        require_same_device(store, rank=2, on_gpu=not first)
