"""The whole page: well formed, nothing to load, names are never HTML, every number is where it belongs."""

import re
from pathlib import Path

import pytest
import torch

from sce_video.report.feature_map import make_feature_map
from sce_video.report.page import report_page
from sce_video.report.reported import Pictures, ReportedRun
from tests.report.runs import (
    NASTY,
    Node,
    parse,
    reported,
    rows_of,
    table,
    write_metrics_log,
    write_neighbors,
    write_predictions,
    write_results,
)

QUERIES = [
    (f"{NASTY}/1.mp4", 0, [("run/a.mp4", 1), (f"{NASTY}/b.mp4", 0)]),
    (f"{NASTY}/2.mp4", 0, [(f"{NASTY}/b.mp4", 0), ("run/a.mp4", 1)]),
    ("run/3.mp4", 1, [("run/a.mp4", 1), (f"{NASTY}/b.mp4", 0)]),
    ("run/4.mp4", 1, [("run/a.mp4", 1), (f"{NASTY}/b.mp4", 0)]),
]


def retrieval_run(folder: Path, *, name: str = "", **more) -> ReportedRun:
    folder.mkdir(exist_ok=True)
    write_results(folder, "retrieval", {"retrieval_r1": 0.75, "retrieval_r5": 1.0}, **more)
    write_neighbors(folder, QUERIES)
    labels, paths = [0, 0, 1, 1], [path for path, _, _ in QUERIES]
    features = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    return reported(folder, name=name, feature_map=make_feature_map(features, labels=labels, paths=paths))


def finetune_run(
    folder: Path,
    *,
    name: str = "",
    loss: float = 4.0,
    top1: float = 0.5,
    settings: dict[str, str] | None = None,
    **more,
) -> ReportedRun:
    folder.mkdir(exist_ok=True)
    write_results(folder, "finetune", {"finetune_top1": top1, "finetune_mean_class": 0.25}, **more)
    write_predictions(folder, [(path, label, 1) for path, label, _ in QUERIES])
    write_metrics_log(folder, loss=loss)
    return reported(folder, name=name, task="finetune", settings=settings or {})


def page_of(*runs: ReportedRun, **more) -> str:
    return report_page(runs, title=f"a page of {NASTY}", made_on="2026-11-26", **more)


def sections_of(page: Node) -> list[str | None]:
    return [section.attributes["id"] for section in page.all("section")]


