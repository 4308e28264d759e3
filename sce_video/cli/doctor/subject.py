"""Subject of an examination besides the machine: a config, a sample of videos, a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from fvcore.common.config import CfgNode

from sce_video.build.data import build_train_manifest
from sce_video.config import load_config
from sce_video.config.defaults import default_config
from sce_video.data.checks import require_files
from sce_video.data.sources import read_folder, read_list
from sce_video.data.videos import ListedVideos
from sce_video.engine.doctor.demand import Demand, logged_demand
from sce_video.engine.doctor.finding import Finding, refusal
from sce_video.errors import UserError
from sce_video.runtime.seeds import generator_from

_NUM_VIDEOS = 24


@dataclass(frozen=True)
class Subject:
    """What is examined besides the machine.

    Args:
        config_file: None for the default recipe.
        videos: a sample; if None, `missing` is the reason.
    """

    cfg: CfgNode
    config_file: Path | None
    overrides: Sequence[str]
    videos: ListedVideos | None
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
        path: folder or list of videos; by default the config's training videos. Lines of a list are relative to the
            config's DATA.ROOT, or without a config to the list's folder.
        overrides: KEY VALUE KEY VALUE ..., of the config or of the default recipe.
    Raises:
        UserError: the path, the config or the run cannot be read. Videos that only the config names may be missing.
    """
    path, config_file = (None if each is None else Path(each) for each in (path, config_file))
    cfg = load_config(config_file, overrides) if config_file else _default_recipe(path, overrides)
    demand = logged_demand(Path(run_dir)) if run_dir else None
    videos, missing = None, None
    if path is not None:
        root = Path(cfg.DATA.ROOT) if config_file else path.parent
        videos = _sample(_read_videos(path, root))
    elif config_file:
        try:
            videos = _sample(build_train_manifest(cfg))
        except UserError as error:
            missing = refusal(
                "videos", error, otherwise="check DATA.ROOT and DATA.TRAIN, or give the videos' folder here"
            )
    else:
        missing = Finding("note", "videos", "none given", "python tools/doctor.py FOLDER (or a list, or --cfg CONFIG)")
    return Subject(cfg, config_file, overrides, videos, missing, demand)


def _default_recipe(path: Path | None, overrides: Sequence[str]) -> CfgNode:
    if not overrides:
        return default_config()
    videos = ["DATA.SOURCE", "folder", "DATA.ROOT", str(path or Path())]  # overrides need a config of some videos
    return load_config(None, [*videos, *overrides])


def _read_videos(path: Path, root: Path) -> ListedVideos:
    if not path.exists():
        raise UserError(f"{path} does not exist; give a folder of videos or a list of them")
    manifest = read_folder(path, "") if path.is_dir() else read_list(path, root)
    require_files(manifest)
    return manifest


def _sample(listed: ListedVideos) -> ListedVideos:
    """A fixed random sample of the videos."""
    order = torch.randperm(len(listed), generator=generator_from("doctor"))[:_NUM_VIDEOS].tolist()
    return listed.part(order, origin=f"{len(order)} of {len(listed)} videos of {listed.origin}")
