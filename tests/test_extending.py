"""The examples of docs/extending.md: each is one file and one line in a table, and all of them run."""

import ast
import json
import os
import pstats
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.test_house import FLOOR_OF, MAY_SEE_CONFIG, PACKAGE, config_names, room_of, violations

REPOSITORY = Path(__file__).resolve().parents[1]
_BLOCK = re.compile(r"^```(python|diff)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_COMMON = (
    "DATA.ROOT {videos} DATA.NUM_WORKERS 0 RUN.DEVICE cpu RUN.OUTPUT_DIR {output} CLIP.SECONDS 0.5 CLIP.NUM_FRAMES 4 "
    "MODEL.BACKBONE tubelets DATA.SOURCE labelled_table"
)
_PRETRAINING = (
    "TASK pretrain METHOD.NAME simsiam CLIP.SIZE_PIXELS 32 TRAIN.PRECISION fp32 TRAIN.GLOBAL_BATCH_SIZE 8 "
    "TRAIN.NUM_EPOCHS 1 TRAIN.LOG_EVERY_STEPS 1 OPTIM.WARMUP_EPOCHS 0 OPTIM.NAME adamw OPTIM.BASE_LR 0.001 "
    "MODEL.PROJECTOR_DIMS 32,16 MODEL.PREDICTOR_HIDDEN_DIM 8 AUG.BLUR_KERNEL_PIXELS 5"
)
_EVALUATION = "TASK class_mean EVAL.CHECKPOINT {pretrained} EVAL.SIZE_PIXELS 32 EVAL.NUM_CLIPS 1 EVAL.NUM_CROPS 1"


class Example(NamedTuple):
    file: str  # below the checkout
    text: str
    table: str  # the file that gets the line
    diff: str  # context and added lines


def examples() -> list[Example]:
    blocks = [
        kind_and_text.groups() for kind_and_text in _BLOCK.finditer((REPOSITORY / "docs/extending.md").read_text())
    ]
    found = []
    for (kind, text), (next_kind, diff) in zip(blocks[::2], blocks[1::2], strict=True):
        assert (kind, next_kind) == ("python", "diff")
        file, _, text = text.partition("\n")
        table, _, diff = diff.partition("\n")
        found.append(Example(file.removeprefix("# "), text, table.removeprefix(" # "), diff))
    return found


def with_added_lines(text: str, diff: str) -> str:
    """`text` with the lines that begin with + inserted after (or, at the start of the diff, before) the context lines.

    Each context line must occur exactly once in `text`.
    """
    lines = text.splitlines()
    at, pending = None, []
    for line in diff.splitlines():
        if line.startswith("+"):
            pending.append(line[1:])
            if at is not None:
                lines[at + 1 : at + 1] = pending
                at, pending = at + len(pending), []
        else:
            assert lines.count(line[1:]) == 1, f"{line[1:]!r} occurs {lines.count(line[1:])} times in the file"
            at = lines.index(line[1:])
            lines[at:at] = pending
            at, pending = at + len(pending), []
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with all examples."""
    checkout = tmp_path_factory.mktemp("checkout")
    for folder in ("sce_video", "tools"):
        shutil.copytree(REPOSITORY / folder, checkout / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "pyproject.toml", checkout)
    for example in examples():
        assert not (checkout / example.file).exists(), example.file
        (checkout / example.file).write_text(example.text)
        table = checkout / example.table
        table.write_text(with_added_lines(table.read_text(), example.diff))
    return checkout


def python(checkout: Path, *arguments: object) -> str:
    """Run Python in `checkout` and return its output."""
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    ended = subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=checkout, env=environment, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_each_is_one_line_in_a_table() -> None:
    """The added lines are an import and an entry."""
    names = [example.file for example in examples()]
    assert len(names) == 5
    for example in examples():
        added = [line[1:] for line in example.diff.splitlines() if line.startswith("+")]
        imported, entry = added
        module = example.file.removesuffix(".py").replace("/", ".")
        assert re.fullmatch(rf"from {re.escape(module)} import \w+", imported)
        assert re.fullmatch(r' +("\w+": )?\w+.*,', entry)


def test_they_keep_the_rules(extended: Path) -> None:
    files = [name for example in examples() for name in (example.file, example.table)]
    python(extended, "-m", "ruff", "check", "--no-cache", *files)
    python(extended, "-m", "ruff", "format", "--no-cache", "--check", *files)
    for example in examples():
        file = PACKAGE.parent / example.file
        assert room_of(file) in FLOOR_OF
        assert violations(file, example.text) == []
        assert room_of(file) in MAY_SEE_CONFIG or config_names(example.text) == []


def test_they_run(extended: Path, motion_videos: Path, tmp_path: Path) -> None:
    """A pretraining and an evaluation call every function of the examples."""
    (tmp_path / "empty.yaml").write_text("{}\n")
    (tmp_path / "videos").symlink_to(motion_videos)
    paths = sorted(path.relative_to(motion_videos) for path in motion_videos.rglob("*.mp4"))
    rows = [f"videos/{path},{path.parts[1]},{path.parts[0]}\n" for path in paths]
    (tmp_path / "videos.csv").write_text("".join(rows))
    pretrained, evaluated = tmp_path / "pretrained", tmp_path / "evaluated"
    called: set[tuple[str, str]] = set()
    for output, task in ((pretrained, _PRETRAINING), (evaluated, _EVALUATION)):
        settings = f"{_COMMON} {task}".format(videos=tmp_path, output=output, pretrained=pretrained)
        profile = tmp_path / f"{output.name}.prof"
        command = ("-m", "cProfile", "-o", profile, "tools/run_net.py", "--cfg", tmp_path / "empty.yaml")
        python(extended, *command, *settings.split())
        called |= {(file, name) for file, _, name in pstats.Stats(str(profile)).stats}  # type: ignore[attr-defined]
    for example in examples():
        functions = [node.name for node in ast.walk(ast.parse(example.text)) if isinstance(node, ast.FunctionDef)]
        assert functions
        assert {(str(extended / example.file), name) for name in functions} <= called
    steps = [json.loads(line) for line in (pretrained / "metrics.jsonl").read_text().splitlines()]
    assert len(steps) == 3
    assert all(-1 <= step["loss"] <= 1 for step in steps)
    results = json.loads((evaluated / "results.json").read_text())
    assert results["metrics"].keys() == {f"class_mean_{name}" for name in ("top1", "top5", "mean_class")}
    assert "tubelets" in results["weights"]


def test_outdated_context_lines_are_detected() -> None:
    assert with_added_lines("a\nb\nd\n", "+0\n a\n d\n+e\n+f\n") == "0\na\nb\nd\ne\nf\n"
    with pytest.raises(AssertionError, match="'c' occurs 0 times"):
        with_added_lines("a\nb\n", " c\n+d\n")
