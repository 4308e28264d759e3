"""Shared by all benchmarks: options, fair timing against a peer, table and JSON.

arguments = new_parser(__doc__).parse_args()                       # --quick, --json FILE
use_cores(1)
seconds = alternate({"ours": ours, "peer": peer}, num_rounds=5)    # each a function without arguments
rows = [{"name": name, "seconds": median(taken)} for name, taken in seconds.items()]
publish(rows=rows, ratios={"ours_vs_peer": speed_ratio(seconds["ours"], seconds["peer"])}, json_file=arguments.json)
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from statistics import median

import torch

Row = dict[str, object]


def new_parser(description: str) -> argparse.ArgumentParser:
    """A parser with the options of every benchmark."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="little data and few rounds: under 40 s on two cores")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write ratios, rows, machine and versions there")
    return parser


def use_cores(num_cores: int) -> None:
    """Pin this process and its later children to the first `num_cores` of its cores, with one thread each."""
    torch.set_num_threads(1)
    os.environ.update(OMP_NUM_THREADS="1", OMP_WAIT_POLICY="passive")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:num_cores])


def alternate(candidates: Mapping[str, Callable[[], float | None]], *, num_rounds: int) -> dict[str, list[float]]:
    """Seconds of each candidate per round: what it returns, or if that is None the wall time of the call.

    A round runs every candidate once, so that other work on the machine slows all alike; the first one rotates.
    """
    names = list(candidates)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for start in range(num_rounds):
        for offset in range(len(names)):
            name = names[(start + offset) % len(names)]
            before = time.perf_counter()
            own = candidates[name]()
            seconds[name].append(time.perf_counter() - before if own is None else own)
    return seconds


def seconds_of(work: Callable[[], object], device: torch.device) -> float:
    """CPU time; on a GPU wall time until it is done."""
    is_cpu = device.type == "cpu"
    clock = time.process_time if is_cpu else time.perf_counter
    wait = (lambda: None) if is_cpu else torch.cuda.synchronize
    wait()
    begin = clock()
    work()
    wait()
    return clock() - begin


def speed_ratio(ours: Sequence[float], peer: Sequence[float]) -> float:
    """How many times faster than the peer: the median over rounds of the ratio of seconds."""
    return median(theirs / mine for mine, theirs in zip(ours, peer, strict=True))


def publish(
    *, rows: Sequence[Row], ratios: Mapping[str, float], json_file: Path | None, table_of: str | None = None
) -> None:
    """Print rows and ratios as tables; write both, with machine and versions, as JSON.

    Args:
        rows: the columns are the keys of all rows, in order of first appearance; lists are only in the JSON.
        ratios: name -> ours against the peer, higher is better.
        table_of: key by which the rows are split into several tables.
    """
    from sce_video.report.text_table import text_table  # here: `journeys.py` also runs with an older package

    tables: dict[object, list[Row]] = {}
    for row in rows:
        tables.setdefault(row[table_of] if table_of else "", []).append(row)
    for name, table in tables.items():
        if table_of:
            print(f"{name}:")
        columns = [
            key for row in table for key, value in row.items() if key != table_of and not isinstance(value, list)
        ]
        columns = list(dict.fromkeys(columns))
        print(text_table(columns, [[_cell(row.get(column)) for column in columns] for row in table]))
        print()
    if ratios:
        print(text_table(["ratio", "ours / peer"], [[name, f"{value:.2f}"] for name, value in ratios.items()]))
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        record = {"ratios": dict(ratios), "rows": list(rows), **_made_with()}
        json_file.write_text(json.dumps(record, indent=1) + "\n")


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _made_with() -> dict[str, object]:
    """Command, commit, machine, versions."""
    from sce_video.runtime.environment import environment

    record = environment()
    command, commit, _ = (record.pop(key) for key in ("command", "commit", "machine"))
    try:
        record["torchcodec"] = metadata.version("torchcodec")
    except metadata.PackageNotFoundError:
        record["torchcodec"] = "not installed"
    return {"command": command, "commit": commit, "machine": _machine(), "versions": record}


def _machine() -> dict[str, object]:
    """Processor, cores, load average over one minute, and the GPU if there is one."""
    name = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        name = models[0].partition(":")[2].strip() if models else name
    machine: dict[str, object] = {"processor": name, "cores": os.cpu_count(), "load": os.getloadavg()[0]}
    if torch.cuda.is_available():
        machine["gpu"] = torch.cuda.get_device_name(0)
    return machine
