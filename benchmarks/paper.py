"""A cost model of a step on many GPUs: constants and arithmetic, not measured on GPUs.

Nodes of 8 H100 with NVLink between them and one InfiniBand port of 400 Gb/s for each. Latencies and shares of
bandwidth are those of NCCL's own tuning model (NVIDIA/nccl, src/graph/tuning.cc, 2024, Hopper and Intel); like NCCL,
it takes the fastest combination of algorithm (ring, tree) and protocol (LL, LL128, Simple). SHARP, NVLS and PAT, which
may be faster, are left out.
"""

from dataclasses import dataclass
from math import log2

GPUS_PER_NODE = 8
# Bytes/s of a GPU in one direction. NVLink: 18 links of 20.6 GB/s, NCCL's figure for Hopper (450e9 in the data sheet).
# Between nodes: 8 ports of 50e9, of which 0.8 is assumed to be reached.
NVLINK_BYTES_PER_SECOND = 18 * 20.6e9
NETWORK_BYTES_PER_SECOND = 0.8 * GPUS_PER_NODE * 50e9
# One hop of gloo over TCP: assumed. scaling.py measures it over loopback.
TCP_HOP_SECONDS = 25e-6
# DistributedDataParallel sends gradients in buckets of this size.
BUCKET_BYTES = 25 * 2**20
# Kinetics-400's training videos that the public copy has.
NUM_VIDEOS = 240_000
FLOAT_BYTES = 4


@dataclass(frozen=True)
class Algorithm:
    """An algorithm of NCCL with its protocol: latencies in microseconds (base and per hop) and bandwidth."""

    is_ring: bool
    base: float
    nvlink_hop: float
    nvlink_hop_beside_network: float  # rings that leave the node post one request per hop: 1 us, Simple 3
    network_hop: float
    share: float  # of the link's bandwidth
    most_in_node: float = float("inf")  # bytes/s
    most_between_nodes: float = float("inf")


ALGORITHMS = {
    "ring, LL": Algorithm(True, 6.6, 0.6, 1.0, 2.7, 0.25, 87.7e9, 20.4e9),
    "ring, LL128": Algorithm(True, 14.0, 1.9, 1.9, 4.0, 0.92),
    "ring, Simple": Algorithm(True, 8.4, 3.4, 3.4, 14.0, 1.0),
    "tree, LL": Algorithm(False, 6.8, 0.6, 0.6, 5.0, 0.92 / 3.8, 87.7e9, 20.4e9),
    "tree, LL128": Algorithm(False, 14.0, 1.25, 1.25, 8.5, 0.92 * 0.92),
    "tree, Simple": Algorithm(False, 0.0, 28.0, 28.0, 28.0, 0.92),
}


def ring_all_reduce_bytes(num_bytes: float, num_ranks: int) -> float:
    """Bytes that each rank sends, and receives, to sum a tensor of `num_bytes` over all ranks."""
    return 2 * (num_ranks - 1) / num_ranks * num_bytes


def all_gather_bytes(num_bytes: float, num_ranks: int) -> float:
    """Bytes that each rank receives when each contributes `num_bytes`."""
    return (num_ranks - 1) * num_bytes


def all_reduce_seconds(num_bytes: float, num_gpus: int) -> float:
    """One NCCL all-reduce, by the fastest algorithm and protocol."""
    return min(
        _latency(each, num_gpus, num_hops=2 * (num_gpus - 1), num_turns=2)
        # Every byte goes once up the tree and once down.
        + (ring_all_reduce_bytes(num_bytes, num_gpus) if each.is_ring else 2 * num_bytes) / _bandwidth(each, num_gpus)
        for each in ALGORITHMS.values()
    )


def all_gather_seconds(num_bytes: float, num_gpus: int) -> float:
    """One NCCL all-gather of `num_bytes` from each GPU, which has no tree algorithm."""
    return min(
        _latency(each, num_gpus, num_hops=num_gpus - 1, num_turns=1)
        + all_gather_bytes(num_bytes, num_gpus) / _bandwidth(each, num_gpus)
        for each in ALGORITHMS.values()
        if each.is_ring
    )


def gradients_seconds(num_bytes: float, num_gpus: int) -> float:
    """All gradients, bucket by bucket, without overlap with computation."""
    full, rest = divmod(num_bytes, BUCKET_BYTES)
    return full * all_reduce_seconds(BUCKET_BYTES, num_gpus) + (all_reduce_seconds(rest, num_gpus) if rest else 0.0)


