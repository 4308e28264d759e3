#!/usr/bin/env python
"""Parameters, GMACs, views, steps and memory of a config: python tools/describe.py --cfg CONFIG [KEY VALUE ...]

Needs neither the data nor a GPU. See docs/describe.md.
"""

import argparse
import sys
from functools import partial

import sce_video.quiet_start  # noqa: F401
from sce_video.cli.describe.page import describe_configs
from sce_video.launch.program import exit_code_of, local_path, number_from, positive_number


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfg", type=local_path, required=True, help="config, or a folder of configs: one line each")
    parser.add_argument("--gpus", type=number_from(1), default=1, metavar="N", help="GPUs of the run (default 1)")
    parser.add_argument(
        "--gpu-gb", type=positive_number, metavar="G", help="memory of one, GiB: say whether a step fits"
    )
    parser.add_argument("--json", type=local_path, metavar="FILE", help="also write the description to this file")
    parser.add_argument("overrides", nargs="*", metavar="KEY VALUE", help="for example TRAIN.ACCUMULATION_STEPS 4")
    arguments = parser.parse_intermixed_args()
    return exit_code_of(
        partial(
            describe_configs,
            arguments.cfg,
            arguments.overrides,
            num_gpus=arguments.gpus,
            gpu_gib=arguments.gpu_gb,
            json_file=arguments.json,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
