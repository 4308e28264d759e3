#!/usr/bin/env python
"""Verify and re-encode videos once, before training: python tools/prepare_data.py SRC DST

Decodes every frame of every video below SRC and writes short-GOP mp4 files to DST (JPEG frames with --frames, nothing
but the report with --check), then manifest.tsv, report.json and report.txt. It can be stopped at any moment; rerun the
same command to resume. See docs/prepare.md.
"""

import argparse
import sys

import sce_video.quiet_start  # noqa: F401
from sce_video.cli.prepare import SlurmArray, finish, prepare_here, submit_shards
from sce_video.engine.machine import available_cores
from sce_video.engine.prepare.actions import ACTIONS, Action, Frames, PrepareError, Transcode
from sce_video.engine.prepare.all_videos import Limits
from sce_video.engine.prepare.labels import Labels
from sce_video.launch.program import exit_code_of, local_path

_ACTION_OPTIONS = {
    "short_side_pixels": "--short-side",
    "gop_frames": "--gop",
    "crf": "--crf",
    "quality": "--quality",
    "max_fps": "--max-fps",
    "min_frames": "--min-frames",
}


def main() -> int:
    arguments = _parser().parse_args()
    try:
        return exit_code_of(lambda: _run(arguments))
    finally:
        sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "source", type=local_path, metavar="SRC", help="local folder of videos, any depth; never written to"
    )
    parser.add_argument("output", type=local_path, metavar="DST", help="folder for everything that is written")
    kind = parser.add_mutually_exclusive_group()
    for name, words in (("check", "verify only"), ("frames", "write a folder of JPEG frames per video")):
        kind.add_argument(f"--{name}", dest="action", action="store_const", const=name, default="transcode", help=words)

    outputs = parser.add_argument_group("outputs", argument_default=argparse.SUPPRESS)
    sizes = f"{Transcode.short_side_pixels}; 0: unchanged"
    outputs.add_argument("--short-side", dest="short_side_pixels", type=int, metavar="PIXELS", help=sizes)
    distances = f"key frame distance, {Transcode.gop_frames}; 1: all intra"
    outputs.add_argument("--gop", dest="gop_frames", type=int, metavar="FRAMES", help=distances)
    outputs.add_argument("--crf", type=int, help=f"x264's quality, {Transcode.crf}; lower is better and larger")
    outputs.add_argument("--quality", type=int, help=f"JPEG quality, {Frames.quality}")
    outputs.add_argument("--max-fps", type=float, metavar="FPS", help="drop frames of faster videos")
    outputs.add_argument("--min-frames", type=int, metavar="N", help="leave out shorter videos, and list them")

    parser.add_argument(
        "--labels", choices=["none", "folders"], default=Labels.kind, help="folders: SRC/CLASS/...; %(default)s"
    )
    parser.add_argument(
        "--classes",
        type=local_path,
        metavar="FILE",
        help="file of class names, one per line, to number class folders by",
    )
    parser.add_argument("--follow-outside", action="store_true", help="also follow links that lead out of SRC")
    parser.add_argument("--retry-broken", action="store_true", help="retry broken videos of an earlier run")
    parser.add_argument("--workers", type=int, metavar="N", help="processes; default: usable cores, here or of a job")
    parser.add_argument("--timeout-seconds", type=float, default=Limits.timeout_seconds, help="per video, %(default)g")
    parser.add_argument("--memory-gib", type=float, default=Limits.memory_gib, help="per process, %(default)g")

    slurm = parser.add_argument_group("on a Slurm cluster")
    how = slurm.add_mutually_exclusive_group()
    how.add_argument("--slurm", action="store_true", help="submit an array of jobs, and return")
    how.add_argument("--finish", action="store_true", help="write manifest and report after all jobs have ended")
    slurm.add_argument("--array", type=int, default=20, metavar="N", help="jobs, %(default)s")
    slurm.add_argument("--partition", metavar="P")
    slurm.add_argument("--time-minutes", type=int, default=720, metavar="M", help="per job, %(default)s")
    slurm.add_argument("--cpus-per-task", type=int, default=8, metavar="C", help="per job, %(default)s")
    return parser


def _run(arguments: argparse.Namespace) -> None:
    action = _action(arguments)
    shared = {"follow_outside": arguments.follow_outside, "retry_broken": arguments.retry_broken}
    labels = Labels(arguments.labels, arguments.classes)
    if arguments.finish:
        print(finish(arguments.source, arguments.output, action, labels=labels))
        return
    default_workers = arguments.cpus_per_task if arguments.slurm else available_cores()
    num_workers = default_workers if arguments.workers is None else arguments.workers
    limits = Limits(num_workers, arguments.timeout_seconds, arguments.memory_gib)
    if arguments.slurm:
        array = SlurmArray(arguments.array, arguments.partition, arguments.time_minutes, arguments.cpus_per_task)
        jobs = submit_shards(arguments.source, arguments.output, action, limits=limits, array=array, **shared)
        print(f"submitted {len(jobs)} jobs, {jobs[0].job_id} and so on; when they have ended, run this with --finish")
        return
    print(prepare_here(arguments.source, arguments.output, action, limits=limits, labels=labels, **shared))


def _action(arguments: argparse.Namespace) -> Action:
    kind = ACTIONS[arguments.action]
    given = {name: getattr(arguments, name) for name in _ACTION_OPTIONS if hasattr(arguments, name)}
    for name in given:
        if name not in kind.__dataclass_fields__:
            raise PrepareError(f"{_ACTION_OPTIONS[name]} does not apply to {arguments.action}; leave it out")
    return kind(**given)


if __name__ == "__main__":
    sys.exit(main())
