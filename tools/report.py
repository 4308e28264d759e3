#!/usr/bin/env python
"""Write an HTML report from the files of a run: python tools/report.py RUN [RUN ...] [--output FILE]"""

import argparse
import sys

import sce_video.quiet_start  # noqa: F401
from sce_video.launch.pages import write_report
from sce_video.launch.program import exit_code_of, local_path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=local_path, metavar="RUN", help="folder of a run; several: one page")
    parser.add_argument(
        "--output", type=local_path, help="the page (default: report.html in the run; of several, here)"
    )
    arguments = parser.parse_args()
    return exit_code_of(lambda: print(f"wrote {write_report(arguments.runs, arguments.output)}"))


if __name__ == "__main__":
    sys.exit(main())
