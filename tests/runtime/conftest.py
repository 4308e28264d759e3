"""What the tests of the process plumbing share."""

import pytest
import torch.distributed as dist


@pytest.fixture
def second_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test believes that it is rank 1 of 2."""
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "get_rank", lambda: 1)
    monkeypatch.setattr(dist, "get_world_size", lambda: 2)
