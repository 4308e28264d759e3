"""The number of videos that fit against the description of that batch."""

from pathlib import Path

import pytest

from sce_video.cli.describe.description import describe
from sce_video.cli.init_config.memory import most_videos, overrides_of
from sce_video.config import load_config

SETTINGS = {
    "CLIP.SECONDS": 0.5,
    "CLIP.NUM_FRAMES": 2,
    "CLIP.SIZE_PIXELS": 32,
    "MODEL.BACKBONE": "r2plus1d_mini",
    "MODEL.PROJECTOR_DIMS": [32, 16],
    "MODEL.PREDICTOR_HIDDEN_DIM": 0,
}


@pytest.mark.thorough
def test_the_most_videos_fit_and_more_do_not(tmp_path: Path) -> None:
    gpu_gib = 2.0
    most = most_videos(SETTINGS, gpu_gib=gpu_gib)
    fits = {}
    for batch in (most, round(1.02 * most)):
        settings = {**SETTINGS, "TRAIN.GLOBAL_BATCH_SIZE": batch, "DATA.SOURCE": "folder", "DATA.ROOT": str(tmp_path)}
        fits[batch] = describe(load_config(None, overrides_of(settings))).fits(gpu_gib)
    assert list(fits.values()) == ["yes", "perhaps"]
