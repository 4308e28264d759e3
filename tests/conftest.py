"""What every test shares: one thread per process, and the way to real data."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from sce_video.launch.demo.motion import write_motion_dataset
from sce_video.runtime.logging import LOGGER

REPOSITORY = Path(__file__).resolve().parents[1]

# Tests run in parallel processes, where more threads only fight over the cores. `make rounding` wants two.
torch.set_num_threads(int(os.environ.get("SCE_TEST_THREADS", "1")))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real videos beside the checkout: skip without it, fail if it was promised (CI)."""
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
    """The package's logger as it is at import; what it was before the test is put back afterwards."""
    handlers, level, propagate = list(LOGGER.handlers), LOGGER.level, LOGGER.propagate
    LOGGER.handlers, LOGGER.propagate = [], True
    LOGGER.setLevel(logging.NOTSET)
    yield LOGGER
    for handler in LOGGER.handlers:
        handler.close()
    LOGGER.handlers, LOGGER.propagate = handlers, propagate
    LOGGER.setLevel(level)
