"""Locks on files, which the kernel takes back when their process ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """The file, made if it is not there, open and locked: one process or thread at a time; others wait."""
    descriptor = open_locked(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def open_locked(path: Path) -> int:
    """The open file that has this name, made if there is none, and locked; closing it unlocks."""
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
    """The open file, which nobody else can lock until it is closed; None if there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    if share(descriptor, path):
        return descriptor
    os.close(descriptor)
    return None


def share(descriptor: int, path: Path) -> bool:
    """Let others read, but not lock, an open file; False if it has lost its name to somebody quicker."""
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return is_named(descriptor, path)


def delete_unlocked(path: Path) -> bool:
    """Delete a file unless a process has it locked; whether it is gone."""
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
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
