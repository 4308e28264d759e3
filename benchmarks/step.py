"""One optimiser step of one rank, and the cost of a checkpoint, on random views: nothing is decoded.

    python benchmarks/step.py [CONFIG ...] [--batches 64 8 2] [--device cuda] [--quick] [--json FILE]

Per config and number of videos on the rank: seconds of a step, clips/s, peak memory of tensors on the GPU; compared
with the networks only: forward pass of both encoders and backward pass of the online one from the sum of its outputs.
Per config: bytes of a checkpoint, seconds to save it (synced to disk) and to read it with its checksums, compared with
torch.save without sync; and the bytes that a step of several ranks sends: gradients, keys, batch norm statistics, and
those of the queue, which is not sent.
"""

import argparse
import re
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from fvcore.common.config import CfgNode
from harness import Row, alternate, new_parser, publish, speed_ratio
from torch import Tensor, nn

from sce_video.augment.batch import TrainBatch
from sce_video.build.method import build_method
from sce_video.build.optim import build_optimizer
from sce_video.config import load_config
from sce_video.launch.program import exit_code_of
from sce_video.methods.sce import SCE
from sce_video.runtime.checkpoints import CheckpointFolder, load_checkpoint
from sce_video.train.plan import Rates
from sce_video.train.precision import Precision
from sce_video.train.step import pretrain_step
from sce_video.train.traffic import sent_bytes

CONFIGS = ("k400_sce_r3d50", "k400_sce_r3d50_16f", "k400_sce", "k400_sce_s3d")
FOLDER = Path(__file__).parents[1] / "configs"
RATES = Rates(lr=0.01, method={"coeff": 0.5, "temperature": 0.1, "target_temperature": 0.05, "ema_momentum": 0.99})
NUM_VIEWS = 2


def main() -> int:
    parser = new_parser(__doc__)
    parser.add_argument("configs", nargs="*", default=CONFIGS, help="names in configs/ (default: the K400 ones)")
    parser.add_argument("--batches", type=int, nargs="+", default=(64, 8, 2), help="videos on the rank")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--folder", type=Path, help="for checkpoints (default: a temporary folder)")
    return exit_code_of(partial(run, parser.parse_args()))


def run(arguments: argparse.Namespace) -> None:
    rows: list[Row] = []
    ratios: dict[str, float] = {}
    num_rounds = 1 if arguments.quick else arguments.rounds
    device = torch.device(arguments.device)
    on_cpu = ["TRAIN.PRECISION", "fp32"] if device.type == "cpu" else []
    smaller = (
        ["CLIP.SIZE_PIXELS", "32", "MODEL.BACKBONE", "r2plus1d_mini", "METHOD.QUEUE_LENGTH", "1024"]
        if arguments.quick
        else []
    )
    for name in arguments.configs[:1] if arguments.quick else arguments.configs:
        cfg = load_config(FOLDER / f"{name}.yaml", [*on_cpu, *smaller])
        bench = Bench(cfg, device)
        rows.append({"config": name, "what": "messages, bytes", **messages(bench.model, cfg)})
        for batch in arguments.batches[-1:] if arguments.quick else arguments.batches:
            row, ratio = measure_step(bench, batch, num_rounds=num_rounds)
            rows.append({"config": name, "what": "step", "videos": batch, **row})
            if ratio is not None:
                ratios[f"step_{name}_{batch}_vs_networks"] = ratio
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            row, ratio = measure_checkpoint(bench, Path(folder), num_rounds=num_rounds)
        rows.append({"config": name, "what": "checkpoint", **row})
        ratios[f"checkpoint_{name}_vs_torch_save"] = ratio
    publish(rows=rows, ratios=ratios, json_file=arguments.json)


def build_sce(cfg: CfgNode) -> SCE:
    model = build_method(cfg, steps_per_epoch=1)
    assert isinstance(model, SCE)
    return model


