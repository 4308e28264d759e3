"""Errors before a training loader is built."""

from pathlib import Path

import pytest
import torch
from fvcore.common.config import CfgNode
from PIL import Image

from sce_video.config import load_config
from sce_video.config.same_run import config_record
from sce_video.errors import ConfigError
from sce_video.tasks.pretrain import build_pretrain_run
from sce_video.train.loop import Run

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "demo_sce.yaml"


def begun(cfg: CfgNode) -> Run:
    return build_pretrain_run(cfg, torch.device("cpu"), config_record(cfg))


@pytest.mark.parametrize("seconds", ["0.01", "1.0"])  # shorter and longer than an image's duration: the same error
def test_clips_of_still_images_have_one_frame(tmp_path: Path, seconds: str) -> None:
    for name in ("jump/a.png", "jump/b.png", "walk/a.png"):
        (tmp_path / "train" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40), (9, 9, 9)).save(tmp_path / "train" / name)
    settings = {"DATA.SOURCE": "image_folders", "DATA.ROOT": tmp_path, "DATA.TRAIN": "train", "DATA.NUM_WORKERS": 0}
    settings |= {"CLIP.SECONDS": seconds, "TRAIN.GLOBAL_BATCH_SIZE": 2, "RUN.OUTPUT_DIR": tmp_path / "run"}
    words = [str(word) for pair in settings.items() for word in pair]
    with pytest.raises(ConfigError, match=r"CLIP\.NUM_FRAMES is 8, .* are single images; set CLIP\.NUM_FRAMES 1$"):
        begun(load_config(CONFIG, words))
    run = begun(load_config(CONFIG, [*words, "CLIP.NUM_FRAMES", "1"]))
    assert run.plan.steps_per_epoch == 1
