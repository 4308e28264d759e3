"""Requests with a deadline for the whole response, however slowly it trickles, and a limit on its bytes."""

import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from sce_video.engine.remote.location import RefusedError
from sce_video.engine.remote.retry import DeadlineError

_PIECE_BYTES = 2**18
_PARTIAL_CONTENT = 206


class ResponseSink(Protocol):
    """Receives a response piece by piece; raises an error if it is too long."""

    def begin(self, announced_bytes: int | None) -> None:
        """Args: announced_bytes: None if the server gives no length, or compresses the response."""

    def take(self, piece: bytes) -> None: ...


class MemorySink:
    """Collects a response of at most `most_bytes` in memory.

    Raises:
        RefusedError: the response is longer, or its announced length is.
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
            raise RefusedError(f"{self._name}: the server sends more than {self._most_bytes} bytes, the limit")


def call_method(system: Any, method: str, *arguments: Any, deadline: float, **options: Any) -> Any:
    """Call a method of an fsspec file system with a deadline, which applies only to asyncio ones."""
    if not system.async_impl:
        return getattr(system, method)(*arguments, **options)
    return wait_for(system, getattr(system, f"_{method}"), *arguments, deadline=deadline, **options)


def wait_for(
    system: Any, function: Callable[..., Coroutine[Any, Any, Any]], *arguments: Any, deadline: float, **options: Any
) -> Any:
    """Run a coroutine on the file system's event loop.

    Raises:
        DeadlineError: it has not ended by the deadline.
    """
    import fsspec.asyn
    from fsspec.exceptions import FSTimeoutError

    left = max(0.001, deadline - time.monotonic())  # 0 would mean no timeout
    try:
        return fsspec.asyn.sync(system.loop, function, *arguments, timeout=left, **options)
    except FSTimeoutError as error:
        raise DeadlineError("the response was not complete at the deadline") from error


def http_status(system: Any, name: str, *, deadline: float, **headers: str) -> int:
    """Status of the response to a GET request, without reading its body."""

    async def status() -> int:
        async with await _get(system, name, headers) as response:
            response.raise_for_status()
            return int(response.status)

    code: int = wait_for(system, status, deadline=deadline)
    return code


def read_http(
    system: Any, name: str, sink: ResponseSink, *, deadline: float, span: tuple[int, int] | None = None
) -> None:
    """Pass the body of an HTTP response to `sink`, piece by piece.

    Args:
        span: first byte and the one after the last, to read a part of the file.
    Raises:
        WholeFileError: the server sends the whole file instead of that part.
        FileNotFoundError: status 404. Whatever `sink` raises.
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
            sink.begin(response.content_length if is_plain else None)
            async for piece in response.content.iter_chunked(_PIECE_BYTES):
                sink.take(piece)

    wait_for(system, read, deadline=deadline)


class WholeFileError(Exception):
    """The server ignores a range request and sends the whole file."""


async def _get(system: Any, name: str, headers: dict[str, str]) -> Any:
    session = await system.set_session()
    options = {**system.kwargs, "headers": {**system.kwargs.get("headers", {}), **headers}}
    return session.get(system.encode_url(name), **options)
