import logging
from pathlib import Path

import pytest

from sce_video.augment.batch import Failure
from sce_video.data.failures import FailureLog
from sce_video.data.manifest import Manifest
from sce_video.errors import ManifestError


def failure_log(*, max_failed_share: float) -> FailureLog:
    paths = [f"{i}.mp4" for i in range(100)]
    manifest = Manifest(root=Path("/videos"), paths=paths, labels=None, origin="list.txt")
    return FailureLog(manifest, max_failed_share=max_failed_share)


@pytest.fixture
def log_lines(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(logging.getLogger("sce_video"), "propagate", True)
    return caplog


def test_each_video_is_named_once_and_counted(log_lines: pytest.LogCaptureFixture) -> None:
    failures = failure_log(max_failed_share=0.05)
    for _ in range(3):
        failures.record([Failure(7, "/videos/7.mp4: torn"), Failure(9, "/videos/9.mp4: empty")])
    assert len(failures) == 2
    assert [record.getMessage() for record in log_lines.records] == [
        "replaced: /videos/7.mp4: torn",
        "replaced: /videos/9.mp4: empty",
    ]


def test_the_share_is_a_bound_that_may_be_reached() -> None:
    failures = failure_log(max_failed_share=0.05)
    failures.record(Failure(video, "torn") for video in range(5))
    with pytest.raises(ManifestError, match=r"6 of 100 videos.*MAX_FAILED_SHARE 0.05.*/videos/0.mp4.*/videos/50.mp4"):
        failures.record([Failure(50, "torn")])


def test_a_resumed_run_remembers(log_lines: pytest.LogCaptureFixture) -> None:
    first, second = failure_log(max_failed_share=0.05), failure_log(max_failed_share=0.05)
    first.record([Failure(7, "torn")])
    log_lines.clear()
    second.load_state_dict(first.state_dict())
    second.record([Failure(7, "torn")])
    assert len(second) == 1
    assert log_lines.records == []
