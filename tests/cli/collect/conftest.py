"""Folders of runs, whose files are written here by hand."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest


@pytest.fixture
def write_run(tmp_path: Path) -> Callable[..., Path]:
    """`write_run("a/b", "METHOD.COEFF: 0.25", loss=2.5)` writes a run to `tmp_path` and returns its folder."""

    def write(
        name: str,
        config: str,
        *,
        loss: float | None = None,
        metrics: Mapping[str, float] | None = None,
        chance: Mapping[str, float] | None = None,
        **more: object,
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        always = f"RUN.OUTPUT_DIR: {json.dumps(str(folder))}\nDATA.ROOT: videos\nDATA.TRAIN: a.txt\n"
        (folder / "config.yaml").write_text(f"{config}\n{always}")
        if loss is not None:
            lines = [{"step": step, "loss": loss + 1 - step} for step in (0, 1)]
            (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        if metrics:
            results = {
                "metrics": metrics,
                "chance": chance or {},
                "num_evaluated": 4,
                "num_expected": 4,
                "protocol": {},
                **more,
            }
            (folder / "results.json").write_text(json.dumps(results))
        return folder

    return write


@pytest.fixture
def sweep(tmp_path: Path, write_run: Callable[..., Path]) -> Path:
    """Method x coefficient x seed, at several depths; BYOL has no coefficient; one run has not logged yet."""
    for seed, loss in ((1, 2.5), (2, 3.5), (3, 4.5)):
        write_run(f"sce/coeff_0.25/seed_{seed}", f"METHOD.COEFF: 0.25\nRUN.SEED: {seed}", loss=loss)
    write_run("sce/coeff_0.5/seed_1", "METHOD.COEFF: 0.5\nRUN.SEED: 1", loss=1.0)
    write_run("sce/coeff_0.5/seed_2", "METHOD.COEFF: 0.5\nRUN.SEED: 2")
    write_run("byol", "METHOD.NAME: byol\nRUN.SEED: 1", loss=0.125)
    return tmp_path
