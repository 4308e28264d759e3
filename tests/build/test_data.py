"""Errors before a training loader is built."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from fvcore.common.config import CfgNode
from PIL import Image

from sce_video.config import load_config
from sce_video.config.same_run import config_record
from sce_video.data.loader import DeviceLoader, TrainLoader
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


def test_images_on_the_device_have_the_views_of_loader_processes(tmp_path: Path) -> None:
    words = ["DATA.SOURCE", "jpeg_npz", "DATA.TRAIN", str(write_images(tmp_path / "train.npz"))]
    words += ["CLIP.NUM_FRAMES", "1", "TRAIN.GLOBAL_BATCH_SIZE", "16", "METHOD.QUEUE_LENGTH", "32"]
    batches = []
    for loader, on_device in ((DeviceLoader, "true"), (TrainLoader, "false")):
        run = begun(load_config(CONFIG, [*words, "DATA.ON_DEVICE", on_device, "DATA.NUM_WORKERS", "0"]))
        assert type(run.loader) is loader
        _, parts = next(run.loader.batches_from(1, num_steps=2))
        assert run.take_step(parts, run.schedules.at(1), step=1).isfinite()
        batches += parts
    ours, theirs = batches
    assert ours.videos == theirs.videos
    for view, other in zip(ours.views, theirs.views, strict=True):
        assert torch.equal(view.parameters.numbers, other.parameters.numbers)
        assert (view.clips.int() - other.clips.int()).abs().max() <= 1


def write_images(file: Path) -> Path:
    """32 images of colours and noise."""
    random, files = np.random.default_rng(0), []
    for _ in range(32):
        pixels = random.integers(0, 256, 3) // 2 + random.integers(0, 128, (40, 48, 3))
        content = io.BytesIO()
        Image.fromarray(pixels.astype(np.uint8)).save(content, "JPEG")
        files.append(content.getvalue())
    np.savez(file, jpeg=np.frombuffer(b"".join(files), np.uint8), offsets=np.cumsum([0, *map(len, files)]))
    return file
