"""All config keys: TASK, then those of `sections/`.

The defaults are SCE's Kinetics-400 recipe (arXiv:2212.11187) for R(2+1)D-18 with 16 frames of 112 pixels.
"""

from copy import deepcopy

from fvcore.common.config import CfgNode

from sce_video.config.sections.aug import AUG
from sce_video.config.sections.clip import CLIP
from sce_video.config.sections.data import DATA
from sce_video.config.sections.evaluation import EVAL
from sce_video.config.sections.method import METHOD
from sce_video.config.sections.model import MODEL
from sce_video.config.sections.optim import OPTIM
from sce_video.config.sections.run import RUN
from sce_video.config.sections.task import TASK
from sce_video.config.sections.train import TRAIN
from sce_video.config.settings import Section, Setting

_SECTIONS: dict[str, Section] = {
    "DATA": DATA,
    "CLIP": CLIP,
    "AUG": AUG,
    "MODEL": MODEL,
    "METHOD": METHOD,
    "OPTIM": OPTIM,
    "TRAIN": TRAIN,
    "EVAL": EVAL,
    "RUN": RUN,
}

# Dotted key -> its declaration.
SETTINGS: dict[str, Setting] = {
    "TASK": TASK,
    **{f"{name}.{key}": each for name, section in _SECTIONS.items() for key, each in section.settings().items()},
}


def default_config() -> CfgNode:
    """A new config with all defaults."""
    cfg = CfgNode()
    for key, setting in SETTINGS.items():
        section, _, name = key.rpartition(".")
        node = cfg.setdefault(section, CfgNode()) if section else cfg
        node[name] = deepcopy(setting.default)
    return cfg
