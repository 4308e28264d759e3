"""Several splits in one run: each gives the results of that split alone, and the mean is that of all."""

import json
from pathlib import Path

import numpy as np
import pytest
from fvcore.common.config import CfgNode

from sce_video.config import load_config
from sce_video.errors import ConfigError
from sce_video.launch.local import run_task
from sce_video.launch.splits import _write_mean
from sce_video.report.floors import Floor, add_floors

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "demo_knn.yaml"


@pytest.fixture(scope="module")
def lists(motion_videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Split s tests on the s-th video of each motion and trains on the two others."""
    folder = tmp_path_factory.mktemp("lists")
    files = sorted((motion_videos / "train").rglob("*.mp4"))
    labels = sorted({file.parent.name for file in files})
    lines = [f"{file} {labels.index(file.parent.name)}" for file in files]
    for split in (1, 2, 3):
        parts = {"test": lines[split - 1 :: 3], "train": [line for i, line in enumerate(lines) if i % 3 != split - 1]}
        for name, part in parts.items():
            (folder / f"{name}{split}.txt").write_text("\n".join(part))
    return folder


def config(lists: Path, output_dir: Path, **changes: object) -> CfgNode:
    settings: dict[str, object] = {
        "TASK": "knn",
        "DATA.SOURCE": "list",
        "DATA.ROOT": "/",
        "DATA.TRAIN": lists / "train{split}.txt",
        "DATA.TEST": lists / "test{split}.txt",
        "DATA.NUM_WORKERS": 0,
        "CLIP.SECONDS": 0.5,
        "CLIP.NUM_FRAMES": 2,
        "EVAL.KNN_NUM_NEIGHBORS": 1,
        "RUN.OUTPUT_DIR": output_dir,
        **{key.replace("__", "."): value for key, value in changes.items()},
    }
    return load_config(CONFIG, shared=[str(text) for pair in settings.items() for text in pair])


def results(folder: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads((folder / "results.json").read_text())
    return content


def test_three_splits_and_their_mean(lists: Path, tmp_path: Path) -> None:
    run_task(config(lists, tmp_path / "all", EVAL__SPLITS="1,2,3"))
    alone = []
    for split in (1, 2, 3):
        run_task(config(lists, tmp_path / str(split), DATA__SPLIT=split))
        alone.append(results(tmp_path / str(split)))
        together = results(tmp_path / "all" / f"split_{split}")
        assert together["metrics"] == alone[-1]["metrics"]
        assert together["protocol"] == alone[-1]["protocol"]
        assert together["protocol"]["split"] == split
    assert len({each["protocol"]["test_videos"] for each in alone}) == 3
    mean = results(tmp_path / "all")
    for name, value in mean["metrics"].items():
        each = [result["metrics"][name] for result in alone]
        assert value == pytest.approx(np.mean(each))
        assert mean["metrics_std"][name] == pytest.approx(np.std(each, ddof=1))
    assert (mean["num_evaluated"], mean["num_expected"]) == (24, 24)
    assert mean["protocol"]["split"] == [1, 2, 3]


def test_a_finetuning_that_is_stopped_has_no_mean_yet(lists: Path, tmp_path: Path) -> None:
    changes = {
        "TASK": "finetune",
        "EVAL__SPLITS": "1,3",
        "TRAIN__NUM_EPOCHS": 1,
        "TRAIN__GLOBAL_BATCH_SIZE": 8,
        "OPTIM__WARMUP_EPOCHS": 0,
    }
    run_task(config(lists, tmp_path, TRAIN__STOP_AT_STEP=1, **changes))
    assert not (tmp_path / "results.json").exists()
    run_task(config(lists, tmp_path, **changes))
    assert set(results(tmp_path)["splits"]) == {"1", "3"}


def test_one_split_and_several_do_not_share_a_folder(lists: Path, tmp_path: Path) -> None:
    run_task(config(lists, tmp_path / "one", DATA__SPLIT=1))
    before = results(tmp_path / "one")
    with pytest.raises(ConfigError, match=r"one holds a run of one split; give EVAL\.SPLITS another RUN\.OUTPUT_DIR"):
        run_task(config(lists, tmp_path / "one", EVAL__SPLITS="1,2"))
    assert results(tmp_path / "one") == before
    run_task(config(lists, tmp_path / "all", EVAL__SPLITS="1,2"))
    before = results(tmp_path / "all")
    with pytest.raises(ConfigError, match=r"all holds a run of several splits; give one split another"):
        run_task(config(lists, tmp_path / "all", DATA__SPLIT=1))
    assert results(tmp_path / "all") == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"EVAL__SPLITS": "1,4"}, r"EVAL\.SPLITS is \[1, 4\]; every value must be between 0 and 3"),
        ({"EVAL__SPLITS": "0,1"}, r"EVAL\.SPLITS is \[0, 1\]; list each of 1, 2, 3 at most once"),
        ({"EVAL__SPLITS": "2,2"}, r"EVAL\.SPLITS is \[2, 2\]; list each"),
        ({"EVAL__SPLITS": "1,2", "DATA__TEST": "test.txt"}, r"list with \{split\} in DATA\.TRAIN and DATA\.TEST"),
        ({"EVAL__SPLITS": "1,2", "DATA__SOURCE": "class_folders"}, r"only DATA\.SOURCE ucf101, hmdb51, or list"),
    ],
)
def test_splits_that_are_not_there(lists: Path, tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config(lists, tmp_path, **changes)


def test_floors_of_the_splits_have_their_mean(lists: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """By hand: 0.2 and 0.3 are 0.25 ± sqrt(0.03^2 + 0.04^2) / 2 = 0.025; of the metric 0.6 ± 0.05 / sqrt(2)."""
    of_splits = {}
    for split, top1, error in ((1, 0.2, 0.03), (2, 0.3, 0.04)):
        file = tmp_path / f"split_{split}" / "floors.json"
        file.parent.mkdir()
        file.write_text(add_floors(file, str(split), [Floor("ridge", top1, error)]))
        metrics = {"metrics": {"knn_top1": 0.6}, "standard_errors": {"knn_top1": 0.05}, "lists": {"digest": str(split)}}
        of_splits[split] = {**metrics, "num_evaluated": 4, "num_expected": 4, "protocol": {}}
    with caplog.at_level("INFO", logger="sce_video"):
        _write_mean(config(lists, tmp_path), tmp_path, of_splits)
    (floor,) = results(tmp_path)["floors"]
    assert (floor["title"], floor["top1"]) == ("ridge", pytest.approx(0.25))
    assert floor["standard_error"] == pytest.approx(0.025)
    assert "kNN 60.0 ± 3.5 % beats every floor; the highest is the ridge, 25.0 ± 2.5 %." in caplog.text


def test_splits_of_an_older_version_have_no_chance_level(lists: Path, tmp_path: Path) -> None:
    old = {"metrics": {"knn_top1": 0.5}, "num_evaluated": 4, "num_expected": 4, "protocol": {}}
    new = {**old, "metrics": {"knn_top1": 0.7}, "chance": {"knn_top1": 0.25}}
    for before, after in ((old, new), (new, old)):
        _write_mean(config(lists, tmp_path), tmp_path, {1: before, 2: after})
        assert results(tmp_path)["metrics"] == {"knn_top1": pytest.approx(0.6)}
        assert results(tmp_path)["chance"] == {}
