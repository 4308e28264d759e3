"""Check of the views of a run against those that its backbone takes."""

from collections.abc import Iterator

from fvcore.common.config import CfgNode

from sce_video.config.uses import get, why_unused
from sce_video.config.values import masked_repr
from sce_video.errors import ConfigError
from sce_video.models.backbones import accepted_views

_FRAMES = ("CLIP.NUM_FRAMES", "CLIP.LOCAL_NUM_FRAMES")
_PIXELS = ("CLIP.SIZE_PIXELS", "CLIP.LOCAL_SIZES_PIXELS", "EVAL.SIZE_PIXELS")


def check_backbone_views(cfg: CfgNode) -> None:
    """Raise ConfigError, with key, value and fix, if a view has a length or size that MODEL.BACKBONE does not take."""
    name = cfg.MODEL.BACKBONE
    accepted = accepted_views(name)
    for keys, refused in ((_FRAMES, accepted.refused_frames), (_PIXELS, accepted.refused_pixels)):
        for key, value in _values(cfg, keys):
            if refusal := refused(value):
                raise ConfigError(f"{key} is {masked_repr(get(cfg, key))}; for MODEL.BACKBONE {name} {refusal}")
    if not why_unused(cfg, "DATA.IMAGE_SHARE") and cfg.DATA.IMAGE_SHARE > 0 and accepted.refused_frames(1):
        fix = f"MODEL.BACKBONE {name} does not take the one frame of an image, use 0 or another network"
        raise ConfigError(f"DATA.IMAGE_SHARE is {cfg.DATA.IMAGE_SHARE}; {fix}")


def _values(cfg: CfgNode, keys: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    """The numbers that the run uses; 0 stands for those of the global views, or for no view."""
    for key in keys:
        value = get(cfg, key)
        if not why_unused(cfg, key):
            yield from ((key, each) for each in (value if isinstance(value, list) else [value]) if each)
