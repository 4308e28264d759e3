"""Whole runs in this process: what is kept, what is redone, what the output folder holds at the end."""

import csv
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from sce_video.engine.prepare.actions import Action, Check, Frames, PrepareError, Transcode
from sce_video.engine.prepare.all_videos import Limits, prepare_videos, write_manifest_and_reports
from sce_video.engine.prepare.worklist import make_worklist
from sce_video.engine.prepare.workspace import begin, open_workspace

LIMITS = Limits(num_workers=2, timeout_seconds=120, memory_gib=3)


@pytest.fixture
def source(write_video, tmp_path: Path) -> Path:
    folder = tmp_path / "src"
    for name, count in (("walk/one two.mp4", 5), ("walk/b.avi", 6), ("walk/b.mkv", 7), ("jump/čau.mp4", 8)):
        codec = "mpeg4" if name.endswith("avi") else "libx264"
        write_video(folder / name, range(count), codec=codec)
    shutil.copy(folder / "jump" / "čau.mp4", folder / "jump" / "copy.mp4")
    (folder / "jump" / "broken.mp4").write_bytes(b"404")
    return folder


@pytest.fixture
def run(source: Path, tmp_path: Path) -> Callable[..., dict]:
    def go(action: Action, *, classes: list[str] | None = None, retry_broken: bool = False) -> dict:
        workspace = begin(open_workspace(source, tmp_path / "dst", action))
        worklist = make_worklist(workspace, follow_outside=False)
        prepare_videos(workspace, worklist, limits=LIMITS, shard=0, num_shards=1, retry_broken=retry_broken)
        return write_manifest_and_reports(workspace, worklist, classes=classes)

    return go


