"""Peak memory against measurements on an H100 (torch.cuda.max_memory_allocated)."""

import json
from pathlib import Path
from typing import Any

import pytest

from sce_video.build.views import build_views
from sce_video.cli.describe.networks import meta_model
from sce_video.cli.describe.training_step import peak_memory_bytes
from sce_video.config import load_config
from sce_video.errors import ConfigError

REPOSITORY = Path(__file__).resolve().parents[3]
MEASURED = REPOSITORY / "benchmarks" / "results" / "step_h100_2026-11-26.json"
STEPS = [row for row in json.loads(MEASURED.read_text())["rows"] if row["what"] == "step" and row["seconds"]]
# Of the others the same networks with other numbers of videos, and R(2+1)D-18, the same parts as in R3D-50.
ONE_OF_EACH = {("k400_sce_r3d50", 64), ("k400_sce_s3d", 2)}


def peak_gib(config: str, num_videos: int, *overrides: str, num_gpus: int = 1) -> float:
    cfg = load_config(REPOSITORY / "configs" / f"{config}.yaml", ["TRAIN.ACCUMULATION_STEPS", "1", *overrides])
    model = meta_model(cfg, num_classes=101)
    views = build_views(cfg) if cfg.TASK == "pretrain" else build_views(cfg)[:1]
    return peak_memory_bytes(cfg, model, views, num_videos=num_videos, num_gpus=num_gpus) / 2**30


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(
            row,
            marks=() if (row["config"], row["videos"]) in ONE_OF_EACH else pytest.mark.thorough,
            id=f"{row['config']}-{row['videos']}",
        )
        for row in STEPS
    ],
)
def test_the_estimate_is_within_15_percent_of_the_measurement(row: dict[str, Any]) -> None:
    assert peak_gib(row["config"], row["videos"]) == pytest.approx(row["peak_gib"], rel=0.15)


def test_the_step_that_did_not_fit_80_gib() -> None:
    (row,) = [row for row in json.loads(MEASURED.read_text())["rows"] if row.get("peak_gib") == "does not fit"]
    assert peak_gib(row["config"], row["videos"]) > 80


SMALL = ("MODEL.PROJECTOR_DIMS", "256,64", "METHOD.QUEUE_LENGTH", "0", "METHOD.IN_BATCH_KEYS", "True")


def test_what_else_is_held() -> None:
    """A queue is float32; several GPUs hold all gradients from the beginning."""
    plain = peak_gib("demo_sce", 8, *SMALL)
    longer = peak_gib("demo_sce", 8, *SMALL[:2], "METHOD.QUEUE_LENGTH", "65536", *SMALL[4:])
    assert longer - plain > 65536 * 64 * 4 / 2**30
    cfg = load_config(REPOSITORY / "configs" / "demo_sce.yaml", SMALL)
    trained = [each for each in meta_model(cfg, num_classes=0).parameters() if each.requires_grad]
    gradients = sum(each.numel() for each in trained) * 4 / 2**30
    assert peak_gib("demo_sce", 8, *SMALL, num_gpus=2) - plain == pytest.approx(gradients)


def test_recomputed_activations_are_not_held() -> None:
    assert peak_gib("demo_sce", 64, "TRAIN.RECOMPUTES_ACTIVATIONS", "True") < 0.8 * peak_gib("demo_sce", 64)


def test_frozen_networks_hold_no_activations() -> None:
    """The same network and clips, trained or only in front of a classifier."""
    assert 3 * peak_gib("k400_linear_small", 64) < peak_gib("ucf101_finetune_small", 64)


def test_recomputing_in_half_precision_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"cannot be estimated in fp16; describe it with TRAIN\.PRECISION fp32"):
        peak_gib("k400_sce_s3d", 2, "TRAIN.RECOMPUTES_ACTIVATIONS", "True")
