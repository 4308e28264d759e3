"""Process group and failure detector of a run: when one rank fails all end, and each reports the cause."""

import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist

from sce_video.engine.cluster.collectives import connect, disconnect, rendezvous
from sce_video.engine.cluster.env import rank_from_env
from sce_video.engine.cluster.failure_detector import FailureDetector, PeerFailure, detect_failures
from sce_video.engine.cluster.local_ranks import end_with_launcher
from sce_video.errors import PeerLostError, StoppedError, UserError

_DELAY_SECONDS, _BLAME_SECONDS = 5.0, 60.0
# Messages of gloo and NCCL when a peer is gone.
_LOST_PEER = re.compile(r"onnection (closed|reset|refused)|roken pipe|remote process exited|ncclRemoteError|Timed out")


@contextmanager
def joined_ranks(device: str, *, on_failure: Callable[[PeerFailure], None]) -> Iterator[None]:
    """Context in which torch.distributed connects all processes of the run, if there are several.

    Args:
        device: RUN.DEVICE; unless it is cpu, each process uses its own GPU where there are any.
        on_failure: called in another thread when another rank has ended; it must end this process.
    """
    env = rank_from_env()
    if env is None:
        yield
        return
    end_with_launcher()
    rank, num_ranks, address = env.rank, env.num_ranks, env.address
    store = rendezvous(rank=rank, num_ranks=num_ranks, address=address, port=env.port)
    detector = detect_failures(store, rank=rank, num_ranks=num_ranks, address=address, on_failure=on_failure)
    with _reporting_to_peers(detector, is_first=rank == 0):
        on_gpu = device != "cpu" and torch.cuda.is_available()
        require_same_device(store, rank=rank, on_gpu=on_gpu)
        if on_gpu:
            torch.cuda.set_device(env.local_rank % torch.cuda.device_count())
        connect(store, rank=rank, num_ranks=num_ranks, on_gpu=on_gpu)
        yield
    detector.close()
    disconnect()  # not after an error: the others would fail before they learn of it


def require_same_device(store: "dist.Store", *, rank: int, on_gpu: bool) -> None:
    """Raise UserError on a rank that sees no GPU where rank 0 sees one, or vice versa."""
    if rank == 0:
        store.set("on_gpu", str(on_gpu))
    elif (first := store.get("on_gpu").decode()) != str(on_gpu):
        sees = {"True": "sees GPUs", "False": "sees no GPU"}
        raise UserError(
            f"rank 0 {sees[first]}, but rank {rank} on {socket.gethostname()} {sees[str(on_gpu)]}; check the driver, "
            f"or set RUN.DEVICE cpu"
        )


@contextmanager
def _reporting_to_peers(detector: FailureDetector, *, is_first: bool) -> Iterator[None]:
    """Report to the other ranks what ends this one."""
    try:
        yield
    except StoppedError as stop:
        if stop.step is None:  # the others may not have received the signal
            detector.fail(f"stopped by signal {stop.signal_number}")
        else:  # all ranks stop at this step
            detector.close()
        raise
    except (UserError, OSError) as error:
        # Usually all ranks have it: rank 0 reports it first, which ends the others before they do.
        time.sleep(0.0 if is_first else _DELAY_SECONDS)
        detector.fail(str(error))
        raise
    except RuntimeError as error:
        if isinstance(error, dist.DistNetworkError | dist.DistStoreError) or _LOST_PEER.search(str(error)):
            detector.wait(_BLAME_SECONDS)  # usually `on_failure` ends this process meanwhile
            detector.fail("lost another process")
            raise PeerLostError(
                f"another process of the run has ended ({' '.join(str(error).split())[:200]})"
            ) from error
        detector.fail(f"{type(error).__name__}: {error}")
        raise
    except BaseException as error:
        detector.fail(f"{type(error).__name__}: {error}")
        raise
