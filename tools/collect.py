#!/usr/bin/env python
"""One table of all runs below some folders, as of an array of jobs: python tools/collect.py FOLDER [FOLDER ...]

The columns are the settings in which the runs differ, step and loss of the last logged step, and the metrics beside
their chance levels. See docs/report.md.
"""

import argparse
import sys

import sce_video.quiet_start  # noqa: F401
from sce_video.cli.collect.outputs import collect
from sce_video.launch.program import exit_code_of, local_path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=local_path, metavar="FOLDER", help="of runs, at any depth")
    parser.add_argument("--csv", type=local_path, metavar="FILE", help="also write the table as CSV")
    parser.add_argument("--markdown", type=local_path, metavar="FILE", help="also write it as Markdown")
    parser.add_argument(
        "--html", type=local_path, metavar="FILE", help="also write a page, with the curves of the losses"
    )
    parser.add_argument(
        "--over-seeds", action="store_true", help="a row per setting: mean and deviation over its seeds"
    )
    arguments = parser.parse_args()
    files = {"csv_file": arguments.csv, "markdown_file": arguments.markdown, "html_file": arguments.html}
    return exit_code_of(lambda: print(collect(arguments.folders, over_seeds=arguments.over_seeds, **files)))


if __name__ == "__main__":
    sys.exit(main())
