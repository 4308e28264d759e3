"""TASK examine on a few real videos and on pictures: the groups, the cache, what is refused, and the files."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from fvcore.common.config import CfgNode

from sce_video.build.data import build_train_manifest
from sce_video.errors import ManifestError
from sce_video.report.run_folder import read_results
from sce_video.tasks.examine import examine_task, listed_groups

CPU = torch.device("cpu")


@pytest.fixture
def videos(config: Callable[..., CfgNode], motion_videos: Path) -> Callable[..., CfgNode]:
    """The config of TASK examine on eight videos, of the classes fall, grow, orbit and rise."""

    def make(**changes: object) -> CfgNode:
        usual = {"DATA__SOURCE": "folder", "DATA__ROOT": motion_videos / "test", "DATA__TRAIN": ".", "DATA__TEST": ""}
        clips = {"CLIP__NUM_FRAMES": 4, "CLIP__SECONDS": 0.5, "EVAL__SIZE_PIXELS": 32}
        return config("examine", **{**usual, **clips, **changes})

    return make


def results_of(cfg: CfgNode) -> dict:
    examine_task(cfg, CPU)()
    return read_results(Path(cfg.RUN.OUTPUT_DIR) / "results.json")  # checks it as the page does


def test_a_folder_without_labels(videos: Callable[..., CfgNode], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    results = results_of(videos())
    assert (results["num_evaluated"], results["num_expected"], results["failures"]) == (8, 8, [])
    bars = {bar["name"]: bar for bar in results["examination"]["bars"]}
    assert set(bars) == {
        *("frozen", "shuffled", "reversed", "other_speed", "mirrored", "gray", "cropped", "other_clip", "other_videos")
    }
    assert {bar["num_videos"] for bar in bars.values()} == {8}
    assert results["metrics"]["examine_frozen"] == bars["frozen"]["mean"] <= 1
    assert results["examination"]["shares"] == []
    assert results["protocol"]["clips"] == "examined"
    caplog.clear()
    again = results_of(videos())
    assert "8 of 8 videos from cache" in caplog.text
    assert again["metrics"] == results["metrics"]
    for words in again["examination"]["words"]:
        assert words in caplog.text


def test_groups_by_pattern_are_those_of_a_list(
    videos: Callable[..., CfgNode], motion_videos: Path, tmp_path: Path
) -> None:
    paths = sorted(str(path.relative_to(motion_videos)) for path in (motion_videos / "train").rglob("*.mp4"))[:6]
    table = "".join(f"{path},{path.split('/')[1]},{number % 3}\n" for number, path in enumerate(paths))
    (tmp_path / "list.csv").write_text(f"path,label,group\n{table}")
    changes = {"DATA__SOURCE": "list", "DATA__ROOT": motion_videos, "DATA__TRAIN": tmp_path / "list.csv"}
    of_column = videos(**changes)
    listed = build_train_manifest(of_column)
    assert listed_groups(of_column, listed) == ["0", "1", "2"] * 2
    by_class = videos(**changes, EVAL__GROUP_PATTERN="train/([a-z]+)/")
    assert listed_groups(by_class, listed) == [path.split("/")[1] for path in paths]
    shares = {share["name"]: share for share in results_of(of_column)["examination"]["shares"]}
    assert set(shares) == {"same_group", "same_class", "same_class_of_other_groups"}
    assert shares["same_group"]["chance"] == pytest.approx(1 / 5)  # one of the five others
    assert shares["same_class"]["chance"] == pytest.approx(2 / 5)  # three videos of each class


def test_a_pattern_that_matches_nothing_is_refused(videos: Callable[..., CfgNode]) -> None:
    with pytest.raises(ManifestError, match=r"EVAL.GROUP_PATTERN 'x\(y\)z' matches none of the 8 paths of"):
        examine_task(videos(EVAL__GROUP_PATTERN="x(y)z"), CPU)


def test_pictures_have_no_rows_of_movement(config: Callable[..., CfgNode]) -> None:
    results = results_of(config("examine", EVAL__NUM_EXAMINED=3))
    assert results["num_evaluated"] == 3
    assert {bar["name"] for bar in results["examination"]["bars"]} == {"mirrored", "gray", "cropped", "other_videos"}
    assert "Clips have one frame: nothing can be said of movement." in results["examination"]["words"]


def test_pictures_shown_as_clips_do_not_move(config: Callable[..., CfgNode]) -> None:
    examination = results_of(config("examine", EVAL__NUM_EXAMINED=3, CLIP__NUM_FRAMES=4))["examination"]
    assert {bar["name"] for bar in examination["bars"]} == {"mirrored", "gray", "cropped", "other_videos"}
    assert "None of the 3 videos moves visibly: nothing can be said of movement." in examination["words"]


def test_a_network_of_differences_is_not_asked_about_frozen_clips(videos: Callable[..., CfgNode]) -> None:
    cfg = videos(EVAL__GROUP_PATTERN="(mp4)", MODEL__REPRESENTATION="difference")
    examination = results_of(cfg)["examination"]
    assert "frozen" not in {bar["name"] for bar in examination["bars"]}
    few, group, blank = examination["words"][:3]
    assert few == "Only 8 videos: too few to say what these features see of movement."
    assert group.startswith("All videos are in one group (EVAL.GROUP_PATTERN or the column group)")
    assert blank == "A frozen clip is blank for a network that sees differences of frames: it is left out."


def test_a_broken_video_is_left_out_and_named(config: Callable[..., CfgNode], pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    lines = [f"{pictures}/train{number}.png" for number in range(3)]
    (tmp_path / "list.txt").write_text("\n".join([lines[0], str(tmp_path / "broken.png"), *lines[1:]]))
    cfg = config("examine", DATA__ROOT="", DATA__TRAIN=tmp_path / "list.txt", DATA__TEST="")
    results = results_of(cfg)
    assert (results["num_evaluated"], results["num_expected"]) == (3, 4)
    assert "broken.png" in json.dumps(results["failures"])
