"""Read speed of the user's own files."""

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
# A first read more than half as fast as the second came from a cache too: the system's, or the server's.
_CACHED_SHARE = 0.5


@dataclass(frozen=True)
class DiskSpeed:
    """Speed of one reader, which reads whole files one after the other.

    Args:
        open_seconds: median until the first bytes of a file.
        file_seconds: mean per whole file.
        again_file_seconds: the same for a second read right after the first.
        can_drop_cache: each file was dropped from the system's page cache before its first read.
        failures: the files that cannot be read, with the cause.
    """

    num_files: int
    num_bytes: int
    open_seconds: float
    file_seconds: float
    again_file_seconds: float
    can_drop_cache: bool
    failures: Sequence[str]

    @property
    def is_cached(self) -> bool:
        return not self.can_drop_cache or self.again_file_seconds > _CACHED_SHARE * self.file_seconds


def measure_disk(files: Sequence[Path], *, seconds: float) -> DiskSpeed:
    """Read each file twice, until the time is up."""
    sizes, opened, first, again, failures = [], [], [], [], []
    deadline = time.perf_counter() + seconds
    can_drop_cache = hasattr(os, "posix_fadvise")
    for file in files:
        try:
            refuse_special_file(file)
            if can_drop_cache:
                _drop_from_cache(file)
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
        can_drop_cache=can_drop_cache,
        failures=failures,
    )


def _drop_from_cache(file: Path) -> None:
    """Ask the system to drop a file from its page cache; pages not yet written to disk stay."""
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def _read(file: Path) -> tuple[float, float, int]:
    """Seconds to the first bytes, seconds in total, bytes."""
    started = time.perf_counter()
    with file.open("rb", buffering=0) as opened:
        size = len(opened.read(_FIRST_BYTES))
        first_seconds = time.perf_counter() - started
        while chunk := opened.read(_CHUNK_BYTES):
            size += len(chunk)
    return first_seconds, time.perf_counter() - started, size


def disk(speed: DiskSpeed, decode_seconds: float | None) -> list[Finding]:
    """Findings on the speed; `decode_seconds` is a loader process's CPU time per video, None if unknown."""
    findings = []
    if speed.failures:
        fact = f"{len(speed.failures)} of {len(speed.failures) + speed.num_files} files cannot be read"
        findings.append(
            Finding("problem", "files", f"{fact}: {first_of(speed.failures)}", "check paths and permissions")
        )
    if not speed.num_files:
        return findings
    rate = speed.num_bytes / speed.num_files / speed.file_seconds
    fact = (
        f"{in_bytes(rate)}/s with one reader, {1000 * speed.open_seconds:.1f} ms to the first bytes (median), "
        f"{1000 * speed.file_seconds:.1f} ms per file; {speed.num_files} files, {in_bytes(speed.num_bytes)}"
    )
    if speed.is_cached:
        fact += ". They came from a cache, so this is not the speed of the disk"
        findings.append(Finding("note", "disk", fact, "try again on files that were not read recently"))
    elif decode_seconds is not None and speed.file_seconds > decode_seconds:
        fact += f". A worker waits for a file longer than it takes to decode it ({1000 * decode_seconds:.1f} ms)"
        fix = "copy the videos to a local disk, or transcode them smaller (tools/prepare_data.py)"
        findings.append(Finding("problem", "disk", fact, fix))
    else:
        findings.append(Finding("ok", "disk", fact))
    return findings


def first_of(names: Sequence[str]) -> str:
    """The first three names, and the number of others."""
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
