"""The program on real videos on servers: losses equal those of local files bit for bit."""

import json
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest

from sce_video.config import load_config
from sce_video.launch.local import run_task
from tests.engine.remote.shards.tars import write_tar
from tests.servers import HttpFolder, http_server, s3_environment, s3_server
from tests.settings import used_overrides
from tests.tools.test_run_net import REPOSITORY, SMALL

CONFIG = "configs/demo_sce.yaml"
NUM_VIDEOS, NUM_SHARDS = 8, 2
SECRET = "hunter2"


def overrides(output_dir: Path, **changes: str) -> list[str]:
    settings = {
        **SMALL,
        "DATA.SOURCE": "list",
        "DATA.NUM_WORKERS": "2",
        "TRAIN.NUM_EPOCHS": "2",
        "TRAIN.GLOBAL_BATCH_SIZE": "4",
        "DATA.MAX_FAILED_SHARE": "0.0",
        "DATA.CACHE_DIR": str(output_dir.parent / "cache"),
        "TRAIN.LOG_EVERY_STEPS": "1",
        "RUN.OUTPUT_DIR": str(output_dir),
        **{key.replace("__", "."): value for key, value in changes.items()},
    }
    return used_overrides(REPOSITORY / CONFIG, settings)


def run_here(output_dir: Path, **changes: str) -> None:
    """Run in this process, which has already imported everything."""
    run_task(load_config(REPOSITORY / CONFIG, overrides(output_dir, **changes)))


def losses(output_dir: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (output_dir / "metrics.jsonl").read_text().splitlines()]


class Served:
    """A few of J-HMDB's videos: in a folder, in a list, and in the same order in shards."""

    def __init__(self, folder: Path, shared_data: Path) -> None:
        self.folder = folder
        videos = sorted((shared_data / "jhmdb").rglob("*.mp4"))
        videos = videos[:: len(videos) // NUM_VIDEOS][:NUM_VIDEOS]
        self.names = [f"{video.parent.name}/{video.name}" for video in videos]
        for name, video in zip(self.names, videos, strict=True):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(video.read_bytes())
        labels = [index % 2 for index in range(NUM_VIDEOS)]
        (folder / "train.txt").write_text("".join(map("{} {}\n".format, self.names, labels)))
        in_one = NUM_VIDEOS // NUM_SHARDS
        for shard in range(NUM_SHARDS):
            members = {}
            for index in range(shard * in_one, (shard + 1) * in_one):
                members[f"{index:06d}.cls"] = str(labels[index]).encode()
                members[f"{index:06d}.mp4"] = videos[index].read_bytes()
            write_tar(folder / f"train-{shard:03d}.tar", members)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Served:
    return Served(tmp_path_factory.mktemp("served"), shared_data)


@pytest.fixture(scope="module")
def local_losses(served: Served, tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    output_dir = tmp_path_factory.mktemp("local") / "run"
    run_here(output_dir, DATA__ROOT=str(served.folder), DATA__TRAIN=str(served.folder / "train.txt"))
    assert not (output_dir.parent / "cache").exists()
    return losses(output_dir)


@pytest.fixture
def faulty(served: Served) -> Iterator[HttpFolder]:
    with http_server(HttpFolder(served.folder, fail_first=("503",))) as state:
        yield state


def test_http_with_faults(
    served: Served,
    local_losses: list[float],
    faulty: HttpFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PASSWORD", SECRET)
    faulty.faults = {served.names[0]: deque(["drop"]), served.names[1]: deque(["short", "429"])}
    url = faulty.url.replace("http://", "http://me:${HTTP_PASSWORD}@")
    locations = {"DATA__ROOT": url, "DATA__TRAIN": f"{url}/train.txt"}
    run_here(tmp_path / "run", **locations)
    assert losses(tmp_path / "run") == local_losses
    # One or two faults, then success; the second epoch comes from the cache.
    assert [faulty.gets()[name] for name in served.names] == [2, 3, 2, 2, 2, 2, 2, 2]
    assert "replaced" not in (tmp_path / "run" / "run.log").read_text()
    written = [file for file in (tmp_path / "run").rglob("*") if file.is_file()]
    assert written
    assert not any(SECRET.encode() in file.read_bytes() for file in written)


def test_shards_on_s3(
    served: Served, local_losses: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The videos and their order are those of the list, so the losses are, too."""
    with s3_server() as endpoint:
        for name, value in s3_environment(endpoint).items():
            monkeypatch.setenv(name, value)
        _upload(served)
        run_here(
            tmp_path / "run",
            DATA__SOURCE="shards",
            DATA__ROOT="s3://videos/k400",
            DATA__TRAIN=f"train-{{000..{NUM_SHARDS - 1:03d}}}.tar",
        )
    assert losses(tmp_path / "run") == local_losses


def _upload(served: Served) -> None:
    import boto3

    client = boto3.client("s3")
    client.create_bucket(Bucket="videos")
    for file in served.folder.glob("*.tar"):
        client.upload_file(str(file), "videos", f"k400/{file.name}")
