"""The number of loader processes."""

import pytest

from sce_video.build import workers
from sce_video.build.workers import build_num_workers
from sce_video.config.defaults import default_config


@pytest.mark.parametrize(
    ("asked", "cores", "local_ranks", "expected"),
    [
        (0, 8, 1, 0),
        (3, 8, 4, 3),  # per rank, independent of the machine
        (-1, 8, 1, 8),
        (-1, 8, 4, 2),
        (-1, 8, 3, 2),
        (-1, 2, 4, 1),
    ],
)
def test_cores_are_shared_by_the_ranks_of_a_machine(
    monkeypatch: pytest.MonkeyPatch, asked: int, cores: int, local_ranks: int, expected: int
) -> None:
    monkeypatch.setattr(workers, "available_cores", lambda: cores)
    monkeypatch.setattr(workers, "num_local_ranks", lambda: local_ranks)
    cfg = default_config()
    cfg.DATA.NUM_WORKERS = asked
    assert build_num_workers(cfg) == expected
