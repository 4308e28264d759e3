#!/usr/bin/env python
"""Run any task on a Slurm cluster: python tools/submit.py --cfg CONFIG --nodes 2 --gpus-per-node 8 [KEY VALUE ...]

The job runs the code and the config as they are now, whatever is edited later. It is requeued after its time limit,
after preemption and when a node dies, and resumes from its newest checkpoint. See docs/training.md.
"""

import argparse
import sys

import sce_video.quiet_start  # noqa: F401
from sce_video.cli.submit import minutes_of, parse_parameters, submit_run
from sce_video.launch.program import exit_code_of, number_from
from sce_video.launch.slurm import Resources


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfg", required=True, help="YAML file; sce_video/config/sections/ lists every key")
    parser.add_argument("--nodes", type=number_from(1), default=1, metavar="N")
    parser.add_argument(
        "--gpus-per-node", type=number_from(0), default=1, metavar="N", help="one task each; 0: one, no GPU"
    )
    parser.add_argument("--cpus-per-task", type=number_from(1), default=8, metavar="N", help="%(default)s")
    parser.add_argument("--time", default="24:00:00", help="minutes, HH:MM:SS or D-HH:MM:SS; %(default)s")
    parser.add_argument("--partition", metavar="P")
    delay = "before the time limit, to finish a step and save; %(default)s"
    parser.add_argument("--signal-delay", type=number_from(1), default=120, metavar="SECONDS", help=delay)
    parser.add_argument(
        "--sbatch", action="append", default=[], metavar="NAME[=VALUE]", help="another parameter of sbatch"
    )
    each = "one job per value, in OUTPUT_DIR/key_V; of several keys one per combination, in OUTPUT_DIR/key_V/key_V"
    parser.add_argument("--array", nargs=2, action="append", default=[], metavar=("KEY", "V1,V2,..."), help=each)
    how = parser.add_mutually_exclusive_group()
    for name, words in (("local", "in processes of this machine, without Slurm"), ("dry-run", "show the batch script")):
        how.add_argument(f"--{name}", dest="how", action="store_const", const=name, default="slurm", help=words)
    parser.add_argument("overrides", nargs="*", metavar="KEY VALUE", help="for example TRAIN.NUM_EPOCHS 100")
    arguments = parser.parse_args()

    def run() -> None:
        resources = Resources(
            nodes=arguments.nodes,
            gpus_per_node=arguments.gpus_per_node,
            cpus_per_task=arguments.cpus_per_task,
            minutes=minutes_of(arguments.time),
            partition=arguments.partition,
            signal_delay_seconds=arguments.signal_delay,
            more=parse_parameters(arguments.sbatch),
        )
        arrays, how = arguments.array, arguments.how
        print(submit_run(arguments.cfg, arguments.overrides, resources=resources, arrays=arrays, how=how))

    return exit_code_of(run)


if __name__ == "__main__":
    sys.exit(main())
