"""All measurements and checks of `doctor.py`, and the printed page."""

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from resource import RLIMIT_NOFILE, getrlimit

import torch
from fvcore.common.config import CfgNode

from sce_video.augment.recipes import ViewSpec
from sce_video.build.data import build_train_dataset
from sce_video.build.files import build_opener, build_video_files, build_videos
from sce_video.build.views import build_views
from sce_video.build.workers import build_num_workers
from sce_video.cli.doctor.subject import Subject
from sce_video.cli.doctor.training_step import find_demand
from sce_video.data.videos import ListedVideos
from sce_video.data.watched import WatchedVideos
from sce_video.engine.doctor import resources, versions
from sce_video.engine.doctor.decode import DecodeSpeed, balance, clips_of_each, decoding, measure_decoding
from sce_video.engine.doctor.demand import Demand
from sce_video.engine.doctor.disk import disk, measure_disk
from sce_video.engine.doctor.finding import Finding, PageSection, section_text, summary_text
from sce_video.engine.doctor.network import fetching
from sce_video.engine.doctor.slurm_findings import slurm_findings
from sce_video.engine.machine import cores, gpu_driver, gpu_names, memory, shared_memory
from sce_video.engine.pool.workers import Workers
from sce_video.runtime.environment import environment
from sce_video.runtime.files import write_json
from sce_video.tasks.decoder import choose_opener

# Per video, with one retry; a decoder may hang forever.
_VIDEO_TIMEOUT_SECONDS = 30.0


def examine(subject: Subject, *, seconds: float, json_file: Path | None, is_strict: bool) -> int:
    """Print the page, each section as soon as it is ready, and write it as JSON.

    Args:
        seconds: for each measurement: the disk, each decoder, the training step.
    Returns:
        The exit code: 1 if `is_strict` and there is a problem.
    """
    sections = []
    for section in _sections(subject, seconds):
        print(section_text(section), flush=True)
        sections.append(section)
    findings = [finding for section in sections for finding in section.findings]
    print(summary_text(findings))
    if json_file:
        page = {section.title: [finding.as_json() for finding in section.findings] for section in sections}
        write_json(json_file, {"config": subject.config_name, "sections": page, "environment": environment()})
    return int(is_strict and any(finding.level == "problem" for finding in findings))


def _sections(subject: Subject, seconds: float) -> Iterator[PageSection]:
    cfg, counted = subject.cfg, cores()
    yield PageSection("Software", [*versions.software(), *versions.gpus(gpu_names(), gpu_driver())])
    loaded, findings = versions.decoders(wanted=cfg.DATA.DECODER)
    yield PageSection("Decoders", findings)
    yield PageSection(f"Resources, for the loader of {subject.config_name}", _resources(cfg))
    yield PageSection("3D convolutions in half precision", _half_precision(cfg))
    yield PageSection("Slurm", slurm_findings(counted))
    demand, findings = find_demand(subject, seconds=seconds)
    yield PageSection("Training step", findings)
    yield PageSection("Videos", _videos(subject, loaded, demand, seconds))


def _resources(cfg: CfgNode) -> list[Finding]:
    pinned = torch.cuda.is_available() and cfg.RUN.DEVICE != "cpu"
    counted, needs = cores(), loader_needs(cfg, build_views(cfg), pinned=pinned)
    return [
        *resources.usable_cores(counted, needs),
        *resources.busy_cores(os.getloadavg()[0], counted),
        *resources.threads(counted, os.environ, torch.get_num_threads()),
        *resources.batches_in_shared_memory(needs, shared_memory(), is_used=not hasattr(os, "memfd_create")),
        *resources.batches_in_memory(needs, memory()),
        *resources.open_files(needs, getrlimit(RLIMIT_NOFILE)[0]),
    ]


def loader_needs(cfg: CfgNode, views: Sequence[ViewSpec], *, pinned: bool) -> resources.LoaderNeeds:
    """`pinned`: batches are copied to pinned memory as they arrive, on the way to a GPU."""
    # A clip for temporal difference is stored with the frames after its own.
    clips_per_view = [1 + view.recipe.temporal_difference_probability for view in views]
    video_bytes = sum(math.prod(view.clip_shape) * clips for view, clips in zip(views, clips_per_view, strict=True))
    batch = cfg.TRAIN.GLOBAL_BATCH_SIZE // cfg.TRAIN.ACCUMULATION_STEPS
    return resources.LoaderNeeds(
        num_workers=build_num_workers(cfg),
        prefetch_batches=cfg.DATA.PREFETCH_BATCHES,
        # Unpinned, the parts of a step are held until all of the next step's have arrived.
        batches_in_hand=1 if pinned else 2 * cfg.TRAIN.ACCUMULATION_STEPS - 1,
        batch_bytes=math.ceil(batch * video_bytes),
    )


def _half_precision(cfg: CfgNode) -> list[Finding]:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    findings = versions.conv3d_release(torch.__version__, torch.backends.cudnn.version())
    return [*findings, *versions.conv3d_self_test(device, wanted=cfg.TRAIN.PRECISION)]


def _videos(subject: Subject, loaded: list[str], demand: Demand | None, seconds: float) -> list[Finding]:
    if subject.videos is None:
        return [subject.missing] if subject.missing else []
    cfg, manifest = subject.cfg, subject.videos
    local = [Path(file) for path in manifest.paths if (file := manifest.storage.file(path)) is not None]
    read = measure_disk(local, seconds=seconds) if local and not local[0].is_dir() else None
    fetched = fetching(manifest, partial(build_video_files, cfg), seconds=seconds)
    speeds = {name: _decode_speed(cfg, manifest, name, seconds) for name in loaded}
    chosen, reason = _chosen(cfg, manifest, speeds)
    views = build_views(cfg)
    findings = [Finding("ok", "videos", f"{manifest.origin}; {clips_of_each(views)}")]
    findings += fetched
    if read:
        findings += disk(read, len(views) / chosen.clips_per_second if chosen else None)
    for speed in speeds.values():
        findings += decoding(speed, list(map(manifest.name, range(len(manifest)))))
    findings += reason
    if chosen:
        findings += balance(chosen, demand, num_workers=build_num_workers(cfg), usable_cores=cores().usable)
    return findings


def _decode_speed(cfg: CfgNode, manifest: ListedVideos, decoder: str, seconds: float) -> DecodeSpeed:
    opened = build_videos(cfg, manifest, replace(build_opener(cfg), decoder=decoder))
    worker = Workers(1, num_items=len(manifest), timeout_seconds=_VIDEO_TIMEOUT_SECONDS, name=manifest.name)
    dataset = build_train_dataset(cfg, WatchedVideos(opened, worker), build_views(cfg))
    return measure_decoding(dataset, workers=worker, decoder=decoder, seconds=seconds)


def _chosen(
    cfg: CfgNode, manifest: ListedVideos, speeds: Mapping[str, DecodeSpeed]
) -> tuple[DecodeSpeed | None, list[Finding]]:
    """Speed of the decoder that a run would use, None if it decoded nothing; and a finding on the choice of auto."""
    findings: list[Finding] = []
    if cfg.DATA.DECODER != "auto":
        speed = speeds.get(cfg.DATA.DECODER)
    elif any(speed.ended for speed in speeds.values()):  # auto would run into it too, twice
        speed = speeds["pyav"]
    else:
        speed = speeds[choose_opener(cfg, manifest).decoder]
        findings.append(Finding("ok", "DATA.DECODER", f"auto takes {speed.decoder} for these videos"))
    return speed if speed and speed.num_clips else None, findings
