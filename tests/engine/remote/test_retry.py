import errno
import re
import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest

from sce_video.engine.remote import RemoteError
from sce_video.engine.remote.retry import (
    RetryPolicy,
    ShortReadError,
    is_temporary,
    retry_after_seconds,
    with_retries,
)

QUICK = RetryPolicy(total_seconds=5.0, first_wait_seconds=0.001)


class StatusError(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


class BotoError(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.response = {"ResponseMetadata": {"HTTPStatusCode": status}}


def caused_by(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        *(StatusError(status) for status in (408, 429, 500, 502, 503, 504)),
        *(TimeoutError(), ConnectionResetError(), ShortReadError("short"), EOFError(), OSError(errno.EIO, "io")),
        caused_by(OSError(errno.EIO, "internal"), BotoError(500)),
        caused_by(FileNotFoundError("x"), StatusError(503)),  # what fsspec makes of any failed HEAD
        caused_by(FileNotFoundError("x"), ConnectionResetError()),
    ],
    ids=repr,
)
def test_temporary(error: Exception) -> None:
    assert is_temporary(error)


@pytest.mark.parametrize(
    "error",
    [
        *(StatusError(status) for status in (400, 401, 403, 404, 416, 501)),
        *(FileNotFoundError(), PermissionError(), ValueError("bad URL"), KeyError("x"), RuntimeError()),
        caused_by(OSError(errno.EIO, "bad"), BotoError(400)),
        caused_by(FileNotFoundError("x"), BotoError(404)),
    ],
    ids=repr,
)
def test_permanent(error: Exception) -> None:
    assert not is_temporary(error)


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        *(("7", 7, 7), ("0", 0, 0), ("", 0, 0), ("soon", 0, 0), ("-3", 0, 0), ("1e9", 0, 0), ("²", 0, 0)),
        pytest.param("9" * 400, 1e8, 1e9, id="400 digits"),
        ("in ten hours", 9 * 3600, 10 * 3600),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
        ("Fri, 99 Dec 99999 99:99:99 GMT", 0, 0),
    ],
)
def test_retry_after_of_a_server(header: str, least: float, most: float) -> None:
    if header == "in ten hours":  # made here, since processes that share the tests compare their names
        header = format_datetime(datetime.now(timezone.utc) + timedelta(hours=10), usegmt=True)
    http, boto = StatusError(503), BotoError(503)
    http.headers = {"Retry-After": header}  # type: ignore[attr-defined]
    boto.response["ResponseMetadata"]["HTTPHeaders"] = {"retry-after": header}  # type: ignore[assignment]
    for error in (http, boto, caused_by(FileNotFoundError("x"), http), caused_by(OSError("x"), boto)):
        assert least <= retry_after_seconds(error) <= most
    assert retry_after_seconds(TimeoutError()) == 0


def test_libraries_own_errors() -> None:
    """Errors of aiohttp and botocore are recognised by the names of their base classes."""
    aiohttp = pytest.importorskip("aiohttp")
    botocore = pytest.importorskip("botocore.exceptions")
    for error in (
        aiohttp.ServerDisconnectedError(),
        aiohttp.ClientPayloadError(),
        aiohttp.ServerTimeoutError(),
        botocore.EndpointConnectionError(endpoint_url="x"),
        botocore.ReadTimeoutError(endpoint_url="x"),
        botocore.ConnectTimeoutError(endpoint_url="x"),
    ):
        assert is_temporary(error), error
    for error in (aiohttp.InvalidURL("x"), botocore.NoCredentialsError()):
        assert not is_temporary(error), error


def test_tried_until_it_succeeds() -> None:
    errors = [TimeoutError(), StatusError(503), ConnectionResetError()]

    def attempt(deadline: float) -> str:
        if errors:
            raise errors.pop(0)
        return "whole"

    assert with_retries(attempt, name="s3://b/a", retry_policy=QUICK) == "whole"


def test_permanent_errors_are_not_tried_again() -> None:
    tries = []

    def attempt(deadline: float) -> None:
        tries.append(deadline)
        raise StatusError(403)

    with pytest.raises(RemoteError, match=r"^s3://b/a: cannot be fetched \(StatusError: status 403\)$"):
        with_retries(attempt, name="s3://b/a", retry_policy=QUICK)
    assert len(tries) == 1


def test_ends_at_the_deadline_with_one_line_without_secrets() -> None:
    def attempt(deadline: float) -> None:
        raise TimeoutError("https://me:hunter2@host/a?sig=hunter2\nand more")

    began = time.monotonic()
    with pytest.raises(RemoteError) as caught:
        with_retries(
            attempt, name="https://host/a", retry_policy=RetryPolicy(total_seconds=0.3, first_wait_seconds=0.01)
        )
    assert time.monotonic() - began < 9
    message = str(caught.value)
    assert message.startswith("https://host/a: cannot be fetched (")
    assert re.search(r"\d+ tries in \d s, the last: TimeoutError", message)
    assert "hunter2" not in message
    assert "\n" not in message


def test_a_full_disk_is_not_the_networks() -> None:
    def attempt(deadline: float) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left") as caught:
        with_retries(attempt, name="x", retry_policy=QUICK)
    assert not isinstance(caught.value, RemoteError)
