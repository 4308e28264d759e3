"""Real servers for tests: HTTP from a folder, with faults on demand, and moto's S3; each on a free port."""

import gzip
import hashlib
import json
import os
import re
import socket
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

from sce_video.engine.remote.cache import FileCache


@dataclass
class HttpFolder:
    """A folder behind HTTP.

    `faults`: for some paths a queue of faults of their next GETs: a status ("503"), "drop" (the connection is reset
    half way), "short" (less than announced), "hang" (no response for `hang_seconds`), "slow" (the whole, over
    `hang_seconds`), "drip" and "drip_head" (a byte of the content, or of the headers, each twentieth of a second),
    "endless" (no length, no end), "lies" (a length of a million GB); and valid responses: "gzip", "chunked" (no
    length), "moved" (to the same URL, whose next GET counts). `fail_first`: faults of the first GETs of every other
    path, in this order. `has_ranges`: range requests are supported. `retry_after`: the header of error responses.
    """

    folder: Path
    faults: dict[str, deque[str]] = field(default_factory=dict)
    fail_first: tuple[str, ...] = ()
    hang_seconds: float = 1.0
    has_ranges: bool = True
    retry_after: str = ""
    url: str = ""
    requests: list[tuple[str, str]] = field(default_factory=list)
    num_bytes: int = 0

    def gets(self) -> Counter[str]:
        """Number of GETs of each path."""
        return Counter(path for method, path in self.requests if method == "GET")

    def next_fault(self, path: str) -> str:
        if self.faults.get(path):
            return self.faults[path].popleft()
        before = self.gets()[path] - 1
        return self.fail_first[before] if before < len(self.fail_first) else ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: HttpFolder

    def do_HEAD(self) -> None:
        self._respond()

    def do_GET(self) -> None:
        self._respond()

    def log_message(self, format: str, *arguments: object) -> None:
        pass

    def _respond(self) -> None:
        state, path = self.state, unquote(self.path.partition("?")[0]).lstrip("/")
        state.requests.append((self.command, path))
        fault = state.next_fault(path) if self.command == "GET" else ""
        if fault.isdecimal():
            again = {"Retry-After": state.retry_after} if state.retry_after else {}
            self._send(int(fault), b"not now", **again)
            return
        if fault == "drip_head":
            self._drip(b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 10_000)
            return
        if fault == "moved":
            self._send(302, b"", Location=self.path)
            return
        if fault == "hang":
            time.sleep(state.hang_seconds)
        file = state.folder / path
        if not file.is_file():
            self._send(404, b"no such file")
            return
        content, status, extra = file.read_bytes(), 200, {}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if wanted and state.has_ranges:
            first, last = int(wanted[1]), min(int(wanted[2]), len(content) - 1)
            extra["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
            content, status = content[first : last + 1], 206
        if state.has_ranges:
            extra["Accept-Ranges"] = "bytes"
        if fault == "gzip":
            extra["Content-Encoding"], content = "gzip", gzip.compress(content)
        self._send(status, content, fault=fault, **extra)

    def _drip(self, content: bytes) -> None:
        self.close_connection = True
        for offset in range(len(content)):
            self.wfile.write(content[offset : offset + 1])
            self.wfile.flush()
            time.sleep(0.05)

    def _send(self, status: int, content: bytes, *, fault: str = "", **headers: str) -> None:
        self.send_response(status)
        if fault == "lies":
            self.send_header("Content-Length", str(10**15))
        elif fault == "endless":
            headers["Transfer-Encoding"] = "chunked"
        elif fault == "chunked":
            headers["Transfer-Encoding"] = "chunked"
            content = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (content[:1000], content[1000:], b""))
        else:
            self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.md5(content).hexdigest()}"')
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault in ("drop", "short"):
            self.wfile.write(content[: len(content) // 2])
            self.wfile.flush()
            self.close_connection = True
            if fault == "drop":  # a reset instead of an end
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
            return
        if fault == "drip":
            self._drip(content)
            return
        while fault in ("endless", "lies"):  # until the other side goes away
            self.wfile.write(b"10000\r\n" + bytes(0x10000) + b"\r\n" if fault == "endless" else bytes(0x10000))
            self.state.num_bytes += 0x10000
        pieces = 8 if fault == "slow" else 1
        for piece in range(pieces):
            begin, end = len(content) * piece // pieces, len(content) * (piece + 1) // pieces
            self.wfile.write(content[begin:end])
            if fault == "slow":
                time.sleep(self.state.hang_seconds / pieces)
        self.state.num_bytes += len(content)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # clients that go away


@contextmanager
def http_server(state: HttpFolder) -> Iterator[HttpFolder]:
    handler = type("Handler", (_Handler,), {"state": state})
    server = _Server(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def s3_server() -> Iterator[str]:
    """Run moto's S3; yields the URL of the endpoint."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def s3_environment(endpoint: str) -> dict[str, str]:
    """Environment that points boto, and so s3fs, to the endpoint."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def cached_bytes(cache: FileCache) -> int:
    """Bytes of all videos in a cache, complete and unfinished."""
    total = 0
    for part in ("files", "partial"):
        for folder, _, names in os.walk(cache.folder / part):
            for name in names:
                try:
                    total += os.stat(os.path.join(folder, name)).st_size
                except FileNotFoundError:
                    continue
    return total


def ledger_of(cache: FileCache) -> dict[str, object]:
    content: dict[str, object] = json.loads((cache.folder / "ledger.json").read_text())
    return content
