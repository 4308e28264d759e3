"""tools/submit.py without Slurm: local processes and dry runs."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sce_video.engine.cluster.run_lock import LOCK_FILE
from tests.settings import used_overrides
from tests.tools.test_run_net import SMALL

REPOSITORY = Path(__file__).resolve().parents[2]


def test_an_array_over_splits_and_their_mean(
    tool: Callable[..., int], motion_videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One job per split, then `run_net.py` with EVAL.SPLITS finds them done."""
    for part in ("train", "test"):
        paths = sorted(path.relative_to(motion_videos) for path in (motion_videos / part).rglob("*.mp4"))
        for split in (1, 2):
            lines = [f"{path} {index % 2}\n" for index, path in enumerate(paths[split:])]
            (tmp_path / f"{part}{split}.txt").write_text("".join(lines))
    output_dir = tmp_path / "runs"
    settings = {**SMALL, "TASK": "knn", "DATA.SOURCE": "list", "DATA.ROOT": str(motion_videos)}
    settings |= {"DATA.TRAIN": f"{tmp_path}/train{{split}}.txt", "DATA.TEST": f"{tmp_path}/test{{split}}.txt"}
    settings |= {"RUN.OUTPUT_DIR": str(output_dir)}
    arguments = ["--cfg", "configs/demo_sce.yaml", *used_overrides(REPOSITORY / "configs/demo_sce.yaml", settings)]
    assert tool("submit", "--local", "--gpus-per-node", "0", "--array", "DATA.SPLIT", "1,2", *arguments) == 0
    assert "submitted 2 jobs: " in capsys.readouterr().out
    results = [output_dir / f"split_{split}" / "results.json" for split in (1, 2)]
    until = time.monotonic() + 120
    while not all(file.is_file() for file in results) or list(output_dir.rglob(LOCK_FILE)):  # they have ended
        assert time.monotonic() < until, [file.read_text() for file in output_dir.rglob("*log.err")]
        time.sleep(0.2)
    assert tool("run_net", *arguments, "EVAL.SPLITS", "1,2") == 0
    each = [json.loads(file.read_text())["metrics"]["knn_top1"] for file in results]
    of_all = json.loads((output_dir / "results.json").read_text())
    assert of_all["metrics"]["knn_top1"] == pytest.approx(sum(each) / 2)
    assert list(of_all["splits"]) == ["1", "2"]


def test_a_dry_run_prints_the_batch_script_and_writes_nothing(
    tool: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "no Slurm, nor anything else"))
    what = ["--cfg", "configs/k400_sce.yaml", "RUN.OUTPUT_DIR", str(tmp_path / "a")]
    resources = ["--nodes", "2", "--gpus-per-node", "8", "--time", "1-00", "--partition", "gpu", "--dry-run"]
    assert tool("submit", *resources, *what) == 0
    shown = capsys.readouterr().out
    for line in (
        "--nodes=2",
        "--ntasks-per-node=8",
        "--time=1440",
        "--partition=gpu",
        "--signal=USR2@120",
        "--requeue",
    ):
        assert f"#SBATCH {line}" in shown
    assert "srun" in shown
    assert "--array" not in shown
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("arrays", "code", "words"),
    [
        (["OPTIM.BASE_LR 0.1,0.2,0.3"], 0, "#SBATCH --array=0-2%3"),
        (["METHOD.COEFF 0.125,0.5", "RUN.SEED 1,2,3"], 0, "#SBATCH --array=0-5%6"),
        (["OPTIM.BASE_LRR 0.1,0.2"], 2, "OPTIM.BASE_LRR"),
    ],
)
def test_a_dry_run_of_an_array(
    tool: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    arrays: list[str],
    code: int,
    words: str,
    tmp_path: Path,
) -> None:
    home = ["RUN.OUTPUT_DIR", str(tmp_path / "a")]
    words_of_arrays = [word for array in arrays for word in ("--array", *array.split())]
    assert tool("submit", "--dry-run", *words_of_arrays, "--cfg", "configs/k400_sce.yaml", *home) == code
    shown = capsys.readouterr()
    assert words in (shown.err if code else shown.out)
    assert not (tmp_path / "a").exists()
