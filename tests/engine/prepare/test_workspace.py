"""Refused folders, settings that must not change, locks, saved worklists."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sce_video.engine.prepare.actions import Check, Frames, PrepareError, Transcode
from sce_video.engine.prepare.worklist import make_worklist, read_worklist, write_worklist
from sce_video.engine.prepare.workspace import (
    begin,
    check_folders,
    lock_workspace,
    open_workspace,
    partial_folder,
    reopen_workspace,
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "src" / "inner").mkdir(parents=True)
    (tmp_path / "src" / "a.avi").write_bytes(b"a")
    return tmp_path / "src"


OVERLAPPING: dict[str, Callable[[Path], Path]] = {
    "equal": lambda source: source,
    "inside": lambda source: source / "new" / "dst",
    "around": lambda source: source.parent,
    "a way round": lambda source: source / "inner" / ".." / ".." / "src",
    "a link to it": lambda source: linked(source.parent / "link", source),
    "below a link to it": lambda source: linked(source.parent / "link", source / "inner") / "new",
    "a link around it": lambda source: linked(source.parent / "link", source.parent),
}


def linked(link: Path, target: Path) -> Path:
    link.symlink_to(target)
    return link


@pytest.mark.parametrize("case", OVERLAPPING)
def test_folders_that_overlap_are_refused(source: Path, case: str) -> None:
    with pytest.raises(PrepareError, match="overlap"):
        open_workspace(source, OVERLAPPING[case](source), Transcode())
    assert sorted(os.listdir(source)) == ["a.avi", "inner"]


def test_a_source_that_is_a_link_into_the_output(source: Path) -> None:
    with pytest.raises(PrepareError, match="overlap"):
        check_folders(linked(source.parent / "other", source / "inner"), source)


def test_siblings_with_a_common_prefix_do_not_overlap(source: Path) -> None:
    assert check_folders(source, source.parent / "src2") == (source, source.parent / "src2")


def test_a_missing_source_and_foreign_outputs_are_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(PrepareError, match="nowhere is not a folder"):
        check_folders(tmp_path / "nowhere", tmp_path / "dst")
    (tmp_path / "dst").mkdir()
    check_folders(source, tmp_path / "dst")
    (tmp_path / "dst" / "thesis.tex").write_text("years of work")
    with pytest.raises(PrepareError, match="did not write"):
        check_folders(source, tmp_path / "dst")
    with pytest.raises(PrepareError, match="is not a folder"):
        check_folders(source, tmp_path / "dst" / "thesis.tex")


def test_other_settings_are_refused_in_one_line(source: Path, tmp_path: Path) -> None:
    output = tmp_path / "dst"
    for _ in range(2):
        begin(open_workspace(source, output, Transcode(crf=20)))
    others = [
        (source, Transcode(crf=21), "crf 20, now it is 21"),
        (source, Frames(), "action transcode, now it is frames"),
        (source / "inner", Transcode(crf=20), f"source {source}, now it is {source}/inner"),
    ]
    for folder, action, message in others:
        with pytest.raises(PrepareError, match=message) as caught:
            open_workspace(folder, output, action)
        assert "\n" not in str(caught.value)


def test_a_workspace_can_be_opened_by_its_folder_alone(source: Path, tmp_path: Path) -> None:
    for number, action in enumerate((Check(min_frames=3), Transcode(gop_frames=1, max_fps=12.5), Frames(quality=75))):
        opened = begin(open_workspace(source, tmp_path / f"dst{number}", action))
        assert reopen_workspace(tmp_path / f"dst{number}") == opened
    with pytest.raises(PrepareError, match="is .* an output folder of prepare_data.py"):
        reopen_workspace(tmp_path / "nowhere")


def test_a_kill_before_the_settings_are_written_does_not_block_the_folder(source: Path, tmp_path: Path) -> None:
    (tmp_path / "dst" / ".prepare").mkdir(parents=True)
    for name in ("lock", ".settings.json.partial"):
        (tmp_path / "dst" / ".prepare" / name).touch()
    workspace = open_workspace(source, tmp_path / "dst", Transcode())
    with lock_workspace(workspace, shared=False):
        begin(workspace)


def test_a_second_run_is_refused_and_shards_share_the_lock(source: Path, tmp_path: Path) -> None:
    workspace = begin(open_workspace(source, tmp_path / "dst", Transcode()))
    with (
        lock_workspace(workspace, shared=True),
        lock_workspace(workspace, shared=True),
        pytest.raises(PrepareError) as caught,
    ):
        lock_workspace(workspace, shared=False).__enter__()
    assert "another prepare_data.py is running" in str(caught.value)
    with (
        lock_workspace(workspace, shared=False),
        pytest.raises(PrepareError, match="another"),
        lock_workspace(workspace, shared=True),
    ):
        pass


def test_a_refused_second_start_leaves_the_first_its_lock(source: Path, tmp_path: Path) -> None:
    first, second = (open_workspace(source, tmp_path / "dst", Transcode(crf=crf)) for crf in (20, 21))
    with lock_workspace(first, shared=False):
        with pytest.raises(PrepareError, match="another"):
            lock_workspace(second, shared=False).__enter__()
        assert (first.state_dir / "lock").exists()
        begin(first)
    with (
        lock_workspace(second, shared=False),
        pytest.raises(PrepareError, match="dst was begun with crf 20, now it is 21"),
    ):
        begin(second)


def test_the_lock_is_released_when_its_process_dies(source: Path, tmp_path: Path) -> None:
    workspace = begin(open_workspace(source, tmp_path / "dst", Transcode()))
    program = "import fcntl, os, sys; fcntl.flock(open(sys.argv[1], 'w'), fcntl.LOCK_EX); os.kill(os.getpid(), 9)"
    lock = workspace.state_dir / "lock"
    assert subprocess.run([sys.executable, "-c", program, str(lock)]).returncode == -9
    with lock_workspace(workspace, shared=False):
        pass


def test_unfinished_outputs_are_deleted_after_a_run_and_before_the_next(source: Path, tmp_path: Path) -> None:
    workspace = begin(open_workspace(source, tmp_path / "dst", Transcode()))
    left = workspace.partial_dir / "0007" / "half.mp4"
    left.parent.mkdir(parents=True)
    left.touch()
    with lock_workspace(workspace, shared=True):
        assert left.exists()  # another shard may be writing it
    with partial_folder(workspace, 7) as folder:
        assert list(folder.iterdir()) == []
    assert not left.parent.exists()
    left.parent.mkdir()
    with lock_workspace(workspace, shared=False):
        assert not workspace.partial_dir.exists()


def test_worklists_are_saved_and_keep_names(source: Path, tmp_path: Path) -> None:
    workspace = begin(open_workspace(source, tmp_path / "dst", Transcode()))
    with pytest.raises(PrepareError, match=r"plan.json cannot be read"):
        read_worklist(workspace)
    (source / "gone.mp4").symlink_to("nowhere")
    worklist = make_worklist(workspace, follow_outside=False)
    assert [(video.source, video.size, video.output) for video in worklist.videos] == [("a.avi", 1, "a.mp4")]
    assert [left.source for left in worklist.skipped] == ["gone.mp4"]
    write_worklist(workspace, worklist)
    assert read_worklist(workspace) == worklist
    assert json.loads((workspace.state_dir / "settings.json").read_text())["action"] == "transcode"


def test_a_check_lists_sources_by_their_own_names(source: Path, tmp_path: Path) -> None:
    worklist = make_worklist(open_workspace(source, tmp_path / "dst", Check()), follow_outside=False)
    assert [video.output for video in worklist.videos] == ["a.avi"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[]", "holds list, not settings"),
        (b'{"source": "/src"}', "action is None"),
        (b'{"source": 5, "action": "check"}', "source is 5"),
        (b'{"source": "/src", "action": []}', "is damaged"),
        (b'{"source": "/src", "action": "check", "min_frames": "1"}', "min_frames is '1'"),
        (b'{"source": "/src", "action": "check", "crf": 3}', "unknown 'crf'"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"[" * 100_000, "too deeply nested"),
        (b"", "cannot be read"),
    ],
)
def test_damaged_settings_are_one_line_that_names_the_file(source: Path, tmp_path: Path, content, words) -> None:
    workspace = begin(open_workspace(source, tmp_path / "dst", Check()))
    (workspace.state_dir / "settings.json").write_bytes(content)
    with pytest.raises(PrepareError, match="settings.json .*" + words) as caught:
        reopen_workspace(tmp_path / "dst")
    assert "\n" not in str(caught.value)
    with pytest.raises(PrepareError, match="settings.json"):
        open_workspace(source, tmp_path / "dst", Check())


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b'{"videos": 3, "skipped": []}',
        b'{"videos": [3], "skipped": []}',
        b'{"videos": [], "skipped": [{"source": "a"}]}',
        b'{"videos": [], "skipped": [{"source": "a", "reason": 5}]}',
        b'{"videos": [{"source": "a", "size": 1, "mtime_ns": 1, "output": "../a"}], "skipped": []}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_a_damaged_worklist_is_an_error_that_names_the_file(source: Path, tmp_path: Path, content: bytes) -> None:
    workspace = begin(open_workspace(source, tmp_path / "dst", Check()))
    (workspace.state_dir / "plan.json").write_bytes(content)
    with pytest.raises(PrepareError, match=r"plan.json cannot be read \(.*run without --finish"):
        read_worklist(workspace)
