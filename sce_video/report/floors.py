"""Floors of a list, kept in files beside it and in the folder of their run: finding them, and comparing in words."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sce_video.errors import reason_of
from sce_video.runtime.logging import LOGGER

FLOORS_FILE = "floors.json"
# A list's file or folder, with this after its name, holds its floors.
SUFFIX = f".{FLOORS_FILE}"
# The title of a floor of a random network starts with this.
RANDOM = "random "
_TITLES = {"knn": "kNN", "retrieval_r1": "R@1 (1-NN)"}
_TOP1 = re.compile(r"(.+)_top1|retrieval_r1")
# A difference of fewer standard errors may be the choice of test videos.
_CLEAR = 2.0


class Floor(NamedTuple):
    """Top-1 accuracy of a crude classifier, and its standard error, both in [0, 1]."""

    title: str
    top1: float
    standard_error: float

    @property
    def in_percent(self) -> str:
        return f"{100 * self.top1:.1f} ± {100 * self.standard_error:.1f}"

    def __str__(self) -> str:
        return f"{self.title}, {self.in_percent} %"


def read_floors(file: Path | str) -> dict[str, list[Floor]]:
    """Digest of a pair of lists -> its floors; {} without a file, and with a warning if it is damaged."""
    file = Path(file)
    if not file.is_file():
        return {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return {str(digest): list(map(_floor, record["floors"])) for digest, record in content.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        LOGGER.warning("%s holds no floors (%s); delete it, and rerun TASK floors", file, reason_of(error))
        return {}


def _floor(row: Mapping[str, Any]) -> Floor:
    floor = Floor(str(row["title"]), float(row["top1"]), float(row["standard_error"]))
    if not all(0 <= share <= 1 for share in floor[1:]):
        raise ValueError(f"{floor.title} is {floor.top1} ± {floor.standard_error}")
    return floor


def add_floors(file: Path | str, digest: str, floors: Sequence[Floor]) -> str:
    """The text of a file of floors with these added: those of other lists, and with other titles, stay."""
    known = read_floors(file)
    titles = {floor.title for floor in floors}
    known[digest] = [*floors, *(floor for floor in known.get(digest, []) if floor.title not in titles)]
    content = {each: {"floors": [floor._asdict() for floor in rows]} for each, rows in known.items()}
    return json.dumps(content, indent=2) + "\n"


def find_floors(results: Mapping[str, Any], folder: Path | str) -> list[Floor]:
    """Floors of an evaluation: those beside its test list, then in its folder, then in folders beside it.

    Args:
        results: of `results.json`; `lists` has the digest and the file beside the test list, `random_floor` the title
            of the one random network that is a floor: other networks and views are no comparison.
        folder: of the evaluation.
    """
    digest = results.get("lists", {}).get("digest")
    found: dict[str, Floor] = {}
    for file in _files(results, Path(folder)) if digest else ():
        for floor in read_floors(file).get(digest, []):
            if floor.title == results.get("random_floor") or not floor.title.startswith(RANDOM):
                found.setdefault(floor.title, floor)
    return list(found.values())


def mean_floors(of_splits: Sequence[Sequence[Floor]]) -> list[Floor]:
    """Mean over splits of the floors that all of them have."""
    titles = [{floor.title: floor for floor in floors} for floors in of_splits]
    groups = [[floors[title] for floors in titles] for title in titles[0] if all(title in each for each in titles)]
    return [
        Floor(
            group[0].title,
            math.fsum(floor.top1 for floor in group) / len(group),
            math.hypot(*(floor.standard_error for floor in group)) / len(group),
        )
        for group in groups
    ]


def is_stale(results: Mapping[str, Any], folder: Path | str) -> bool:
    """Whether there are floors where `find_floors` looks, but none of these lists and videos."""
    digest = results.get("lists", {}).get("digest")
    known = [read_floors(file) for file in _files(results, Path(folder))] if digest else []
    return any(known) and not any(digest in each for each in known)


def _files(results: Mapping[str, Any], folder: Path) -> Iterator[Path]:
    if beside := results["lists"].get("floors_file"):
        yield Path(beside)
    yield folder / FLOORS_FILE
    folder = folder.absolute()
    yield from sorted(folder.parent.glob(f"*/{FLOORS_FILE}"))
    if folder.name.startswith("split_"):
        yield from sorted(folder.parent.parent.glob(f"*/split_*/{FLOORS_FILE}"))


def comparable_metrics(results: Mapping[str, Any]) -> list[str]:
    """Names of the metrics that are a top-1 accuracy over videos, as floors are; R@1 is that of 1-NN."""
    if results.get("protocol", {}).get("retrieval_level") == "clip":
        return []
    return [name for name in results.get("metrics", {}) if _TOP1.fullmatch(name)]


def highest(floors: Sequence[Floor]) -> Floor:
    return max(floors, key=lambda floor: floor.top1)


def in_words(results: Mapping[str, Any], floors: Sequence[Floor]) -> list[str]:
    """A sentence for each comparable metric: which floors it does not beat or equals, or that it beats all."""
    errors = results.get("standard_errors", {})
    return [
        _sentence(name, results["metrics"][name], errors.get(name, 0.0), floors) for name in comparable_metrics(results)
    ]


def _sentence(name: str, value: float, error: float, floors: Sequence[Floor]) -> str:
    method = name.removesuffix("_top1")
    title = _TITLES.get(method, method.replace("_", " "))
    ours = f"{title} {100 * value:.1f} ± {100 * error:.1f} %"
    missed = sorted((floor for floor in floors if value <= floor.top1), key=lambda floor: -floor.top1)
    if missed:
        named = ", nor ".join(f"{floor}{' (equal)' if floor.top1 == value else ''}" for floor in missed)
        return f"{ours} does not beat the {named}: these features say no more of the class than that."
    best = highest(floors)
    deviation = math.hypot(error, best.standard_error)
    if value - best.top1 < _CLEAR * deviation:
        return (
            f"{ours} is above the highest floor ({best}), but by less than {_CLEAR:g} standard errors of the "
            f"difference ({100 * _CLEAR * deviation:.1f}): it may be the choice of test videos."
        )
    return f"{ours} beats every floor; the highest is the {best}."
