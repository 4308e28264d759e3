"""The floors of a few pictures: measured, written, found by the next evaluation, and told in words."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from fvcore.common.config import CfgNode
from PIL import Image

from sce_video.errors import ConfigError
from sce_video.report.floors import read_floors
from sce_video.report.page import report_page
from sce_video.tasks.describe import build_reported_runs
from sce_video.tasks.floors import floors_task
from sce_video.tasks.on_features import on_features_task

CPU = torch.device("cpu")


@pytest.fixture
def lists(pictures: Path, tmp_path: Path) -> dict[str, object]:
    """Copies of the two lists, beside which the test may write."""
    for name in ("train", "test"):
        (tmp_path / f"{name}.txt").write_text((pictures / f"{name}.txt").read_text())
    return {f"DATA__{name.upper()}": tmp_path / f"{name}.txt" for name in ("train", "test")}


def results_of(run: Path) -> dict:
    return json.loads((run / "results.json").read_text())


def test_an_evaluation_shows_the_floors_of_its_lists(
    config: Callable[..., CfgNode], lists: dict[str, object], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Three of four pictures are copies: 0.75 ± sqrt(0.75 0.25 / 4) for their pixels; the network sees them as well."""
    floors_task(config("floors", RUN__OUTPUT_DIR=tmp_path / "floors", **lists), CPU)()
    metrics = results_of(tmp_path / "floors")["metrics"]
    of_images = ("majority_class", "middle_frame", "ridge")  # no differences
    assert metrics.keys() == {*of_images, "random_initialisation", "random_initialisation_r1"}
    assert (metrics["middle_frame"], metrics["majority_class"]) == (0.75, 0.5)
    cfg = config("retrieval", EVAL__RETRIEVAL_RANKS=1, **lists)
    with caplog.at_level("INFO", logger="sce_video"):
        on_features_task(cfg, CPU)()
    results = results_of(tmp_path / "run")
    rows = {row["title"]: (row["top1"], row["standard_error"]) for row in results["floors"]}
    assert rows["middle frame"] == pytest.approx((0.75, (0.75 * 0.25 / 4) ** 0.5))
    (random,) = (title for title in rows if title.startswith("random"))
    assert random == "random r2plus1d_mini (rgb, 1 x 1 views of 1 frame, 32 pixels, R@1)"
    assert rows[random][0] == results["metrics"]["retrieval_r1"]  # the same network
    words = "R@1 (1-NN) 75.0 ± 21.7 % does not beat the"
    assert words in caplog.text
    (tmp_path / "run" / "config.yaml").write_text("")
    page = report_page(build_reported_runs([cfg], names=[""]), title="pictures", made_on="today")
    assert words in page
    assert "Floors, top-1 in percent" in page


def test_floors_of_changed_lists_are_not_shown(
    config: Callable[..., CfgNode], lists: dict[str, object], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    floors_task(config("floors", RUN__OUTPUT_DIR=tmp_path / "floors", **lists), CPU)()
    (tmp_path / "test.txt").write_text("test0.png 0\ntest1.png 1\n")
    with caplog.at_level("INFO", logger="sce_video"):
        on_features_task(config("knn", **lists), CPU)()
    assert "floors" not in results_of(tmp_path / "run")
    assert "no floors of these videos and labels are known, only of others" in caplog.text


def test_floors_of_a_copy_are_shown_and_those_of_other_videos_of_the_same_names_are_not(
    config: Callable[..., CfgNode],
    lists: dict[str, object],
    pictures: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    floors_task(config("floors", RUN__OUTPUT_DIR=tmp_path / "floors", **lists), CPU)()
    (tmp_path / "test.txt.floors.json").unlink()  # those of the run, in a folder beside, are left
    root = tmp_path / "videos"
    shutil.copytree(pictures, root, copy_function=shutil.copyfile)
    on_features_task(config("knn", DATA__ROOT=root, **lists), CPU)()
    assert results_of(tmp_path / "run")["floors"]
    Image.new("RGB", (32, 32)).save(root / "train0.png")
    with caplog.at_level("INFO", logger="sce_video"):
        on_features_task(config("knn", DATA__ROOT=root, **lists), CPU)()
    assert "floors" not in results_of(tmp_path / "run")
    assert "no floors of these videos and labels are known, only of others" in caplog.text


def test_the_random_network_of_other_views_is_kept_and_not_shown(
    config: Callable[..., CfgNode], lists: dict[str, object], tmp_path: Path
) -> None:
    for name, pixels in (("a", 32), ("b", 40)):
        floors_task(config("floors", RUN__OUTPUT_DIR=tmp_path / name, EVAL__SIZE_PIXELS=pixels, **lists), CPU)()
    (known,) = read_floors(tmp_path / "test.txt.floors.json").values()
    assert sum(floor.title.startswith("random") for floor in known) == 4
    on_features_task(config("knn", EVAL__SIZE_PIXELS=32, **lists), CPU)()
    titles = [floor["title"] for floor in results_of(tmp_path / "run")["floors"]]
    assert [title for title in titles if title.startswith("random")] == [
        "random r2plus1d_mini (rgb, 1 x 1 views of 1 frame, 32 pixels, kNN of 20 at 0.07)"
    ]
    assert len(titles) == len(known) - 3


def test_floors_of_other_frames_of_the_same_folders_are_not_taken(
    config: Callable[..., CfgNode], lists: dict[str, object], pictures: Path, tmp_path: Path
) -> None:
    """Of each picture a folder has a copy and a gray frame, which says nothing: 1-NN takes the first training video."""
    for file in pictures.glob("*.png"):
        folder = tmp_path / "frames" / file.name
        folder.mkdir(parents=True)
        shutil.copyfile(file, folder / "img_0.png")
        Image.new("RGB", (32, 32), (9, 9, 9)).save(folder / "flow_0.png")
    found = []
    for name in ("img", "flow"):
        of_frames = {"DATA__ROOT": tmp_path / "frames", "DATA__FRAMES_PATTERN": f"{name}_{{:d}}.png", **lists}
        floors_task(config("floors", RUN__OUTPUT_DIR=tmp_path / "floors", **of_frames), CPU)()
        found.append(results_of(tmp_path / "floors")["metrics"]["middle_frame"])
    assert found == [0.75, 0.5]
    assert len(read_floors(tmp_path / "test.txt.floors.json")) == 2


def test_a_list_in_a_folder_that_cannot_be_written_has_floors_in_the_run(
    config: Callable[..., CfgNode], lists: dict[str, object], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "test.txt.floors.json").mkdir()  # root may write into any folder, but over none
    with caplog.at_level("INFO", logger="sce_video"):
        floors_task(config("floors", RUN__OUTPUT_DIR=tmp_path / "floors", **lists), CPU)()
        on_features_task(config("knn", **lists), CPU)()
    assert "test.txt.floors.json cannot be written" in caplog.text
    assert results_of(tmp_path / "run")["floors"]


def test_trained_weights_are_no_floor(config: Callable[..., CfgNode]) -> None:
    with pytest.raises(ConfigError, match="TASK floors is of random weights"):
        config("floors", EVAL__CHECKPOINT="runs/a")
