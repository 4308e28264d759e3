"""Trying again what a network spoils, for so long and no longer."""

import errno
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from sce_video.errors import UserError
from sce_video.runtime.logging import LOGGER
from sce_video.urls import masked

Value = TypeVar("Value")

_PERMANENT = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, ValueError, TypeError)
# Bases of what botocore and aiohttp raise for connections, timeouts and answers cut short; neither is imported here.
_TEMPORARY_NAMES = frozenset(
    [
        *("HTTPClientError", "ConnectionError", "IncompleteReadError", "TimeoutError"),
        *("ClientConnectionError", "ClientPayloadError"),
    ]
)
_TEMPORARY_STATUS = frozenset([408, 425, 429])
_NOT_IMPLEMENTED = 501
# Of this machine's disk, not of the network.
_LOCAL_ERRORS = frozenset([errno.ENOSPC, errno.EDQUOT, errno.EROFS])
_CHANCE = random.SystemRandom()  # processes that were forked together must not wait alike


class RemoteError(OSError):
    """A remote file that cannot be had; the message is one line: URL, without secrets, and cause."""


class RefusedError(RemoteError):
    """The server's last word on it: not there, or not for this user."""


class DeadlineError(TimeoutError):
    """The answer had not come, or not all of it, when the time for it was over."""


class ShortReadError(OSError):
    """Fewer bytes came than were announced."""


@dataclass(frozen=True)
class Patience:
    """How long one file is tried for, with waits that double, each between half of it and all of it.

    A server that asks for a longer wait (`Retry-After`) gets it; one that asks for more than is left is given up.
    """

    total_seconds: float = 300.0
    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 30.0

    def deadline(self) -> float:
        return time.monotonic() + self.total_seconds


PATIENCE = Patience()
# For what a run cannot begin without: a wrong host looks like a network that is down.
PATIENCE_AT_START = Patience(total_seconds=60.0)


def patiently(
    attempt: Callable[[float], Value],
    *,
    name: object,
    patience: Patience,
    deadline: float | None = None,
    is_said: bool = False,
) -> Value:
    """What `attempt(deadline)` gives, tried again after temporary errors until the deadline.

    Args:
        name: of the file, for the message.
        deadline: of `time.monotonic`, by default as `patience` says.
        is_said: one line goes into the log when it does not succeed at once.
    Raises:
        RefusedError: not there, or forbidden.
        RemoteError: still failing at the deadline.
        OSError: this machine's disk is full or cannot be written.
    """
    began, deadline = time.monotonic(), patience.deadline() if deadline is None else deadline
    wait, tries = patience.first_wait_seconds, 0
    before: Exception | None = None
    while True:
        tries += 1
        try:
            return attempt(deadline)
        except (UserError, RemoteError):
            raise
        except Exception as error:  # each of fsspec's file systems raises its own library's
            if isinstance(error, OSError) and error.errno in _LOCAL_ERRORS:
                raise
            may_help = is_temporary(error)
            pause = max(wait * _CHANCE.uniform(0.5, 1.0), asked_to_wait(error))
            if not may_help or time.monotonic() + pause > deadline:
                kind = RemoteError if may_help else RefusedError
                # What was cut off at the deadline says less than what came before it.
                told = before if before is not None and isinstance(error, DeadlineError) else error
                raise kind(_described(name, told, tries, time.monotonic() - began)) from error
            before = error
            if is_said and tries == 1:
                LOGGER.warning("%s; trying again for %.0f s", _described(name, error, 1, 0.0), deadline - began)
        time.sleep(pause)
        wait = min(2 * wait, patience.longest_wait_seconds)


def is_temporary(error: BaseException) -> bool:
    """Whether the same request may succeed later: timeouts, connections, answers cut short, 5xx and 429."""
    status = status_of(error)
    if status is not None:
        return status in _TEMPORARY_STATUS or (status >= 500 and status != _NOT_IMPLEMENTED)
    if isinstance(error, FileNotFoundError) and error.__cause__ is not None:  # what fsspec's HTTP makes of any error
        return is_temporary(error.__cause__)
    if isinstance(error, _PERMANENT):
        return False
    return isinstance(error, OSError | EOFError) or any(
        kind.__name__ in _TEMPORARY_NAMES for kind in type(error).__mro__
    )


def status_of(error: BaseException) -> int | None:
    """The HTTP status that an error of aiohttp, or of botocore below one of s3fs, is about; 0: of no answer."""
    for each in (error, error.__cause__):
        response = getattr(each, "response", None)
        about = response.get("ResponseMetadata", {}) if isinstance(response, dict) else {}
        status = getattr(each, "status", about.get("HTTPStatusCode"))
        if isinstance(status, int):
            return status
    return None


def asked_to_wait(error: BaseException) -> float:
    """Seconds that a server asks for (HTTP's `Retry-After`, a number or a date), 0 if it does not."""
    for each in (error, error.__cause__):
        response = getattr(each, "response", None)
        of_boto = response.get("ResponseMetadata", {}).get("HTTPHeaders") if isinstance(response, dict) else None
        headers = getattr(each, "headers", None) or of_boto or {}
        text = str(next((value for name, value in headers.items() if name.lower() == "retry-after"), ""))
        if text.isascii() and text.isdigit():
            return float(text[:9])
        with suppress(ValueError, OverflowError):
            asked = parsedate_to_datetime(text)
            now = datetime.now(asked.tzinfo)
            return max(0.0, (asked - now).total_seconds())
    return 0.0


def _described(name: object, error: BaseException, tries: int, seconds: float) -> str:
    if isinstance(error, FileNotFoundError) and not is_temporary(error) and status_of(error) in (None, 404):
        return f"{name}: no such file"
    tried = f"{tries} tries in {seconds:.0f} s, the last: " if tries > 1 else ""
    cause = error.__cause__ if isinstance(error, FileNotFoundError) and error.__cause__ else error
    words = " ".join(masked(str(cause)).split())[:300]
    asked = asked_to_wait(error)
    asks = f"; the server asks to come again in {asked:.0f} s" if asked >= 1 else ""
    return f"{name}: cannot be fetched ({tried}{type(cause).__name__}{words and ': '}{words}{asks})"
