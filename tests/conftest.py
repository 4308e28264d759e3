"""Shared setup: one thread per process, and fixtures for real data, servers and a second rank."""

import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from hypothesis import settings

from sce_video.launch.demo.motion import write_motion_dataset
from sce_video.runtime.logging import LOGGER
from tests.servers import HttpFolder, http_server, s3_environment, s3_server

REPOSITORY = Path(__file__).resolve().parents[1]

# Tests run in parallel processes, where more threads only compete for cores. `make rounding` uses two.
torch.set_num_threads(int(os.environ.get("SCE_TEST_THREADS", "1")))

# No test depends on speed.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# Programs started with a shell's `&` ignore SIGINT, and the programs that tests start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real videos beside the checkout; skips without it, or fails if SCE_REQUIRE_SHARED=1 (CI)."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        if os.environ.get("SCE_REQUIRE_SHARED") == "1":
            pytest.fail(f"SCE_REQUIRE_SHARED=1, but {folder} does not exist")
        pytest.skip(f"{folder} does not exist")
    return folder


@pytest.fixture(scope="session")
def motion_videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real encoded videos: `train/<class>/NNNN.mp4`, 3 per class, and `test/<class>/NNNN.mp4`, 1 per class."""
    root = tmp_path_factory.mktemp("motion")
    write_motion_dataset(root, num_train_videos_per_class=3, num_test_videos_per_class=1, seed=0)
    return root


@pytest.fixture
def restored_logger() -> Iterator[logging.Logger]:
    """The package's logger as after import; its state before the test is restored afterwards."""
    handlers, level, propagate = list(LOGGER.handlers), LOGGER.level, LOGGER.propagate
    LOGGER.handlers, LOGGER.propagate = [], True
    LOGGER.setLevel(logging.NOTSET)
    yield LOGGER
    for handler in LOGGER.handlers:
        handler.close()
    LOGGER.handlers, LOGGER.propagate = handlers, propagate
    LOGGER.setLevel(level)


@pytest.fixture
def second_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that this process is rank 1 of 2."""
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "get_rank", lambda: 1)
    monkeypatch.setattr(dist, "get_world_size", lambda: 2)


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
    """Name of an empty bucket; the environment is set for its server."""
    import boto3

    for name, value in s3_environment(s3_endpoint).items():
        monkeypatch.setenv(name, value)
    name = f"bucket-{abs(hash(request.node.nodeid))}"
    boto3.client("s3", endpoint_url=s3_endpoint).create_bucket(Bucket=name)
    return name