class Bench:
    """Model and optimiser of a config on the device."""

    def __init__(self, cfg: CfgNode, device: torch.device) -> None:
        self.device = device
        self.model = build_sce(cfg).to(device).train()
        self.replica: nn.Module = self.model
        self.optimizer = build_optimizer(cfg, self.model)
        self.precision = Precision(cfg.TRAIN.PRECISION, device)
        self._shape = (3, cfg.CLIP.NUM_FRAMES, cfg.CLIP.SIZE_PIXELS, cfg.CLIP.SIZE_PIXELS)

    def views(self, num_videos: int) -> list[Tensor]:
        return [torch.randn(num_videos, *self._shape, device=self.device) for _ in range(NUM_VIEWS)]

    def step(self, views: list[Tensor]) -> None:
        pretrain_step(
            [TrainBatch(videos=list(range(len(views[0]))), views=[], failures=[])],
            RATES,
            replica=self.replica,
            optimizer=self.optimizer,
            precision=self.precision,
            make_views=lambda part: views,
        )

    def networks(self, views: list[Tensor]) -> None:
        """The minimum that any method with a momentum encoder computes."""
        self.optimizer.zero_grad(set_to_none=True)
        with self.precision.autocast():
            queries = [self.model.predictor(self.model.projector(self.model.backbone(view))) for view in views]
            for view in views:
                self.model.encode_key(view)
        sum(query.float().sum() for query in queries).backward()

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def state(self) -> dict[str, Any]:
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}


def measure_step(bench: Bench, num_videos: int, *, num_rounds: int) -> tuple[Row, float | None]:
    """Seconds, clips/s and memory of a step, and its speed relative to the networks only."""
    try:
        views = bench.views(num_videos)
        if bench.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        bench.step(views)
        peak = torch.cuda.max_memory_allocated() / 2**30 if bench.device.type == "cuda" else None
        num_steps = _steps_in_a_second(bench, partial(bench.step, views))
        seconds = alternate(
            {
                "step": partial(_seconds_of, bench, partial(bench.step, views), num_steps),
                "networks": partial(_seconds_of, bench, partial(bench.networks, views), num_steps),
            },
            num_rounds=num_rounds,
        )
    except RuntimeError as error:
        if not re.search("out of memory|ALLOC_FAILED", str(error)):
            raise
        torch.cuda.empty_cache()
        return {"seconds": None, "peak_gib": "does not fit"}, None
    taken = median(seconds["step"])
    row: Row = {
        "seconds": taken,
        "networks_seconds": median(seconds["networks"]),
        "clips_per_second": NUM_VIEWS * num_videos / taken,
        "peak_gib": peak,
    }
    return row, speed_ratio(seconds["step"], seconds["networks"])


def _steps_in_a_second(bench: Bench, call: Callable[[], None]) -> int:
    return max(1, min(20, int(1 / _seconds_of(bench, call, 1))))


def _seconds_of(bench: Bench, call: Callable[[], None], num_calls: int) -> float:
    bench.wait()
    before = time.perf_counter()
    for _ in range(num_calls):
        call()
    bench.wait()
    return (time.perf_counter() - before) / num_calls


def measure_checkpoint(bench: Bench, folder: Path, *, num_rounds: int) -> tuple[Row, float]:
    """Bytes, seconds to save and load, and the speed of saving relative to torch.save."""
    checkpoints = CheckpointFolder(folder, num_kept=1)
    seconds = alternate(
        {
            "save": lambda: checkpoints.save(1, bench.state()),
            "torch.save": lambda: torch.save(bench.state(), folder / "plain.pt"),
            "load": lambda: _loaded(checkpoints.path(1)),
        },
        num_rounds=num_rounds,
    )
    row: Row = {
        "bytes": checkpoints.path(1).stat().st_size,
        "seconds": median(seconds["save"]),
        "torch_save_seconds": median(seconds["torch.save"]),
        "load_seconds": median(seconds["load"]),
    }
    return row, speed_ratio(seconds["save"], seconds["torch.save"])


def _loaded(path: Path) -> None:
    load_checkpoint(path)


def messages(model: SCE, cfg: CfgNode) -> Row:
    """Bytes that one step sends, for the global batch where they depend on it."""
    num_keys, width = NUM_VIEWS * cfg.TRAIN.GLOBAL_BATCH_SIZE, cfg.MODEL.PROJECTOR_DIMS[-1]
    sent = sent_bytes(
        model,
        num_passes=NUM_VIEWS,
        num_momentum_passes=NUM_VIEWS,
        num_embeddings=num_keys,
        embedding_dim=width,
    )
    norms = [name for name, module in model.named_modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    return {
        "gradients": sent["gradients"],
        "keys": sent["embeddings"],
        "norms_online": sum(not name.startswith("momentum_") for name in norms),
        "norms_all": len(norms),
        "norm_statistics_per_rank": sent["norm_statistics"],
        "norm_gradients": sent["norm_gradients"],
        "queue_not_sent": model.queue.keys.numel() * model.queue.keys.element_size(),
    }


if __name__ == "__main__":
    raise SystemExit(main())
