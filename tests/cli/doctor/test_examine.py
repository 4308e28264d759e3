"""Needs of a config's loader; all numbers by hand."""

from dataclasses import replace

from fvcore.common.config import CfgNode

from sce_video.build.views import build_views
from sce_video.cli.doctor.examine import loader_needs
from sce_video.config.defaults import default_config
from sce_video.engine.doctor.resources import LoaderNeeds

# 2 views x 512 videos x 16 frames x 3 x 112 x 112 = 616,562,688 bytes
BATCH_512 = 616_562_688


def config(**changes: object) -> CfgNode:
    cfg = default_config()
    settings = {"DATA.NUM_WORKERS": 2, "AUG.TEMPORAL_DIFFERENCE_PROBABILITY": 0.0}
    for key, value in (settings | {key.replace("__", "."): value for key, value in changes.items()}).items():
        section, name = key.split(".")
        cfg[section][name] = value
    return cfg


def needs_of(cfg: CfgNode, *, pinned: bool) -> LoaderNeeds:
    return loader_needs(cfg, build_views(cfg), pinned=pinned)


def test_bytes_of_the_default_recipe() -> None:
    found = needs_of(config(), pinned=True)
    assert found.batch_bytes == BATCH_512
    assert found.num_batches == 5  # 2 workers x 2 ahead, and one on its way to the GPU
    assert found.total_bytes == 3_082_813_440


def test_every_view_has_its_own_size() -> None:
    """2 x 16 x 112 x 112 x 3 = 1,204,224 bytes of global and 4 x 8 x 64 x 64 x 3 = 393,216 of local views a video."""
    global_views = build_views(config())
    local = replace(global_views[0], seconds=0.64, num_frames=8, size_pixels=64)
    assert loader_needs(config(), [*global_views, *[local] * 4], pinned=True).batch_bytes == 512 * 1_597_440


def test_accumulation_holds_more_and_smaller_batches() -> None:
    found = needs_of(config(TRAIN__ACCUMULATION_STEPS=4), pinned=False)
    assert found.batch_bytes == BATCH_512 // 4
    assert found.num_batches == 4 + 4 + 3  # ahead; the parts of one step; of the next but its last


def test_temporal_difference_adds_the_frames_after_each_clip() -> None:
    assert needs_of(config(AUG__TEMPORAL_DIFFERENCE_PROBABILITY=0.25), pinned=True).batch_bytes == 770_703_360
