"""The pretraining methods by METHOD.NAME."""

from sce_video.methods.base import Method
from sce_video.methods.byol import BYOL
from sce_video.methods.moco_v2 import MoCoV2
from sce_video.methods.moco_v3 import MoCoV3
from sce_video.methods.ressl import ReSSL
from sce_video.methods.sce import SCE
from sce_video.methods.simclr import SimCLR

METHODS: dict[str, type[Method]] = {
    "sce": SCE,
    "moco_v2": MoCoV2,
    "moco_v3": MoCoV3,
    "ressl": ReSSL,
    "byol": BYOL,
    "simclr": SimCLR,
}