def manifest(folder: Path) -> list[dict[str, str]]:
    with (folder / "manifest.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def outputs(folder: Path) -> dict[str, tuple[int, int]]:
    """Path -> inode and mtime of every output."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.parent != folder]
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in files
        if ".prepare" not in path.parts
    }


def test_every_file_is_in_the_manifest_or_in_the_report(run, source: Path, tmp_path: Path) -> None:
    os.symlink("/etc/hostname", source / "jump" / "out.mp4")
    report = run(Transcode(min_frames=6), classes=["jump", "run", "walk"])
    rows = manifest(tmp_path / "dst")
    assert [(row["path"], row["label"], row["num_frames"]) for row in rows] == [
        ("jump/copy.mp4", "0", "8"),
        ("jump/čau.mp4", "0", "8"),
        ("walk/b.mkv.mp4", "2", "7"),
        ("walk/b.mp4", "2", "6"),
    ]
    assert outputs(tmp_path / "dst").keys() == {row["path"] for row in rows}
    assert [line["path"] for line in report["broken"]] == ["jump/broken.mp4"]
    assert report["too_short"] == [{"path": "walk/one two.mp4", "reason": "5 frames"}]
    assert [line["path"] for line in report["skipped"]] == ["jump/out.mp4"]
    assert report["duplicates"] == [["jump/copy.mp4", "jump/čau.mp4"]]
    assert report["renamed"] == [{"path": "walk/b.mkv", "output": "walk/b.mkv.mp4"}]
    assert json.loads((tmp_path / "dst" / "report.json").read_text()) == report
    assert (tmp_path / "dst" / "classes.txt").read_text() == "jump\nrun\nwalk\n"
    for row in rows:
        path = tmp_path / "dst" / row["path"]
        assert int(row["bytes"]) == path.stat().st_size
        assert float(row["duration_seconds"]) == pytest.approx(int(row["num_frames"]) / float(row["fps"]), abs=1e-4)


@pytest.mark.parametrize("action", [Transcode(), Frames()])
def test_a_second_run_redoes_nothing_but_what_changed(run, source: Path, tmp_path: Path, action: Action) -> None:
    first = run(action)
    kept, journal = outputs(tmp_path / "dst"), (tmp_path / "dst" / ".prepare" / "shard-0000.jsonl").read_bytes()
    assert run(action) == first
    assert outputs(tmp_path / "dst") == kept
    assert (tmp_path / "dst" / ".prepare" / "shard-0000.jsonl").read_bytes() == journal

    lost = next(path for path in sorted(kept) if path.startswith("walk/b"))
    (tmp_path / "dst" / lost).unlink()  # one file of a video, or the whole of it
    os.utime(source / "jump" / "copy.mp4", ns=(0, 0))
    assert run(action) == first
    changed = {path for path, status in outputs(tmp_path / "dst").items() if status != kept[path]}
    assert any(path.startswith("jump/copy") for path in changed)
    assert lost in changed
    assert all(path.startswith(("jump/copy", lost.split(".")[0])) for path in changed)
    assert outputs(tmp_path / "dst").keys() == kept.keys()


def test_broken_videos_are_retried_only_with_retry_broken(run, source: Path, tmp_path: Path) -> None:
    run(Transcode())
    broken = source / "jump" / "broken.mp4"
    status = broken.stat()
    broken.write_bytes((source / "jump" / "copy.mp4").read_bytes()[: status.st_size])
    os.utime(broken, ns=(status.st_atime_ns, status.st_mtime_ns))
    journal = tmp_path / "dst" / ".prepare" / "shard-0000.jsonl"
    lines = len(journal.read_bytes().splitlines())
    run(Transcode())
    assert len(journal.read_bytes().splitlines()) == lines
    run(Transcode(), retry_broken=True)
    assert len(journal.read_bytes().splitlines()) == lines + 1


def test_shards_prepare_all_videos_and_merge_only_then(run, source: Path, tmp_path: Path) -> None:
    whole = run(Transcode())
    expected = manifest(tmp_path / "dst")
    workspace = begin(open_workspace(source, tmp_path / "sharded", Transcode()))
    worklist = make_worklist(workspace, follow_outside=False)
    for shard in range(3):
        with pytest.raises(PrepareError, match="videos are not done yet, such as"):
            write_manifest_and_reports(workspace, worklist, classes=None)
        prepare_videos(workspace, worklist, limits=LIMITS, shard=shard, num_shards=3, retry_broken=False)
    assert write_manifest_and_reports(workspace, worklist, classes=None) == whole
    assert manifest(tmp_path / "sharded") == expected
    records = [json.loads(line) for file in workspace.state_dir.glob("*.jsonl") for line in file.open()]
    assert sorted(record["source"] for record in records) == sorted(video.source for video in worklist.videos)


def test_a_source_is_never_touched(run, source: Path) -> None:
    def state() -> dict[Path, tuple[int, bytes]]:
        return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in source.rglob("*") if path.is_file()}

    before = state()
    run(Transcode())
    assert state() == before


@pytest.mark.parametrize("action", [Check(), Transcode(short_side_pixels=32, gop_frames=12)])
def test_odd_files_are_in_the_manifest_or_in_the_report(shared_data: Path, tmp_path: Path, action: Action) -> None:
    """Only what PyAV cannot decode is broken."""
    workspace = begin(open_workspace(shared_data / "odd", tmp_path / "-dst", action))
    worklist = make_worklist(workspace, follow_outside=False)
    prepare_videos(workspace, worklist, limits=LIMITS, shard=0, num_shards=1, retry_broken=False)
    report = write_manifest_and_reports(workspace, worklist, classes=None)
    with (shared_data / "odd" / "MANIFEST.tsv").open(newline="") as file:
        known = {row["file"]: row for row in csv.DictReader(file, delimiter="\t")}
    good = {name for name, row in known.items() if not row["pyav_error"] and row["decoded"] not in ("", "0")}
    rows = {Path(row["path"]).stem: row for row in manifest(tmp_path / "-dst")}
    assert rows.keys() == {Path(name).stem for name in good}
    assert {line["path"] for line in report["broken"]} == known.keys() - good
    assert not any("died" in line["reason"] for line in report["broken"])
    assert report["skipped"] == report["too_short"] == []
    if isinstance(action, Check):
        for name in good:
            row, truth = rows[Path(name).stem], known[name]
            size = (truth["h"], truth["w"])
            assert row["num_frames"] == truth["decoded"]
            assert (row["height"], row["width"]) == (size if truth["rot"] in ("0", "180", "-180") else size[::-1])


@pytest.mark.parametrize(
    ("limits", "option"),
    [
        ({"num_workers": 0}, "--workers"),
        ({"num_workers": 10**6}, "--workers"),
        ({"timeout_seconds": float("inf")}, "--timeout-seconds"),
        ({"timeout_seconds": float("nan")}, "--timeout-seconds"),
        ({"memory_gib": 1e9}, "--mem"),
        ({"timeout_seconds": 0.0}, "--timeout-seconds"),
        ({"memory_gib": 0.5}, "--mem"),
    ],
)
def test_limits_out_of_range(limits: dict, option: str) -> None:
    with pytest.raises(PrepareError, match=option):
        Limits(**{"num_workers": 1, **limits})


def test_a_video_that_lacks_memory_is_not_broken_and_is_retried(tmp_path: Path) -> None:
    """An image of 64 million pixels: 1 GiB is too little to encode it, 3 are enough."""
    (tmp_path / "src").mkdir()
    image = np.full((12000, 8000), 128, dtype=np.uint8)
    with av.open(str(tmp_path / "src" / "big.avi"), "w") as container:
        stream = container.add_stream("mjpeg", rate=5)
        stream.width, stream.height, stream.pix_fmt = 8000, 8000, "yuvj420p"
        frame = av.VideoFrame.from_ndarray(image, format="yuvj420p")
        frame.color_range = 2
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    workspace = begin(open_workspace(tmp_path / "src", tmp_path / "dst", Transcode(short_side_pixels=0)))
    worklist = make_worklist(workspace, follow_outside=False)

    def run(limits: Limits) -> dict:
        prepare_videos(workspace, worklist, limits=limits, shard=0, num_shards=1, retry_broken=False)
        return write_manifest_and_reports(workspace, worklist, classes=None)

    report = run(Limits(num_workers=1, memory_gib=1))
    assert report["broken"] == []
    assert report["left_out"] == [
        {
            "path": "big.avi",
            "reason": "too little memory, not the video's fault: needs more than 1 GiB of memory",
        }
    ]
    assert "1 left out, through no fault of their own" in (tmp_path / "dst" / "report.txt").read_text()
    report = run(Limits(num_workers=3, memory_gib=1))  # a retry has the memory of all three
    assert (report["counts"]["done"], report["left_out"]) == (1, [])


@pytest.mark.parametrize("action", [Check(), Transcode(short_side_pixels=0), Transcode(short_side_pixels=0, max_fps=5)])
def test_joined_transport_streams_keep_both_halves(write_video, shown_numbers, tmp_path: Path, action: Action) -> None:
    parts = [write_video(tmp_path / f"{n}.ts", range(n), fps=25, bf="2") for n in (30, 20)]
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "joined.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    workspace = begin(open_workspace(tmp_path / "src", tmp_path / "dst", action))
    worklist = make_worklist(workspace, follow_outside=False)
    prepare_videos(workspace, worklist, limits=LIMITS, shard=0, num_shards=1, retry_broken=False)
    report = write_manifest_and_reports(workspace, worklist, classes=None)
    assert (report["counts"]["incomplete"], report["totals"]["num_frames_lost"]) == (0, 0)
    every = [*range(30), *range(20)]
    if isinstance(action, Check):
        assert report["totals"]["num_frames"] == len(every)
    else:
        step = 5 if action.max_fps else 1
        assert shown_numbers(tmp_path / "dst" / "joined.mp4") == every[::step]


def test_frames_that_are_not_written_are_counted_and_named(write_video, tmp_path: Path) -> None:
    write_video(tmp_path / "src" / "stuck.mkv", [*range(10), *[9 + i / 1000 for i in range(1, 4)], *range(10, 20)])
    workspace = begin(open_workspace(tmp_path / "src", tmp_path / "dst", Transcode()))
    worklist = make_worklist(workspace, follow_outside=False)
    prepare_videos(workspace, worklist, limits=LIMITS, shard=0, num_shards=1, retry_broken=False)
    report = write_manifest_and_reports(workspace, worklist, classes=None)
    lost = report["totals"]["num_frames_lost"]
    assert lost == 23 - report["totals"]["num_frames"] > 0
    assert report["incomplete"] == [
        {"path": "stuck.mkv", "reason": f"{lost} of 23 frames have no time stamp of their own"}
    ]
    assert f"1 of those done lack frames: {lost} in all" in (tmp_path / "dst" / "report.txt").read_text()
