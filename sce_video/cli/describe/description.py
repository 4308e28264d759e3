"""What a config amounts to: networks, views, steps, memory, messages."""

from collections.abc import Sequence
from dataclasses import dataclass

from fvcore.common.config import CfgNode
from torch import nn

from sce_video.augment.recipes import ViewSpec
from sce_video.build.data import build_image_manifest, build_train_manifest, num_steps
from sce_video.build.optim import build_schedules
from sce_video.build.views import build_views
from sce_video.cli.describe.networks import gmacs, meta_model, num_parameters
from sce_video.cli.describe.training_step import peak_memory_bytes
from sce_video.config.sections.task import TRAINING_TASKS
from sce_video.data.videos import ListedVideos
from sce_video.errors import ConfigError, UserError
from sce_video.methods.base import Method
from sce_video.optim.schedules import LearningRate
from sce_video.train.traffic import sent_bytes

_CLASSES_IF_UNKNOWN = 400
CONTEXT_GIB = 1.0
ERROR_SHARE = 0.15


@dataclass(frozen=True)
class DescribedView:
    """One view of a video; in evaluation each of `num_views`."""

    num_frames: int
    seconds: float
    size_pixels: int
    gmacs: float
    num_views: int


@dataclass(frozen=True)
class TrainingCost:
    """Of one optimiser step on each GPU.

    Attributes:
        videos_at_once: of this GPU's part of a batch.
        steps_per_epoch, image_steps_per_epoch: None if a list cannot be read; `list` says what is known of it.
        sent_bytes: empty on one GPU.
        peak_gib: see `train.memory`.
    """

    list: str
    steps_per_epoch: int | None
    image_steps_per_epoch: int | None
    videos_at_once: int
    peak_lr: float
    sent_bytes: dict[str, int]
    peak_gib: float


@dataclass(frozen=True)
class Description:
    task: str
    backbone: str
    representation: str
    method: str
    parameters: dict[str, int]
    views: Sequence[DescribedView]
    num_gpus: int
    training: TrainingCost | None  # None for an evaluation on features

    def fits(self, gpu_gib: float) -> str:
        """Whether a step fits the memory of a GPU: "yes", "no", or "perhaps" within the error of the estimate."""
        if self.training is None:
            return ""
        usable, peak = gpu_gib - CONTEXT_GIB, self.training.peak_gib
        if peak * (1 + ERROR_SHARE) <= usable:
            return "yes"
        return "no" if peak * (1 - ERROR_SHARE) > usable else "perhaps"


def describe(cfg: CfgNode, *, num_gpus: int = 1) -> Description:
    """
    Raises:
        ConfigError: the batch cannot be divided among the GPUs.
    """
    videos, origin = _videos(cfg)
    model = meta_model(cfg, num_classes=_num_classes(videos))
    specs = _views(cfg)
    return Description(
        task=cfg.TASK,
        backbone=cfg.MODEL.BACKBONE,
        representation=cfg.MODEL.REPRESENTATION,
        method=cfg.METHOD.NAME if cfg.TASK == "pretrain" else "",
        parameters=num_parameters(model),
        views=[_described(cfg, model.get_submodule("backbone"), spec) for spec in specs],
        num_gpus=num_gpus,
        training=_training(cfg, model, specs, videos, origin, num_gpus) if cfg.TASK in TRAINING_TASKS else None,
    )


def _videos(cfg: CfgNode) -> tuple[ListedVideos | None, str]:
    """The training videos, and how many, or why this is not known."""
    if cfg.TASK not in TRAINING_TASKS:
        return None, ""
    try:
        videos, images = build_train_manifest(cfg), build_image_manifest(cfg)
    except (UserError, OSError) as error:
        return None, f"not known: {error}"
    return videos, f"{len(videos)} videos" + (f" and {len(images)} images" if images else "")


def _num_classes(videos: ListedVideos | None) -> int:
    return max(videos.labels) + 1 if videos is not None and videos.labels else _CLASSES_IF_UNKNOWN


def _views(cfg: CfgNode) -> list[ViewSpec]:
    """The views of a training video."""
    return build_views(cfg) if cfg.TASK == "pretrain" else build_views(cfg)[:1]


def _described(cfg: CfgNode, backbone: nn.Module, spec: ViewSpec) -> DescribedView:
    """A training view, or in an evaluation one of a test video."""
    is_evaluation = cfg.TASK not in TRAINING_TASKS
    size_pixels = cfg.EVAL.SIZE_PIXELS if is_evaluation else spec.size_pixels
    cost = gmacs(backbone, num_frames=spec.num_frames, size_pixels=size_pixels)
    num_views = cfg.EVAL.NUM_CLIPS * cfg.EVAL.NUM_CROPS if is_evaluation else 1
    return DescribedView(spec.num_frames, spec.seconds, size_pixels, cost, num_views)


def _training(
    cfg: CfgNode, model: nn.Module, specs: list[ViewSpec], videos: ListedVideos | None, origin: str, num_gpus: int
) -> TrainingCost:
    batch, num_parts = cfg.TRAIN.GLOBAL_BATCH_SIZE, cfg.TRAIN.ACCUMULATION_STEPS
    if batch % (num_parts * num_gpus):
        raise ConfigError(
            f"TRAIN.GLOBAL_BATCH_SIZE is {batch}; it must be a multiple of TRAIN.ACCUMULATION_STEPS {num_parts} times "
            f"{num_gpus} GPUs"
        )
    is_symmetric = getattr(model, "symmetric", True)  # otherwise the first view has a key and no query
    num_keys = cfg.CLIP.NUM_GLOBAL_VIEWS if is_symmetric else 1
    gathers = isinstance(model, Method) and model.GATHERS_EMBEDDINGS
    num_negatives = model.num_negatives if isinstance(model, Method) else 0
    sent = sent_bytes(
        model,
        num_passes=(len(specs) - num_negatives - (0 if is_symmetric else 1)) * num_parts,
        num_momentum_passes=(num_keys + num_negatives) * num_parts,
        num_embeddings=num_keys * batch // num_gpus if gathers else 0,
        embedding_dim=cfg.MODEL.PROJECTOR_DIMS[-1],
    )
    videos_at_once = batch // (num_parts * num_gpus)
    lr = build_schedules(cfg, 1).lr
    assert isinstance(lr, LearningRate)
    peak = peak_memory_bytes(cfg, model, specs, num_videos=videos_at_once, num_gpus=num_gpus)
    steps, of_images = (None, None) if videos is None else num_steps(cfg, len(videos))
    return TrainingCost(
        list=origin,
        steps_per_epoch=steps,
        image_steps_per_epoch=of_images,
        videos_at_once=videos_at_once,
        peak_lr=lr.peak,
        sent_bytes=sent if num_gpus > 1 else {},
        peak_gib=peak / 2**30,
    )
