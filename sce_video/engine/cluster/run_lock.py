"""Cross-host lock of an output folder, with heartbeat, takeover and fencing: one run at a time writes there.

A file in the folder names the owner, which touches it every few seconds. A takeover writes another owner and then
deletes the unfinished files of the old one: it can no longer rename them to checkpoints or results.
"""

import errno
import json
import logging
import os
import re
import secrets
import socket
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from sce_video.errors import UserError

LOGGER = logging.getLogger("sce_video")

LOCK_FILE = ".owner.json"
_HEARTBEAT_SECONDS = 5.0
# Without a heartbeat; the owner may be starved, or its file system slow.
_TIMEOUT_SECONDS = 30.0
_POLL_SECONDS = 0.5
# Between two attempts a lock can be released and acquired by others, but not this often.
_MAX_ATTEMPTS = 100
_MAX_BYTES = 4096


class InUseError(UserError):
    """Another process uses the folder, or has taken it over."""


_TOKEN = re.compile("[0-9a-f]{1,64}")


@dataclass(frozen=True)
class LockOwner:
    """Process that holds a lock; `job` and `restart` are Slurm's ("" and 0 elsewhere), `machine` a pid namespace."""

    token: str
    host: str
    pid: int
    started: str
    machine: str
    job: str
    restart: int

    def __post_init__(self) -> None:
        """Raise ValueError for values that no owner writes: they are printed, and compared with file names."""
        texts = (self.token, self.host, self.started, self.machine, self.job)
        if not all(type(text) is str and text.isprintable() for text in texts) or not _TOKEN.fullmatch(self.token):
            raise ValueError("a field is not printable text")
        if not all(type(number) is int and 0 <= number < 1 << 63 for number in (self.pid, self.restart)):
            raise ValueError("a field is not a number")

    def __str__(self) -> str:
        of_job = f" of job {self.job}" if self.job else ""
        return f"process {self.pid}{of_job} on {self.host}"


class RunLock:
    """Lock of a folder, held until `release` or until another process takes it over."""

    def __init__(self, folder: Path, owner: LockOwner) -> None:
        self._file = folder / LOCK_FILE
        self.owner = owner
        self._is_over = threading.Event()

    def start_heartbeat(self) -> None:
        threading.Thread(target=self._heartbeat, name="run lock", daemon=True).start()

    def require(self) -> None:
        """Raise InUseError if another process has taken over."""
        found = _read(self._file)
        if found is None or found.token != self.owner.token:
            what = f"was taken over by {found}" if found else f"lost its lock ({LOCK_FILE} is gone or cannot be read)"
            raise InUseError(f"{self._file.parent} {what}; this process no longer writes there")

    def release(self) -> None:
        self._is_over.set()
        with suppress(InUseError, OSError):
            self.require()
            self._file.unlink()

    def _heartbeat(self) -> None:
        while not self._is_over.wait(_HEARTBEAT_SECONDS):
            with suppress(OSError):
                found = _read(self._file)
                if found is not None and found.token != self.owner.token:
                    return
                os.utime(self._file)


_held: RunLock | None = None


def run_lock_suffix() -> str:
    """Last part of the names of this run's unfinished files; "" without a lock."""
    return f".{_held.owner.token}" if _held else ""


def require_run_lock() -> None:
    """Raise InUseError if this run held a lock and another one has taken it over."""
    if _held is not None:
        _held.require()


@contextmanager
def hold_run_lock(folder: Path, *, job: str = "", restart: int = 0) -> Iterator[LockOwner]:
    """Lock a folder for this process, and for the other ranks of its run (`share_run_lock`).

    Args:
        job, restart: Slurm's; a later start of the same job takes over from an earlier one at once.
    Yields:
        The owner, which is this process.
    Raises:
        InUseError: a live process holds the lock; for one on another machine that takes half a minute to find out.
    """
    global _held
    owner = LockOwner(
        token=secrets.token_hex(8),
        host=socket.gethostname(),
        pid=os.getpid(),
        started=_start_ticks(os.getpid()),
        machine=_pid_namespace(),
        job=job,
        restart=restart,
    )
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    _acquire(folder, owner)
    _held = RunLock(folder, owner)
    _held.start_heartbeat()
    try:
        yield owner
    finally:
        _held.release()
        _held = None
        with suppress(OSError):  # a folder created here goes again if nothing was written
            for path in made:
                path.rmdir()


