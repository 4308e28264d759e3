"""Data parallelism: speed and messages of 1 and 2 processes, measured; of more GPUs by a cost model.

    python benchmarks/scaling.py [FOLDER] [--rounds 5] [--quick] [--json FILE] [--cache DIR]

The pretraining step on random views over gloo, one core per process: clips/s, and bytes by kind as counted by the
kernel. Compared with the same step in a default `DistributedDataParallel`, as in MoCo's code, which sends all buffers,
including the queue of 67 MB, in every step. Then complete runs with files and loader, the bytes that the loader reads
per file, and the model of 8, 64 and 512 GPUs (`paper.py`) from the step that `step.py` measured on one.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import mean, median

from harness import Row, alternate, new_parser, publish, speed_ratio, use_cores
from paper import Channels, Job, Storage, all_gather_bytes, cost_of_step, ring_all_reduce_bytes
from rank_work import MINI, NETWORKS, Network, count_bytes, count_norm_bytes, prepare, take_steps, time_flag
from step import FOLDER as CONFIGS_FOLDER
from step import NUM_VIEWS, build_sce
from sync_norms import Norm
from team import Team
from torch import nn
from videos import ORIGINALS, encode_all, find_videos, wanted_frames

from sce_video.clips.decoders import open_video
from sce_video.config import load_config
from sce_video.errors import UserError
from sce_video.launch.demo.motion import write_motion_dataset
from sce_video.launch.program import exit_code_of
from sce_video.methods.sce import SCE

Measured = tuple[list[Row], dict[str, float]]

REPOSITORY = Path(__file__).resolve().parents[1]
MEASURED = Path(__file__).parent / "results" / "step_h100_2026-11-26.json"
PREPARED = "256p_gop4"
PAPER_CONFIGS = ("k400_sce_r3d50", "k400_sce_r3d50_16f", "k400_sce", "k400_sce_s3d")
# (GPUs, videos per GPU): a batch of 512 split over all GPUs, then 64 per GPU.
PAPER_CASES = ((8, 64), (64, 8), (512, 1), (64, 64), (512, 64))


def main() -> int:
    parser = new_parser(__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=ORIGINALS, help="videos, searched recursively")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep the re-encoded files there for the next run")
    return exit_code_of(partial(run, parser.parse_args()))


def run(arguments: argparse.Namespace) -> None:
    if not sys.platform.startswith("linux"):
        raise UserError(f"scaling.py needs Linux's byte counters, this is {sys.platform}; run it on Linux")
    quick = arguments.quick
    originals = find_videos(arguments.folder, num_videos=1 if quick else None)
    use_cores(2)
    rows: list[Row] = []
    ratios: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for network in NETWORKS[:1] if quick else NETWORKS:
            more_rows, more_ratios = messages_of(network)
            rows, ratios = rows + more_rows, ratios | more_ratios
        for network, videos in [(MINI, 4)] if quick else [(MINI, 16), (NETWORKS[-1], 4)]:
            more_rows, more_ratios = speed_of(
                network, videos, num_rounds=1 if quick else arguments.rounds, seconds_each=0.5 if quick else 3.0
            )
            rows, ratios = rows + more_rows, ratios | more_ratios
        rows += [flag_row(num_ranks) for num_ranks in ((2, 4) if quick else (2, 4, 8, 16))]
        if not quick:
            rows += whole_runs(Path(temporary), num_rounds=3)
        storage_row, storage = storage_of(originals, arguments.cache or Path(temporary))
        rows.append(storage_row)
    for config in PAPER_CONFIGS[:1] if quick else PAPER_CONFIGS:
        rows += paper_rows(config, storage)
    publish(rows=rows, ratios=ratios, json_file=arguments.json, table_of="part")


def messages_of(network: Network) -> Measured:
    """Bytes that two processes receive in a step, both together, measured and calculated."""
    num_ranks, num_videos = 2, 2
    with Team(num_ranks, cores=[0, 1]) as team:
        team.call(prepare, network)
        ours, plain = (_sum(team.call(count_bytes, name, num_videos)) for name in ("ours", "plain"))
        norms = _sum(team.call(count_norm_bytes, num_videos))
    config, backbone, *_ = network
    cfg = load_config(CONFIGS_FOLDER / f"{config}.yaml", ["MODEL.BACKBONE", backbone])
    model = build_sce(cfg)
    channels = channels_of(model)
    gradient_bytes = sum(parameter.numel() * 4 for parameter in model.parameters() if parameter.requires_grad)
    buffer_bytes = sum(buffer.numel() * buffer.element_size() for buffer in model.buffers())
    key_bytes = NUM_VIEWS * num_videos * cfg.MODEL.PROJECTOR_DIMS[-1] * 4  # of one process
    expected = {
        "gradients": num_ranks * ring_all_reduce_bytes(gradient_bytes, num_ranks),
        "keys": num_ranks * all_gather_bytes(key_bytes, num_ranks),
        "buffers": 0,
    }
    gathered = NUM_VIEWS * sum(4 * (2 * width + 1) for width in channels.all)
    summed = NUM_VIEWS * sum(4 * 2 * width for width in channels.online)
    norm_expected = {
        "gathers": NUM_VIEWS * len(channels.all),
        "sums": NUM_VIEWS * len(channels.online),
        "gathered": num_ranks * all_gather_bytes(gathered, num_ranks),
        "summed": num_ranks * ring_all_reduce_bytes(summed, num_ranks),
    }
    norm_measured = {
        "gathers": norms["gathers"] // num_ranks,
        "sums": norms["sums"] // num_ranks,
        "gathered": norms["keys"] - ours["keys"],
        "summed": norms["gradients"] - ours["gradients"],
    }
    about: Row = {"part": "messages of a step, bytes received by both processes", "network": backbone}
    norms_about: Row = {"part": "messages of synchronised batch norm, 2 processes", "network": backbone}
    rows = [
        {**about, "what": "ours", **_with_total(ours)},
        {**about, "what": "ours, arithmetic", **_with_total(expected)},
        {**about, "what": "plain DDP", **_with_total(plain)},
        {**about, "what": "plain DDP, arithmetic", **_with_total({**expected, "buffers": buffer_bytes})},
        {**norms_about, "what": "measured", **norm_measured},
        {**norms_about, "what": "arithmetic", **norm_expected},
    ]
    return rows, {f"bytes_{backbone}_vs_plain_ddp": sum(plain.values()) / sum(ours.values())}


def speed_of(network: Network, videos: int, *, num_rounds: int, seconds_each: float) -> Measured:
    """Clips/s of 1 and 2 processes; `apart` are two unconnected ones, since two cores rarely double the speed."""
    backbone, half = network[1], videos // 2
    with Team(1, cores=[0]) as alone, Team(1, cores=[1]) as other, Team(2, cores=[0, 1]) as pair:
        for team in (alone, other, pair):
            team.call(prepare, network)
        once = max(team.call(take_steps, "ours", videos, 2)[0] for team in (alone, other)) / 2
        num_steps = max(2, min(20, int(seconds_each / once)))

        def taken(teams: Sequence[Team], name: str, each: int, *, num_steps: int = num_steps) -> float:
            """Seconds per clip."""
            for team in teams:
                team.submit(take_steps, name, each, num_steps)
            seconds = [result for team in teams for result in team.results()]
            return max(seconds) / (num_steps * NUM_VIEWS * each * len(seconds))

        candidates: dict[str, Callable[[], float]] = {
            f"1 process, {videos} videos": partial(taken, [alone], "ours", videos),
            f"2 apart, {videos} each": partial(taken, [alone, other], "ours", videos),
            f"ours, 2 processes, {videos} each": partial(taken, [pair], "ours", videos),
            f"plain DDP, 2 processes, {videos} each": partial(taken, [pair], "plain", videos),
            f"ours, 2 processes, {half} each": partial(taken, [pair], "ours", half),
            f"plain DDP, 2 processes, {half} each": partial(taken, [pair], "plain", half),
        }
        for name, each in (("ours", videos), ("plain", videos), ("ours", half), ("plain", half)):
            taken([pair], name, each, num_steps=1)
        seconds = alternate(candidates, num_rounds=num_rounds)
    one, apart, same_each, plain_same_each, same_batch, plain_same_batch = seconds.values()
    rows: list[Row] = [
        {
            "part": "speed of a step on made-up views",
            "network": backbone,
            "what": name,
            "clips_per_s": 1 / median(taken_),
            "min": 1 / max(taken_),
            "max": 1 / min(taken_),
        }
        for name, taken_ in seconds.items()
    ]
    return rows, {
        f"{backbone}_2_processes_same_videos_each_vs_plain_ddp": speed_ratio(same_each, plain_same_each),
        f"{backbone}_2_processes_same_batch_vs_plain_ddp": speed_ratio(same_batch, plain_same_batch),
        f"{backbone}_scaling_same_videos_each": speed_ratio(same_each, one),
        f"{backbone}_scaling_same_batch": speed_ratio(same_batch, one),
        f"{backbone}_scaling_of_two_apart": speed_ratio(apart, one),
    }


def flag_row(num_ranks: int) -> Row:
    """Seconds to agree on one number, as after every step; here on two cores, so a hop includes a context switch."""
    with Team(num_ranks, cores=[0, 1]) as team:
        seconds = max(team.call(time_flag, 200))
    microseconds = 1e6 * seconds
    return {
        "part": "one number through gloo",
        "processes": num_ranks,
        "microseconds": microseconds,
        "per_hop": microseconds / (2 * (num_ranks - 1)),
    }


def whole_runs(folder: Path, *, num_rounds: int) -> list[Row]:
    """`tools/run_net.py` on the demo's videos with 1 and 2 processes and the same batch, including the loader."""
    write_motion_dataset(folder / "videos", num_train_videos_per_class=60, num_test_videos_per_class=1, seed=0)
    runs = {str(number): partial(_whole_run, folder, number) for number in (1, 2)}
    seconds = alternate(runs, num_rounds=num_rounds)
    return [
        {
            "part": "whole runs with loader",
            "processes": int(number),
            "clips_per_s": 1 / median(taken),
            "min": 1 / max(taken),
            "max": 1 / min(taken),
        }
        for number, taken in seconds.items()
    ]


