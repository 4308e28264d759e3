"""Counts of `journeys.py` on a checkout small enough to count by hand, and once on this one."""

import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from tests.benchmarks.test_programs import results_of, run

Module = Callable[[str], ModuleType]
# `a` imports `room/b`, which imports `c`; `d` is imported inside a function, `e` not at all.
FILES = {
    "__init__.py": "",
    "a.py": """from sce_video.room import b
SETTING = b.cfg.CLIP.PAIR

def outer():
    return [b.twice(i) for i in range(2)]
""",
    "room/__init__.py": "",
    "room/b.py": """import sce_video.c as c
cfg = c.Config

def twice(i):
    from sce_video.d import once
    return once(i) * 2
""",
    "c.py": """'CLIP.PAIR, in words.'
class Config:
    class CLIP:
        PAIR = "both"
raised = "CLIP.PAIR is both"
""",
    "d.py": "def once(i):\n    return i\n",
    "e.py": 'PAIRS = ["both"]\n',
}
REPEATED = "def f(x):\n    y = x + 1\n    if y.low:\n        y = -x\n    print(y.low)\n    return (x, y)\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "sce_video" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_lines_and_imports(benchmark_module: Module, checkout: Path) -> None:
    shape, package = benchmark_module("code_shape"), checkout / "sce_video"
    assert shape.lines_per_room(checkout) == {"(ground)": 5 + 5 + 2 + 1, "room": 6, "all": 19}
    found = shape.import_closure(checkout, package / "a.py")
    assert {str(file.relative_to(package)) for file in found} == FILES.keys() - {"d.py", "e.py"}


def test_files_that_contain_a_word(benchmark_module: Module, checkout: Path) -> None:
    shape = benchmark_module("code_shape")
    trees = shape.parsed_files(checkout)
    assert shape.num_files_that_write("CLIP.PAIR", trees) == 1  # a; in c only text contains it
    assert shape.num_files_that_write("both", trees) == 2
    assert shape.longest_function(trees) == (3, "b.twice")
    assert shape.longest_file(trees) == (6, "b.py")


@pytest.mark.parametrize(
    ("other", "num_repeated"),
    [
        (REPEATED, 12),
        (REPEATED.replace("y", "z").replace("x", "y"), 12),  # other names
        (REPEATED.replace(".low", ".high"), 0),  # another attribute
        (REPEATED.replace("    print(y.low)\n", ""), 0),  # five in a row
        (f'"""Said."""\n{REPEATED}# and done\n', 12),
    ],
)
def test_repetition(benchmark_module: Module, checkout: Path, other: str, num_repeated: int) -> None:
    (checkout / "sce_video" / "one.py").write_text(REPEATED)
    (checkout / "sce_video" / "other.py").write_text(other)
    shape = benchmark_module("code_shape")
    assert shape.num_repeated_lines(shape.parsed_files(checkout)) == num_repeated


def test_calls_below_a_function(
    benchmark_module: Module, checkout: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`outer` calls `twice` two times, which calls `once`; other calls of `outer` and calls outside do not count."""
    package = tmp_path / "tiny_house"  # another name, because this process has imported the real one
    (checkout / "sce_video").rename(package)
    for file in package.rglob("*.py"):
        file.write_text(file.read_text().replace("sce_video", package.name))
    monkeypatch.syspath_prepend(str(tmp_path))
    script = tmp_path / "run.py"
    script.write_text("from tiny_house.a import b, outer\nimport tiny_house.d\nb.twice(1)\nouter()\nouter()\nouter()\n")
    tracer = benchmark_module("journeys").Tracer(package, {"outer": 2})
    sys.setprofile(tracer)
    try:
        runpy.run_path(str(script))
    finally:
        sys.setprofile(None)
    assert [Path(file).name for file in tracer.files] == ["a.py", "b.py", "d.py", "b.py", "d.py"]
    assert tracer.awaited == {}


def test_beside_another_checkout(benchmark_module: Module) -> None:
    journeys = benchmark_module("journeys")
    name = next(iter(journeys.JOURNEYS))
    ours = [{"part": name, "what": "calls", "count": 4}, {"part": "lines of a room", "what": "new", "count": 3}]
    theirs = [{"part": name, "what": "calls", "count": 6}, {"part": "lines of a room", "what": "old", "count": 2}]
    rows, ratios = journeys.beside(ours, theirs)
    assert ratios == {f"{name}: calls": 1.5}
    assert [(row["what"], row["count"], row["against"]) for row in rows] == [
        ("calls", 4, 6),
        ("new", 3, None),
        ("old", None, 2),
    ]


@pytest.mark.thorough
def test_this_checkout(benchmark_module: Module, tmp_path: Path) -> None:
    ratios, rows = results_of("journeys", json_file=tmp_path / "journeys.json")
    assert ratios == {}
    counts = {(row["part"], row["what"]): row["count"] for row in rows}
    for name in benchmark_module("journeys").JOURNEYS:
        files, changes, calls = (counts[name, what] for what in ("files", "changes of file", "calls"))
        assert 2 < files <= changes + 1 <= calls
    entries = [count for (part, _), count in counts.items() if part == "files imported by"]
    assert len(entries) == 2
    assert all(20 < count <= counts["lines of a room", "all"] for count in entries)


def test_a_folder_that_is_not_a_checkout_gives_one_line(tmp_path: Path) -> None:
    outcome = run("journeys", "--root", tmp_path)
    assert outcome.returncode == 2
    assert outcome.stderr == f"error: {tmp_path} is not a checkout: it has no folder sce_video\n"
