#!/usr/bin/env python
"""Report what limits training here: python tools/doctor.py [FOLDER or LIST] [--cfg CONFIG] [KEY VALUE ...]"""

import argparse
import sys
from pathlib import Path

import sce_video.quiet_start  # noqa: F401
from sce_video.cli.doctor.examine import examine
from sce_video.cli.doctor.subject import read_subject
from sce_video.launch.program import exit_code_of, local_path, positive_number


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "words",
        nargs="*",
        metavar="VIDEOS | KEY VALUE",
        help="local folder or list (default: the videos of --cfg); then config keys with other values",
    )
    parser.add_argument("--cfg", type=local_path, help="config of the planned run (default: the K400 recipe)")
    parser.add_argument("--run", type=local_path, help="run folder; its metrics.jsonl gives the training step's speed")
    parser.add_argument("--seconds", type=positive_number, default=3.0, help="for each measurement (default 3)")
    parser.add_argument("--json", type=local_path, help="also write the page to this file")
    parser.add_argument("--strict", action="store_true", help="exit code 1 if there is a problem")
    arguments = parser.parse_intermixed_args()
    videos, overrides = _split(parser, arguments.words)

    def run() -> int:
        subject = read_subject(videos, config_file=arguments.cfg, overrides=overrides, run_dir=arguments.run)
        return examine(subject, seconds=arguments.seconds, json_file=arguments.json, is_strict=arguments.strict)

    return exit_code_of(run)


def _split(parser: argparse.ArgumentParser, words: list[str]) -> tuple[Path | None, list[str]]:
    """Path of the videos, and overrides: these come in pairs, so of an odd number of words the first is the path."""
    if len(words) % 2 == 0:
        return None, words
    try:
        return local_path(words[0]), words[1:]
    except argparse.ArgumentTypeError as error:
        parser.error(str(error))


if __name__ == "__main__":
    sys.exit(main())
