"""Cross-host lock of an output folder, with heartbeat, takeover and fencing: one run at a time writes there.

A file in the folder names the owner, who touches it every few seconds. Whoever takes over writes another name and then
deletes the old owner's unfinished files: what that one has not renamed by now, it cannot rename any more.
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
# Without a heartbeat: the owner may be starved, its file system slow.
_TIMEOUT_SECONDS = 30.0
_LOOK_SECONDS = 0.5
# Between two looks a lock can be released and taken anew, but not so often.
_MOST_LOOKS = 100
_MOST_BYTES = 4096


class InUseError(UserError):
    """Another process runs in the folder, or has taken it over."""


_TOKEN = re.compile("[0-9a-f]{1,64}")


@dataclass(frozen=True)
class LockOwner:
    """The process that holds a lock; `job` and `restart` are Slurm's, "" and 0 elsewhere, `machine` a pid namespace."""

    token: str
    host: str
    pid: int
    started: str
    machine: str
    job: str
    restart: int

    def __post_init__(self) -> None:
        """Raises ValueError on what no process writes of itself: these facts are shown, and compared with names."""
        texts = (self.token, self.host, self.started, self.machine, self.job)
        if not all(type(text) is str and text.isprintable() for text in texts) or not _TOKEN.fullmatch(self.token):
            raise ValueError("a text is none")
        if not all(type(number) is int and 0 <= number < 1 << 63 for number in (self.pid, self.restart)):
            raise ValueError("a number is none")

    def __str__(self) -> str:
        of_job = f" of job {self.job}" if self.job else ""
        return f"process {self.pid}{of_job} on {self.host}"


class RunLock:
    """The lock of a folder, held until `release`, or until another process takes it over."""

    def __init__(self, folder: Path, owner: LockOwner) -> None:
        self._file = folder / LOCK_FILE
        self.owner = owner
        self._is_over = threading.Event()

    def keep(self) -> None:
        threading.Thread(target=self._beat, name="run lock", daemon=True).start()

    def require(self) -> None:
        """Raises InUseError if another process has taken over."""
        found = _read(self._file)
        if found is None or found.token != self.owner.token:
            by = f"taken over by {found}" if found else f"given up (its {LOCK_FILE} is gone or cannot be read)"
            raise InUseError(f"{self._file.parent} was {by}; this process writes no more")

    def release(self) -> None:
        self._is_over.set()
        with suppress(InUseError, OSError):
            self.require()
            self._file.unlink()

    def _beat(self) -> None:
        while not self._is_over.wait(_HEARTBEAT_SECONDS):
            with suppress(OSError):
                found = _read(self._file)
                if found is not None and found.token != self.owner.token:
                    return
                os.utime(self._file)


_held: RunLock | None = None


def run_lock_suffix() -> str:
    """The last part of the names of this run's unfinished files; "" without a lock."""
    return f".{_held.owner.token}" if _held else ""


def require_run_lock() -> None:
    """Raises InUseError if this run held a lock and another one has taken it over."""
    if _held is not None:
        _held.require()


@contextmanager
def hold_run_lock(folder: Path, *, job: str = "", restart: int = 0) -> Iterator[LockOwner]:
    """Lock a folder for this process, and for the others of its run (`share_run_lock`).

    Args:
        job, restart: of Slurm: a later start of the same job takes over from an earlier one at once.
    Yields:
        This process.
    Raises:
        InUseError: a living process has it; that takes half a minute to find out of other machines' processes.
    """
    global _held
    owner = LockOwner(
        token=secrets.token_hex(8),
        host=socket.gethostname(),
        pid=os.getpid(),
        started=_start_of(os.getpid()),
        machine=_machine(),
        job=job,
        restart=restart,
    )
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    _acquire(folder, owner)
    _held = RunLock(folder, owner)
    _held.keep()
    try:
        yield owner
    finally:
        _held.release()
        _held = None
        with suppress(OSError):  # of a start that wrote nothing not even the folder stays
            for path in made:
                path.rmdir()


@contextmanager
def share_run_lock(owner: LockOwner, folder: Path) -> Iterator[None]:
    """Inside it this process writes as long as `owner`, the first of its run, holds the lock."""
    global _held
    _held = RunLock(folder, owner)
    try:
        yield
    finally:
        _held = None


