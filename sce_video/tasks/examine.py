"""Task that examines what features see, of some training videos without labels."""

from functools import partial
from pathlib import Path

import torch
from fvcore.common.config import CfgNode
from torch import Tensor

from sce_video.augment.apply import plain_view
from sce_video.build.data import build_train_manifest
from sce_video.build.evaluation import build_examined_dataset, build_examined_protocol
from sce_video.build.files import build_videos
from sce_video.build.model import build_evaluated_backbone
from sce_video.build.training import Work
from sce_video.build.workers import build_workers
from sce_video.clips.decoders import VideoOpener
from sce_video.data.manifest import NO_LABEL
from sce_video.data.videos import ListedVideos
from sce_video.engine.cluster.collectives import is_main_process
from sce_video.errors import ManifestError
from sce_video.evaluate.examine.changes import changed_clips
from sce_video.evaluate.examine.choice import choose_videos, groups_by_pattern
from sce_video.evaluate.examine.examination import Examination, examine
from sce_video.evaluate.examine.thumbnails import NUM_THUMBNAIL_VALUES, WithThumbnails
from sce_video.evaluate.feature_files import stored_features
from sce_video.evaluate.features import FeatureExtractor, FeatureRows
from sce_video.evaluate.views import spatial_crops
from sce_video.models.base import Backbone
from sce_video.models.representation import REPRESENTATIONS
from sce_video.models.weights import weights_digest
from sce_video.report.text_table import text_table
from sce_video.runtime.environment import environment
from sce_video.runtime.files import write_json
from sce_video.runtime.logging import LOGGER
from sce_video.tasks.cached_features import describe_content, describe_extraction, features_root
from sce_video.tasks.decoder import DECODER_FILE, choose_opener, save_decoder_choice

_VIDEOS_PER_PART = 32  # the work of one rank


def examine_task(cfg: CfgNode, device: torch.device) -> Work:
    """Compare features of clips with those of changed clips and other videos; write `results.json`, print a table."""
    listed = build_train_manifest(cfg)
    groups = listed_groups(cfg, listed)
    paths = list(listed.storage.full_paths(listed.paths))
    chosen = choose_videos(paths, groups, num_videos=cfg.EVAL.NUM_EXAMINED, seed=cfg.RUN.SEED)
    examined = listed.part(chosen, origin=f"{len(chosen)} videos of {listed.origin}")
    backbone, weights = build_evaluated_backbone(cfg, size_pixels=cfg.EVAL.SIZE_PIXELS)
    LOGGER.info("examining %s on %s, with %s", weights, device, examined.origin)
    choice_file = features_root(cfg) / DECODER_FILE
    opener = choose_opener(cfg, examined, choice_file=choice_file)

    def work() -> None:
        save_decoder_choice(cfg, opener.decoder, videos=examined.digest(), choice_file=choice_file)
        rows = _rows_of(cfg, backbone.to(device), device, opener, examined)
        labels = examined.labels if examined.labels is not None and NO_LABEL not in examined.labels else None
        of_chosen = None if groups is None else [groups[video] for video in chosen]
        found = examine(
            rows,
            num_frames=cfg.CLIP.NUM_FRAMES,
            sees_pictures=REPRESENTATIONS[backbone.input.representation].sees_pictures,
            groups=of_chosen,
            labels=labels,
        )
        if is_main_process():
            _write(cfg, found, rows, opener, examined, weights=weights)

    return work


def listed_groups(cfg: CfgNode, listed: ListedVideos) -> list[str] | None:
    """Groups by EVAL.GROUP_PATTERN or from the list, "" for none; None without groups.

    Raises:
        ManifestError: no path matches the pattern.
    """
    pattern = cfg.EVAL.GROUP_PATTERN
    if not pattern:
        return None if listed.groups is None else list(listed.groups)
    groups = groups_by_pattern(listed.paths, pattern)
    if not any(groups):
        raise ManifestError(
            f"EVAL.GROUP_PATTERN {pattern!r} matches none of the {len(listed)} paths of {listed.origin}, such as "
            f"{listed.shown_paths[0]!r}"
        )
    return groups


