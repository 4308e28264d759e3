"""Servers that tests of remote data share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import HttpFolder, http_server, s3_environment, s3_server


@pytest.fixture
def http(tmp_path: Path) -> Iterator[HttpFolder]:
    """`tmp_path/served` behind HTTP."""
    folder = tmp_path / "served"
    folder.mkdir()
    with http_server(HttpFolder(folder)) as state:
        yield state


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    with s3_server() as endpoint:
        yield endpoint


@pytest.fixture
def s3_bucket(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """Name of an empty bucket; the environment points to its server."""
    import boto3

    for name, value in s3_environment(s3_endpoint).items():
        monkeypatch.setenv(name, value)
    name = f"bucket-{abs(hash(request.node.nodeid))}"
    boto3.client("s3", endpoint_url=s3_endpoint).create_bucket(Bucket=name)
    return name
