"""Animated pictures for a page, from the videos of a run."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import torch
from fvcore.common.config import CfgNode

from sce_video.augment.batch import collate, make_views
from sce_video.augment.recipes import ViewRecipe, ViewSpec
from sce_video.build.data import build_test_manifest, build_train_dataset, build_train_manifest
from sce_video.build.evaluation import build_protocol
from sce_video.build.files import build_opener, build_videos
from sce_video.build.views import build_views
from sce_video.build.workers import build_workers
from sce_video.config.sections.task import TRAINING_TASKS
from sce_video.data.dataset import TrainDataset, VideoRequest
from sce_video.data.videos import ListedVideos, StoredVideos
from sce_video.data.watched import WatchedVideos
from sce_video.engine.pool.workers import Workers
from sce_video.errors import UserError
from sce_video.evaluate.views import ViewsDataset
from sce_video.report.classes import class_accuracies
from sce_video.report.gallery import choose_queries, shown_paths
from sce_video.report.reported import Pictures, Preview
from sce_video.report.run_folder import Query, RunFiles
from sce_video.report.strips import Strip, make_strip

_MAX_QUERIES = 60
_SHORT_SIDE_PIXELS = 80
_MAX_FRAMES = 8
_NUM_PREVIEWED = 4
_VIEW_PIXELS, _MAX_VIEW_FRAMES = 112, 16
_CPU = torch.device("cpu")


def choose_queries_to_show(runs: Sequence[RunFiles]) -> list[list[Query]]:
    """Queries of each run that are shown: some of the first run that has any, and the same ones of the others."""
    with_queries = [run for run in runs if run.queries]
    if not with_queries:
        return [[] for _ in runs]
    max_queries = max(1, 2 * _MAX_QUERIES // (1 + len(with_queries)))
    accuracies = class_accuracies(with_queries[0].answers)
    first = choose_queries(with_queries[0].queries, accuracies, max_queries=max_queries)
    found = [{query.path: query for query in reversed(run.queries)} for run in runs]
    return [[of_run[query.path] for query in first if query.path in of_run] for of_run in found]


def build_pictures(cfg: CfgNode, queries: Sequence[Query]) -> Pictures:
    """Pictures of the gallery and the views; the reason stands in for a video that cannot be decoded."""
    test_paths, bank_paths = shown_paths(queries)
    previews, missing = _previews(cfg) if cfg.TASK in TRAINING_TASKS else ([], [])
    return Pictures(
        queries=queries,
        test=_pictures_of(cfg, partial(build_test_manifest, max_missing_share=1.0), test_paths),
        bank=_pictures_of(cfg, partial(build_train_manifest, max_missing_share=1.0), bank_paths),
        previews=previews,
        missing=missing,
    )


def _pictures_of(
    cfg: CfgNode, build_manifest: Callable[[CfgNode], ListedVideos], paths: Sequence[str]
) -> dict[str, Strip | str]:
    """path -> middle clip of the video, or why it cannot be shown."""
    if not paths:
        return {}
    try:
        manifest = build_manifest(cfg)
    except UserError as error:
        return dict.fromkeys(paths, str(error))
    wanted = set(paths)
    indices = {path: video for video, path in enumerate(manifest.shown_paths) if path in wanted}
    workers = build_workers(cfg, manifest, _CPU)
    show = partial(_middle_clip, cfg, _views_dataset(cfg, manifest, workers))
    strips = workers.results(show, indices.values())
    shown = dict(zip(indices, strips, strict=True))
    return {path: shown.get(path, f"it is no longer in {manifest.origin}") for path in paths}


def _views_dataset(cfg: CfgNode, manifest: ListedVideos, workers: Workers) -> ViewsDataset:
    """One uncropped clip per video, twice as large as shown; `make_strip` resizes it with a better filter."""
    protocol = build_protocol(cfg)._replace(
        num_clips=1, clips="evenly_spaced", num_crops=1, size_pixels=2 * _SHORT_SIDE_PIXELS
    )
    return ViewsDataset(WatchedVideos(_videos(cfg, manifest), workers), protocol=protocol)


def _videos(cfg: CfgNode, manifest: ListedVideos) -> StoredVideos:
    """Videos decoded by PyAV, which reads all formats; the run's own decoder does not matter for pictures."""
    return build_videos(cfg, manifest, replace(build_opener(cfg), decoder="pyav"))


def _middle_clip(cfg: CfgNode, dataset: ViewsDataset, video: int) -> Strip | str:
    decoded = dataset[video]
    if decoded.failure is not None:
        return decoded.failure
    return make_strip(
        decoded.clips[0],
        seconds=cfg.CLIP.SECONDS,
        short_side_pixels=_SHORT_SIDE_PIXELS,
        max_frames=_MAX_FRAMES,
    )


def _previews(cfg: CfgNode) -> tuple[list[Preview], list[str]]:
    """Views of a few training videos in the first epoch, and why others cannot be shown."""
    try:
        manifest = build_train_manifest(cfg)
    except UserError as error:
        return [], [f"The views cannot be shown: {error}"]
    views = build_views(cfg) if cfg.TASK == "pretrain" else build_views(cfg)[:1]
    workers = build_workers(cfg, manifest, _CPU)
    dataset = build_train_dataset(cfg, WatchedVideos(_videos(cfg, manifest), workers), views)
    num_previewed = min(_NUM_PREVIEWED, len(manifest))
    chosen = [i * len(manifest) // num_previewed for i in range(num_previewed)]
    preview = partial(_preview, dataset, manifest, views)
    made = list(workers.results(preview, chosen))
    return [each for each in made if isinstance(each, Preview)], [each for each in made if isinstance(each, str)]


def _preview(dataset: TrainDataset, manifest: ListedVideos, specs: Sequence[ViewSpec], video: int) -> Preview | str:
    clips = dataset[VideoRequest(epoch=0, video=video)]
    if not clips.views:
        return f"No view of {manifest.shown_paths[video]}: {clips.failures[0].reason}"
    views = make_views(collate([clips]), specs=specs, device=_CPU)
    show = partial(make_strip, short_side_pixels=_VIEW_PIXELS, max_frames=_MAX_VIEW_FRAMES)
    strips = tuple(
        show(denormalized(view[0], spec.recipe), seconds=spec.seconds) for view, spec in zip(views, specs, strict=True)
    )
    return Preview(manifest.shown_paths[clips.video], strips)


def denormalized(view: torch.Tensor, recipe: ViewRecipe) -> torch.Tensor:
    """Undo the normalisation of a view: float (C, T, H, W) -> uint8 (T, C, H, W)."""
    mean, std = (torch.tensor(values).view(-1, 1, 1, 1) for values in (recipe.mean, recipe.std))
    return ((view * std + mean) * 255).round().clamp(0, 255).to(torch.uint8).transpose(0, 1)
