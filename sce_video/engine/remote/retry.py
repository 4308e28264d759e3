"""Retries of network requests after temporary errors, with exponential backoff and a deadline."""

import errno
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from sce_video.engine.remote.location import RefusedError, RemoteError
from sce_video.errors import UserError
from sce_video.runtime.logging import LOGGER
from sce_video.urls import masked

Value = TypeVar("Value")

_PERMANENT = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, ValueError, TypeError)
# Base classes in botocore and aiohttp for errors of connections, timeouts and truncated responses; neither is imported.
_TEMPORARY_NAMES = frozenset(
    [
        *("HTTPClientError", "ConnectionError", "IncompleteReadError", "TimeoutError"),
        *("ClientConnectionError", "ClientPayloadError"),
    ]
)
_TEMPORARY_STATUS = frozenset([408, 425, 429])
_NOT_IMPLEMENTED = 501
# Errors of the local disk, not of the network.
_LOCAL_ERRORS = frozenset([errno.ENOSPC, errno.EDQUOT, errno.EROFS])
_JITTER = random.SystemRandom()  # forked processes must not wait equally long


class DeadlineError(TimeoutError):
    """The response was not complete at the deadline."""


class ShortReadError(OSError):
    """Fewer bytes arrived than were announced."""


@dataclass(frozen=True)
class RetryPolicy:
    """Retry policy for one file: the total time, and exponential backoff with jitter (half of a wait to all of it).

    A longer wait requested by the server (`Retry-After`) is honoured; one beyond the deadline ends the attempts.
    """

    total_seconds: float = 300.0
    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 30.0

    def deadline(self) -> float:
        return time.monotonic() + self.total_seconds


RETRY_POLICY = RetryPolicy()
# For files that a run needs at its start: a wrong host name looks like a network that is down.
START_RETRY_POLICY = RetryPolicy(total_seconds=60.0)


def with_retries(
    attempt: Callable[[float], Value],
    *,
    name: object,
    retry_policy: RetryPolicy,
    deadline: float | None = None,
    logs_retry: bool = False,
) -> Value:
    """Call `attempt(deadline)`, and retry it after temporary errors until the deadline.

    Args:
        name: of the file, for messages.
        deadline: on the clock of `time.monotonic`; from `retry_policy` by default.
        logs_retry: log one line when the first attempt fails.
    Raises:
        RefusedError: the file does not exist, or access is denied.
        RemoteError: still failing at the deadline.
        OSError: the local disk is full or cannot be written.
    """
    began, deadline = time.monotonic(), retry_policy.deadline() if deadline is None else deadline
    wait, tries = retry_policy.first_wait_seconds, 0
    before: Exception | None = None
    while True:
        tries += 1
        try:
            return attempt(deadline)
        except (UserError, RemoteError):
            raise
        except Exception as error:  # each of fsspec's file systems raises its own library's errors
            if isinstance(error, OSError) and error.errno in _LOCAL_ERRORS:
                raise
            may_help = is_temporary(error)
            pause = max(wait * _JITTER.uniform(0.5, 1.0), retry_after_seconds(error))
            if not may_help or time.monotonic() + pause > deadline:
                kind = RemoteError if may_help else RefusedError
                # The error before the deadline is more informative.
                shown = before if before is not None and isinstance(error, DeadlineError) else error
                raise kind(_described(name, shown, tries, time.monotonic() - began)) from error
            before = error
            if logs_retry and tries == 1:
                LOGGER.warning("%s; retrying for %.0f s", _described(name, error, 1, 0.0), deadline - began)
        time.sleep(pause)
        wait = min(2 * wait, retry_policy.longest_wait_seconds)


def is_temporary(error: BaseException) -> bool:
    """Whether the same request may succeed later: timeouts, connection errors, truncated responses, 5xx and 429."""
    status = status_of(error)
    if status is not None:
        return status in _TEMPORARY_STATUS or (status >= 500 and status != _NOT_IMPLEMENTED)
    if isinstance(error, FileNotFoundError) and error.__cause__ is not None:  # fsspec's HTTP raises it for any error
        return is_temporary(error.__cause__)
    if isinstance(error, _PERMANENT):
        return False
    return isinstance(error, OSError | EOFError) or any(
        kind.__name__ in _TEMPORARY_NAMES for kind in type(error).__mro__
    )


def status_of(error: BaseException) -> int | None:
    """HTTP status in an error of aiohttp, or of botocore below one of s3fs; 0: no response, None: no such error."""
    for each in (error, error.__cause__):
        response = getattr(each, "response", None)
        metadata = response.get("ResponseMetadata", {}) if isinstance(response, dict) else {}
        status = getattr(each, "status", metadata.get("HTTPStatusCode"))
        if isinstance(status, int):
            return status
    return None


def retry_after_seconds(error: BaseException) -> float:
    """Seconds to wait that the server requests (HTTP's `Retry-After`, a number or a date); 0 if it does not."""
    for each in (error, error.__cause__):
        response = getattr(each, "response", None)
        of_boto = response.get("ResponseMetadata", {}).get("HTTPHeaders") if isinstance(response, dict) else None
        headers = getattr(each, "headers", None) or of_boto or {}
        text = str(next((value for name, value in headers.items() if name.lower() == "retry-after"), ""))
        if text.isascii() and text.isdigit():
            return float(text[:9])
        with suppress(ValueError, OverflowError):
            date = parsedate_to_datetime(text)
            return max(0.0, (date - datetime.now(date.tzinfo)).total_seconds())
    return 0.0


def _described(name: object, error: BaseException, tries: int, seconds: float) -> str:
    if isinstance(error, FileNotFoundError) and not is_temporary(error) and status_of(error) in (None, 404):
        return f"{name}: no such file"
    tried = f"{tries} tries in {seconds:.0f} s, the last: " if tries > 1 else ""
    cause = error.__cause__ if isinstance(error, FileNotFoundError) and error.__cause__ else error
    words = " ".join(masked(str(cause)).split())[:300]
    retry_after = retry_after_seconds(error)
    request = f"; the server asks to retry after {retry_after:.0f} s" if retry_after >= 1 else ""
    return f"{name}: cannot be fetched ({tried}{type(cause).__name__}{words and ': '}{words}{request})"
