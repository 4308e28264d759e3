"""Disk, decoding and training step on real files; arithmetic against numbers by hand."""

import dataclasses
import json
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from sce_video.build.data import build_train_dataset, build_train_loader, build_train_manifest
from sce_video.build.views import build_views
from sce_video.clips.decoders import VideoDecoder, VideoOpener, Videos
from sce_video.config import load_config
from sce_video.data.videos import StoredVideos, videos_from_paths
from sce_video.data.watched import WatchedVideos
from sce_video.engine.doctor import demand as demand_module
from sce_video.engine.doctor.decode import DecodeSpeed, balance, clips_of_each, decoding, measure_decoding
from sce_video.engine.doctor.demand import (
    Demand,
    batch_fits,
    clips_per_second,
    in_parts_that_fit,
    logged_demand,
    made_up_batch,
    training_step,
)
from sce_video.engine.doctor.disk import DiskSpeed, disk, first_of, measure_disk
from sce_video.engine.pool.workers import Workers
from sce_video.errors import UserError

REPOSITORY = Path(__file__).resolve().parents[3]
CONFIG = REPOSITORY / "configs" / "demo_sce.yaml"
SMALL = "CLIP.SECONDS 0.5 CLIP.NUM_FRAMES 2 TRAIN.GLOBAL_BATCH_SIZE 8 METHOD.QUEUE_LENGTH 40 DATA.NUM_WORKERS 0"
MIB = 2**20


def speed_of(videos: Videos, *, seconds: float = 0.2, timeout_seconds: float = 20.0) -> DecodeSpeed:
    cfg = load_config(CONFIG, SMALL.split())
    workers = Workers(1, num_items=len(videos), timeout_seconds=timeout_seconds, name=lambda video: f"{video}.mp4")
    dataset = build_train_dataset(cfg, WatchedVideos(videos, workers), build_views(cfg))
    return measure_decoding(dataset, workers=workers, decoder="pyav", seconds=seconds)


def listed(paths: Sequence[Path]) -> StoredVideos:
    manifest = videos_from_paths(root=Path("/"), paths=list(map(str, paths)), labels=None, origin="test")
    return manifest.opened_by(VideoOpener("pyav"))


@dataclass(frozen=True)
class Trap:
    """Good videos, except one on which the decoder hangs or dies."""

    videos: StoredVideos
    bad_video: int
    kills: bool

    def __len__(self) -> int:
        return len(self.videos)

    def open(self, video: int) -> VideoDecoder:
        if video == self.bad_video:
            if self.kills:
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(600)
        return self.videos.open(video)


def test_two_clips_of_each_video(motion_videos: Path) -> None:
    paths = sorted(motion_videos.glob("train/*/*.mp4"))[:3]
    speed = speed_of(listed(paths))
    assert speed.num_clips >= 2
    assert speed.num_clips % 2 == 0
    assert 0 < speed.seconds < 60
    assert speed.clips_per_second == speed.num_clips / speed.seconds
    assert (speed.failures, speed.ended) == ({}, "")
    (found,) = decoding(speed, list(map(str, paths)))
    assert found.level == "ok"


def test_broken_videos_are_counted_and_named(motion_videos: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"<html>404</html>")
    paths = [sorted(motion_videos.glob("train/*/*.mp4"))[0], tmp_path / "broken.mp4"]
    speed = speed_of(listed(paths), seconds=0.5)
    assert list(speed.failures) == [1]
    assert speed.num_clips > 0
    found = decoding(speed, list(map(str, paths)))
    assert [finding.level for finding in found] == ["ok", "note"]
    assert f"1 of 2 videos cannot be decoded: {tmp_path / 'broken.mp4'}" in found[1].fact


