"""The probes of a pretraining run from the config."""

from fvcore.common.config import CfgNode

from sce_video.train.probes.base import Probes
from sce_video.train.probes.embeddings import Embeddings
from sce_video.train.probes.updates import Updates


def build_probes(cfg: CfgNode) -> Probes:
    """All probes, by the name under which checkpoints keep their state; none if TRAIN.PROBE_EVERY_STEPS is 0."""
    every_steps = cfg.TRAIN.PROBE_EVERY_STEPS
    if every_steps == 0:
        return Probes()
    return Probes(
        {
            "updates": Updates(every_steps=every_steps),
            "embeddings": Embeddings(every_steps=every_steps),
        }
    )