def _rows_of(
    cfg: CfgNode, backbone: Backbone, device: torch.device, opener: VideoOpener, examined: ListedVideos
) -> FeatureRows:
    """Features of the clips of all videos, cached in the folder `examined` beside other features."""
    workers = build_workers(cfg, examined, device)
    extractor = FeatureExtractor(
        WithThumbnails(backbone),
        build_examined_dataset(cfg, build_videos(cfg, examined, opener), workers),
        make_views=partial(_views_of, cfg),
        pool=lambda features: features,
        workers=workers,
        device=device,
    )
    rows = stored_features(
        features_root(cfg) / "examined",
        extractor,
        num_videos=len(examined),
        num_features=backbone.feature_dim + NUM_THUMBNAIL_VALUES,
        local_batch_size=cfg.EVAL.LOCAL_BATCH_SIZE,
        about={
            "weights": weights_digest(backbone),
            "network_input": str(backbone.input),
            **describe_content(examined),
            **describe_extraction(cfg, opener, build_examined_protocol(cfg)),
            "torch": torch.__version__,
            "device": device.type,
        },
        description="examined clips",
        videos_per_part=_VIDEOS_PER_PART,
    )
    if len(rows.features) == 0:
        raise ManifestError(f"none of the {len(examined)} videos of {examined.origin} can be decoded")
    return rows


def _views_of(cfg: CfgNode, clips: Tensor) -> Tensor:
    squares = spatial_crops(clips, num_crops=1, size_pixels=cfg.EVAL.SIZE_PIXELS)
    return plain_view(changed_clips(squares), mean=tuple(cfg.AUG.MEAN), std=tuple(cfg.AUG.STD))


def _write(
    cfg: CfgNode, found: Examination, rows: FeatureRows, opener: VideoOpener, examined: ListedVideos, *, weights: str
) -> None:
    path = Path(cfg.RUN.OUTPUT_DIR) / "results.json"
    num_expected = len(examined)
    results = {
        "task": cfg.TASK,
        "metrics": found.metrics(),
        "standard_errors": found.standard_errors(),
        "chance": found.chance(),
        "num_evaluated": num_expected - len(rows.failures),
        "num_expected": num_expected,
        "failures": [reason for _, reason in rows.failures],
        "protocol": {
            **describe_extraction(cfg, opener, build_examined_protocol(cfg)),
            "source": cfg.DATA.SOURCE,
            "videos": examined.digest(),
            "group_pattern": cfg.EVAL.GROUP_PATTERN,
            "seed": cfg.RUN.SEED,
        },
        "weights": weights,
        "examination": found.record(),
    }
    write_json(path, {**results, "environment": environment()})
    LOGGER.info(
        "%s\n\n%s\n\n%d of %s examined; wrote %s",
        "\n".join(found.words),
        examination_table(found),
        *(results["num_evaluated"], examined.origin, path),
    )


def examination_table(found: Examination) -> str:
    """Bars and shares as text."""
    record = found.record()
    lines = [
        [
            each["title"],
            f"{each['mean']:.2f}",
            "-" if each["error"] is None else f"{each['error']:.2f}",
            f"{each['quantiles'][0]:.2f} .. {each['quantiles'][-1]:.2f}",
            f"{each['cosine']:.4f}",
            str(each["num_videos"]),
        ]
        for each in record["bars"]
    ]
    table = text_table(["the clip and", "0 other, 1 same", "±", "10 .. 90 %", "cosine", "videos"], lines)
    if not record["shares"]:
        return table
    rows = [
        [each["title"], *(f"{100 * each[key]:.1f}" for key in ("share", "error", "chance")), str(each["num_videos"])]
        for each in record["shares"]
    ]
    return table + "\n\n" + text_table(["share", "%", "±", "chance", "videos"], rows)
