"""Servers for benchmarks, each in its own process: files over HTTP, moto's S3."""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from pathlib import Path

S3_ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}


class _Handler(SimpleHTTPRequestHandler):
    """The standard library's handler with byte ranges and persistent connections."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if wanted is None:
            super().do_GET()
            return
        file = Path(self.translate_path(self.path))
        first, last = int(wanted[1]), min(int(wanted[2]), file.stat().st_size - 1)
        self.send_response(206)
        self.send_header("Content-Length", str(last + 1 - first))
        self.send_header("Content-Range", f"bytes {first}-{last}/{file.stat().st_size}")
        self.end_headers()
        with file.open("rb") as opened:
            opened.seek(first)
            self.wfile.write(opened.read(last + 1 - first))

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@contextmanager
def http_server(folder: Path) -> Iterator[str]:
    """Serve a folder over HTTP; yields the URL."""
    port = _free_port()
    process = get_context("fork").Process(target=_serve, args=(folder, port), daemon=True)
    process.start()
    try:
        _wait_for(f"http://127.0.0.1:{port}/")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.join()


def _serve(folder: Path, port: int) -> None:
    os.chdir(folder)
    ThreadingHTTPServer(("127.0.0.1", port), _Handler).serve_forever()


@contextmanager
def s3_server(folder: Path, *, bucket: str) -> Iterator[str]:
    """Serve a folder as a bucket of moto's S3; sets the environment for clients and yields the endpoint."""
    import boto3

    endpoint = f"http://127.0.0.1:{_free_port()}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", endpoint.rpartition(":")[2]]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.environ.update(S3_ENVIRONMENT, AWS_ENDPOINT_URL=endpoint)
    try:
        _wait_for(endpoint)
        client = boto3.client("s3")
        client.create_bucket(Bucket=bucket)
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                client.upload_file(str(file), bucket, str(file.relative_to(folder)))
        yield endpoint
    finally:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
