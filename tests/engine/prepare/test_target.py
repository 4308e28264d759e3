"""Foreign files in the output folder are never changed."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sce_video.cli.prepare import prepare_here
from sce_video.engine.prepare.actions import Action, Check, Frames, PrepareError, Transcode
from sce_video.engine.prepare.all_videos import Limits
from sce_video.engine.prepare.journal import Planned, Record
from sce_video.engine.prepare.labels import Labels
from sce_video.engine.prepare.target import (
    TakenError,
    Target,
    Written,
    blocked_by,
    is_as_written,
    publish,
    require_free_name,
)
from sce_video.engine.prepare.workspace import begin, check_folders, lock_workspace, open_workspace, reopen_workspace

LIMITS = Limits(num_workers=1, timeout_seconds=120, memory_gib=3)
FOREIGN = b"years of work"


@pytest.fixture
def prepare(write_video, tmp_path: Path) -> Callable[..., dict]:
    """Prepare `src` (with a default walk/a.avi) to `dst`; returns the report."""
    if not (tmp_path / "src").exists():
        write_video(tmp_path / "src" / "walk" / "a.avi", range(4), codec="mpeg4")

    def run(action: Action | None = None, labels: Labels | None = None) -> dict:
        prepare_here(
            tmp_path / "src",
            tmp_path / "dst",
            action or Transcode(),
            limits=LIMITS,
            labels=labels or Labels(),
            follow_outside=False,
            retry_broken=False,
        )
        report: dict = json.loads((tmp_path / "dst" / "report.json").read_text())
        return report

    return run


def begun(tmp_path: Path, action: Action) -> Path:
    """An output folder with settings, and nothing else yet."""
    (tmp_path / "src").mkdir(exist_ok=True)
    return begin(open_workspace(tmp_path / "src", tmp_path / "dst", action)).output_dir


def outputs(report: dict) -> list[tuple[str, str]]:
    return [(line["path"], line["output"]) for line in report["renamed"]]


@pytest.mark.parametrize("action", [Transcode(), Frames()])
@pytest.mark.parametrize("kind", ["file", "folder", "empty folder", "link", "dangling link"])
def test_a_foreign_file_with_the_name_of_an_output(prepare, tmp_path, action: Action, kind: str) -> None:
    name = "a" if isinstance(action, Frames) else "a.mp4"
    path = begun(tmp_path, action) / "walk" / name
    path.parent.mkdir()
    elsewhere = tmp_path / "elsewhere"
    if kind == "file":
        path.write_bytes(FOREIGN)
    elif kind.endswith("folder"):
        path.mkdir()
        if kind == "folder":
            (path / "000000.jpg").write_bytes(FOREIGN)
    else:
        path.symlink_to(elsewhere)
        if kind == "link":
            elsewhere.write_bytes(FOREIGN)
    before = contents(path.parent), path.is_symlink()
    report = prepare(action)
    other = "walk/a.avi" if isinstance(action, Frames) else "walk/a.avi.mp4"
    assert outputs(report) == ([] if other == "walk/a.avi" else [("walk/a.avi", other)])
    assert (tmp_path / "dst" / other).exists()
    after = {path: content for path, content in contents(path.parent).items() if not path.startswith("a.avi")}
    assert (after, path.is_symlink()) == before
    assert elsewhere.exists() == (kind == "link")
    assert prepare(action) == report  # nothing is redone


def contents(folder: Path) -> dict[str, bytes | None]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")
    }


def test_a_foreign_file_that_replaced_an_output(prepare, tmp_path) -> None:
    prepare()
    (tmp_path / "dst" / "walk" / "a.mp4").write_bytes(FOREIGN)
    report = prepare()
    assert outputs(report) == [("walk/a.avi", "walk/a.avi.mp4")]
    assert (tmp_path / "dst" / "walk" / "a.mp4").read_bytes() == FOREIGN


def test_own_outputs_are_replaced_when_their_source_changes(prepare, write_video, tmp_path) -> None:
    for action in (Transcode(), Frames()):
        prepare(action)
        write_video(tmp_path / "src" / "walk" / "a.avi", range(6), codec="mpeg4")
        report = prepare(action)
        assert (outputs(report), report["totals"]["num_frames"]) == ([], 6)
        name = "a" if isinstance(action, Frames) else "a.mp4"
        assert sorted(os.listdir(tmp_path / "dst" / "walk")) == [name]
        (tmp_path / "dst").rename(tmp_path / action.__class__.__name__)


def test_a_foreign_file_in_a_folder_of_frames_is_kept(prepare, write_video, tmp_path) -> None:
    prepare(Frames())
    note = tmp_path / "dst" / "walk" / "a" / "notes.txt"
    note.write_bytes(FOREIGN)
    report = prepare(Frames())
    assert note.read_bytes() == FOREIGN
    assert (tmp_path / "dst" / "walk" / "a.avi" / "frames.json").exists()
    assert report["counts"]["done"] == 1


@pytest.mark.parametrize("kind", ["file", "link out", "link that leads nowhere"])
def test_a_foreign_file_with_the_name_of_a_folder(prepare, tmp_path, capfd, kind: str) -> None:
    path = begun(tmp_path, Transcode()) / "walk"
    (tmp_path / "elsewhere").mkdir()
    if kind == "file":
        path.write_bytes(FOREIGN)
    else:
        path.symlink_to(tmp_path / ("elsewhere" if kind == "link out" else "nowhere"))
    report = prepare()
    words = "not a folder" if kind == "file" else "a link"
    assert report["skipped"] == [
        {"path": "walk/a.avi", "reason": f"walk is {words} in the output folder; move it away"}
    ]
    assert f"skipped, see report.txt: walk/a.avi walk is {words}" in capfd.readouterr().err
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert not (tmp_path / "nowhere").exists()
    assert kind != "file" or path.read_bytes() == FOREIGN


@pytest.mark.parametrize("name", ["manifest.tsv", "report.json", "report.txt", "classes.txt"])
@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_a_foreign_report_is_refused_before_the_work(prepare, tmp_path, name: str, kind: str) -> None:
    path = begun(tmp_path, Transcode()) / name
    if kind == "file":
        path.write_bytes(FOREIGN)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(PrepareError, match=f"{name} was not written by prepare_data.py.*move it away"):
        prepare()
    assert not (tmp_path / "dst" / "walk").exists()
    assert kind != "file" or path.read_bytes() == FOREIGN
    assert not (tmp_path / "nowhere").exists()


def test_own_reports_are_rewritten_and_deleted_without_labels(prepare, tmp_path) -> None:
    prepare(labels=Labels("folders"))
    assert (tmp_path / "dst" / "classes.txt").read_text() == "walk\n"
    prepare()
    assert not (tmp_path / "dst" / "classes.txt").exists()
    prepare(labels=Labels("folders"))
    with (tmp_path / "dst" / "manifest.tsv").open("a") as file:
        file.write("a foreign line\n")
    with pytest.raises(PrepareError, match="manifest.tsv was not written .* or was changed since"):
        prepare(labels=Labels("folders"))


def test_class_folders_named_like_reports_are_renamed(prepare, write_video, tmp_path, capfd) -> None:
    for name in ("report.json", "train.csv", "videos"):
        write_video(tmp_path / "src" / name / "b.mp4", range(3))
    report = prepare(labels=Labels("folders"))
    assert report["counts"]["done"] == 4
    assert outputs(report) == [("report.json/b.mp4", "report.json.2/b.mp4")]
    assert (
        "outputs with another name, see report.txt: report.json/b.mp4 -> report.json.2/b.mp4" in capfd.readouterr().err
    )
    assert (tmp_path / "dst" / "classes.txt").read_text().splitlines() == ["report.json", "train.csv", "videos", "walk"]


def test_names_too_long_for_the_disk(prepare, write_video, tmp_path) -> None:
    long = write_video(tmp_path / "short.mp4", range(3))
    long.rename(tmp_path / "src" / ("x" * 252 + ".ts"))  # 255 bytes; .mp4 is one more
    report = prepare()
    assert report["counts"]["done"] == 2
    (renamed,) = outputs(report)
    assert len(renamed[1]) <= 255
    assert (tmp_path / "dst" / renamed[1]).exists()


def test_a_path_too_long_for_the_disk_is_skipped(prepare, write_video, tmp_path, monkeypatch) -> None:
    write_video(tmp_path / "short.mp4", range(3))
    monkeypatch.chdir(tmp_path / "src")
    for _ in range(18):  # by its whole path the file could not even be made
        os.mkdir("d" * 200)
        os.chdir("d" * 200)
    os.chdir("..")
    target = begun(tmp_path, Transcode())
    depth = (os.pathconf(target, "PC_PATH_MAX") - len(str(target)) - 20) // 201
    folder = "/".join(["d" * 200] * depth)
    os.chdir(tmp_path / "src")
    for part in folder.split("/"):
        os.makedirs(part, exist_ok=True)
        os.chdir(part)
    rest = os.pathconf(target, "PC_PATH_MAX") - len(str(tmp_path / "src" / folder)) - 8
    name = "n" * max(min(rest, 250), 1) + ".mp4"
    os.rename(tmp_path / "short.mp4", name)
    monkeypatch.chdir(tmp_path)
    report = prepare()
    assert [(len(line["path"].split("/")), "too long" in line["reason"]) for line in report["skipped"]] == [
        (depth + 1, True)
    ]
    assert report["counts"]["done"] == 1


def test_require_free_name(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"1234")
    ours = Written(4, "03ac674216f3e15c761ee1a5e255f067953623c8b388b4459e13f978d7c846f4", 1)  # sha256sum
    require_free_name(tmp_path, "a.mp4", {ours})
    require_free_name(tmp_path, "b/c.mp4", set())
    for others in (set(), {Written(4, "0" * 64, 1)}):
        with pytest.raises(TakenError, match=r"a.mp4 in the output folder was not written by this program"):
            require_free_name(tmp_path, "a.mp4", others)
    with pytest.raises(TakenError, match=r"a.mp4 is not a folder in the output folder"):
        require_free_name(tmp_path, "a.mp4/b.mp4", set())


def test_nothing_is_created_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "dst").mkdir()
    (tmp_path / "dst" / "class").symlink_to(tmp_path / "elsewhere")
    assert blocked_by(tmp_path / "dst", "class/deep") == "class is a link"
    with pytest.raises(TakenError, match="class is a link in the output folder"):
        require_free_name(tmp_path / "dst", "class/deep/a.mp4", set())
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_folder_replaces_an_older_one(tmp_path: Path) -> None:
    (tmp_path / "dst" / "a").mkdir(parents=True)
    (tmp_path / "dst" / "a" / "000001.jpg").touch()
    (tmp_path / "partial" / "output").mkdir(parents=True)
    (tmp_path / "partial" / "output" / "000000.jpg").touch()
    publish(tmp_path / "partial" / "output", tmp_path / "dst", "a")
    assert os.listdir(tmp_path / "dst" / "a") == ["000000.jpg"]
    assert os.listdir(tmp_path / "partial") == []


def test_a_link_to_an_output_is_not_the_output(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"1234")
    (tmp_path / "a.mp4").symlink_to("real")
    written = Record.of(Planned("a.avi", 1, 1, "a.mp4"), "done", bytes=4).written
    assert is_as_written(tmp_path / "real", written)
    assert not is_as_written(tmp_path / "a.mp4", written)
    assert not Target(tmp_path, {"a.mp4": {written}}).is_free("a.mp4")


@pytest.mark.parametrize(
    "name", ["lock", "settings.json", "plan.json", "reports.json", "shard-0000.jsonl", "partial", "slurm"]
)
def test_state_files_that_are_links_are_refused(prepare, tmp_path, name: str) -> None:
    state = begun(tmp_path, Transcode()) / ".prepare"
    elsewhere = tmp_path / "elsewhere"
    if name in ("partial", "slurm"):
        (elsewhere / "0000").mkdir(parents=True)
    elif name == "settings.json":
        (state / name).rename(elsewhere)
    else:
        elsewhere.write_bytes(FOREIGN)
    (state / name).symlink_to(elsewhere)
    before = contents(elsewhere) if elsewhere.is_dir() else elsewhere.read_bytes()
    with pytest.raises(PrepareError, match=f"{name} is a link and will not be written to"):
        prepare()
    with pytest.raises(PrepareError, match=f"{name} is a link"):
        reopen_workspace(tmp_path / "dst")
    assert (contents(elsewhere) if elsewhere.is_dir() else elsewhere.read_bytes()) == before


def test_a_lock_that_becomes_a_link_or_a_fifo(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    workspace = begin(open_workspace(tmp_path / "src", tmp_path / "dst", Check()))
    (tmp_path / "elsewhere").write_bytes(FOREIGN)
    (workspace.state_dir / "lock").symlink_to(tmp_path / "elsewhere")
    with (
        pytest.raises(PrepareError, match="lock cannot be opened as a plain file"),
        lock_workspace(workspace, shared=False),
    ):
        pass
    assert (tmp_path / "elsewhere").read_bytes() == FOREIGN
    (workspace.state_dir / "lock").unlink()
    os.mkfifo(workspace.state_dir / "lock")
    with pytest.raises(PrepareError, match="lock is not a file or folder as expected"):
        open_workspace(tmp_path / "src", tmp_path / "dst", Check())


def test_a_foreign_state_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    for names in ((".prepare/theirs", "thesis.tex"), (".prepare/theirs",)):
        for name in names:
            (tmp_path / "dst" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "dst" / name).write_bytes(FOREIGN)
        with pytest.raises(PrepareError, match="did not write"):
            check_folders(tmp_path / "src", tmp_path / "dst")
        (tmp_path / "dst" / "thesis.tex").unlink(missing_ok=True)
    (tmp_path / "dst" / ".prepare" / "theirs").unlink()
    (tmp_path / "dst" / ".prepare").rmdir()
    (tmp_path / "theirs").mkdir()
    (tmp_path / "dst" / ".prepare").symlink_to(tmp_path / "theirs")
    with pytest.raises(PrepareError):
        check_folders(tmp_path / "src", tmp_path / "dst")


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[2Jb", "a\x85b"])
def test_folders_with_control_characters_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / name).mkdir()
    for source, output in ((tmp_path / "src", tmp_path / name / "dst"), (tmp_path / name, tmp_path / "dst")):
        with pytest.raises(PrepareError, match="has a control character") as caught:
            check_folders(source, output)
        assert str(caught.value).isprintable()
