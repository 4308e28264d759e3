"""The architecture, checked statically: imports go downwards, and only some rooms see the config."""

import ast
import configparser
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "sce_video"
# Rooms of the engine are among those of the front, each as low as its imports allow.
FLOORS = [
    {"engine"},
    {"engine.cluster"},
    {"runtime"},
    {"engine.pool"},
    {"clips", "augment", "models", "methods", "optim"},
    {"engine.remote"},
    {"data", "train", "evaluate", "report"},
    {"config"},
    {"build", "engine.prepare", "engine.doctor"},
    {"tasks"},
    {"launch"},
    {"cli"},
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
# Modules outside the rooms.
GROUND = {"arguments", "errors", "paths", "plain_text", "quiet_start", "special_files", "urls"}
MAY_SEE_CONFIG = {"config", "build", "tasks", "launch", "cli"}
# Used by the rooms of the front; `prepare` and `doctor` are used only by `cli` and `tools/`.
SEEN_OF_THE_ENGINE = {
    "cluster": {
        *("rank", "num_ranks", "num_local_ranks", "is_main_process", "wait_for_all"),
        *("all_gathered", "gathered_rows", "gathered_rows_with_gradient"),
        *("mean_over_ranks", "largest_of_ranks", "on_all_ranks", "broadcast_buffers"),
        *("joined_ranks", "start_ranks", "rank_from_env", "is_under_torchrun", "slurm_job"),
        *("requeue_after_signal", "exit_after_peer_failure"),
        *("hold_run_lock", "share_run_lock", "require_run_lock", "run_lock_suffix", "InUseError", "LockOwner"),
    },
    "pool": {"Workers"},
    "remote": {
        *("Location", "location", "RemotePath", "relative_folder", "RemoteError", "RefusedError"),
        *("VideoFiles", "Fetchable", "whole_file", "shard_member", "FileCache", "cache_folder"),
        *("Member", "member_path", "folder_and_names", "read_indices"),
    },
    "machine": {"available_cores"},
}
FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(file: Path) -> str | None:
    return _room(file.relative_to(PACKAGE).parts)


def _room(parts: Sequence[str]) -> str | None:
    """The room of a file or an imported name, given its parts below the package."""
    if parts[0] == "engine" and ".".join(parts[:2]) in FLOOR_OF:
        return ".".join(parts[:2])
    return parts[0] if len(parts) > 1 else None


def imported_names(tree: ast.AST) -> Iterator[tuple[int, list[str]]]:
    """(line, parts below the package) of each name imported from the package."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import; write sce_video.room.module"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "sce_video" and len(parts) > 1:
                yield node.lineno, parts[1:]


def violations(file: Path, source: str) -> list[str]:
    room = room_of(file)
    found = []
    for line, parts in imported_names(ast.parse(source)):
        other = _room([*parts, ""])
        if parts[0] in GROUND or other == room:
            continue
        if room is None or other not in FLOOR_OF or FLOOR_OF[other] >= FLOOR_OF[room]:
            found.append(f"{file.relative_to(PACKAGE)}:{line} imports {other}")
    return found


def test_the_front_sees_the_engine_through_a_few_names() -> None:
    seen: dict[str, set[str]] = {}
    for file in FILES:
        room = room_of(file) or ""
        if room != "cli" and not room.startswith("engine"):
            for _, parts in imported_names(ast.parse(file.read_text())):
                if parts[0] == "engine":
                    seen.setdefault(parts[1], set()).add(parts[-1])
    assert seen == SEEN_OF_THE_ENGINE


def config_names(source: str) -> list[int]:
    """Line numbers with the name `cfg` or CfgNode."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        names = [getattr(node, field, None) for field in ("id", "arg", "name", "attr")]
        if "cfg" in names or "CfgNode" in names:
            lines.append(getattr(node, "lineno", 0))
    return lines


def test_every_module_is_in_a_known_room() -> None:
    strays = [str(file) for file in FILES if room_of(file) is not None and room_of(file) not in FLOOR_OF]
    outside = [file.stem for file in FILES if room_of(file) is None]
    assert strays == []
    assert set(outside) == {"__init__", *GROUND}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_go_downwards(file: Path) -> None:
    assert violations(file, file.read_text()) == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_config_is_seen_only_where_it_may_be(file: Path) -> None:
    if room_of(file) not in MAY_SEE_CONFIG:
        assert config_names(file.read_text()) == []


# Rooms whose public functions and constructors are called from notebooks.
CALLED_WITH_PATHS = ("clips", "data/sources", "models", "evaluate", "report")
# Internal to the readers of lists, which have already converted strings to paths.
BETWEEN_READERS = ("present.py", "text.py", "tree.py", "list_rows.py", "class_folders")


def paths_that_take_no_text(source: str) -> list[str]:
    found = []
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, ast.FunctionDef) and not function.name.startswith("_"):
            for argument in [*function.args.args, *function.args.kwonlyargs]:
                kind = ast.unparse(argument.annotation) if argument.annotation else ""
                if kind in ("Path", "Location", "Path | None"):
                    found.append(f"{function.name}({argument.arg}: {kind})")
    return found


