"""Record of how a result was made: command, commit, machine, versions."""

import platform
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import torch

# Names the commit of a copy of the package.
COMMIT_FILE = "commit.txt"
_PACKAGES = ("torch", "torchvision", "pytorchvideo", "av", "torchcodec", "decord", "numpy")


def environment() -> dict[str, str]:
    """Command, commit, machine and versions, as recorded beside every checkpoint and result."""
    record = {
        "command": shlex.join([Path(sys.executable).name, *sys.argv]),
        "commit": commit(),
        "machine": _machine(),
        "python": platform.python_version(),
    }
    for package in _PACKAGES:
        try:
            record[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            record[package] = "not installed"
    return record


def _machine() -> str:
    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name(0)}"
    return f"CPU, {torch.get_num_threads()} threads, {platform.machine()}"


def commit() -> str:
    """Commit of the checkout that holds the package, or that it was copied from; "unknown" otherwise."""
    noted = Path(__file__).parents[1] / COMMIT_FILE
    if noted.is_file():
        return noted.read_text(encoding="utf-8").strip()
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return described.stdout.strip() or "unknown"
