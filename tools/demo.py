#!/usr/bin/env python
"""Pretrain on synthetic videos and evaluate the features: python tools/demo.py [KEY VALUE ...]

With --hard the class is the movement of an object in front of a still, photographic background that other videos of its
session share: a trap, since contrasting videos needs no movement (docs/evaluation.md).
"""

import argparse
import sys
from pathlib import Path

import sce_video.quiet_start  # noqa: F401
from sce_video.launch.demo.run_demo import DEMO_VIDEOS, run_demo
from sce_video.launch.program import exit_code_of, local_path, number_from


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfg", type=local_path, default=Path("configs/demo_sce.yaml"), help="%(default)s")
    parser.add_argument(
        "--evaluation-cfg",
        type=local_path,
        default=Path("configs/demo_knn.yaml"),
        help="kNN, retrieval; %(default)s",
    )
    parser.add_argument(
        "--output",
        type=local_path,
        help="output folder; an earlier demo there is deleted (default: runs/demo, or runs/demo_hard)",
    )
    parser.add_argument("--hard", action="store_true", help="videos with the trap, and their floors")
    parser.add_argument("--train", type=number_from(1), default=60, metavar="N", help="training videos per motion")
    parser.add_argument("--test", type=number_from(1), default=20, metavar="N", help="held-out videos per motion")
    parser.add_argument("--seed", type=number_from(0), default=0, metavar="N", help="of videos, weights and training")
    parser.add_argument("overrides", nargs="*", metavar="KEY VALUE", help="for example TRAIN.NUM_EPOCHS 10")
    arguments = parser.parse_args()
    return exit_code_of(
        lambda: run_demo(
            arguments.cfg,
            arguments.evaluation_cfg,
            arguments.output or Path("runs/demo_hard" if arguments.hard else "runs/demo"),
            num_train_videos_per_class=arguments.train,
            num_test_videos_per_class=arguments.test,
            seed=arguments.seed,
            overrides=arguments.overrides,
            videos=DEMO_VIDEOS["rooms" if arguments.hard else "motions"],
        ),
        when_stopped="the demo starts again when rerun",
    )


if __name__ == "__main__":
    sys.exit(main())