@pytest.mark.parametrize("room", CALLED_WITH_PATHS)
def test_what_takes_a_path_takes_a_text(room: str) -> None:
    found = {
        f"{file.name} {each}"
        for file in (PACKAGE / room).rglob("*.py")
        for each in paths_that_take_no_text(file.read_text())
        if file.name not in BETWEEN_READERS and not each.startswith(BETWEEN_READERS)
    }
    assert found == set()
    assert paths_that_take_no_text("def read(file: Path, name: str) -> None: ...") == ["read(file: Path)"]


# Each module has a test file of its name; these modules are covered by other tests instead.
TESTED_BY = {
    "augment/recipes.py": "augment/test_draw.py",
    "cli/init_config": "tools/test_init_config.py",
    "clips/decoders": "clips/decoders/test_frames_at.py",  # each decoder on each kind of file
    "clips/suffixes.py": "data/sources/test_tree.py",
    "config/defaults.py": "config/test_settings.py",
    "config/sections": "config/test_settings.py",
    "config/values.py": "config/test_load.py",
    "data/sources": "data/sources/test_lists.py",
    "engine/death_of_parent.py": "tools/test_prepare_data.py",
    "engine/doctor": "engine/doctor/test_measurements.py",
    "engine/prepare": "engine/prepare/test_one_video.py",
    "engine/remote": "engine/remote/test_transfer.py",
    "evaluate/table.py": "tasks/test_on_features.py",
    "launch/demo/run_demo.py": "tools/test_demo.py",
    "launch/local.py": "launch/test_program.py",
    "launch/pages.py": "tools/test_report.py",
    "methods": "methods/test_baselines.py",
    "models": "models/test_backbones.py",
    "optim/table.py": "build/test_optim.py",
    "report": "report/test_page.py",  # the sections of a page
    "runtime/terminal.py": "tools/test_terminal.py",
    "train/resume.py": "train/test_loop.py",
}
TESTS = Path(__file__).parent


def unmirrored(files: Sequence[Path]) -> set[str]:
    names = (file.relative_to(PACKAGE) for file in files if file.name != "__init__.py")
    return {str(name) for name in names if not (TESTS / name.parent / f"test_{name.name}").is_file()}


def test_tests_mirror_the_package() -> None:
    """A new module needs tests/<room>/test_<module>.py."""
    missing = unmirrored(FILES)
    covered = {path: {name for name in missing if name == path or name.startswith(f"{path}/")} for path in TESTED_BY}
    assert missing - set[str]().union(*covered.values()) == set()
    assert [path for path, names in covered.items() if not names] == []  # mirrored: remove it from the list
    assert [test for test in TESTED_BY.values() if not (TESTS / test).is_file()] == []
    assert unmirrored([PACKAGE / "tasks" / "new.py"]) == {"tasks/new.py"}


def test_the_version_is_declared_once() -> None:
    setup = configparser.ConfigParser()
    setup.read(PACKAGE.parent / "setup.cfg")
    assert setup["metadata"]["version"] == "attr: sce_video.__version__"
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    (value,) = [node.value for node in tree.body if isinstance(node, ast.Assign)]
    assert re.fullmatch(r"\d+\.\d+\.\d+", ast.literal_eval(value))


def test_the_checks_themselves_can_fail() -> None:
    method = PACKAGE / "methods" / "new.py"
    assert violations(method, "from sce_video.models.heads import mlp") == ["methods/new.py:1 imports models"]
    assert violations(method, "import sce_video.train.loop") == ["methods/new.py:1 imports train"]
    assert violations(method, "from sce_video import build") == ["methods/new.py:1 imports build"]
    assert violations(method, "from sce_video.runtime.seeds import seed_from") == []
    assert config_names("def f(cfg):\n    pass") == [1]
    assert config_names("x = 1\ny = cfg.METHOD") == [2]
    assert config_names("self.cfg = 3") == [1]
