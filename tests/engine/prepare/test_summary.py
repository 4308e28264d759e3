"""Manifest and report, by hand."""

from dataclasses import replace
from pathlib import Path

from sce_video.engine.prepare.actions import Transcode
from sce_video.engine.prepare.journal import BROKEN, DONE, LEFT, SHORT, Planned, Record
from sce_video.engine.prepare.listing import Skipped
from sce_video.engine.prepare.summary import make_report, manifest_text, report_text
from sce_video.engine.prepare.workspace import Workspace

FACTS = {"duration_seconds": 1.5, "fps": 30000 / 1001, "height": 256, "width": 340, "num_frames": 45, "bytes": 999}


def record(source: str, status: str = DONE, *, output: str = "", content: str = "c", reason: str = "") -> Record:
    facts = {**FACTS, "sha256": "f00"} if status == DONE else {}
    video = Planned(source, 2000, 1, output or str(Path(source).with_suffix(".mp4")))
    return Record.of(video, status, reason=reason, source_sha256=content, **facts)


def test_the_manifest_by_hand() -> None:
    records = [record("walk/ü b.avi"), record("jump/a.mp4")]
    header = "path\tlabel\tduration_seconds\tfps\theight\twidth\tnum_frames\tbytes\tsha256\n"
    facts = "1.500000\t29.970030\t256\t340\t45\t999\tf00\n"
    expected = f"{header}jump/a.mp4\t0\t{facts}walk/ü b.mp4\t1\t{facts}"
    assert manifest_text(records, {"walk/ü b.avi": 1, "jump/a.mp4": 0}) == expected
    assert manifest_text(records[:1], None) == f"{header}walk/ü b.mp4\t\t{facts}"
    assert manifest_text([], None) == header


def test_the_report_by_hand(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "src", tmp_path, Transcode())
    records = [
        record("b.avi", content="same"),
        record("a.avi", content="same"),
        record("d.mkv", output="d.mkv.mp4", content="other"),
        record("bad.mp4", BROKEN, content="same", reason="has no video stream"),
        record("gone.mp4", BROKEN, content="", reason="cannot be read"),
        record("lost.mp4", BROKEN, content="", reason="died"),
        record("tiny.mp4", SHORT, content="t", reason="3 frames"),
        record("huge.mp4", LEFT, content="", reason="too little memory"),
        replace(record("half.ts", content="h", reason="7 of 52 frames have no time stamp of their own"), num_lost=7),
    ]
    report = make_report(workspace, records, [Skipped("odd\nname.mp4", "its name")], ["jump", "walk"])
    assert report["classes"] == ["jump", "walk"]
    assert report["counts"] == {
        "found": 9,
        "done": 4,
        "broken": 3,
        "too_short": 1,
        "left_out": 1,
        "incomplete": 1,
        "skipped": 1,
        "duplicates": 1,
        "renamed": 1,
    }
    assert report["duplicates"] == [["a.avi", "b.avi", "bad.mp4"]]
    assert report["broken"][0] == {"path": "bad.mp4", "reason": "has no video stream"}
    assert report["too_short"] == [{"path": "tiny.mp4", "reason": "3 frames"}]
    assert report["renamed"] == [{"path": "d.mkv", "output": "d.mkv.mp4"}]
    assert report["totals"] == {
        "num_frames": 180,
        "num_frames_lost": 7,
        "duration_seconds": 6.0,
        "source_bytes": 8000,
        "bytes": 3996,
    }
    text = report_text(report).splitlines()
    assert "        1 of those done lack frames: 7 in all" in text
    for line in (
        "bad.mp4: has no video stream",
        "a.avi = b.avi = bad.mp4",
        "d.mkv -> d.mkv.mp4",
        "tiny.mp4: 3 frames",
        "huge.mp4: too little memory",
        "half.ts: 7 of 52 frames have no time stamp of their own",
    ):
        assert line in text
    assert '"odd\\nname.mp4": its name' in text
