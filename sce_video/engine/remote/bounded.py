"""Requests that end: each as a whole at a deadline, however its bytes trickle, and each after so many bytes."""

import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from sce_video.engine.remote.retry import DeadlineError, RefusedError

_PIECE_BYTES = 2**18
_PARTIAL_CONTENT = 206


class Intake(Protocol):
    """What takes an answer in: it raises where that is longer than what it has room for."""

    def begin(self, announced_bytes: int | None) -> None:
        """Args: announced_bytes: None where the server does not say how long the answer is, or has compressed it."""

    def take(self, piece: bytes) -> None: ...


class BytesIntake:
    """Keeps at most `most_bytes` in memory.

    Raises:
        RefusedError: the answer is longer, or is announced to be.
    """

    def __init__(self, name: object, *, most_bytes: int) -> None:
        self._name, self._most_bytes = name, most_bytes
        self.content = bytearray()

    def begin(self, announced_bytes: int | None) -> None:
        if announced_bytes is not None:
            self.require(announced_bytes)

    def take(self, piece: bytes) -> None:
        self.require(len(self.content) + len(piece))
        self.content += piece

    def require(self, num_bytes: int) -> None:
        if num_bytes > self._most_bytes:
            raise RefusedError(f"{self._name}: the server sends more than the {self._most_bytes} bytes that it may")


def ask(system: Any, method: str, *arguments: Any, deadline: float, **options: Any) -> Any:
    """What a method of an fsspec file system gives, until the deadline; one without asyncio cannot be stopped."""
    if not system.async_impl:
        return getattr(system, method)(*arguments, **options)
    return wait_for(system, getattr(system, f"_{method}"), *arguments, deadline=deadline, **options)


def wait_for(
    system: Any, function: Callable[..., Coroutine[Any, Any, Any]], *arguments: Any, deadline: float, **options: Any
) -> Any:
    """What a coroutine gives on the system's loop.

    Raises:
        DeadlineError: it has not ended then.
    """
    import fsspec.asyn
    from fsspec.exceptions import FSTimeoutError

    left = max(0.001, deadline - time.monotonic())  # 0 would mean no end
    try:
        return fsspec.asyn.sync(system.loop, function, *arguments, timeout=left, **options)
    except FSTimeoutError as error:
        raise DeadlineError("the answer had not ended at the deadline") from error


def http_status(system: Any, name: str, *, deadline: float, **headers: str) -> int:
    """Of an answer of which nothing is read."""

    async def status() -> int:
        async with await _get(system, name, headers) as response:
            response.raise_for_status()
            return int(response.status)

    answered: int = wait_for(system, status, deadline=deadline)
    return answered


def read_http(system: Any, name: str, intake: Intake, *, deadline: float, span: tuple[int, int] | None = None) -> None:
    """Hand what HTTP answers to `intake`, piece by piece.

    Args:
        span: the first byte and the one behind the last that are wanted; all by default.
    Raises:
        RefusedError: the server does not give the part that is asked for; whatever `intake` raises.
    """
    headers = {} if span is None else {"Range": f"bytes={span[0]}-{span[1] - 1}"}

    async def read() -> None:
        async with await _get(system, name, headers) as response:
            if response.status == 404:
                raise FileNotFoundError(name)
            response.raise_for_status()
            if span is not None and span[0] > 0 and response.status != _PARTIAL_CONTENT:
                raise WholeFileError
            is_plain = response.headers.get("Content-Encoding", "identity") == "identity"
            intake.begin(response.content_length if is_plain else None)
            async for piece in response.content.iter_chunked(_PIECE_BYTES):
                intake.take(piece)

    wait_for(system, read, deadline=deadline)


class WholeFileError(Exception):
    """A part was asked for, and the server sends all."""


async def _get(system: Any, name: str, headers: dict[str, str]) -> Any:
    session = await system.set_session()
    options = {**system.kwargs, "headers": {**system.kwargs.get("headers", {}), **headers}}
    return session.get(system.encode_url(name), **options)
