import logging
import signal
from pathlib import Path

import pytest

from sce_video.augment.batch import Failure
from sce_video.data.failures import FailureLog
from sce_video.data.joined import JoinedLists
from sce_video.data.videos import videos_from_paths
from sce_video.engine.pool.workers import Workers
from sce_video.errors import ManifestError
from sce_video.runtime.logging import set_up_logging

LISTS = (("videos", 100), ("images", 1000))


def loader_workers() -> Workers:
    return Workers(2, num_items=100, timeout_seconds=120.0, name=lambda video: f"/videos/{video}.mp4")


def failure_log(*, max_failed_share: float, workers: Workers | None = None) -> FailureLog:
    paths = [f"{i}.mp4" for i in range(100)]
    manifest = videos_from_paths(root=Path("/videos"), paths=paths, labels=None, origin="list.txt")
    return FailureLog(manifest, max_failed_share=max_failed_share, workers=workers or loader_workers())


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


def test_the_allowed_share_may_be_reached() -> None:
    failures = failure_log(max_failed_share=0.05)
    failures.record(Failure(video, "torn") for video in range(5))
    message = r"6 of 100 videos.*MAX_FAILED_SHARE 0.05.*/videos/0.mp4.*/videos/4.mp4 and 1 more.* \(the first: torn\)"
    with pytest.raises(ManifestError, match=message):
        failures.record([Failure(50, "torn")])


def test_the_share_is_that_of_each_list() -> None:
    """Of 100 videos and 1000 images: 5 and 50 may fail."""
    lists = [videos_from_paths(Path(f"/{name}"), [f"{i}" for i in range(num)], None, name) for name, num in LISTS]
    workers = Workers(2, num_items=1100, timeout_seconds=120.0, name=str)
    failures = FailureLog(JoinedLists(lists), max_failed_share=0.05, workers=workers)
    failures.record(Failure(video, "torn") for video in [*range(5), *range(100, 150)])
    resumed = FailureLog(JoinedLists(lists), max_failed_share=0.05, workers=workers)
    resumed.load_state_dict(failures.state_dict())
    with pytest.raises(ManifestError, match=r"^6 of 100 videos.*: /videos/0, .* and 1 more"):
        failures.record([Failure(99, "torn")])
    with pytest.raises(ManifestError, match=r"^51 of 1000 videos.*: /images/0, .* and 46 more"):
        resumed.record([Failure(1099, "torn")])


@pytest.mark.usefixtures("restored_logger")
def test_the_terminal_names_ten_and_run_log_every_one(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    failures = failure_log(max_failed_share=0.3)
    set_up_logging(tmp_path)
    failures.record(Failure(video, f"/videos/{video}.mp4: {'torn' if video else 'empty'}") for video in range(30))
    with pytest.raises(ManifestError) as caught:
        failures.record([Failure(30, "/videos/30.mp4: torn")])
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 11
    assert "9.mp4: torn" in said[9]
    assert said[10] == "replaced: 10 videos so far; further ones are named only in run.log"
    logged = (tmp_path / "run.log").read_text()
    assert all(logged.count(f"replaced: /videos/{video}.mp4") == 1 for video in range(31))
    assert str(caught.value) == (
        "31 of 100 videos cannot be decoded, more than DATA.MAX_FAILED_SHARE 0.3 allows: /videos/0.mp4, "
        "/videos/1.mp4, /videos/2.mp4, /videos/3.mp4, /videos/4.mp4 and 26 more, each named in run.log "
        "(the first: /videos/0.mp4: empty)"
    )


def test_a_resumed_run_remembers(log_lines: pytest.LogCaptureFixture) -> None:
    first, second = failure_log(max_failed_share=0.05), failure_log(max_failed_share=0.05)
    first.record([Failure(7, "torn")])
    log_lines.clear()
    second.load_state_dict(first.state_dict())
    second.record([Failure(7, "torn")])
    assert len(second) == 1
    assert log_lines.records == []


def test_a_resumed_run_does_not_lose_processes_to_the_same_videos() -> None:
    before, after = loader_workers(), loader_workers()
    before.block(7, signal.SIGSEGV)
    before.block(99, 0)
    first = failure_log(max_failed_share=0.05, workers=before)
    first.record([Failure(7, "deadly"), Failure(9, "torn")])
    failure_log(max_failed_share=0.05, workers=after).load_state_dict(first.state_dict())
    assert [after.why_blocked(video) for video in range(100)] == [before.why_blocked(video) for video in range(100)]


def test_checkpoints_from_before_videos_were_blocked_can_be_loaded() -> None:
    failures = failure_log(max_failed_share=0.05)
    failures.load_state_dict({"failed": [7, 9]})
    assert len(failures) == 2
