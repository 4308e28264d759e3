#!/usr/bin/env python
"""Run any task: python tools/run_net.py --cfg configs/k400_sce.yaml [KEY VALUE ...]

Starts one process per GPU by itself; under torchrun or srun it is one of their processes.
"""

import argparse
import sys

import sce_video.quiet_start  # noqa: F401
from sce_video.engine.cluster.requeue import requeue_after_signal
from sce_video.launch.local import run_config
from sce_video.launch.program import exit_code_of, number_from


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cfg", required=True, help="YAML file; sce_video/config/sections/ lists every key")
    parser.add_argument(
        "--nproc", type=number_from(1), metavar="N", help="processes on this machine (default: one per GPU)"
    )
    parser.add_argument("overrides", nargs="*", metavar="KEY VALUE", help="for example TRAIN.NUM_EPOCHS 100")
    arguments = parser.parse_args()
    return requeue_after_signal(
        exit_code_of(lambda: run_config(arguments.cfg, arguments.overrides, num_processes=arguments.nproc))
    )


if __name__ == "__main__":
    sys.exit(main())
