"""Run folders made by hand, and readers of the pages made of them."""

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import torch

from sce_video.report.reported import Pictures, Preview, ReportedRun
from sce_video.report.run_folder import read_run
from sce_video.report.strips import make_strip

# What a folder, and so a class, may be called.
NASTY = """<img src=x onerror=alert(1)>&"'"""
VOID = {"base", "meta", "link", "img", "br", "input", "hr"}


def write_table(file: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with file.open("w", encoding="utf-8", errors="surrogateescape", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerows([header, *rows])


def write_predictions(folder: Path, rows: Iterable[tuple[str, int, int]]) -> None:
    header = ["path", "label", "predicted", "score", "score_of_label"]
    write_table(folder / "predictions.csv", header, ([*row, 0.5, 0.25] for row in rows))


def write_neighbors(folder: Path, queries: Iterable[tuple[str, int, Sequence[tuple[str, int]]]]) -> None:
    header = ["path", "label", "place", "neighbor_path", "neighbor_label", "similarity"]
    rows = [
        [path, label, rank, *neighbor, f"{1 - 0.1 * rank:.6g}"]
        for path, label, neighbors in queries
        for rank, neighbor in enumerate(neighbors, start=1)
    ]
    write_table(folder / "neighbors.csv", header, rows)


def write_results(folder: Path, task: str, metrics: dict[str, float], **more: Any) -> None:
    results = {
        "task": task,
        "metrics": metrics,
        "num_evaluated": 7,
        "num_expected": 8,
        "failures": [f"{NASTY}/torn.mp4: no frame in it"],
        "protocol": {"source": "list", "num_clips": 2, "train": NASTY},
        "details": {"weight_decay": 0.001},
        "weights": f"{NASTY}.safetensors",
        "environment": {"command": f"run_net.py --cfg '{NASTY}'", "commit": "abc123", "torch": "2.15.0"},
        **more,
    }
    (folder / "results.json").write_text(json.dumps(results), encoding="utf-8")


def write_metrics_log(folder: Path, *, num_lines: int = 20, loss: float = 4.0) -> None:
    lines = [
        {
            "step": 10 * i + 9,
            "loss": loss / (i + 1),
            "lr": 0.1 * i,
            "clips_per_second": 50.0 + i,
            "data_wait_share": 0.25,
            "failed_videos": 2,
        }
        for i in range(num_lines)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def colored_clip(*colors: tuple[int, int, int], height: int = 24, width: int = 32) -> torch.Tensor:
    """uint8 (T, C, H, W), one colour per frame."""
    return torch.tensor(colors, dtype=torch.uint8)[:, :, None, None].expand(-1, -1, height, width).contiguous()


def strip(*colors: tuple[int, int, int]):
    return make_strip(colored_clip(*colors), seconds=0.5, short_side_pixels=72, max_frames=8)


def reported(folder: Path, *, name: str = "", task: str = "retrieval", **more: Any) -> ReportedRun:
    """A run with pictures of every video that its queries name."""
    files = read_run(folder)
    blue, red = strip((0, 0, 255), (0, 0, 0)), strip((255, 0, 0), (0, 0, 0))
    pictures = Pictures(
        queries=files.queries,
        test={query.path: blue for query in files.queries},
        bank={near.path: red for query in files.queries for near in query.neighbors},
        previews=[Preview(f"{NASTY}/train.mp4", (blue, red))],
    )
    settings = {"MODEL.BACKBONE": "r3d_18", "CLIP.NUM_FRAMES": "16", "DATA.TRAIN": NASTY, "RUN.SEED": "1"}
    settings |= more.pop("settings", {})
    values = {"pictures": pictures, "feature_map": None, "config": f"# {NASTY}\nTASK: {task}\n", **more}
    environment = files.results.get("environment", {})
    return ReportedRun(name=name, task=task, settings=settings, files=files, environment=environment, **values)


@dataclass
class Node:
    tag: str
    attributes: dict[str, str | None]
    children: "list[Node | str]" = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    def all(self, tag: str, **attributes: str) -> "list[Node]":
        """The nodes below with this tag and, among the words of each attribute, these."""
        found = []
        for child in self.children:
            if isinstance(child, Node):
                wanted = {name.rstrip("_").replace("_", "-"): word for name, word in attributes.items()}
                has_all = all(word in (child.attributes.get(name) or "").split() for name, word in wanted.items())
                found += [child] if child.tag == tag and has_all else []
                found += child.all(tag, **attributes)
        return found

    def one(self, tag: str, **attributes: str) -> "Node":
        (found,) = self.all(tag, **attributes)
        return found


class _Reader(HTMLParser):
    """Refuses what a browser would silently fix: tags that are not closed, or in the wrong order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [Node("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute stands twice in {self.get_starttag_text()}"
        node = Node(tag, dict(attrs))
        self.open[-1].children.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> in line {self.getpos()[0]} closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parse(page: str) -> Node:
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert [node.tag for node in reader.open] == [""], f"{reader.open[-1].tag} is not closed"
    return reader.open[0]


def rows_of(table: Node) -> list[list[str]]:
    return [[cell.text for cell in row.children if isinstance(cell, Node)] for row in table.one("tbody").all("tr")]


def table(page: Node, caption: str) -> Node:
    (found,) = [each for each in page.all("table") if caption in each.one("caption").text]
    return found
