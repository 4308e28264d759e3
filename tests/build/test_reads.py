"""The keys that the config declares as used by a task are exactly those that its run reads."""

import sys
from pathlib import Path
from typing import Any

import pytest
from fvcore.common.config import CfgNode

from sce_video.config import load_config
from sce_video.config.uses import used_keys
from sce_video.launch.local import run_task

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "demo_knn.yaml"
SMALL = (
    "DATA.NUM_WORKERS 0 CLIP.SECONDS 0.5 CLIP.NUM_FRAMES 2 CLIP.SIZE_PIXELS 32 METHOD.QUEUE_LENGTH 8 RUN.DEVICE cpu "
    "TRAIN.GLOBAL_BATCH_SIZE 8 TRAIN.NUM_EPOCHS 1 OPTIM.WARMUP_EPOCHS 0 EVAL.NUM_CLIPS 1"
)
# Shared code may read a key that a task does not use; its value then has no effect.
READ_BUT_UNUSED = {
    *("DATA.SPLIT", "DATA.SPLITS_DIR", "DATA.LIST_COLUMNS"),  # passed to the reader of any source
    "EVAL.SPLITS",
    "EVAL.LABEL_SHARE",
    "EVAL.RETRIEVAL_LEVEL",  # features per video or per clip
    "DATA.TEST",
    "CLIP.PAIR",  # with one clip
    # of other tasks and methods
    *("CLIP.NUM_GLOBAL_VIEWS", "CLIP.LOCAL_SIZES_PIXELS", "CLIP.NUM_NEGATIVES", "AUG.VIEW_1_IS_WEAK"),
    "EVAL.FEATURES_DIR",  # after finetuning only the output folder is used
    *("OPTIM.LAYER_DECAY", "TRAIN.LABEL_SMOOTHING", "TRAIN.MIXUP_ALPHA"),  # of a linear probe
    "CLIP.FRAME_STRIDE",
    "CLIP.SPEEDS",
    "CLIP.DURATION_JITTER",
    "AUG.COLOR_STRENGTH",  # jitter and blur with probability 0
    "AUG.JITTER_SHARES",
    "AUG.BLUR_KERNEL_PIXELS",
    "AUG.BLUR_SIGMA_PIXELS",
    *(f"METHOD.{name}_WARMUP_SHAPE" for name in ("COEFF", "TEMPERATURE", "TARGET_TEMPERATURE")),
    "OPTIM.DECAYS_NORMS_AND_BIASES",
    "METHOD.COEFF_START",  # of ramps of 0 epochs
    "METHOD.TEMPERATURE_START",
    "METHOD.TARGET_TEMPERATURE_START",
}
# Used only for remote videos, which no key tells.
FOR_REMOTE_VIDEOS = {"DATA.CACHE_DIR", "DATA.CACHE_GB"}
ON_RESUMING = {"TRAIN.EXTENDS_RUN"}
RUNS = {
    "pretrain": "TASK pretrain",
    "pretrain, other switches": (
        "TASK pretrain OPTIM.NAME sgd CLIP.FRAME_CHOICE strided CLIP.PAIR distance AUG.CROP short_side "
        "AUG.CROP_SHORT_SIDE_PIXELS 32,40 AUG.BLUR_PROBABILITIES 1,0 METHOD.COEFF_WARMUP_EPOCHS 1 "
        "METHOD.TEMPERATURE_WARMUP_EPOCHS 1 METHOD.TARGET_TEMPERATURE_WARMUP_EPOCHS 1 METHOD.COEFF_FINAL_SHAPE linear"
    ),
    "pretrain, more switches": "TASK pretrain CLIP.PAIR decreasing OPTIM.NAME lars AUG.JITTER_PROBABILITY 0",
    "pretrain, with images": (
        "TASK pretrain DATA.IMAGE_SHARE 0.5 DATA.IMAGE_SOURCE class_folders DATA.IMAGE_ROOT VIDEOS "
        "DATA.IMAGE_TRAIN test"
    ),
    "pretrain, MoCo v3": "TASK pretrain METHOD.NAME moco_v3",
    "pretrain, MoCo v2": "TASK pretrain METHOD.NAME moco_v2",
    "pretrain, ReSSL with local views": (
        "TASK pretrain METHOD.NAME ressl AUG.VIEW_1_IS_WEAK true CLIP.LOCAL_SIZES_PIXELS 32 "
        "AUG.LOCAL_BLUR_PROBABILITY 0.5 CLIP.NUM_GLOBAL_VIEWS 3"
    ),
    "pretrain, BYOL": "TASK pretrain METHOD.NAME byol MODEL.PREDICTOR_HIDDEN_DIM 16 CLIP.NUM_GLOBAL_VIEWS 3",
    "pretrain, SimCLR": "TASK pretrain METHOD.NAME simclr METHOD.TEMPERATURE_WARMUP_EPOCHS 1",
    "finetune": "TASK finetune OPTIM.NAME sgd",
    "linear": "TASK linear",
    "linear_features": "TASK linear_features EVAL.LINEAR_WEIGHT_DECAYS 0.01",
    "knn": "TASK knn",
    "knn, other switches": "TASK knn EVAL.CLIPS full_coverage CLIP.FRAME_CHOICE strided EVAL.LABEL_SHARE 0.7",
    "retrieval": "TASK retrieval EVAL.RETRIEVAL_LEVEL clip",
    "extract": "TASK extract",
    "floors": "TASK floors",
    "extract of a folder": "TASK extract DATA.SOURCE folder",
    "examine": "TASK examine EVAL.NUM_EXAMINED 4",
}


class Recorded(CfgNode):
    """A config that records which of its values are read outside `sce_video.config`."""

    def __init__(self, content: dict[str, Any], read: set[str], prefix: str = "") -> None:
        super().__init__()
        for name, value in content.items():
            key = f"{prefix}{name}"
            dict.__setitem__(self, name, Recorded(value, read, f"{key}.") if isinstance(value, CfgNode) else value)
        self.__dict__["read"], self.__dict__["prefix"] = read, prefix

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        frame = sys._getframe(1)
        while frame.f_back is not None and frame.f_globals["__name__"].startswith(("yacs", "fvcore")):
            frame = frame.f_back
        if not isinstance(value, CfgNode) and not frame.f_globals["__name__"].startswith("sce_video.config"):
            self.__dict__["read"].add(f"{self.__dict__['prefix']}{name}")
        return value


@pytest.mark.parametrize("switches", RUNS.values(), ids=RUNS)
def test_a_run_reads_what_its_config_uses(motion_videos: Path, tmp_path: Path, switches: str) -> None:
    paths = ["DATA.ROOT", str(motion_videos), "RUN.OUTPUT_DIR", str(tmp_path)]
    cfg = load_config(CONFIG, [*paths, *switches.replace("VIDEOS", str(motion_videos)).split()], shared=SMALL.split())
    used, read = set(used_keys(cfg)), set[str]()
    run_task(Recorded(cfg, read))
    assert read - used <= READ_BUT_UNUSED
    assert used - read <= FOR_REMOTE_VIDEOS | ON_RESUMING
