#!/usr/bin/env python
"""Run any task: python tools/run_net.py --cfg configs/k400_sce.yaml [KEY VALUE ...]"""

import argparse
import sys

from sce_video.config import load_config
from sce_video.errors import UserError
from sce_video.launch.local import run_task


def main() -> int:
    """Exit code: 0 done, 2 something the user gave cannot be used, 130 stopped by Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cfg", required=True, help="YAML file; sce_video/config/defaults.py lists every key")
    parser.add_argument("overrides", nargs="*", metavar="KEY VALUE", help="for example TRAIN.NUM_EPOCHS 100")
    arguments = parser.parse_args()
    try:
        run_task(load_config(arguments.cfg, arguments.overrides))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the newest checkpoint", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
