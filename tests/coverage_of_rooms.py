"""Line and branch coverage of each room: the table of `make coverage`."""

import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

from coverage import Coverage

COUNTS = ("covered_lines", "num_statements", "covered_branches", "num_branches")


def room_of(file: str) -> str:
    parts = Path(file).parts[:-1]
    return "/".join(parts[1:3] if parts[1:2] == ("engine",) else parts[1:2]) or "(ground)"


def main() -> int:
    coverage = Coverage()
    coverage.load()
    with tempfile.TemporaryDirectory() as folder:
        coverage.json_report(outfile=f"{folder}/coverage.json")
        files = json.loads(Path(folder, "coverage.json").read_text())["files"]
    rooms: dict[str, Counter[str]] = {}
    for file, found in files.items():
        for room in (room_of(file), "all"):
            rooms.setdefault(room, Counter()).update({name: found["summary"][name] for name in COUNTS})
    print(f"{'room':20s} {'lines':>6s} {'ran':>6s} {'branches':>9s} {'ran':>6s}")
    for room, counts in sorted(rooms.items(), key=lambda each: (each[0] == "all", each[0])):
        ran, lines, taken, branches = (counts[name] for name in COUNTS)
        print(f"{room:20s} {lines:6d} {ran / max(lines, 1):6.1%} {branches:9d} {taken / max(branches, 1):6.1%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
