"""A few pictures, videos of one frame, in both the training and the test list: the nearest neighbours are known."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from fvcore.common.config import CfgNode
from PIL import Image

from sce_video.config import load_config

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "demo_knn.yaml"
NUM_CLASSES = 4
# Of four test videos three are copies of the training video of their class; of the last it is that of class 3.
TEST_LABELS = (0, 1, 2, 0)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of noise, `train.txt` with one of each class, `test.txt` with copies of them."""
    folder = tmp_path_factory.mktemp("pictures")
    noise = np.random.default_rng(0)
    for picture in range(NUM_CLASSES):
        colors = noise.integers(256, size=(32, 32, 3), dtype=np.uint8)
        for part in ("train", "test"):
            Image.fromarray(colors).save(folder / f"{part}{picture}.png")
    (folder / "train.txt").write_text("".join(f"train{label}.png {label}\n" for label in range(NUM_CLASSES)))
    (folder / "test.txt").write_text("".join(f"test{i}.png {label}\n" for i, label in enumerate(TEST_LABELS)))
    return folder


@pytest.fixture
def config(pictures: Path, tmp_path: Path) -> Callable[..., CfgNode]:
    """The config of a task on them, in `tmp_path/run`; keys as SECTION__NAME."""
    settings: dict[str, object] = {
        "DATA.SOURCE": "list",
        "DATA.ROOT": pictures,
        "DATA.TRAIN": pictures / "train.txt",
        "DATA.TEST": pictures / "test.txt",
        "DATA.NUM_WORKERS": 0,
        "CLIP.NUM_FRAMES": 1,
        "CLIP.SIZE_PIXELS": 32,
        "METHOD.QUEUE_LENGTH": 8,
        "TRAIN.GLOBAL_BATCH_SIZE": 4,
        "TRAIN.NUM_EPOCHS": 2,
        "OPTIM.WARMUP_EPOCHS": 0,
        "EVAL.NUM_CLIPS": 1,
        "RUN.DEVICE": "cpu",
        "RUN.OUTPUT_DIR": tmp_path / "run",
    }

    def make(task: str, **changes: object) -> CfgNode:
        torch.manual_seed(0)  # the weights that are not loaded
        changed = {key.replace("__", "."): value for key, value in changes.items()}
        words = [str(word) for pair in {**settings, **changed, "TASK": task}.items() for word in pair]
        return load_config(CONFIG, shared=words)

    return make
