"""Shards started by submitit, on this machine instead of a cluster."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from sce_video.cli.prepare import PrepareShard, SlurmArray, finish, prepare_here, submit_shards
from sce_video.engine.prepare.actions import PrepareError, Transcode
from sce_video.engine.prepare.all_videos import Limits
from sce_video.engine.prepare.labels import Labels

LIMITS = Limits(num_workers=1, timeout_seconds=120, memory_gib=3)
ARRAY = SlurmArray(num_jobs=2, partition=None, time_minutes=5, cpus_per_task=1)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "src"
    folder.mkdir()
    for name in ("a", "b", "c"):
        with av.open(str(folder / f"{name}.mp4"), "w") as container:
            stream = container.add_stream("libx264", rate=Fraction(25), options={"threads": "1"})
            stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
            gray = np.full((32, 32, 3), 100, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(gray, format="rgb24")))
            container.mux(stream.encode())
    return folder


def visible(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_two_jobs_then_a_merge_equal_one_run(source: Path, tmp_path: Path) -> None:
    options = {"limits": LIMITS, "follow_outside": False, "retry_broken": False}
    jobs = submit_shards(source, tmp_path / "jobs", Transcode(), array=ARRAY, cluster="local", **options)
    assert len(jobs) == 2
    for job in jobs:
        job.result()
    journals = sorted((tmp_path / "jobs" / ".prepare").glob("*.jsonl"))
    assert [len(journal.read_text().splitlines()) for journal in journals] == [2, 1]
    assert not (tmp_path / "jobs" / "manifest.tsv").exists()
    line = finish(source, tmp_path / "jobs", Transcode(), labels=Labels())
    assert line.startswith("done: 3 of 3 videos, 0 broken")
    prepare_here(source, tmp_path / "here", Transcode(), labels=Labels(), **options)
    assert visible(tmp_path / "jobs") == visible(tmp_path / "here")


def test_a_merge_waits_for_every_shard(source: Path, tmp_path: Path) -> None:
    with pytest.raises(PrepareError, match="plan.json cannot be read"):
        finish(source, tmp_path / "dst", Transcode(), labels=Labels())
    submit = {"limits": LIMITS, "array": ARRAY, "follow_outside": False, "retry_broken": False}
    submit_shards(source, tmp_path / "dst", Transcode(), cluster="debug", **submit)  # created, not started
    with pytest.raises(PrepareError, match="3 of 3 videos are not done yet, such as a.mp4"):
        finish(source, tmp_path / "dst", Transcode(), labels=Labels())


def test_after_a_timeout_the_same_shard_is_resubmitted() -> None:
    shard = PrepareShard(Path("/dst"), LIMITS, 2, retry_broken=False)
    delayed = shard.checkpoint(1)
    assert (delayed.function, delayed.args) == (shard, (1,))
    assert PrepareShard(Path("/dst"), LIMITS, 2, retry_broken=True).checkpoint(1).function == shard  # applies once


def test_an_unknown_class_is_refused_before_the_work(source: Path, tmp_path: Path) -> None:
    (tmp_path / "names").write_text("walk\n")
    (tmp_path / "root").mkdir()
    source.rename(tmp_path / "root" / "jump")
    with pytest.raises(PrepareError, match="folder 'jump' is not among the 1 classes"):
        prepare_here(
            tmp_path / "root",
            tmp_path / "dst",
            Transcode(),
            limits=LIMITS,
            labels=Labels("folders", tmp_path / "names"),
            follow_outside=False,
            retry_broken=False,
        )
    assert not (tmp_path / "dst").exists()


def test_slurm_without_srun_is_an_error(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    options = {"limits": LIMITS, "array": ARRAY, "follow_outside": False, "retry_broken": False}
    with pytest.raises(PrepareError, match=r"--slurm: .*srun.*leave --slurm out"):
        submit_shards(source, tmp_path / "dst", Transcode(), **options)
    assert not (tmp_path / "dst").exists()


def test_a_refused_start_leaves_nothing_behind(source: Path, tmp_path: Path) -> None:
    """The same output folder can then be used with another source and other settings."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "own").mkdir()
    options = {"limits": LIMITS, "follow_outside": False, "retry_broken": False}
    for target in (tmp_path / "new" / "dst", tmp_path / "own"):
        with pytest.raises(PrepareError, match="holds no videos"):
            prepare_here(tmp_path / "empty", target, Transcode(), labels=Labels(), **options)
        with pytest.raises(PrepareError, match="holds no videos"):
            submit_shards(tmp_path / "empty", target, Transcode(), array=ARRAY, cluster="debug", **options)
        with pytest.raises(PrepareError, match=r"a.mp4 is not in a class folder"):
            prepare_here(source, target, Transcode(crf=30), labels=Labels("folders"), **options)
        with pytest.raises(PrepareError, match="plan.json cannot be read"):
            finish(source, target, Transcode(), labels=Labels())
        assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "own", "src"]
        assert list((tmp_path / "own").iterdir()) == []
    done = prepare_here(source, tmp_path / "own", Transcode(crf=20), labels=Labels(), **options)
    assert done.startswith("done: 3 of 3 videos")
    with pytest.raises(PrepareError, match="own was begun with crf 20"):
        prepare_here(source, tmp_path / "own", Transcode(), labels=Labels(), **options)


@pytest.mark.parametrize(
    ("field", "option"),
    [("num_jobs", "--array"), ("time_minutes", "--time-minutes"), ("cpus_per_task", "--cpus-per-task")],
)
def test_an_array_out_of_range(field: str, option: str) -> None:
    for value in (0, 10**9):
        with pytest.raises(PrepareError, match=f"{option} is {value}; it must be from 1 to"):
            replace(ARRAY, **{field: value})


def test_settings_of_an_array_must_not_change(source: Path, tmp_path: Path) -> None:
    options = {"limits": LIMITS, "array": ARRAY, "follow_outside": False, "retry_broken": False}
    submit_shards(source, tmp_path / "dst", Transcode(crf=30), cluster="debug", **options)
    assert json.loads((tmp_path / "dst" / ".prepare" / "settings.json").read_text())["crf"] == 30
    with pytest.raises(PrepareError, match="was begun with crf 30"):
        finish(source, tmp_path / "dst", Transcode(), labels=Labels())


def test_damaged_lines_of_the_journal_are_reported_and_redone(source: Path, tmp_path: Path, capfd) -> None:
    options = {"limits": LIMITS, "labels": Labels(), "follow_outside": False, "retry_broken": False}
    done = prepare_here(source, tmp_path / "dst", Transcode(), **options)
    before = visible(tmp_path / "dst")
    journal = tmp_path / "dst" / ".prepare" / "shard-0000.jsonl"
    first, second, third = journal.read_bytes().splitlines()
    journal.write_bytes(b"\n".join([first, second[:50], b"\xff\xfe", third]) + b"\n")
    capfd.readouterr()
    assert prepare_here(source, tmp_path / "dst", Transcode(), **options) == done
    errors = capfd.readouterr().err
    assert f"{journal} line 2: " in errors
    assert " and 1 more are not valid records; these videos are redone" in errors
    after = visible(tmp_path / "dst")
    assert after["manifest.tsv"].count(b"\n") == before["manifest.tsv"].count(b"\n") == 4