def test_broken_videos_alone_end_the_measurement_early(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.mp4", "b.mp4")]
    for path in paths:
        path.write_bytes(b"")
    speed = speed_of(listed(paths), seconds=500)
    assert sorted(speed.failures) == [0, 1]
    assert (speed.num_clips, speed.clips_per_second) == (0, 0.0)
    (found,) = decoding(speed, list(map(str, paths)))
    assert found.level == "problem"


@pytest.mark.parametrize(
    ("kills", "timeout_seconds", "end"),
    [(True, 60, "was killed (signal 9; out of memory?)"), (False, 5, "exceeded its limit of 5 s")],
)
def test_a_crash_or_hang_is_named_with_its_video(
    motion_videos: Path, kills: bool, timeout_seconds: float, end: str
) -> None:
    paths = sorted(motion_videos.glob("train/*/*.mp4"))[:3]
    trap = Trap(listed(paths), bad_video=2, kills=kills)
    speed = speed_of(trap, seconds=500, timeout_seconds=timeout_seconds)
    assert speed.ended == f"2.mp4: its loader process {end}"
    assert speed.num_clips == 2  # the second video; the first is not counted
    found = decoding(speed, list(map(str, paths)))[-1]
    assert found.level == "problem"
    assert found.fact == speed.ended


TEN_A_SECOND = DecodeSpeed("pyav", num_clips=20, seconds=2.0)


def test_supply_of_the_cores_against_demand_of_the_step() -> None:
    (found,) = balance(TEN_A_SECOND, Demand(50.0, ""), num_workers=4, usable_cores=2)
    assert found.level == "problem"
    assert "at most 20 clips/s from 2 workers on 2 usable cores" in found.fact
    assert "takes 50: 2.5 times too slow" in found.fact
    assert found.fix.startswith("use about 5 cores")


@pytest.mark.parametrize(
    ("num_workers", "cores", "level"), [(5, 8, "ok"), (4, 8, "problem"), (8, 4, "problem"), (0, 8, "problem")]
)
def test_neither_workers_nor_cores_alone_are_enough(num_workers: int, cores: int, level: str) -> None:
    (found,) = balance(TEN_A_SECOND, Demand(50.0, ""), num_workers=num_workers, usable_cores=cores)
    assert found.level == level


def test_without_a_demand_there_is_no_problem() -> None:
    (found,) = balance(TEN_A_SECOND, None, num_workers=2, usable_cores=2)
    assert (found.level, found.fix) == ("ok", "")
    assert training_step(None, "no GPU here")[0].fact == "not measured: no GPU here"


def write_log(folder: Path, *lines: dict[str, float]) -> Path:
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_the_demand_of_a_run_is_its_speed_without_waiting(tmp_path: Path) -> None:
    speeds = [(5.0, 0.9), (50.0, 0.5), (80.0, 0.2), (30.0, 0.75)]  # without waiting 50 in warm-up; 100, 100, 120
    lines = [
        {"step": step, "clips_per_second": clips, "data_wait_share": wait} for step, (clips, wait) in enumerate(speeds)
    ]
    found = logged_demand(write_log(tmp_path, *lines))
    assert found.clips_per_second == pytest.approx(100.0)
    assert "3 lines" in found.origin
    assert logged_demand(write_log(tmp_path, lines[0])).clips_per_second == pytest.approx(50.0)


def test_a_run_without_speeds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no clips_per_second"):
        logged_demand(write_log(tmp_path, {"step": 0, "loss": 1.0}))
    with pytest.raises(UserError, match="does not exist"):
        logged_demand(tmp_path / "nowhere")


def test_clips_of_each_video_as_text() -> None:
    views = build_views(load_config(CONFIG, SMALL.split()))
    assert clips_of_each(views) == "2 clips of 2 frames over 0.5 s of each"
    local = replace(views[0], seconds=0.25, num_frames=4)
    expected = "2 clips of 2 frames over 0.5 s, 3 clips of 4 frames over 0.25 s of each"
    assert clips_of_each([*views, *[local] * 3]) == expected


def test_made_up_batches_have_the_loaders_shapes(motion_videos: Path) -> None:
    settings = f"{SMALL} DATA.ROOT {motion_videos} AUG.TEMPORAL_DIFFERENCE_PROBABILITY 1.0"
    cfg = load_config(CONFIG, settings.split())
    global_views = build_views(cfg)
    views = [*global_views, replace(global_views[0], seconds=0.25, num_frames=3, size_pixels=16)]
    videos = build_train_manifest(cfg).opened_by(VideoOpener("pyav"))
    loader = build_train_loader(cfg, videos, views, torch.device("cpu"))
    _, (real,) = next(iter(loader.batches_from(0, num_steps=1)))
    made_up = made_up_batch(views, num_videos=8)
    for ours, theirs in zip(made_up.views, real.views, strict=True):
        for one, other in zip((*ours[:2], *ours[2]), (*theirs[:2], *theirs[2]), strict=True):
            assert (one.shape, one.dtype) == (other.shape, other.dtype)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(demand_module.time, "perf_counter", lambda: now[0])
    return now


def step_of(clock: list[float], *, seconds: float) -> Callable[[], torch.Tensor]:
    def step() -> torch.Tensor:
        clock[0] += seconds
        return torch.zeros(())

    return step


@pytest.mark.parametrize(("counts_slow_first", "num_made"), [(True, 1), (False, 3)])
def test_steps_are_repeated_for_the_given_time(clock: list[float], counts_slow_first: bool, num_made: int) -> None:
    rest = {"num_clips": 16, "seconds": 3.0, "counts_slow_first": counts_slow_first}
    assert clips_per_second(step_of(clock, seconds=0.5), **rest) == 16 / 0.5
    assert clock == [0.5 * (2 + 6)]
    clock[0] = 0.0
    assert clips_per_second(step_of(clock, seconds=4.0), **rest) == 16 / 4
    assert clock == [4.0 * num_made]


@pytest.mark.parametrize(("largest_part", "num_parts"), [(8, 1), (3, 4), (1, 8), (0, None)])
def test_a_full_gpu_gets_smaller_parts(largest_part: int, num_parts: int | None) -> None:
    def measure(part_size: int) -> Demand:
        if part_size > largest_part:
            raise torch.OutOfMemoryError
        return Demand(10.0, f"{part_size} videos")

    found, parts = in_parts_that_fit(measure, global_batch_size=8, given_parts=1)
    assert parts == num_parts
    assert found == (Demand(10.0, f"{8 // num_parts} videos") if num_parts else None)
    (finding,) = batch_fits(8, given_parts=1, fitting_parts=parts)
    assert finding.level == ("ok" if parts == 1 else "problem")
    assert f"TRAIN.ACCUMULATION_STEPS {parts}" in finding.fix or parts in (1, None)


def test_files_are_read_whole(tmp_path: Path) -> None:
    files = []
    for number, size in enumerate((10, 3 * MIB, 64 * 1024)):
        files.append(tmp_path / str(number))
        files[-1].write_bytes(bytes(size))
    os.mkfifo(tmp_path / "fifo")
    found = measure_disk([*files, tmp_path / "missing", tmp_path / "fifo"], seconds=60)
    assert (found.num_files, found.num_bytes) == (3, 10 + 3 * MIB + 64 * 1024)
    assert found.failures == [
        f"{tmp_path / 'missing'} (No such file or directory)",
        f"{tmp_path / 'fifo'} (it is a FIFO, not a file)",
    ]
    one = measure_disk(files, seconds=0)
    assert one.num_files == 1
    assert 0 < one.open_seconds <= one.file_seconds


# 4 files of 8 MiB in 0.1 s each: 80 MiB/s
COLD = DiskSpeed(4, 32 * MIB, 0.02, 0.1, 0.001, can_drop_cache=True, failures=[])


def test_a_disk_slower_than_decoding_is_a_problem() -> None:
    (found,) = disk(COLD, 0.09)
    assert found.level == "problem"
    for number in ("80 MiB/s", "20.0 ms to the first bytes", "100.0 ms per file", "4 files, 32 MiB", "(90.0 ms)"):
        assert number in found.fact
    assert [finding.level for finding in disk(COLD, 0.11) + disk(COLD, None)] == ["ok", "ok"]


def test_a_cached_read_is_not_the_speed_of_the_disk() -> None:
    for cached in (
        dataclasses.replace(COLD, again_file_seconds=0.051),
        dataclasses.replace(COLD, can_drop_cache=False),
    ):
        (found,) = disk(cached, 0.01)
        assert found.level == "note"
        assert "not the speed of the disk" in found.fact
    assert not dataclasses.replace(COLD, again_file_seconds=0.05).is_cached


def test_files_that_cannot_be_read_are_named() -> None:
    found = disk(dataclasses.replace(COLD, failures=["a", "b"]), None)
    assert found[0].fact == "2 of 6 files cannot be read: a, b"
    nothing = DiskSpeed(0, 0, 0.0, 0.0, 0.0, can_drop_cache=True, failures=["a"])
    assert [finding.level for finding in disk(nothing, None)] == ["problem"]


def test_first_of_long_lists() -> None:
    assert first_of(["a", "b", "c"]) == "a, b, c"
    assert first_of(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