def _acquire(folder: Path, owner: LockOwner) -> None:
    file = folder / LOCK_FILE
    for _ in range(_MOST_LOOKS):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            _require_file(file)
            before = _read(file)
        except FileNotFoundError:  # another process has just taken back the folder that it had made
            continue
        else:
            with os.fdopen(descriptor, "w") as opened:
                json.dump(asdict(owner), opened)
            return
        is_over = before is not None and _is_known_to_be_over(folder, before, owner)
        if is_over or _is_silent(folder, before):
            _take_over(folder, before, owner)
            return
    raise InUseError(f"{file} comes and goes: other processes want the folder, too; wait for their end")


def _take_over(folder: Path, before: LockOwner | None, owner: LockOwner) -> None:
    mine = folder / f"{LOCK_FILE}.{owner.token}"
    mine.write_text(json.dumps(asdict(owner)))
    mine.replace(folder / LOCK_FILE)
    if before is not None:
        for unfinished in folder.rglob(".*.partial"):
            if unfinished.name.endswith(f".{before.token}.partial"):
                unfinished.unlink(missing_ok=True)


def _is_known_to_be_over(folder: Path, before: LockOwner, owner: LockOwner) -> bool:
    """Whether the process that has the folder is dead, or has no right to it any more; False if that is not known.

    Raises:
        InUseError: it lives.
    """
    if before.job and before.job == owner.job:
        if before.restart > owner.restart:
            raise InUseError(f"{folder} was taken over by a later start of job {owner.job}; this one ends")
        if before.restart < owner.restart:
            return True
    if not before.machine or before.machine != owner.machine:
        return False
    if before.started and _start_of(before.pid) == before.started:
        raise _in_use(folder, before)
    return True


def _is_silent(folder: Path, before: LockOwner | None) -> bool:
    """Whether the owner is dead; False if its file has gone.

    Raises:
        InUseError: it lives.
    """
    belongs_to = f"belongs to {before}" if before else f"belongs to somebody ({LOCK_FILE} does not say whom)"
    LOGGER.warning("%s %s; waiting for %d s to see whether it lives", folder, belongs_to, _TIMEOUT_SECONDS)
    first = _time_of(folder / LOCK_FILE)
    until = time.monotonic() + _TIMEOUT_SECONDS
    while time.monotonic() < until:
        time.sleep(_LOOK_SECONDS)
        now = _time_of(folder / LOCK_FILE)
        if now is None:
            return False
        if now != first:
            raise _in_use(folder, _read(folder / LOCK_FILE) or before)
    return True


def _in_use(folder: Path, owner: LockOwner | None) -> InUseError:
    return InUseError(
        f"{folder} is in use by {owner or 'another process'}; wait for its end, or choose another RUN.OUTPUT_DIR"
    )


def _require_file(file: Path) -> None:
    """Raises InUseError if something has that name of which no owner can be read; nothing if it has gone."""
    try:
        with _opened(file):
            return
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno == errno.ESTALE:  # gone, says a network disk
            return
        raise InUseError(
            f"{file}, which says what process runs in the folder, cannot be read ({error.strerror}); if none does, "
            f"remove it"
        ) from error


@contextmanager
def _opened(file: Path) -> Iterator[int]:
    """Opened to read, if it is an ordinary file; network file systems then look afresh.

    Raises:
        OSError: there is none, or something else: a folder, a link, a pipe.
    """
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no file")
        yield descriptor
    finally:
        os.close(descriptor)


def _time_of(file: Path) -> int | None:
    """When it was touched."""
    try:
        with _opened(file) as descriptor:
            return os.fstat(descriptor).st_mtime_ns
    except OSError:
        return None


def _read(file: Path) -> LockOwner | None:
    """None for a file that is not there, or does not hold what an owner writes."""
    try:
        with _opened(file) as descriptor:
            return LockOwner(**json.loads(os.read(descriptor, _MOST_BYTES)))
    except Exception:  # the border: whatever is raised while it is read
        return None


def _start_of(pid: int) -> str:
    """When a living process began, in ticks of the kernel, which tells it from later ones of its number; else ""."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return ""
    return "" if state in "ZX" else fields[18]


def _machine() -> str:
    """One name for all processes that see the same process ids; "" where that cannot be told (not Linux)."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip() + os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
