"""The program as a user runs it: a page at the end of every run, the same again from its files, mistakes in a line."""

import json
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from sce_video.config import load_config
from sce_video.launch.local import run_task
from tests.report.runs import NASTY, Node, parse, rows_of, table
from tests.settings import used_overrides

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIG = REPOSITORY / "configs/demo_sce.yaml"
SMALL = {
    "DATA.TEST": "test",
    "DATA.NUM_WORKERS": "0",
    "CLIP.SECONDS": "0.5",
    "CLIP.NUM_FRAMES": "2",
    "METHOD.QUEUE_LENGTH": "40",
    "TRAIN.NUM_EPOCHS": "1",
    "TRAIN.GLOBAL_BATCH_SIZE": "8",
    "TRAIN.LOG_EVERY_STEPS": "1",
    "OPTIM.WARMUP_EPOCHS": "0",
    "EVAL.NUM_CLIPS": "1",
    "EVAL.NUM_CROPS": "1",
    "EVAL.SIZE_PIXELS": "32",
    "EVAL.LOCAL_BATCH_SIZE": "32",
    "EVAL.RETRIEVAL_RANKS": "1,5",
}


def run_net(videos: Path, output_dir: Path, **changes: str) -> None:
    """A run in this process, which has already imported everything."""
    settings = {**SMALL, "DATA.ROOT": str(videos), "RUN.OUTPUT_DIR": str(output_dir), "RUN.DEVICE": "cpu"}
    settings |= {key.replace("__", "."): value for key, value in changes.items()}
    run_task(load_config(CONFIG, used_overrides(CONFIG, settings)))
    assert (output_dir / "report.html").is_file()


