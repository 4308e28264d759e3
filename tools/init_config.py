#!/usr/bin/env python
"""Look at a folder of videos or images and write a commented config for it: python tools/init_config.py FOLDER

docs/own_data.md explains the choices.
"""

import argparse
import sys
from functools import partial

import sce_video.quiet_start  # noqa: F401
from sce_video.cli.init_config.write import write_config
from sce_video.launch.program import exit_code_of, local_path, positive_number


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=local_path, metavar="FOLDER | LIST", help="videos or images, or a list of them")
    parser.add_argument("--output", type=local_path, metavar="FILE", help="config to write (default: FOLDER_sce.yaml)")
    parser.add_argument("--overwrite", action="store_true", help="replace that file if it exists")
    parser.add_argument("--root", type=local_path, metavar="DIR", help="of the paths in a list (default: its folder)")
    parser.add_argument(
        "--gpu-gb",
        type=positive_number,
        metavar="G",
        help="the run is for a GPU of this memory, GiB (default: the one here)",
    )
    parser.add_argument(
        "--motion", action="store_true", help="the classes are movements: the network sees frame differences"
    )
    arguments = parser.parse_args()
    return exit_code_of(
        partial(
            write_config,
            arguments.folder,
            output=arguments.output,
            list_root=arguments.root,
            gpu_gib=arguments.gpu_gb,
            sees_movement=arguments.motion,
            overwrites=arguments.overwrite,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
