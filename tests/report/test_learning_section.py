"""The panel of a pretraining run: its sentence, and curves beside their chance levels."""

import json
import math
from pathlib import Path

from sce_video.report.learning_section import learning_section
from sce_video.report.reported import Learning, ReportedRun
from tests.report.runs import parse, reported

SENTENCE = "above chance for 30 steps, diverging: the loss is 7.53 <b>"


def pretrained(folder: Path, *, name: str = "", is_alarm: bool = True, **more: float) -> ReportedRun:
    lines = [
        {"step": 9, "loss": 6.6, "loss_chance": 5.55, "key_std": 0.25, "embedding_dim": 64, "key_rank": 12.0, **more},
        {"step": 19, "loss": 8.8},
        {"step": 29, "loss": 7.2, "loss_chance": 5.55, "key_std": 0.0625, "embedding_dim": 64, "key_rank": 3.0, **more},
    ]
    folder.mkdir(exist_ok=True)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return reported(folder, name=name, task="pretrain", learning=Learning(SENTENCE, is_alarm))


def test_the_sentence_and_the_curves(tmp_path: Path) -> None:
    page = parse(learning_section([pretrained(tmp_path)]))
    (kind,) = page.all("strong", class_="alarm")
    assert kind.text == "above chance for 30 steps, diverging"
    assert SENTENCE in page.text
    charts = {chart.all("strong")[0].text: chart for chart in page.all("figure")}
    assert list(charts) == ["Loss, nats", "Directions that the keys use", "Spread of the keys"]
    loss = charts["Loss, nats"].all("title")[0].text
    assert "loss: from 6.6 at step 9 to 7.2 at step 29" in loss
    assert "all similarities equal: from 5.55 at step 9 to 5.55 at step 29" in loss
    spread = charts["Spread of the keys"].all("title")[0].text
    assert f"keys: from {0.25 * math.sqrt(64):.4g} at step 9 to 0.5 at step 29" in spread
    assert "spread evenly: from 1 at step 9" in spread


def test_labels_add_a_chart_and_success_is_no_alarm(tmp_path: Path) -> None:
    run = pretrained(tmp_path, is_alarm=False, online_knn=0.5, online_linear=0.25, online_chance=0.125)
    page = parse(learning_section([run]))
    assert page.all("strong", class_="alarm") == []
    assert "kNN: from 0.5 at step 9" in page.text


def test_several_runs_have_their_sentences_alone(tmp_path: Path) -> None:
    runs = [pretrained(tmp_path / name, name=name) for name in ("a", "b")]
    page = parse(learning_section([*runs, reported(tmp_path / "a", name="c")]))
    assert [each.text.partition(":")[0] for each in page.all("p")] == ["a", "b"]
    assert page.all("figure") == []
    assert learning_section([reported(tmp_path / "a", name="c")]) == ""
