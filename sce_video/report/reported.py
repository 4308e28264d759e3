"""Data of a run for its page: its files, and what config and videos add."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sce_video.report.feature_map import FeatureMap
from sce_video.report.run_folder import Query, RunFiles
from sce_video.report.strips import Strip


class Preview(NamedTuple):
    """The views that training makes of a video."""

    path: str
    views: tuple[Strip, ...]


@dataclass(frozen=True)
class Pictures:
    """What is made of videos; each part is empty where a task has no such thing.

    `test` and `bank`: pictures of the videos that `queries` show, or why there are none, by path. `missing`: why there
    are no pictures at all, one line per kind.
    """

    queries: Sequence[Query] = ()
    test: Mapping[str, Strip | str] = field(default_factory=dict)
    bank: Mapping[str, Strip | str] = field(default_factory=dict)
    previews: Sequence[Preview] = ()
    missing: Sequence[str] = ()


@dataclass(frozen=True)
class ReportedRun:
    """`name`: the run's, "" on a page of its own. `settings`: the config keys that it reads; `config`: as YAML."""

    name: str
    task: str
    settings: Mapping[str, str]
    config: str
    files: RunFiles
    environment: Mapping[str, str]
    pictures: Pictures
    feature_map: FeatureMap | None
