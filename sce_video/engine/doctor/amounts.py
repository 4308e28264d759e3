"""Bytes and core counts as text."""

import math


def in_bytes(count: float) -> str:
    """In binary units, as `df -h` and `docker --shm-size` use: 64 MiB, 5.4 GiB."""
    units = ["B", "KiB", "MiB", "GiB"]
    power = min(int(math.log2(max(count, 1)) // 10), len(units) - 1)
    amount = count / 1024**power
    return f"{amount:.1f} {units[power]}" if power and amount < 10 else f"{amount:.0f} {units[power]}"


def in_cores(count: float) -> str:
    return "1 core" if count == 1 else f"{count:g} cores"
