"""Functions that the processes of `scaling.py` run in a `Team`: time steps of a network or count their bytes."""

import time

import torch
from step import FOLDER, Bench
from sync_norms import replace_norms, without_kernels
from team import State, received_bytes
from torch.nn.parallel import DistributedDataParallel

from sce_video.config import load_config
from sce_video.engine.cluster.collectives import largest_of_ranks, wait_for_all
from sce_video.train.step import replica_of

Network = tuple[str, str, int, int]  # config, backbone, frames, pixels
CPU = torch.device("cpu")
# Messages depend on the network, not on the clips, which are as small as each network accepts.
MINI = ("k400_sce", "r2plus1d_mini", 8, 32)
NETWORKS = (
    MINI,
    ("k400_sce", "r2plus1d_18", 4, 32),
    ("k400_sce_r3d50", "slow_r50", 2, 32),
    ("k400_sce_s3d", "s3d", 8, 64),
)
KINDS = ("buffers", "keys", "gradients")


def prepare(state: State, network: Network) -> None:
    """Build the model for our step and, with several ranks, for that of a plain DistributedDataParallel."""
    config, backbone, num_frames, size_pixels = network
    overrides = {"MODEL.BACKBONE": backbone, "CLIP.NUM_FRAMES": num_frames, "CLIP.SIZE_PIXELS": size_pixels}
    cfg = load_config(
        FOLDER / f"{config}.yaml",
        [str(part) for pair in overrides.items() for part in pair] + ["TRAIN.PRECISION", "fp32"],
    )
    state["cfg"] = cfg
    state["ours"] = ours = Bench(cfg, CPU)
    ours.replica = replica_of(ours.model, CPU)
    if isinstance(ours.replica, DistributedDataParallel):
        state["plain"] = plain = Bench(cfg, CPU)
        plain.replica = DistributedDataParallel(plain.model)


def take_steps(state: State, name: str, num_videos: int, num_steps: int) -> float:
    bench: Bench = state[name]
    views = bench.views(num_videos)
    before = time.perf_counter()
    for _ in range(num_steps):
        bench.step(views)
    return time.perf_counter() - before


def count_bytes(state: State, name: str, num_videos: int) -> dict[str, int]:
    """Bytes received in one step: before the model is called, in its forward pass, and after it."""
    bench: Bench = state[name]
    views = bench.views(num_videos)
    for _ in range(3):  # DistributedDataParallel rebuilds its buckets after the first step
        bench.step(views)
    marks: list[int] = []

    def mark(*_: object) -> None:
        marks.append(received_bytes())

    handles = [
        bench.replica.register_forward_pre_hook(mark),
        bench.model.register_forward_pre_hook(mark),
        bench.model.register_forward_hook(mark),
    ]
    wait_for_all()
    bench.step(views)
    mark()
    for handle in handles:
        handle.remove()
    return {kind: after - before for kind, before, after in zip(KINDS, marks, marks[1:], strict=False)}


def count_norm_bytes(state: State, num_videos: int) -> dict[str, int]:
    """Like `count_bytes`, including SyncBatchNorm's messages in both passes; and the number of its collectives."""
    bench = Bench(state["cfg"], CPU)
    for name in ("backbone", "projector", "predictor", "momentum_backbone", "momentum_projector"):
        replace_norms(getattr(bench.model, name))
    bench.replica = replica_of(bench.model, CPU)
    state["norms"] = bench
    with without_kernels() as calls:
        counted = count_bytes(state, "norms", num_videos)
    del state["norms"]
    return counted | {"gathers": calls["all_gather"] // 4, "sums": calls["all_reduce"] // 4}  # in 4 steps


def time_flag(state: State, num_calls: int) -> float:
    largest_of_ranks(0)
    before = time.perf_counter()
    for _ in range(num_calls):
        largest_of_ranks(0)
    return (time.perf_counter() - before) / num_calls
