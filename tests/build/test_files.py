"""Tasks on remote videos in this process, and that local videos need none of it."""

import json
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch
from fvcore.common.config import CfgNode

from sce_video.build.data import build_train_manifest
from sce_video.build.files import build_video_files
from sce_video.cli.doctor.subject import read_subject
from sce_video.config import config_text, load_config
from sce_video.engine.doctor.network import fetching
from sce_video.engine.remote.filesystem import MissingPackageError
from sce_video.launch.local import run_task
from sce_video.tasks.decoder import choose_opener
from tests.servers import HttpFolder, http_server

REPOSITORY = Path(__file__).resolve().parents[2]
SETTINGS = {
    "DATA.SOURCE": "list",
    "DATA.NUM_WORKERS": "1",
    "CLIP.SECONDS": "0.5",
    "CLIP.NUM_FRAMES": "2",
    "EVAL.NUM_CLIPS": "1",
    "EVAL.NUM_CROPS": "1",
    "EVAL.SIZE_PIXELS": "32",
    "EVAL.KNN_NUM_NEIGHBORS": "3",
    "RUN.DEVICE": "cpu",
}


@pytest.fixture
def served(motion_videos: Path, tmp_path: Path) -> Iterator[HttpFolder]:
    """The motion videos with lists, behind HTTP."""
    folder = tmp_path / "served"
    folder.mkdir()
    for part in ("train", "test"):
        (folder / part).symlink_to(motion_videos / part)
        classes = sorted(path.name for path in (motion_videos / part).iterdir())
        videos = sorted((motion_videos / part).rglob("*.mp4"))
        lines = [f"{part}/{path.parent.name}/{path.name} {classes.index(path.parent.name)}\n" for path in videos]
        (folder / f"{part}.txt").write_text("".join(lines))
    with http_server(HttpFolder(folder)) as state:
        yield state


def config(root: str, tmp_path: Path, **changes: str) -> CfgNode:
    lists = {f"DATA.{part.upper()}": f"{root}/{part}.txt" for part in ("train", "test")}
    paths = {"DATA.ROOT": root, "DATA.CACHE_DIR": str(tmp_path / "cache"), **lists}
    settings = SETTINGS | paths | {key.replace("__", "."): value for key, value in changes.items()}
    return load_config(
        REPOSITORY / "configs/demo_knn.yaml", shared=[text for pair in settings.items() for text in pair]
    )


def test_knn_over_http_is_that_of_local_files(served: HttpFolder, tmp_path: Path) -> None:
    """Over HTTP the lists have signed URLs; no written file contains the signature."""
    results = {}
    for part in ("train", "test"):
        lines = (served.folder / f"{part}.txt").read_text().replace(".mp4", ".mp4?sig=hunter2")
        (tmp_path / f"{part}.txt").write_text(lines.replace(f"{part}/", f"{served.url}/{part}/"))
    for name, lists, root in (("local", served.folder, str(served.folder)), ("remote", tmp_path, "")):
        torch.manual_seed(0)
        places = {f"DATA__{part.upper()}": str(lists / f"{part}.txt") for part in ("train", "test")}
        run_task(config(root, tmp_path, TASK="knn", RUN__OUTPUT_DIR=str(tmp_path / name), **places))
        results[name] = json.loads((tmp_path / name / "results.json").read_text())
    written = [file for file in (tmp_path / "remote").rglob("*") if file.is_file()]
    assert f"{served.url}/test/" in (tmp_path / "remote" / "predictions.csv").read_text()
    assert not any(b"hunter2" in file.read_bytes() for file in written)
    assert results["remote"]["num_evaluated"] == 8
    for key in ("metrics", "features", "num_bank", "details"):
        assert results["remote"][key] == results["local"][key]
    heads = [path for method, path in served.requests if method == "HEAD"]
    assert len(heads) <= 2 * (16 + 8)  # 16 videos of one list, all 8 of the other, for the run and for its report
    assert max(served.gets()[path] for path in served.gets() if path.endswith(".mp4")) == 1


def test_decoders_race_on_remote_videos(served: HttpFolder, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cfg = config(served.url, tmp_path, DATA__DECODER="auto")
    manifest = build_train_manifest(cfg)
    with caplog.at_level("INFO", logger="sce_video"):
        choose_opener(cfg, manifest)
    assert re.search(r"DATA\.DECODER auto: \w+ \(.*pyav", caplog.text)


def test_doctor_fetches_before_it_measures(served: HttpFolder, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(config_text(config(served.url, tmp_path)))
    subject = read_subject(None, config_file=file, run_dir=None)
    assert subject.videos is not None
    [finding] = fetching(subject.videos, partial(build_video_files, subject.cfg), seconds=60.0)
    assert finding.level == "ok"
    assert finding.fact.startswith("24 videos, ")
    served.fail_first = ("404",) * 100
    cfg = config(served.url, tmp_path, DATA__CACHE_DIR=str(tmp_path / "another"))
    [finding] = fetching(subject.videos, partial(build_video_files, cfg), seconds=60.0)
    assert finding.level == "problem"
    assert finding.fact.startswith("24 of 24 cannot be fetched: http://")


def test_local_videos_need_no_cache_and_none_of_the_packages(motion_videos: Path, tmp_path: Path) -> None:
    code = f"""
import sys
for name in ("aiohttp", "s3fs", "fsspec"):
    sys.modules[name] = None
from sce_video.build.data import build_train_manifest
from sce_video.build.files import build_videos
from sce_video.clips.decoders import VideoOpener
from sce_video.config import config_text, load_config
places = ["DATA.ROOT", {str(motion_videos)!r}, "DATA.CACHE_DIR", {str(tmp_path / "c")!r}]
cfg = load_config("configs/demo_sce.yaml", places)
videos = build_videos(cfg, build_train_manifest(cfg), VideoOpener("pyav"))
videos.open(0)
from sce_video.engine.remote import location
location("s3://bucket/list.txt").read_bytes()
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.stderr.splitlines()[-1].startswith(
        f"{MissingPackageError.__module__}.MissingPackageError: s3://bucket/"
    )
    assert "pip install 'sce_video[remote]'" in done.stderr
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(("program", "more"), [("prepare_data", ["out"]), ("doctor", [])])
def test_programs_for_local_files_refuse_urls(
    program: str, more: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`Path` would turn the URL into a folder named `https:`."""
    monkeypatch.setattr(sys, "argv", [program, "https://me:hunter2@host/v", *more])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(REPOSITORY / "tools" / f"{program}.py"), run_name="__main__")
    assert ended.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert "https://***@host/v is not a local path" in last
    assert "hunter2" not in last