@contextmanager
def share_run_lock(owner: LockOwner, folder: Path) -> Iterator[None]:
    """Context in which this process may write while `owner`, rank 0 of its run, holds the lock."""
    global _held
    _held = RunLock(folder, owner)
    try:
        yield
    finally:
        _held = None


def _acquire(folder: Path, owner: LockOwner) -> None:
    file = folder / LOCK_FILE
    for _ in range(_MAX_ATTEMPTS):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            _require_file(file)
            before = _read(file)
        except FileNotFoundError:  # another process has just removed the folder that it had created
            continue
        else:
            with os.fdopen(descriptor, "w") as opened:
                json.dump(asdict(owner), opened)
            return
        is_dead = before is not None and _is_known_dead(folder, before, owner)
        if is_dead or _is_silent(folder, before):
            _take_over(folder, before, owner)
            return
    raise InUseError(f"{file} keeps changing: other processes lock the folder too; wait for them to end")


def _take_over(folder: Path, before: LockOwner | None, owner: LockOwner) -> None:
    mine = folder / f"{LOCK_FILE}.{owner.token}"
    mine.write_text(json.dumps(asdict(owner)))
    mine.replace(folder / LOCK_FILE)
    if before is not None:
        for unfinished in folder.rglob(".*.partial"):
            if unfinished.name.endswith(f".{before.token}.partial"):
                unfinished.unlink(missing_ok=True)


def _is_known_dead(folder: Path, before: LockOwner, owner: LockOwner) -> bool:
    """Whether the previous owner is dead, or an earlier start of this job; False if that is unknown.

    Raises:
        InUseError: it is alive, or a later start.
    """
    if before.job and before.job == owner.job:
        if before.restart > owner.restart:
            raise InUseError(f"{folder} was taken over by a later start of job {owner.job}; this one ends")
        if before.restart < owner.restart:
            return True
    if not before.machine or before.machine != owner.machine:
        return False
    if before.started and _start_ticks(before.pid) == before.started:
        raise _in_use(folder, before)
    return True


def _is_silent(folder: Path, before: LockOwner | None) -> bool:
    """Wait for a heartbeat: True if none comes, False if the lock file has gone.

    Raises:
        InUseError: one comes.
    """
    holder = before or f"an unknown process ({LOCK_FILE} does not name it)"
    LOGGER.warning("%s is locked by %s; waiting %d s for a heartbeat", folder, holder, _TIMEOUT_SECONDS)
    first = _mtime_ns(folder / LOCK_FILE)
    until = time.monotonic() + _TIMEOUT_SECONDS
    while time.monotonic() < until:
        time.sleep(_POLL_SECONDS)
        now = _mtime_ns(folder / LOCK_FILE)
        if now is None:
            return False
        if now != first:
            raise _in_use(folder, _read(folder / LOCK_FILE) or before)
    return True


def _in_use(folder: Path, owner: LockOwner | None) -> InUseError:
    return InUseError(
        f"{folder} is in use by {owner or 'another process'}; wait for it to end, or choose another RUN.OUTPUT_DIR"
    )


def _require_file(file: Path) -> None:
    """Raise InUseError if something other than a readable file has that name; a missing one is fine."""
    try:
        with _opened(file):
            return
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno == errno.ESTALE:  # gone, on a network disk
            return
        raise InUseError(
            f"{file}, which names the process that uses the folder, cannot be read ({error.strerror}); "
            f"if there is none, remove it"
        ) from error


@contextmanager
def _opened(file: Path) -> Iterator[int]:
    """Descriptor of a regular file for reading; opening it also makes network file systems refresh their cache.

    Raises:
        OSError: it is missing, or a folder, a link or a pipe.
    """
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        yield descriptor
    finally:
        os.close(descriptor)


def _mtime_ns(file: Path) -> int | None:
    """Modification time in nanoseconds; None if it cannot be read."""
    try:
        with _opened(file) as descriptor:
            return os.fstat(descriptor).st_mtime_ns
    except OSError:
        return None


def _read(file: Path) -> LockOwner | None:
    """The owner that a lock file names; None if the file is missing or invalid."""
    try:
        with _opened(file) as descriptor:
            return LockOwner(**json.loads(os.read(descriptor, _MAX_BYTES)))
    except Exception:  # damaged content may raise anything
        return None


def _start_ticks(pid: int) -> str:
    """Start of a live process in kernel ticks, which tells it from later ones with its pid; "" if it is dead."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return ""
    return "" if state in "ZX" else fields[18]


def _pid_namespace() -> str:
    """Identifier that all processes which see the same pids share; "" if unknown (not Linux)."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip() + os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
