"""Data of a run for its page: files, settings, pictures, feature map."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sce_video.report.feature_map import FeatureMap
from sce_video.report.run_folder import Query, RunFiles
from sce_video.report.strips import Strip


class Learning(NamedTuple):
    """What the curves of a pretraining run mean: "kind: sentence"."""

    sentence: str
    is_alarm: bool


class Preview(NamedTuple):
    """Views of a training video."""

    path: str
    views: tuple[Strip, ...]


@dataclass(frozen=True)
class Pictures:
    """Pictures of a run's videos; parts that its task does not have are empty.

    `test` and `bank`: path -> picture of a video among the `queries` and their neighbours, or why there is none.
    `missing`: why previews are missing, one line each.
    """

    queries: Sequence[Query] = ()
    test: Mapping[str, Strip | str] = field(default_factory=dict)
    bank: Mapping[str, Strip | str] = field(default_factory=dict)
    previews: Sequence[Preview] = ()
    missing: Sequence[str] = ()


@dataclass(frozen=True)
class ReportedRun:
    """A run on a page: `name` is "" if there is only one, `settings` are the config keys it reads, `config` is YAML."""

    name: str
    task: str
    settings: Mapping[str, str]
    config: str
    files: RunFiles
    environment: Mapping[str, str]
    pictures: Pictures
    feature_map: FeatureMap | None
    learning: Learning | None = None
