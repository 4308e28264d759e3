"""Gathers the facts, runs the checks, prints the page."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from resource import RLIMIT_NOFILE, getrlimit

import torch
from fvcore.common.config import CfgNode

from sce_video.build.clips import build_opener
from sce_video.build.data import build_recipes, build_train_dataset, build_train_manifest
from sce_video.build.files import build_videos
from sce_video.build.workers import build_num_workers, build_watch
from sce_video.clips.decoders import VideoOpener
from sce_video.config import load_config
from sce_video.config.defaults import default_config
from sce_video.data.checks import require_files
from sce_video.data.manifest import Manifest
from sce_video.data.sources import read_folder, read_list
from sce_video.data.watched import WatchedVideos
from sce_video.engine.doctor import demand as step
from sce_video.engine.doctor import resources, slurm, versions
from sce_video.engine.doctor.decode import DecodeSpeed, balance, decoding, measure_decoding
from sce_video.engine.doctor.demand import Demand
from sce_video.engine.doctor.disk import disk, measure_disk
from sce_video.engine.doctor.finding import Finding, Section, refusal, section_text, summary_text
from sce_video.engine.doctor.network import fetching
from sce_video.engine.machine import cores, gpu_driver, gpu_names, memory, shared_memory
from sce_video.errors import ConfigError, UserError
from sce_video.launch.local import choose_device
from sce_video.runtime.environment import environment
from sce_video.runtime.files import write_json
from sce_video.runtime.seeds import generator_from

_NUM_VIDEOS = 24


@dataclass(frozen=True)
class Subject:
    """What is examined beside the machine.

    `config_file` None stands for the default recipe. `videos` are a sample; if None, `missing` says why.
    """

    cfg: CfgNode
    config_file: Path | None
    overrides: Sequence[str]
    videos: Manifest | None
    missing: Finding | None
    demand: Demand | None

    @property
    def config_name(self) -> str:
        name = str(self.config_file or "the default recipe (--cfg takes yours)")
        return " with ".join([name, *([" ".join(self.overrides)] if self.overrides else [])])


def read_subject(
    path: Path | str | None,
    *,
    config_file: Path | str | None,
    overrides: Sequence[str] = (),
    run_dir: Path | str | None,
) -> Subject:
    """
    Args:
        overrides: KEY VALUE KEY VALUE ..., of the config or of the default recipe.
        path: folder or list of videos; by default those that the config trains on. What a list's lines are relative
            to is the config's DATA.ROOT, or without a config the list's own folder.
    Raises:
        UserError: the path, the config or the run cannot be read. Videos that only the config names may be missing.
    """
    path, config_file = (None if each is None else Path(each) for each in (path, config_file))
    cfg = load_config(config_file, overrides) if config_file else _default_recipe(path, overrides)
    demand = step.logged_demand(Path(run_dir)) if run_dir else None
    videos, missing = None, None
    if path is not None:
        root = Path(cfg.DATA.ROOT) if config_file else path.parent
        videos = _sample(_read_videos(path, root))
    elif config_file:
        try:
            videos = _sample(build_train_manifest(cfg))
        except UserError as error:
            missing = refusal(
                "videos", error, otherwise="check DATA.ROOT and DATA.TRAIN, or name the videos' folder here"
            )
    else:
        missing = Finding("note", "videos", "none given", "python tools/doctor.py FOLDER (or a list, or --cfg CONFIG)")
    return Subject(cfg, config_file, overrides, videos, missing, demand)


def _default_recipe(path: Path | None, overrides: Sequence[str]) -> CfgNode:
    if not overrides:
        return default_config()
    videos = ["DATA.SOURCE", "folder", "DATA.ROOT", str(path or Path())]  # a config is of some videos
    return load_config(None, [*videos, *overrides])


def examine(subject: Subject, *, seconds: float, json_file: Path | None) -> list[Finding]:
    """Print the page, section by section as they come, and write the same as JSON.

    Args:
        seconds: for each measurement: the disk, each decoder, the training step.
    """
    sections = []
    for section in _sections(subject, seconds):
        print(section_text(section), flush=True)
        sections.append(section)
    findings = [finding for section in sections for finding in section.findings]
    print(summary_text(findings))
    if json_file:
        page = {section.title: [finding._asdict() for finding in section.findings] for section in sections}
        write_json(json_file, {"config": subject.config_name, "sections": page, "environment": environment()})
    return findings


def _sections(subject: Subject, seconds: float) -> Iterator[Section]:
    cfg, counted = subject.cfg, cores()
    yield Section("Software", [*versions.software(), *versions.gpus(gpu_names(), gpu_driver())])
    loaded, findings = versions.decoders(wanted=cfg.DATA.DECODER)
    yield Section("Decoders", findings)
    yield Section(f"Resources, for the loader of {subject.config_name}", _resources(cfg))
    yield Section("3D convolutions in half precision", _half_precision(cfg))
    yield Section("Slurm", slurm.slurm_findings(counted))
    demand, findings = _demand(subject, seconds)
    yield Section("Training step", findings)
    yield Section("Videos", _videos(subject, loaded, demand, seconds))


def _resources(cfg: CfgNode) -> list[Finding]:
    pinned = torch.cuda.is_available() and cfg.RUN.DEVICE != "cpu"
    counted, needs = cores(), resources.loader_needs(cfg, pinned=pinned)
    return [
        *resources.usable_cores(counted, needs),
        *resources.busy_cores(os.getloadavg()[0], counted),
        *resources.threads(counted, os.environ, torch.get_num_threads()),
        *resources.batches_in_shared_memory(needs, shared_memory(), is_used=not hasattr(os, "memfd_create")),
        *resources.batches_in_memory(needs, memory()),
        *resources.open_files(needs, getrlimit(RLIMIT_NOFILE)[0]),
    ]


def _half_precision(cfg: CfgNode) -> list[Finding]:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    findings = versions.conv3d_release(torch.__version__, torch.backends.cudnn.version())
    return [*findings, *versions.conv3d_self_test(device, wanted=cfg.TRAIN.PRECISION)]


def _demand(subject: Subject, seconds: float) -> tuple[Demand | None, list[Finding]]:
    """From the run that was given, else measured on the device of the config, else not known."""
    cfg = subject.cfg
    if subject.demand:
        return subject.demand, step.training_step(subject.demand, "")
    try:
        device = choose_device(cfg)
    except ConfigError as error:
        findings = step.training_step(None, "no GPU here")
        return None, [*findings, refusal("device", error)] if subject.config_file else findings
    if device.type != "cuda" and subject.config_file:
        return (slow := step.measured_on_cpu(cfg, seconds=seconds)), step.training_step(slow, "")
    if device.type != "cuda":
        return None, step.training_step(None, "RUN.DEVICE is cpu" if torch.cuda.is_available() else "no GPU here")
    demand, parts = step.measured_demand(cfg, device, seconds=seconds)
    fits = step.batch_fits(cfg.TRAIN.GLOBAL_BATCH_SIZE, given_parts=cfg.TRAIN.ACCUMULATION_STEPS, fitting_parts=parts)
    return demand, [*fits, *step.training_step(demand, "the batch does not fit")]


def _videos(subject: Subject, loaded: list[str], demand: Demand | None, seconds: float) -> list[Finding]:
    if subject.videos is None:
        return [subject.missing] if subject.missing else []
    cfg, manifest = subject.cfg, subject.videos
    files = [manifest.path(video) for video in range(len(manifest))]
    is_local = not manifest.is_any_fetched and manifest.pixels is None
    local = [Path(manifest.file(video)) for video in range(len(manifest))] if is_local else []
    read = measure_disk(local, seconds=seconds) if local and not local[0].is_dir() else None
    fetched = fetching(build_videos(cfg, manifest, VideoOpener("pyav")), seconds=seconds)
    speeds = {name: _decode_speed(cfg, manifest, name, seconds) for name in loaded}
    chosen, reason = _chosen(cfg, manifest, speeds)
    taken = f"2 clips of {cfg.CLIP.NUM_FRAMES} frames over {cfg.CLIP.SECONDS:g} s of each"
    findings = [Finding("ok", "videos", f"{manifest.origin}; {taken}")]
    findings += fetched
    if read:
        findings += disk(read, 2 / chosen.clips_per_second if chosen else None)
    for speed in speeds.values():
        findings += decoding(speed, [str(file) for file in files])
    findings += reason
    if chosen:
        findings += balance(chosen, demand, num_workers=build_num_workers(cfg), usable_cores=cores().usable)
    return findings


def _decode_speed(cfg: CfgNode, manifest: Manifest, decoder: str, seconds: float) -> DecodeSpeed:
    with_decoder = cfg.clone()
    with_decoder.defrost()
    with_decoder.DATA.DECODER = decoder
    opened = build_videos(cfg, manifest, build_opener(with_decoder, manifest))
    videos = WatchedVideos(opened, build_watch(cfg, manifest))
    return measure_decoding(build_train_dataset(cfg, videos, build_recipes(cfg)), decoder=decoder, seconds=seconds)


def _chosen(
    cfg: CfgNode, manifest: Manifest, speeds: Mapping[str, DecodeSpeed]
) -> tuple[DecodeSpeed | None, list[Finding]]:
    """The speed of the decoder that a run would take, None if it decoded nothing; and which one auto is."""
    findings: list[Finding] = []
    if cfg.DATA.DECODER != "auto":
        speed = speeds.get(cfg.DATA.DECODER)
    elif any(speed.ended for speed in speeds.values()):  # auto would wait for it, twice
        speed = speeds["pyav"]
    else:
        speed = speeds[build_opener(cfg, manifest).decoder]
        findings.append(Finding("ok", "DATA.DECODER", f"auto takes {speed.decoder} for these videos"))
    return speed if speed and speed.num_clips else None, findings


def _read_videos(path: Path, root: Path) -> Manifest:
    if not path.exists():
        raise UserError(f"{path} does not exist; give a folder of videos or a list of them")
    manifest = read_folder(path, "") if path.is_dir() else read_list(path, root)
    require_files(manifest)
    return manifest


def _sample(manifest: Manifest) -> Manifest:
    """Some of the videos, always the same ones, in random order."""
    order = torch.randperm(len(manifest), generator=generator_from("doctor"))[:_NUM_VIDEOS].tolist()
    paths = [manifest.paths[video] for video in order]
    origin = f"{len(paths)} of {len(manifest)} videos of {manifest.origin}"
    pixels = None if manifest.pixels is None else manifest.pixels[order]
    return replace(manifest, paths=paths, labels=None, origin=origin, pixels=pixels, lines=None)
