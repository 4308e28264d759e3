"""File locks (flock), which the kernel releases when their process ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Exclusive lock on a file, which is created if missing; yields its descriptor."""
    descriptor = open_locked(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def open_locked(path: Path) -> int:
    """Descriptor of the file of this name, created if missing, exclusively locked until it is closed."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if is_named(descriptor, path):  # not deleted or renamed while this process waited
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def open_shared(path: Path) -> int | None:
    """Descriptor of the file, with a shared lock until it is closed; None if there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    if make_shared(descriptor, path):
        return descriptor
    os.close(descriptor)
    return None


def make_shared(descriptor: int, path: Path) -> bool:
    """Change to a shared lock on an open file; False if it was deleted or replaced meanwhile."""
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return is_named(descriptor, path)


def delete_unlocked(path: Path) -> bool:
    """Delete a file unless a process has locked it; returns whether it is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if is_named(descriptor, path):
            os.unlink(path)
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)


def is_named(descriptor: int, path: Path) -> bool:
    """Whether the open file still has this path."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