@pytest.fixture(params=["retrieval", "finetune", "both"])
def page(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    runs = {
        "retrieval": lambda: [retrieval_run(tmp_path / "r")],
        "finetune": lambda: [finetune_run(tmp_path / "f")],
        "both": lambda: [retrieval_run(tmp_path / "r", name=NASTY), finetune_run(tmp_path / "f", name="f")],
    }
    return page_of(*runs[request.param]())


def test_the_page_is_well_formed(page: str) -> None:
    read = parse(page)
    assert page.startswith("<!DOCTYPE html>\n")
    assert read.one("html").attributes["lang"] == "en"
    assert read.one("head").one("title").text == f"a page of {NASTY}"
    ids = re.findall(r'\sid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    for link in read.all("a"):
        assert link.attributes["href"].removeprefix("#") in ids
    for labelled in read.all("section"):
        assert labelled.attributes["aria-labelledby"] in ids
    for label in read.all("label"):
        assert label.attributes["for"] in ids


def test_nothing_is_loaded(page: str) -> None:
    read = parse(page)
    loading = ("img", "link", "iframe", "object", "embed", "video", "audio", "source", "base", "form", "use", "image")
    assert [tag for tag in loading if read.all(tag)] == []

    def attributes(node: Node):
        for child in node.children:
            if isinstance(child, Node):
                yield from child.attributes.items()
                yield from attributes(child)

    found = list(attributes(read))
    assert not {name for name, _ in found} & {"src", "srcset", "action", "poster", "background", "xlink:href"}
    assert not [name for name, _ in found if name.startswith("on")]
    assert all(value.startswith("#") for name, value in found if name == "href")
    styles = "".join(style.text for style in read.all("style")) + "".join(v or "" for n, v in found if n == "style")
    assert "@import" not in styles
    assert set(re.findall(r"url\((.{15})", styles)) <= {"data:image/jpeg"}
    code = read.one("script").text + styles
    assert not re.search(r"https?:|file:|//[a-z]|fetch\(|XMLHttp|import\(", code.replace("// ", ""))


def test_names_are_never_html(page: str) -> None:
    read = parse(page)
    assert "<img src" not in page
    assert read.all("img") == []
    (cell,) = [row[0] for row in rows_of(table(read, "of each class")) if row[0] not in ("run", "class 1")]
    assert cell == NASTY
    assert NASTY in read.one("section", id="origin").text
    assert page.count("</script>") == page.count("<script>") == 1


def test_a_retrieval_run(tmp_path: Path) -> None:
    read = parse(page_of(retrieval_run(tmp_path)))
    assert sections_of(read) == ["results", "classes", "gallery", "views", "map", "origin"]
    assert [link.attributes["href"] for link in read.one("nav").all("a")] == [f"#{key}" for key in sections_of(read)]
    assert rows_of(table(read, "Metrics")) == [
        ["R@1", "75.0"],
        ["R@5", "100.0"],
        ["test videos evaluated", "7 of 8"],
    ]
    assert f"{NASTY}/torn.mp4: no frame in it" in read.one("section", id="results").text
    assert rows_of(table(read, "R@1 of each class")) == [[NASTY, "50.0 1 of 2"], ["run", "100.0 2 of 2"]]
    assert rows_of(table(read, "Most frequent confusions")) == [[NASTY, "run", "1"]]
    assert "none are known for retrieval on this list" in read.one("section", id="results").text


def test_the_gallery_marks_right_and_wrong_in_words_and_signs(tmp_path: Path) -> None:
    gallery = parse(page_of(retrieval_run(tmp_path))).one("section", id="gallery")
    cards = gallery.one("ul", class_="gallery").all("li", class_="query")
    assert [card.attributes["data-label"] for card in cards] == ["0", "0", "1", "1"]
    first = cards[0].one("ol", class_="near")
    assert [answer.one("figcaption").text for answer in first.all("li")] == ["✗wrong:  run", f"✓right:  {NASTY}"]
    assert [figure.attributes["class"] for figure in first.all("figure")] == ["wrong", "right"]
    pictures = [picture.attributes["aria-label"] for picture in cards[0].all("div", role="img")]
    assert pictures == [
        f"Query, {NASTY}: {NASTY}/1.mp4",
        "Neighbour 1, wrong, run: run/a.mp4; similarity 0.900",
        f"Neighbour 2, right, {NASTY}: {NASTY}/b.mp4; similarity 0.800",
    ]
    options = gallery.one("select").all("option")
    assert [(option.attributes["value"], option.text) for option in options] == [
        ("", "all classes"),
        ("0", f"{NASTY} (50.0 %)"),
        ("1", "run (100.0 %)"),
    ]


def test_a_finetuning_run(tmp_path: Path) -> None:
    read = parse(page_of(finetune_run(tmp_path)))
    assert sections_of(read) == ["results", "curves", "classes", "views", "origin"]
    charts = [caption.one("strong").text for caption in read.one("section", id="curves").all("figcaption")]
    assert charts == ["Loss, nats", "Learning rate", "Speed, clips/s", "Wait for data, % of the time"]
    assert rows_of(table(read, "Accuracy of each class")) == [[NASTY, "0.0 0 of 2"], ["run", "100.0 2 of 2"]]
    origin = read.one("section", id="origin")
    assert f"run_net.py --cfg '{NASTY}'" in [code.text for code in origin.all("code")]
    assert ["commit", "abc123"] in rows_of(table(origin, "Origin"))
    assert ["num clips", "2"] in rows_of(table(origin, "Protocol"))
    assert f"# {NASTY}\nTASK: finetune\n" in [code.text for code in origin.all("code")]
    assert "were replaced: 2" in origin.text


def test_a_pretraining_run_has_curves_views_and_its_config(tmp_path: Path) -> None:
    write_metrics_log(tmp_path)
    read = parse(page_of(reported(tmp_path, task="pretrain")))
    assert sections_of(read) == ["curves", "views", "origin"]
    views = read.one("figure", class_="preview")
    assert [view.attributes["aria-label"] for view in views.all("div", role="img")] == [
        f"View {number} of {NASTY}/train.mp4" for number in (1, 2)
    ]


def test_beside_published_numbers_in_order(tmp_path: Path) -> None:
    protocol = {"source": "ucf101", "split": 1}
    read = parse(page_of(finetune_run(tmp_path / "run_7", top1=0.942, protocol=protocol)))
    compared = table(read, "UCF101, finetune, in percent")
    rows = rows_of(compared)
    values = [float(row[2]) for row in rows]
    assert values == sorted(values, reverse=True)
    (own,) = [row for row in rows if row[1] == "this run"]
    assert own == ["run_7", "this run", "94.2", "16", "r3d_18", f"{NASTY}.safetensors", "results.json", "measured"]
    index = rows.index(own)
    assert [row.attributes.get("class") for row in compared.one("tbody").all("tr")].index("marked") == index
    assert {row[1] for row in rows} == {"this run", "published"}
    assert ["SCE", "published", "95.3", "16", "R3D-50", "Kinetics-400, 200 epochs"] in [row[:6] for row in rows[:index]]
    assert ["TCLR", "published", "82.0", "unknown", "R3D-18", "UCF101"] in [row[:6] for row in rows[index:]]


def test_several_runs_side_by_side(tmp_path: Path) -> None:
    slow = finetune_run(tmp_path / "a", name="a", loss=4.0, settings={"OPTIM.BASE_LR": "0.1", "RUN.OUTPUT_DIR": "a"})
    fast = finetune_run(tmp_path / "b", name="b", loss=2.0, settings={"OPTIM.BASE_LR": "0.4", "RUN.OUTPUT_DIR": "b"})
    read = parse(page_of(slow, fast))
    metrics = table(read, "Metrics")
    assert [cell.text for cell in metrics.one("thead").all("th")] == ["metric", "a", "b"]
    assert rows_of(metrics)[0] == ["top-1", "50.0", "50.0"]
    loss = read.one("section", id="curves").all("figure")[0]
    assert len(loss.all("polyline")) == 2
    assert [key.text.strip() for key in loss.one("ul", class_="legend").all("li")] == ["a", "b"]
    assert rows_of(table(read, "Config keys that differ")) == [["OPTIM.BASE_LR", "0.1", "0.4"]]
    assert rows_of(table(read, "Accuracy of each class"))[0] == [NASTY, "0.0 0 of 2", "0.0 0 of 2"]
    assert "not tested on the same videos" not in read.text


def test_the_gallery_of_two_runs_shows_both_answers_to_a_query(tmp_path: Path) -> None:
    read = parse(page_of(retrieval_run(tmp_path / "a", name="a"), retrieval_run(tmp_path / "b", name="b")))
    card = read.one("section", id="gallery").all("li", class_="query")[0]
    assert [name.text for name in card.all("p", class_="run-name")] == ["a", "b"]
    assert len(card.all("ol", class_="near")) == 2
    assert len(read.one("section", id="map").all("svg", class_="map")) == 2


def test_runs_on_different_videos_have_a_warning(tmp_path: Path) -> None:
    other = tmp_path / "b"
    run = finetune_run(tmp_path / "a", name="a")
    other.mkdir()
    write_results(other, "finetune", {"finetune_top1": 0.5})
    write_predictions(other, [("run/5.mp4", 1, 1)])
    assert "not tested on the same videos" in parse(page_of(run, reported(other, name="b", task="finetune"))).text
    trained = tmp_path / "c"
    trained.mkdir()
    write_metrics_log(trained)  # and tested nothing
    assert "not tested on the same videos" not in parse(page_of(run, reported(trained, name="c", task="pretrain"))).text


def test_mean_and_deviation_over_splits(tmp_path: Path) -> None:
    protocol = {"source": "hmdb51", "split": 1}
    runs = [
        finetune_run(tmp_path / f"split_{n}", name=f"split_{n}", top1=top1, protocol=protocol)
        for n, top1 in ((1, 0.5), (2, 0.6), (3, 0.7))
    ]
    summary = {
        "metrics": {"finetune_top1": 0.6, "finetune_mean_class": 0.25},
        "metrics_std": {"finetune_top1": 0.1, "finetune_mean_class": 0.0},
        "num_evaluated": 21,
        "num_expected": 24,
    }
    read = parse(page_of(*runs, summary=summary))
    assert rows_of(table(read, "Metrics")) == [
        ["top-1", "50.0", "60.0", "70.0", "60.0 ± 10.0"],
        ["mean over classes", "25.0", "25.0", "25.0", "25.0 ± 0.0"],
        ["test videos evaluated", "7 of 8", "7 of 8", "7 of 8", "21 of 24"],
    ]
    rows = rows_of(table(read, "HMDB51, finetune"))
    assert [(row[0], row[2]) for row in rows if row[1] == "this run"] == [("mean over splits", "60.0 ± 10.0")]


def test_the_reason_replaces_a_missing_picture(tmp_path: Path) -> None:
    write_results(tmp_path, "retrieval", {"retrieval_r1": 0.75})
    write_neighbors(tmp_path, QUERIES)
    run = reported(tmp_path)
    why = f"{NASTY}/1.mp4: no such file"
    pictures = Pictures(
        queries=run.files.queries, test=dict.fromkeys(run.pictures.test, why), missing=[f"No view: {why}"]
    )
    read = parse(page_of(reported(tmp_path, pictures=pictures)))
    said = [missing.text for missing in read.one("section", id="gallery").all("div", class_="missing")]
    assert said.count(f"no picture: {why}") == 4
    assert said.count("no picture: not decoded") == 8
    assert f"No view: {why}" in read.one("section", id="views").text


def test_the_header_names_the_weights(tmp_path: Path) -> None:
    def head(run: ReportedRun) -> str:
        return parse(page_of(run)).one("header").one("p", class_="weights").text

    for name, weights, words in (
        ("a", "r3d_18, random initialisation", "random weights r3d_18, random initialisation"),
        ("b", "r3d_18 after 7 steps, runs/x", "pretrained weights r3d_18 after 7 steps, runs/x"),
    ):
        (tmp_path / name).mkdir()
        write_results(tmp_path / name, "knn", {"knn_top1": 0.5}, weights=weights)
        assert head(reported(tmp_path / name, task="knn")) == words
    (tmp_path / "c").mkdir()
    write_metrics_log(tmp_path / "c")
    told = head(reported(tmp_path / "c", task="pretrain"))
    assert told == "trained here from random weights r3d_18, random initialisation"


def test_names_of_classes_that_the_results_know(tmp_path: Path) -> None:
    write_results(tmp_path, "finetune", {"finetune_top1": 0.5}, class_names={"0": NASTY, "1": "swing"})
    write_predictions(tmp_path, [("videos/a.mp4", 0, 1), ("videos/b.mp4", 1, 1)])
    read = parse(page_of(reported(tmp_path, task="finetune")))
    assert [row[0] for row in rows_of(table(read, "Accuracy of each class"))] == [NASTY, "swing"]
    assert rows_of(table(read, "Most frequent confusions")) == [[NASTY, "swing", "1"]]


def test_chance_and_standard_error_are_shown(tmp_path: Path) -> None:
    beside = {"standard_errors": {"knn_top1": 0.013, "knn_mean_class": 0.02}, "chance": {"knn_top1": 0.0101}}
    write_results(tmp_path, "knn", {"knn_top1": 0.5, "knn_mean_class": 0.25}, **beside)
    read = parse(page_of(reported(tmp_path, task="knn")))
    metrics = table(read, "Metrics")
    assert [cell.text for cell in metrics.one("thead").all("th")] == ["metric", "this run, %", "chance"]
    assert rows_of(metrics) == [
        ["top-1", "50.0 ± 1.3", "1.0"],
        ["mean over classes", "25.0 ± 2.0", "-"],
        ["test videos evaluated", "7 of 8", ""],
    ]
    assert "standard error" in read.one("section", id="results").text


def test_metrics_of_several_tasks_are_named_by_task(tmp_path: Path) -> None:
    runs = []
    for name, task in (("a", "linear_features"), ("b", "retrieval")):
        (tmp_path / name).mkdir()
        metrics = {"linear_features_mean_class": 0.5} if name == "a" else {"retrieval_r5": 0.25}
        write_results(tmp_path / name, task, metrics)
        runs.append(reported(tmp_path / name, name=name, task=task))
    rows = rows_of(table(parse(page_of(*runs)), "Metrics"))
    assert [row[0] for row in rows[:2]] == ["linear features mean over classes", "retrieval R@5"]


def examined_run(folder: Path, *, name: str = "", frozen: float = 0.97, **more) -> ReportedRun:
    folder.mkdir(exist_ok=True)
    quantiles = [frozen - 0.2, frozen - 0.1, frozen, frozen + 0.01, frozen + 0.02]
    bar = {"title": f"frozen {NASTY}", "mean": frozen, "error": 0.01, "cosine": 0.5, "num_videos": 100}
    share = {"title": "same group", "share": 0.61, "error": 0.04, "chance": 0.06, "num_videos": 170}
    examination = {"words": [f"They see {NASTY}."], "bars": [{**bar, "quantiles": quantiles}], "shares": [share]}
    examination |= more
    write_results(folder, "examine", {"examine_frozen": frozen}, details={}, examination=examination)
    return reported(folder, name=name, task="examine")


def test_an_examination_has_words_bars_and_tables(tmp_path: Path) -> None:
    read = parse(page_of(examined_run(tmp_path / "a")))
    shown = read.one("section", id="examination")
    assert [item.text for item in shown.one("div", class_="verdict").all("li")] == [f"They see {NASTY}."]
    assert f"frozen {NASTY}: 0.97." in shown.one("figure", class_="bars").one("svg").one("title").text
    assert rows_of(table(read, "Similarities")) == [
        [f"frozen {NASTY}", "0.97 ± 0.01", "0.50000", "100"],
        ["videos examined", "7 of 8", "", ""],
    ]
    assert rows_of(table(read, "Nearest neighbours")) == [["same group", "61.0 ± 4.0", "6.0"]]
    assert "1 video left out" in shown.text
    assert "results" not in sections_of(read)  # these have no published numbers


def test_a_bar_of_one_video_has_no_error(tmp_path: Path) -> None:
    bar = {"title": "frozen", "mean": 0.5, "error": None, "cosine": 0.5, "num_videos": 1, "quantiles": [0.5] * 5}
    read = parse(page_of(examined_run(tmp_path / "a", bars=[bar])))
    assert rows_of(table(read, "Similarities"))[0] == ["frozen", "0.50", "0.50000", "1"]


def test_several_examinations_side_by_side(tmp_path: Path) -> None:
    runs = [
        examined_run(tmp_path / "a", name="random"),
        examined_run(tmp_path / "b", name="sce", frozen=-0.25, shares=[]),
        examined_run(tmp_path / "c", name="collapsed", bars=[], shares=[]),
        retrieval_run(tmp_path / "d", name="r"),
    ]
    read = parse(page_of(*runs))
    shown = read.one("section", id="examination")
    assert [figure.one("figcaption").text for figure in shown.all("figure", class_="bars")] == ["random", "sce"]
    assert rows_of(table(read, "Similarities"))[0][1:] == [
        *("0.97 ± 0.01", "0.50000", "100"),
        *("-0.25 ± 0.01", "0.50000", "100"),
        *("-", "-", "-"),
    ]
    assert rows_of(table(read, "Nearest neighbours")) == [["same group", "61.0 ± 4.0", "6.0", "-", "-", "-", "-"]]
    assert "results" in sections_of(read)
