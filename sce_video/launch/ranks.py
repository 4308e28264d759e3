"""The processes of one run, connected: what ends one of them ends all, and is said on all."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from sce_video.errors import PeerLostError, StoppedError, UserError
from sce_video.launch.place import place_in
from sce_video.launch.start import end_with_launcher
from sce_video.runtime.distributed import connect, disconnect
from sce_video.runtime.peers import PeerWatch, Verdict, watch_peers

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
    on_gpu = device != "cpu" and torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(place.local_rank % torch.cuda.device_count())
    connect(rank=place.rank, num_ranks=place.num_ranks, address=place.address, port=place.port, on_gpu=on_gpu)
    peers = watch_peers(place.address, on_lost=on_lost)
    with _last_words(peers, is_first=place.rank == 0):
        yield
    peers.close()
    disconnect()  # else the end of the process does it: before that the others would fail first


@contextmanager
def _last_words(peers: PeerWatch, *, is_first: bool) -> Iterator[None]:
    """Tell the others what ends this process."""
    try:
        yield
    except StoppedError:  # all of them stop
        peers.close()
        raise
    except (UserError, OSError) as error:
        # Mostly that of all ranks: the main process says so first, and the others are ended before they do.
        time.sleep(0.0 if is_first else _SECONDS_BEHIND)
        peers.fail(str(error))
        raise
    except RuntimeError as error:
        if _LOST_PEER.search(str(error)):
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