@pytest.fixture(scope="module")
def videos(motion_videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The motion videos, of which one class has a name that would be HTML."""
    root = tmp_path_factory.mktemp("videos") / "motion"
    shutil.copytree(motion_videos, root)
    for part in ("train", "test"):
        first = min(path for path in (root / part).iterdir() if path.is_dir())
        first.rename(first.with_name(NASTY))
    return root


@pytest.fixture(scope="module")
def retrieval(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "retrieval"
    run_net(videos, folder, TASK="retrieval")
    return folder


@pytest.fixture(scope="module")
def knn(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "knn"
    run_net(videos, folder, TASK="knn", RUN__SEED="7")
    return folder


@pytest.fixture
def main(tool: Callable[..., int]) -> Callable[..., int]:
    return partial(tool, "report")


def read_page(file: Path) -> Node:
    return parse(file.read_text(encoding="utf-8"))


def undated(file: Path) -> str:
    """A page without the day it was made on, which may be another one by now."""
    return re.sub(r"page made on \d{4}-\d\d-\d\d", "", file.read_text(encoding="utf-8"))


def pictures_of(page: Node) -> tuple[list[Node], list[str]]:
    """Moving pictures, and the words that stand for those that are missing."""
    shown = page.all("div", class_="clip", role="img")
    return shown, [missing.text for missing in page.all("div", class_="missing")]


def test_an_evaluation_ends_with_a_page(retrieval: Path) -> None:
    page = read_page(retrieval / "report.html")
    sections = [section.attributes["id"] for section in page.all("section")]
    assert sections == ["results", "classes", "gallery", "map", "origin"]
    results = json.loads((retrieval / "results.json").read_text())
    first = rows_of(table(page, "Metrics"))[0]
    r1, error = results["metrics"]["retrieval_r1"], results["standard_errors"]["retrieval_r1"]
    assert error == pytest.approx((r1 * (1 - r1) / 8) ** 0.5)
    assert results["chance"]["retrieval_r1"] == pytest.approx(1 / 8)  # as many training videos of each of 8 classes
    assert first == ["R@1", f"{100 * r1:.1f} ± {100 * error:.1f}", "12.5"]
    settings = {row[0] for row in rows_of(table(page, "Protocol"))}
    assert "retrieval level" in settings
    assert not any(name.startswith(("knn", "linear")) for name in settings)
    assert page.one("p", class_="weights").text.startswith("random weights")
    shown, missing = pictures_of(page)
    assert missing == []
    assert len(shown) == 8 * (1 + 5)  # every test video and its five nearest
    assert len(page.one("svg", class_="map").all("circle")) == 8
    assert {row[0] for row in rows_of(table(page, "R@1 of each class"))} >= {NASTY}
    assert page.all("img") == []
    assert results["environment"]["command"] in page.one("section", id="origin").text


def test_the_page_is_made_again_the_same(main: Callable[..., int], retrieval: Path, tmp_path: Path, capsys) -> None:
    again = tmp_path / "again.html"
    assert main(retrieval, "--output", again) == 0
    assert capsys.readouterr().out == f"wrote {again}\n"
    before = undated(retrieval / "report.html")
    assert undated(again) == before
    (retrieval / "report.html").unlink()
    assert main(retrieval) == 0
    assert undated(retrieval / "report.html") == before


def test_features_of_other_weights_are_not_mapped(
    main: Callable[..., int], retrieval: Path, knn: Path, tmp_path: Path
) -> None:
    shutil.copytree(retrieval, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "features")
    shutil.copytree(knn / "features", tmp_path / "run" / "features")  # as many rows, of another random network
    assert main(tmp_path / "run") == 0
    assert [section.attributes["id"] for section in read_page(tmp_path / "run" / "report.html").all("section")] == [
        *("results", "classes", "gallery", "origin")
    ]


def test_features_of_an_extraction_are_mapped(main: Callable[..., int], videos: Path, tmp_path: Path) -> None:
    """Those of the test videos; of a folder without labels those of all videos."""
    run_net(videos, tmp_path / "labeled", TASK="extract")
    page = read_page(tmp_path / "labeled" / "report.html")
    assert [section.attributes["id"] for section in page.all("section")] == ["results", "map", "origin"]
    assert rows_of(table(page, "Features")) == [["videos", "32 of 32"]]
    assert "8 of 8 features of test videos" in page.one("section", id="map").text
    assert len(page.one("svg", class_="map").all("circle")) == 8
    options = page.one("select", id="map-class").all("option")
    assert options[0].text == "no class"
    assert NASTY in [option.text for option in options]
    assert len(options) == 1 + 8
    run_net(videos, tmp_path / "bare", TASK="extract", DATA__SOURCE="folder", DATA__TEST="")
    page = read_page(tmp_path / "bare" / "report.html")
    assert "24 of 24 features of training videos" in page.one("section", id="map").text
    assert page.all("select") == []
    (tmp_path / "bare" / "train.csv").write_text("row,video,path,label\n")
    assert main(tmp_path / "bare") == 0  # a warning; the rest is shown
    assert [section.attributes["id"] for section in read_page(tmp_path / "bare" / "report.html").all("section")] == [
        *("results", "origin")
    ]


def test_a_run_that_was_moved(main: Callable[..., int], retrieval: Path, tmp_path: Path) -> None:
    shutil.copytree(retrieval, tmp_path / "moved")
    (tmp_path / "moved" / "report.html").unlink()
    assert main(tmp_path / "moved") == 0
    assert len(pictures_of(read_page(tmp_path / "moved" / "report.html"))[0]) == 48


def test_two_runs_side_by_side(main: Callable[..., int], retrieval: Path, knn: Path, tmp_path: Path) -> None:
    assert main(retrieval, knn, "--output", tmp_path / "both.html") == 0
    page = read_page(tmp_path / "both.html")
    assert [cell.text for cell in table(page, "Metrics").one("thead").all("th")] == [
        *("metric", "retrieval", "knn", "chance")
    ]
    card = page.all("li", class_="query")[0]
    assert [name.text for name in card.all("p", class_="run-name")] == ["retrieval", "knn"]
    assert [row[0] for row in rows_of(table(page, "Config keys that differ"))] == ["TASK", "RUN.SEED"]
    assert len(page.all("svg", class_="map")) == 2


def test_videos_that_are_gone_or_broken_since_then_are_words(
    main: Callable[..., int], retrieval: Path, videos: Path, tmp_path: Path
) -> None:
    copy, run = tmp_path / "videos", tmp_path / "run"
    shutil.copytree(videos, copy)
    shutil.copytree(retrieval, run)
    config = (run / "config.yaml").read_text().replace(str(videos), str(copy))
    (run / "config.yaml").write_text(config)
    broken = next((copy / "test" / NASTY).iterdir())
    broken.write_bytes(b"no video")
    assert main(run) == 0
    shown, missing = pictures_of(read_page(run / "report.html"))
    assert len(shown) == 47
    assert len(missing) == 1
    assert str(broken) in missing[0]
    shutil.rmtree(copy)
    assert main(run) == 0
    shown, missing = pictures_of(read_page(run / "report.html"))
    assert shown == []
    assert len(missing) == 48
    assert all(str(copy) in words for words in missing)


def test_a_training_run_shows_curves_and_views(videos: Path, tmp_path: Path) -> None:
    run_net(videos, tmp_path / "sce")
    page = read_page(tmp_path / "sce" / "report.html")
    assert [section.attributes["id"] for section in page.all("section")] == ["curves", "views", "origin"]
    assert len(pictures_of(page)[0]) == 4 * 2  # two views of four videos
    assert shlex.join(sys.argv) in page.one("section", id="origin").one("pre", class_="wrapped").text
    run_net(videos, tmp_path / "finetune", TASK="finetune", EVAL__CHECKPOINT=str(tmp_path / "sce"))
    page = read_page(tmp_path / "finetune" / "report.html")
    sections = [section.attributes["id"] for section in page.all("section")]
    assert sections == ["results", "curves", "classes", "views", "origin"]
    assert len(pictures_of(page)[0]) == 4
    assert all(
        len(chart.one("polyline").attributes["points"].split()) == 3 for chart in page.all("figure", class_="chart")
    )


def test_splits_side_by_side_with_their_mean(main: Callable[..., int], videos: Path, tmp_path: Path) -> None:
    """The second split leaves a test video out."""
    for part, kept in (("train", [slice(None)] * 2), ("test", [slice(None), slice(1, None)])):
        paths = sorted(path.relative_to(videos) for path in (videos / part).rglob("*.mp4"))
        classes = sorted({path.parent.name for path in paths})
        lines = [f"{path},{classes.index(path.parent.name)}\n" for path in paths]
        for split in (1, 2):
            (tmp_path / f"{part}{split}.csv").write_text("".join(lines[kept[split - 1]]))
    lists = {f"DATA__{part.upper()}": str(tmp_path / f"{part}{{split}}.csv") for part in ("train", "test")}
    run = tmp_path / "run"
    run_net(videos, run, TASK="retrieval", DATA__SOURCE="list", EVAL__SPLITS="1,2", **lists)
    assert (run / "split_1" / "report.html").is_file()
    summary = json.loads((run / "results.json").read_text())
    before = (run / "report.html").read_bytes()
    page = read_page(run / "report.html")
    header = [cell.text for cell in table(page, "Metrics").one("thead").all("th")]
    assert header == ["metric", "split_1", "split_2", "mean ± deviation", "chance"]
    mean, spread = (100 * summary[key]["retrieval_r1"] for key in ("metrics", "metrics_std"))
    assert rows_of(table(page, "Metrics"))[0][-2] == f"{mean:.1f} ± {spread:.1f}"
    assert main(run) == 0
    assert (run / "report.html").read_bytes() == before


def test_a_page_that_cannot_be_written_does_not_fail_the_run(
    tool: Callable[..., int], videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "knn" / "report.html").mkdir(parents=True)
    settings = {**SMALL, "DATA.ROOT": str(videos), "RUN.OUTPUT_DIR": str(tmp_path / "knn"), "TASK": "knn"}
    assert tool("run_net", "--cfg", CONFIG, *used_overrides(CONFIG, settings)) == 0
    assert "no report.html: " in capsys.readouterr().err
    assert (tmp_path / "knn" / "results.json").is_file()


MISTAKES = {
    "no such folder": (["{tmp}/nowhere"], "{tmp}/nowhere is not a folder; give the RUN.OUTPUT_DIR of a run"),
    "no run": (["{tmp}"], "{tmp} holds no config.yaml; give the RUN.OUTPUT_DIR of a run"),
    "nothing yet": (["{tmp}/young"], "{tmp}/young holds neither results.json nor metrics.jsonl"),
    "torn": (["{tmp}/torn"], "{tmp}/torn/results.json cannot be read"),
    "another config": (["{tmp}/old"], "unknown key DATA.COLOUR"),
    "twice": (["{run}", "{run}/../retrieval"], "retrieval is given twice; compare a run with another one"),
    "output is a folder": (["{run}", "--output", "{tmp}"], "{tmp}"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(
    main: Callable[..., int], retrieval: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], mistake: str
) -> None:
    config = (retrieval / "config.yaml").read_text()
    for name in ("young", "torn", "old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text(config)
    (tmp_path / "torn" / "results.json").write_text('{"metrics"')
    (tmp_path / "old" / "config.yaml").write_text("DATA:\n  COLOUR: red\n")
    arguments, message = MISTAKES[mistake]
    places = {"tmp": str(tmp_path), "run": str(retrieval)}
    assert main(*(argument.format(**places) for argument in arguments)) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 1
    assert shown.err.startswith("error: ")
    assert message.format(**places) in shown.err


@pytest.mark.parametrize(("arguments", "code"), [(["--help"], 0), ([], 2)])
def test_help_and_no_arguments(
    main: Callable[..., int], capsys: pytest.CaptureFixture[str], arguments: list[str], code: int
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(*arguments)
    assert ended.value.code == code
    shown = capsys.readouterr()
    assert "RUN" in (shown.err if code else shown.out)
