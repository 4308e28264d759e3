"""What the tests of the process plumbing share."""

import logging
from collections.abc import Iterator

import pytest
import torch.distributed as dist

from sce_video.runtime.logging import LOGGER


@pytest.fixture
def second_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test believes that it is rank 1 of 2."""
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "get_rank", lambda: 1)
    monkeypatch.setattr(dist, "get_world_size", lambda: 2)


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
