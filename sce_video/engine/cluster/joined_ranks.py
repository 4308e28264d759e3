"""The processes of one run, connected: what ends one of them ends all, and is said on all."""

import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist

from sce_video.engine.cluster.collectives import connect, disconnect, meet
from sce_video.engine.cluster.env import place_in
from sce_video.engine.cluster.failure_detector import PeerWatch, Verdict, watch_peers
from sce_video.engine.cluster.local_ranks import end_with_launcher
from sce_video.errors import PeerLostError, StoppedError, UserError

_SECONDS_BEHIND, _SECONDS_TO_NAME = 5.0, 60.0
# What gloo and NCCL say when a peer is gone.
_LOST_PEER = re.compile(r"onnection (closed|reset|refused)|roken pipe|remote process exited|ncclRemoteError|Timed out")


@contextmanager
def joined_ranks(device: str, *, on_lost: Callable[[Verdict], None]) -> Iterator[None]:
    """Inside it torch.distributed connects all processes of the run, if there are several.

    Args:
        device: RUN.DEVICE; unless it is cpu, each process takes its own GPU where there are any.
        on_lost: called in another thread when one of the others has ended; it ends this process.
    """
    place = place_in()
    if place is None:
        yield
        return
    end_with_launcher()
    rank, num_ranks, address = place.rank, place.num_ranks, place.address
    store = meet(rank=rank, num_ranks=num_ranks, address=address, port=place.port)
    peers = watch_peers(store, rank=rank, num_ranks=num_ranks, address=address, on_lost=on_lost)
    with _last_words(peers, is_first=rank == 0):
        on_gpu = device != "cpu" and torch.cuda.is_available()
        require_same_device(store, rank=rank, on_gpu=on_gpu)
        if on_gpu:
            torch.cuda.set_device(place.local_rank % torch.cuda.device_count())
        connect(store, rank=rank, num_ranks=num_ranks, on_gpu=on_gpu)
        yield
    peers.close()
    disconnect()  # else the end of the process does it: before that the others would fail first


def require_same_device(store: "dist.Store", *, rank: int, on_gpu: bool) -> None:
    """Raises UserError on a rank that sees no GPU where rank 0 sees one, or the other way round."""
    if rank == 0:
        store.set("on_gpu", str(on_gpu))
    elif (first := store.get("on_gpu").decode()) != str(on_gpu):
        sees = {"True": "sees GPUs", "False": "sees no GPU"}
        raise UserError(
            f"rank 0 {sees[first]}, but rank {rank} on {socket.gethostname()} {sees[str(on_gpu)]}; see to the driver, "
            f"or set RUN.DEVICE cpu"
        )


@contextmanager
def _last_words(peers: PeerWatch, *, is_first: bool) -> Iterator[None]:
    """Tell the others what ends this process."""
    try:
        yield
    except StoppedError as stop:
        if stop.step is None:  # perhaps this process alone
            peers.fail(f"stopped by signal {stop.signal_number}")
        else:  # all have agreed on it
            peers.close()
        raise
    except (UserError, OSError) as error:
        # Mostly that of all ranks: the main process says so first, and the others are ended before they do.
        time.sleep(0.0 if is_first else _SECONDS_BEHIND)
        peers.fail(str(error))
        raise
    except RuntimeError as error:
        if isinstance(error, dist.DistNetworkError | dist.DistStoreError) or _LOST_PEER.search(str(error)):
            peers.wait(_SECONDS_TO_NAME)  # by then `on_lost` has ended this process
            peers.fail("lost another process")
            raise PeerLostError(
                f"another process of the run has ended ({' '.join(str(error).split())[:200]})"
            ) from error
        peers.fail(f"{type(error).__name__}: {error}")
        raise
    except BaseException as error:
        peers.fail(f"{type(error).__name__}: {error}")
        raise
