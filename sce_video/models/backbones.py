"""The backbones by name."""

from collections.abc import Callable

from sce_video.models.pooled import PooledBackbone
from sce_video.models.s3d import s3d
from sce_video.models.slow import slow_r50
from sce_video.models.video_resnet import r2plus1d_18, r2plus1d_mini, r3d_18

BACKBONES: dict[str, Callable[[], PooledBackbone]] = {
    "r2plus1d_18": r2plus1d_18,
    "r2plus1d_mini": r2plus1d_mini,
    "r3d_18": r3d_18,
    "s3d": s3d,
    "slow_r50": slow_r50,
}


def make_backbone(name: str) -> PooledBackbone:
    """A freshly initialised backbone (the global torch generator draws the weights).

    Raises:
        ValueError: `name` is not a key of BACKBONES.
    """
    if name not in BACKBONES:
        raise ValueError(f"backbone is {name!r}; it must be one of {', '.join(BACKBONES)}")
    return BACKBONES[name]()
