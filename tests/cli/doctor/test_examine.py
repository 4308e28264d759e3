"""What a config's loader asks for; all numbers by hand."""

from fvcore.common.config import CfgNode

from sce_video.cli.doctor.examine import loader_needs
from sce_video.config.defaults import default_config

# 2 views x 512 videos x 16 frames x 3 x 112 x 112 = 616,562,688 bytes
BATCH_512 = 616_562_688


def config(**changes: object) -> CfgNode:
    cfg = default_config()
    settings = {"DATA.NUM_WORKERS": 2, "AUG.TEMPORAL_DIFFERENCE_PROBABILITY": 0.0}
    for key, value in (settings | {key.replace("__", "."): value for key, value in changes.items()}).items():
        section, name = key.split(".")
        cfg[section][name] = value
    return cfg


def test_bytes_of_the_default_recipe() -> None:
    found = loader_needs(config(), pinned=True)
    assert found.batch_bytes == BATCH_512
    assert found.num_batches == 5  # 2 workers x 2 ahead, and one on its way to the GPU
    assert found.total_bytes == 3_082_813_440


def test_accumulation_makes_batches_smaller_and_keeps_more_of_them() -> None:
    found = loader_needs(config(TRAIN__ACCUMULATION_STEPS=4), pinned=False)
    assert found.batch_bytes == BATCH_512 // 4
    assert found.num_batches == 4 + 4 + 3  # ahead; the parts of one step; of the next but its last


def test_frame_differences_take_their_successors_along() -> None:
    assert loader_needs(config(AUG__TEMPORAL_DIFFERENCE_PROBABILITY=0.25), pinned=True).batch_bytes == 770_703_360
