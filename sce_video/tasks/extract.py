"""Task that writes features of videos to files, for other programs."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from fvcore.common.config import CfgNode

from sce_video.build.data import build_test_manifest, build_train_manifest
from sce_video.build.evaluation import build_protocol
from sce_video.build.model import build_evaluated_backbone
from sce_video.build.training import Work
from sce_video.clips.decoders import VideoOpener
from sce_video.data.sources.table import SOURCES
from sce_video.data.videos import ListedVideos
from sce_video.engine.cluster.collectives import is_main_process
from sce_video.evaluate.feature_files import export
from sce_video.evaluate.features import FeatureRows
from sce_video.runtime.environment import environment
from sce_video.runtime.files import write_json
from sce_video.runtime.logging import LOGGER
from sce_video.tasks.cached_features import describe_extraction, features_of, features_root
from sce_video.tasks.decoder import DECODER_FILE, choose_opener, save_decoder_choice


def extract_task(cfg: CfgNode, device: torch.device) -> Work:
    """Write features of the training videos and, if there are any, the test videos, with labels and paths."""
    manifests = _manifests(cfg)
    backbone, weights = build_evaluated_backbone(cfg, size_pixels=cfg.EVAL.SIZE_PIXELS)
    LOGGER.info("extracting features of %s on %s", weights, device)
    choice_file = features_root(cfg) / DECODER_FILE
    opener = choose_opener(cfg, manifests["train"], choice_file=choice_file)
    features = partial(features_of, cfg, backbone.to(device), device, opener, num_features=backbone.feature_dim)

    def work() -> None:
        save_decoder_choice(cfg, opener.decoder, videos=manifests["train"].digest(), choice_file=choice_file)
        _extract(cfg, features, opener, manifests, weights=weights)

    return work


def _extract(
    cfg: CfgNode,
    features: Callable[..., FeatureRows],
    opener: VideoOpener,
    manifests: dict[str, ListedVideos],
    *,
    weights: str,
) -> None:
    output_dir = Path(cfg.RUN.OUTPUT_DIR)
    lists: dict[str, dict[str, Any]] = {}
    for name, manifest in manifests.items():
        rows = features(manifest, name=name)
        lists[name] = {
            "num_evaluated": len(manifest) - len(rows.failures),
            "num_expected": len(manifest),
            "failures": [reason for _, reason in rows.failures],
        }
        if is_main_process():
            files = export(rows, output_dir / name, paths=manifest.shown_paths, labels=manifest.labels)
            LOGGER.info(
                "%d of %d videos of %s: wrote %s",
                lists[name]["num_evaluated"],
                len(manifest),
                manifest.origin,
                " and ".join(map(str, files)),
            )
    if is_main_process():
        results = {
            "task": cfg.TASK,
            "metrics": {},
            "num_evaluated": sum(each["num_evaluated"] for each in lists.values()),
            "num_expected": sum(each["num_expected"] for each in lists.values()),
            "failures": [reason for each in lists.values() for reason in each["failures"]],
            "lists": lists,
            "protocol": describe_extraction(cfg, opener, build_protocol(cfg)),
            "weights": weights,
            "class_names": manifests["train"].class_names,
        }
        write_json(output_dir / "results.json", {**results, "environment": environment()})


def _manifests(cfg: CfgNode) -> dict[str, ListedVideos]:
    manifests = {"train": build_train_manifest(cfg)}
    if cfg.DATA.TEST or SOURCES[cfg.DATA.SOURCE].has_own_test:
        manifests["test"] = build_test_manifest(cfg)
    return manifests
