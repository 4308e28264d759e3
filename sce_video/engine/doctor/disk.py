"""How fast the user's own files come from their disk."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

from sce_video.engine.doctor.amounts import in_bytes
from sce_video.engine.doctor.finding import Finding
from sce_video.special_files import refuse_special_file

_FIRST_BYTES = 64 * 1024
_CHUNK_BYTES = 2**20
# A first reading more than half as fast as the second came from a cache as well: the system's, or the server's.
_CACHED_SHARE = 0.5


@dataclass(frozen=True)
class DiskSpeed:
    """One reader, file after file, each read whole.

    `open_seconds` is the median until a file's first bytes are there, `file_seconds` the mean for all of a file. The
    `again_*` are of a second reading at once. `can_forget`: the system was asked to forget each file before.
    `failures` are the files that cannot be read, with the cause.
    """

    num_files: int
    num_bytes: int
    open_seconds: float
    file_seconds: float
    again_file_seconds: float
    can_forget: bool
    failures: Sequence[str]

    @property
    def is_cached(self) -> bool:
        return not self.can_forget or self.again_file_seconds > _CACHED_SHARE * self.file_seconds


def measure_disk(files: Sequence[Path], *, seconds: float) -> DiskSpeed:
    """Read the files, each twice, until the time is over."""
    sizes, opened, first, again, failures = [], [], [], [], []
    deadline = time.perf_counter() + seconds
    can_forget = hasattr(os, "posix_fadvise")
    for file in files:
        try:
            refuse_special_file(file)
            if can_forget:
                _forget(file)
            open_seconds, file_seconds, size = _read(file)
            again.append(_read(file)[1])
        except OSError as error:
            failures.append(f"{file} ({error.strerror or error})")
            continue
        opened.append(open_seconds)
        first.append(file_seconds)
        sizes.append(size)
        if time.perf_counter() > deadline:
            break
    return DiskSpeed(
        num_files=len(sizes),
        num_bytes=sum(sizes),
        open_seconds=median(opened or [0.0]),
        file_seconds=mean(first or [0.0]),
        again_file_seconds=mean(again or [0.0]),
        can_forget=can_forget,
        failures=failures,
    )


def _forget(file: Path) -> None:
    """Ask the system to drop the file from its page cache; what is not yet written to disk stays."""
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def _read(file: Path) -> tuple[float, float, int]:
    """Seconds to the first bytes, seconds in all, bytes."""
    started = time.perf_counter()
    with file.open("rb", buffering=0) as opened:
        size = len(opened.read(_FIRST_BYTES))
        first_seconds = time.perf_counter() - started
        while chunk := opened.read(_CHUNK_BYTES):
            size += len(chunk)
    return first_seconds, time.perf_counter() - started, size


def disk(speed: DiskSpeed, decode_seconds: float | None) -> list[Finding]:
    """`decode_seconds`: what a loader process computes on one video; None if that is not known."""
    findings = []
    if speed.failures:
        fact = f"{len(speed.failures)} of {len(speed.failures) + speed.num_files} files cannot be read"
        findings.append(
            Finding("problem", "files", f"{fact}: {first_of(speed.failures)}", "check the paths and rights")
        )
    if not speed.num_files:
        return findings
    rate = speed.num_bytes / speed.num_files / speed.file_seconds
    fact = (
        f"{in_bytes(rate)}/s with one reader, {1000 * speed.open_seconds:.1f} ms to the first bytes (median), "
        f"{1000 * speed.file_seconds:.1f} ms per file; {speed.num_files} files, {in_bytes(speed.num_bytes)}"
    )
    if speed.is_cached:
        fact += ". They came from a cache: says nothing about the disk"
        findings.append(Finding("note", "disk", fact, "try again on files that nobody has read for a while"))
    elif decode_seconds is not None and speed.file_seconds > decode_seconds:
        fact += f". A worker waits longer for a file than it computes on it ({1000 * decode_seconds:.1f} ms)"
        way_out = "copy the videos to a local disk, or transcode them smaller (tools/prepare_data.py)"
        findings.append(Finding("problem", "disk", fact, way_out))
    else:
        findings.append(Finding("ok", "disk", fact))
    return findings


def first_of(names: Sequence[str]) -> str:
    """Three of them, and how many more there are."""
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