def norms_seconds(channels: "Channels", num_gpus: int, *, num_views: int) -> float:
    """SyncBatchNorm: per layer and view an all-gather of mean, deviation and count; if trained, an all-reduce of two
    gradients. Nothing overlaps: torch waits for each result (torch/nn/modules/_functions.py)."""
    forward = sum(all_gather_seconds(FLOAT_BYTES * (2 * width + 1), num_gpus) for width in channels.all)
    backward = sum(all_reduce_seconds(FLOAT_BYTES * 2 * width, num_gpus) for width in channels.online)
    return num_views * (forward + backward)


def flag_seconds(num_ranks: int) -> float:
    """All-reduce of one number over gloo, which sends it around a ring twice, hop by hop."""
    return 2 * (num_ranks - 1) * TCP_HOP_SECONDS


@dataclass(frozen=True)
class Channels:
    """Widths of the batch norm layers of both branches and of the online (trained) one."""

    all: list[int]
    online: list[int]


@dataclass(frozen=True)
class Job:
    """A config on one GPU: measured seconds and bytes to send."""

    part_seconds: dict[int, float]  # number of videos -> seconds of a step
    gradient_bytes: float
    key_dim: int
    channels: Channels
    checkpoint_seconds: float
    num_views: int = 2

    def compute(self, num_videos: int) -> tuple[float, int]:
        """Seconds of a step on a single GPU, and the number of accumulated parts.

        One video is assumed to cost as much as two; more videos than fit are split into parts of the largest size.
        """
        most = max(self.part_seconds)
        if num_videos > most:
            return self.part_seconds[most] * num_videos / most, -(-num_videos // most)
        return self.part_seconds[max(num_videos, 2)], 1


@dataclass(frozen=True)
class Storage:
    """What the loader reads per video."""

    read_bytes: float


def cost_of_step(job: Job, storage: Storage, *, num_gpus: int, num_videos: int) -> dict[str, float]:
    """Seconds of a step on `num_gpus` with `num_videos` each, by cause, and what follows from them.

    `step_seconds` has no overlap of gradients with the backward pass: they share a queue with SyncBatchNorm's sums.
    """
    compute, num_parts = job.compute(num_videos)
    keys = all_gather_seconds(job.num_views * num_videos / num_parts * job.key_dim * FLOAT_BYTES, num_gpus)
    parts = {
        "compute": compute,
        "gradients": gradients_seconds(job.gradient_bytes, num_gpus),
        "keys": num_parts * keys,
        "norms": num_parts * norms_seconds(job.channels, num_gpus, num_views=job.num_views),
        "flag": flag_seconds(num_gpus),
    }
    seconds, batch = sum(parts.values()), num_gpus * num_videos
    alone = max(videos / taken for videos, taken in job.part_seconds.items())
    epoch_seconds = NUM_VIDEOS // batch * seconds
    return {
        "gpus": num_gpus,
        "videos_each": num_videos,
        "batch": batch,
        **{f"{name}_ms": 1000 * value for name, value in parts.items()},
        "step_seconds": seconds,
        "clips_per_second": job.num_views * batch / seconds,
        "share_of_ideal": batch / seconds / (alone * num_gpus),
        "opens_per_second": batch / seconds,
        "read_mb_per_second": batch / seconds * storage.read_bytes / 1e6,
        "epoch_seconds": epoch_seconds,
        "checkpoint_share": job.checkpoint_seconds / (epoch_seconds + job.checkpoint_seconds),
    }


def _latency(algorithm: Algorithm, num_gpus: int, *, num_hops: int, num_turns: int) -> float:
    num_nodes = -(-num_gpus // GPUS_PER_NODE)
    if algorithm.is_ring:
        over_network = num_turns * (num_nodes - 1)
        nvlink_hop = algorithm.nvlink_hop if num_nodes == 1 else algorithm.nvlink_hop_beside_network
        hops = (num_hops - over_network) * nvlink_hop + over_network * algorithm.network_hop
    else:
        in_node = min(num_gpus, GPUS_PER_NODE) - 1
        hops = 2 * (in_node * algorithm.nvlink_hop + log2(num_nodes) * algorithm.network_hop)
    return 1e-6 * (algorithm.base + hops)


def _bandwidth(algorithm: Algorithm, num_gpus: int) -> float:
    if num_gpus <= GPUS_PER_NODE:
        return min(algorithm.share * NVLINK_BYTES_PER_SECOND, algorithm.most_in_node)
    links = min(NVLINK_BYTES_PER_SECOND, NETWORK_BYTES_PER_SECOND)
    return min(algorithm.share * links, algorithm.most_between_nodes)
