"""A study with one pretraining: what is run, resumed and shown."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from sce_video.config import load_config

REPOSITORY = Path(__file__).resolve().parents[2]


def test_mean_and_deviation_over_seeds(benchmark_module: Callable[[str], ModuleType]) -> None:
    rows = [{"setting": "a", "step": 5, "seed": seed, "evaluation": "knn", "top1": seed / 10} for seed in (1, 2, 3)]
    rows.append({"setting": "b", "step": 0, "seed": 1, "evaluation": "knn", "top1": 0.5})
    shown = list(benchmark_module("study").over_seeds(rows, {"knn": "top1", "linear": "top1"}))
    assert shown == [
        {"setting": "a", "step": 5, "knn": "20.0 ± 10.0 (3)"},
        {"setting": "b", "step": 0, "knn": "50.0 (1)"},
    ]


def test_similarities_are_no_percent(benchmark_module: Callable[[str], ModuleType]) -> None:
    """But the shares of nearest neighbours of the same task are."""
    row = {"setting": "a", "step": 5, "evaluation": "examine", "examine_frozen": -0.25, "examine_same_group": 0.5}
    study = benchmark_module("study")
    rows = [{**row, "seed": 1}, {**row, "seed": 2, "examine_frozen": 0.75}]
    assert list(study.over_seeds(rows, {"examine": "examine_frozen"})) == [
        {"setting": "a", "step": 5, "examine": "0.25 ± 0.71 (2)"}  # the deviation is 1 / sqrt(2)
    ]
    assert list(study.over_seeds(rows, {"examine": "examine_same_group"})) == [
        {"setting": "a", "step": 5, "examine": "50.0 ± 0.0 (2)"}
    ]


# In place of tools/run_net.py. The first one presses Ctrl-C, and would go on for 5 s.
RUN = """
import os, signal, sys, time
from pathlib import Path

folder = Path(sys.argv[sys.argv.index("RUN.OUTPUT_DIR") + 1])


def stop(number, frame):
    (folder / "saved").touch()
    sys.exit(128 + number)


signal.signal(signal.SIGTERM, stop)
if not Path("interrupted").exists():
    Path("interrupted").touch()
    os.kill(os.getppid(), signal.SIGINT)
    time.sleep(5)
(folder / "results.json").write_text('{"metrics": {"top1": 0.5}}')
"""
STUDY = """
pretrain: pretrain.yaml
evaluations: {knn: knn.yaml}
metrics: {knn: top1}
settings: {random: {}, other: {}}
"""


@pytest.fixture
def study_of_small_runs(
    tmp_path: Path, benchmark_module: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """The program with the study above; takes its further arguments."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "run_net.py").write_text(RUN)
    (tmp_path / "study.yaml").write_text(STUDY)
    study = benchmark_module("study")
    monkeypatch.setattr(study, "REPOSITORY", tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def run(*arguments: str) -> None:
        command = ["study.py", tmp_path / "study.yaml", "--output", tmp_path / "runs", "--processes", "1", *arguments]
        monkeypatch.setattr(sys, "argv", list(map(str, command)))
        study.main()

    return run


def test_ctrl_c_stops_the_running_and_starts_no_other(
    study_of_small_runs: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises((SystemExit, KeyboardInterrupt)) as stopped:
            study_of_small_runs("--seeds", "1", "2")
    finally:
        signal.signal(signal.SIGINT, before)
    assert stopped.value.args == (130,)
    assert capsys.readouterr().err == "stopped; what was finished is kept; rerun to resume\n"
    files = {str(path.relative_to(tmp_path / "runs")) for path in tmp_path.glob("runs/**/*") if path.is_file()}
    assert files == {"random/1/knn_random/output.log", "random/1/knn_random/saved"}
    study_of_small_runs("--seeds", "1", "2")
    assert capsys.readouterr().out.count("50.0 ± 0.0 (2)") == 2


def test_an_unknown_setting_is_named(
    study_of_small_runs: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        study_of_small_runs("--settings", "random", "typo")
    assert stopped.value.code == 2
    assert capsys.readouterr().err.endswith(
        f"error: argument --settings: 'typo' is not in {tmp_path}/study.yaml, which has random, other\n"
    )
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("file", sorted((REPOSITORY / "benchmarks/studies").glob("*.yaml")), ids=lambda file: file.stem)
def test_all_runs_of_a_study_have_a_valid_config(
    file: Path, benchmark_module: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `Runner` puts their words together. Of a config in the folder, that config."""
    monkeypatch.chdir(REPOSITORY)
    if "settings" not in yaml.safe_load(file.read_text()):
        load_config(file)
        return
    study = benchmark_module("study").read_study(file)
    for setting in study.settings.values():
        words = [study.evaluations[name] for name in setting.get("evaluations", study.evaluations)]
        words = [[*each, *(setting.get("evaluate") or "").split()] for each in words]
        if setting.get("pretrain") is not None:
            words.append([*study.pretrain, *setting["pretrain"].split()])
        for config, *overrides in words:
            load_config(Path(config), overrides)


@pytest.mark.thorough
def test_a_study_goes_on_where_it_was_stopped(motion_videos: Path, tmp_path: Path) -> None:
    words = f"DATA.ROOT {motion_videos} CLIP.SIZE_PIXELS 32"
    evaluated = f"{words.replace('CLIP', 'EVAL')} EVAL.NUM_CLIPS 1 EVAL.FEATURES_DIR {{features}}"
    study = tmp_path / "study.yaml"
    study.write_text(f"""
pretrain: configs/demo_sce.yaml {words} TRAIN.NUM_EPOCHS 3 TRAIN.CHECKPOINT_EVERY_EPOCHS 2 TRAIN.NUM_CHECKPOINTS_KEPT 9
evaluations:
  knn: configs/demo_knn.yaml {evaluated}
  retrieval: configs/demo_knn.yaml {evaluated} TASK retrieval
metrics: {{knn: knn_top1, retrieval: retrieval_r1}}
at_end: [retrieval]
settings:
  random: {{evaluations: [knn]}}
  sce: {{pretrain: TRAIN.GLOBAL_BATCH_SIZE 8 OPTIM.WARMUP_EPOCHS 1}}
""")
    command = [sys.executable, "benchmarks/study.py", study, "--output", tmp_path / "runs", "--seeds", "4"]

    def rows(*arguments: str) -> list[dict[str, object]]:
        done = subprocess.run(
            [*map(str, command), *arguments, "--json", str(tmp_path / "study.json")],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        found: list[dict[str, object]] = json.loads((tmp_path / "study.json").read_text())["rows"]
        return found

    assert rows("--minutes", "0") == []
    assert [(row["setting"], row["step"]) for row in rows("--settings", "random")] == [("random", 0)]
    logs = list((tmp_path / "runs").glob("random/4/knn_random/run.log"))
    before = [log.read_text() for log in logs]
    all_rows = rows()
    done = [(row["setting"], row["step"], row["evaluation"]) for row in all_rows]
    assert sorted(done) == [  # 24 videos
        ("random", 0, "knn"),
        ("sce", 6, "knn"),
        ("sce", 9, "knn"),
        ("sce", 9, "retrieval"),
    ]
    assert [log.read_text() for log in logs] == before != []
