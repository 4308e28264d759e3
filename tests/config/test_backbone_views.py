"""Views that a backbone does not take are refused with the key that is wrong and what it must be."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sce_video.config import config_text, load_config
from sce_video.errors import ConfigError

Write = Callable[..., Path]
PRETRAINING = "DATA: {SOURCE: list, ROOT: videos, TRAIN: train.txt}"
FINETUNING = "{TASK: finetune, DATA: {SOURCE: list, ROOT: videos, TRAIN: a.txt, TEST: b.txt}}"
MVIT = ("MODEL.BACKBONE", "mvit_v2_s", "CLIP.SIZE_PIXELS", "224", "CLIP.NUM_FRAMES", "16")
LOCAL = (*MVIT, "AUG.CROP", "area", "CLIP.LOCAL_SIZES_PIXELS")


@pytest.mark.parametrize(
    ("config", "overrides", "message"),
    [
        (PRETRAINING, MVIT[:2], "CLIP.SIZE_PIXELS is 112; for MODEL.BACKBONE mvit_v2_s it must be 224"),
        (
            PRETRAINING,
            (*MVIT, "CLIP.NUM_FRAMES", "8"),
            "CLIP.NUM_FRAMES is 8; for MODEL.BACKBONE mvit_v2_s it must be 16",
        ),
        (
            PRETRAINING,
            (*LOCAL, "224,96"),
            "CLIP.LOCAL_SIZES_PIXELS is [224, 96]; for MODEL.BACKBONE mvit_v2_s it must be 224",
        ),
        (
            PRETRAINING,
            (*LOCAL, "224", "CLIP.LOCAL_NUM_FRAMES", "4"),
            "CLIP.LOCAL_NUM_FRAMES is 4; for MODEL.BACKBONE mvit_v2_s it must be 16",
        ),
        (
            PRETRAINING,
            ("MODEL.BACKBONE", "timm/vit_tiny_patch16_224"),
            "CLIP.SIZE_PIXELS is 112; for MODEL.BACKBONE timm/vit_tiny_patch16_224 it must be 224",
        ),
        (
            PRETRAINING,
            (*MVIT, "DATA.IMAGE_SHARE", "0.25", "DATA.IMAGE_TRAIN", "images"),
            "DATA.IMAGE_SHARE is 0.25; MODEL.BACKBONE mvit_v2_s does not take the one frame of an image, "
            "use 0 or another network",
        ),
        (FINETUNING, MVIT, "EVAL.SIZE_PIXELS is 128; for MODEL.BACKBONE mvit_v2_s it must be 224"),
    ],
)
def test_a_view_that_the_backbone_does_not_take(
    config_file: Write, config: str, overrides: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(config_file(config), overrides)
    assert str(caught.value) == message


def test_views_that_are_taken(config_file: Write) -> None:
    load_config(config_file(PRETRAINING), MVIT)
    load_config(config_file(PRETRAINING), (*LOCAL, "224,224"))
    assert "BACKBONE: timm/resnet18" in config_text(
        load_config(config_file(PRETRAINING), ("MODEL.BACKBONE", "timm/resnet18"))
    )
    load_config(config_file(FINETUNING), (*MVIT, "EVAL.SIZE_PIXELS", "224"))


def test_a_size_that_the_task_does_not_use(config_file: Write) -> None:
    """A knn run has no views of CLIP.SIZE_PIXELS."""
    measured = FINETUNING.replace("finetune", "knn")
    load_config(config_file(measured), (*MVIT[:2], *MVIT[4:], "EVAL.SIZE_PIXELS", "224"))