def _whole_run(folder: Path, num_processes: int) -> float:
    """Seconds per clip from the first log line to the last."""
    with tempfile.TemporaryDirectory(dir=folder) as output:
        overrides = {
            "DATA.ROOT": folder / "videos",
            "METHOD.QUEUE_LENGTH": 65536,
            "TRAIN.STOP_AT_STEP": 60,
            "TRAIN.LOG_EVERY_STEPS": 10,
            "TRAIN.CHECKPOINT_EVERY_EPOCHS": 0,
            "RUN.OUTPUT_DIR": output,
        }
        command = [sys.executable, "tools/run_net.py", "--cfg", "configs/demo_sce.yaml", "--nproc", num_processes]
        command += [part for pair in overrides.items() for part in pair]
        outcome = subprocess.run([str(part) for part in command], cwd=REPOSITORY, capture_output=True, text=True)
        if outcome.returncode != 0:
            raise RuntimeError(f"run_net.py: {outcome.stderr[-2000:]}")
        lines = (Path(output) / "metrics.jsonl").read_text().splitlines()
    rates = [json.loads(line)["clips_per_second"] for line in lines[1:]]
    return mean(1 / rate for rate in rates)


def storage_of(originals: Sequence[Path], cache: Path) -> tuple[Row, Storage]:
    """Bytes and read() calls, counted by the kernel, to open prepared videos and read two clips of each."""
    files = encode_all(originals, cache, name=PREPARED)
    wanted = wanted_frames(files, seed=0)
    before = _reading()
    for video in wanted:
        with open_video(video.path, decoder="pyav") as opened:
            opened.frames_at(video.times_seconds)
    read, calls = (after - earlier for after, earlier in zip(_reading(), before, strict=True))
    row: Row = {
        "part": "reading for two clips of 8 frames",
        "files": PREPARED,
        "videos": len(files),
        "original_mb": mean(path.stat().st_size for path in originals) / 1e6,
        "file_mb": mean(path.stat().st_size for path in files) / 1e6,
        "read_mb": read / len(files) / 1e6,
        "reads_per_video": calls / len(files),
    }
    return row, Storage(read_bytes=read / len(files))


def _reading() -> tuple[int, int]:
    """Bytes that this process has read so far, and its read() calls."""
    fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(fields["rchar"]), int(fields["syscr"])


def paper_rows(config: str, storage: Storage) -> list[Row]:
    """The cases of PAPER_CASES, with SyncBatchNorm as on GPUs."""
    job = job_of(config)
    return [
        {"part": "on paper", "config": config, **cost_of_step(job, storage, num_gpus=gpus, num_videos=videos)}
        for gpus, videos in PAPER_CASES
    ]


def job_of(config: str) -> Job:
    cfg = load_config(CONFIGS_FOLDER / f"{config}.yaml")
    model = build_sce(cfg)
    of_config = [row for row in json.loads(MEASURED.read_text())["rows"] if row["config"] == config]
    return Job(
        part_seconds={row["videos"]: row["seconds"] for row in of_config if row["what"] == "step" and row["seconds"]},
        gradient_bytes=sum(parameter.numel() * 4 for parameter in model.parameters() if parameter.requires_grad),
        key_dim=cfg.MODEL.PROJECTOR_DIMS[-1],
        channels=channels_of(model),
        checkpoint_seconds=next(row["seconds"] for row in of_config if row["what"] == "checkpoint"),
    )


def channels_of(model: SCE) -> Channels:
    online = nn.ModuleList([model.backbone, model.projector, model.predictor])
    return Channels(all=_widths(model), online=_widths(online))


def _widths(module: nn.Module) -> list[int]:
    return [norm.num_features for norm in module.modules() if isinstance(norm, Norm)]


def _sum(of_ranks: Sequence[dict[str, int]]) -> dict[str, int]:
    return {kind: sum(each[kind] for each in of_ranks) for kind in of_ranks[0]}


def _with_total(by_kind: Mapping[str, float]) -> Row:
    kinds: Row = {kind: by_kind[kind] for kind in ("gradients", "keys", "buffers")}
    return {**kinds, "all": sum(by_kind.values())}


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    raise SystemExit(main())
