"""Features on disk, in parts: an extraction that is stopped goes on, and ranks share the work out.

A part is the same to the bit whichever rank makes it, so that metrics do not depend on the number of ranks.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sce_video.engine.cluster.collectives import all_gathered, is_main_process, num_ranks, rank, wait_for_all
from sce_video.errors import CheckpointError, reason_of
from sce_video.evaluate.features import FeatureExtractor, FeatureRows, joined
from sce_video.evaluate.records import read_csv, write_csv
from sce_video.runtime.archives import require_plain_archive
from sce_video.runtime.files import atomic_path, write_json
from sce_video.runtime.logging import LOGGER
from sce_video.runtime.progress import progress_bar
from sce_video.special_files import refuse_special_file

_PART_VIDEOS = 1024
_ABOUT = "about.json"


@dataclass(frozen=True)
class _Expected:
    """What a part must hold before it counts as evaluated: `about` is a digest of what its features are of."""

    videos: range
    num_features: int
    about: str


def stored_features(
    folder: Path | str,
    extractor: FeatureExtractor,
    *,
    num_videos: int,
    num_features: int,
    local_batch_size: int,
    about: Mapping[str, Any],
    description: str,
) -> FeatureRows:
    """Features of the videos 0 .. `num_videos` - 1; only what is not in the folder is extracted.

    Videos that could not be decoded are tried again at every start: they may be mended.

    Args:
        folder: all ranks see it. Features of anything else than `about` in it are deleted.
        num_features: the backbone's, D.
        local_batch_size: videos in one batch.
        about: what the features are a function of; goes into a JSON file.
        description: for the progress bar.
    Raises:
        CheckpointError: a part cannot be read, or is not what is expected; or see `FeatureExtractor.extract`.
        ManifestError: see there.
    """
    folder = Path(folder)
    about = {**about, "videos_per_part": _PART_VIDEOS}
    digest = sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
    starts = range(0, num_videos, _PART_VIDEOS)
    ranges = {_part_file(folder, start): range(start, min(start + _PART_VIDEOS, num_videos)) for start in starts}
    parts = {file: _Expected(videos, num_features, digest) for file, videos in ranges.items()}
    if is_main_process():
        _clear_others(folder, about)
    wait_for_all()
    mine = {file: _missing(file, expected) for file, expected in list(parts.items())[rank() :: num_ranks()]}
    batches = {file: _batches(videos, local_batch_size) for file, videos in mine.items() if videos}
    rows = extractor.extract(batch for each in batches.values() for batch in each)
    num_missing = sum(all_gathered(sum(map(len, mine.values()))))
    if num_missing < num_videos:
        LOGGER.info("%s: %d of %d videos from cache (%s)", description, num_videos - num_missing, num_videos, folder)
    with progress_bar(total=sum(map(len, mine.values())), description=description, unit="video") as bar:
        for file, each in batches.items():
            done = []
            for batch in each:
                done.append(next(rows))
                bar.update(len(batch))
            made, expected = joined(done), parts[file]
            _write(file, _added(_read(file, expected), made) if file.is_file() else made, about=digest)
    wait_for_all()
    return joined([_read(file, expected) for file, expected in parts.items()])


def read_features(folder: Path | str) -> FeatureRows | None:
    """All parts in a folder of `stored_features`; None if there are none.

    Raises:
        CheckpointError: one is damaged.
    """
    folder = Path(folder)
    files = sorted(folder.glob("part_*.npz"))
    parts = [_read(file, None) for file in files]
    if len({part.features.shape[1] for part in parts if len(part.features)}) > 1:
        raise CheckpointError(f"the parts in {folder} hold features of several lengths; delete it")
    return joined(parts) if parts else None


def read_export(stem: Path | str) -> tuple[Tensor, list[int], list[str]] | None:
    """Features (rows, D), labels (-1: none) and paths as `export` writes them; None where there are none.

    Raises:
        CheckpointError: a file is damaged, or the two do not belong together.
    """
    stem = Path(stem)
    arrays, table = _export_files(stem)
    if not (arrays.is_file() and table.is_file()):
        return None
    try:
        require_plain_archive(arrays)
        with np.load(arrays, allow_pickle=False) as content:
            features, labels = torch.from_numpy(content["features"]), torch.from_numpy(content["labels"])
        _require_features(features)
        _require_numbers(labels, num_rows=len(features), least=-1)
        paths = [str(row["path"]) for row in read_csv(table)]
    except Exception as error:  # the border: a damaged file makes its reader raise whatever it is
        reason = reason_of(error)
        raise CheckpointError(f"{stem}.npz and .csv cannot be read ({reason}); extract the features again") from error
    if len(paths) != len(features):
        raise CheckpointError(f"{table} does not list the rows of {arrays}; extract the features again")
    return features, labels.tolist(), paths


def _export_files(stem: Path) -> tuple[Path, Path]:
    return stem.with_name(f"{stem.name}.npz"), stem.with_name(f"{stem.name}.csv")


def export(rows: FeatureRows, stem: Path | str, *, paths: Sequence[str], labels: Sequence[int] | None) -> list[Path]:
    """Write `stem`.npz (features float32 (rows, D), labels, videos, paths) and `stem`.csv, what each row is of.

    Args:
        paths, labels: of every video of the list; labels are -1 where there are none.
    Returns:
        The files.
    """
    stem = Path(stem)
    videos = rows.videos.tolist()
    of_rows = [-1] * len(videos) if labels is None else [labels[video] for video in videos]
    arrays, table = _export_files(stem)
    with atomic_path(arrays) as partial, partial.open("wb") as opened:
        np.savez(
            opened,
            features=rows.features.numpy(),
            labels=np.array(of_rows, dtype=np.int64),
            videos=rows.videos.numpy(),
            paths=np.array([paths[video] for video in videos], dtype=np.str_),
        )
    lines = (
        [row, video, paths[video], "" if label < 0 else label]
        for row, (video, label) in enumerate(zip(videos, of_rows, strict=True))
    )
    write_csv(table, ["row", "video", "path", "label"], lines)
    return [arrays, table]


def _missing(file: Path, expected: _Expected) -> Sequence[int]:
    """Which of the videos of a part are not in its file."""
    return [video for video, _ in _read(file, expected).failures] if file.is_file() else expected.videos


def _added(known: FeatureRows, more: FeatureRows) -> FeatureRows:
    """A part in which the videos that had failed were tried again."""
    rows = joined([known._replace(failures=[]), more])
    order = rows.videos.argsort(stable=True)
    return FeatureRows(rows.features[order], rows.videos[order], rows.failures)


def _batches(videos: Sequence[int], local_batch_size: int) -> list[Sequence[int]]:
    return [videos[i : i + local_batch_size] for i in range(0, len(videos), local_batch_size)]


def _part_file(folder: Path, start: int) -> Path:
    return folder / f"part_{start // _PART_VIDEOS:06d}.npz"


def _clear_others(folder: Path, about: Mapping[str, Any]) -> None:
    """Delete features of other weights, videos or views; a folder with other files in it is left alone."""
    about_file, known = folder / _ABOUT, json.loads(json.dumps(about))
    if about_file.is_file():
        if _text(about_file) == json.dumps(known, sort_keys=True):
            return
        LOGGER.info("%s holds features of something else; they are made anew", folder)
        for file in folder.glob("part_*.npz"):
            file.unlink()
    elif folder.is_dir() and any(folder.iterdir()):
        raise CheckpointError(f"{folder} holds files that are no features; choose another EVAL.FEATURES_DIR")
    write_json(about_file, known)


def _text(file: Path) -> str:
    """The content of a JSON file, in one order; "" where it is damaged."""
    try:
        return json.dumps(json.loads(file.read_text(encoding="utf-8")), sort_keys=True)
    except (ValueError, RecursionError):
        return ""


def _write(file: Path, rows: FeatureRows, *, about: str) -> None:
    with atomic_path(file) as partial, partial.open("wb") as opened:
        np.savez(
            opened,
            features=rows.features.numpy(),
            videos=rows.videos.numpy(),
            failures=np.array(json.dumps(rows.failures)),
            about=np.array(about),
        )


def _read(file: Path, expected: _Expected | None) -> FeatureRows:
    """A part; of one written before parts had a digest only that is not compared."""
    try:
        refuse_special_file(file)
        require_plain_archive(file)
        with np.load(file, allow_pickle=False) as content:
            failures = [(int(video), str(reason)) for video, reason in json.loads(str(content["failures"]))]
            rows = FeatureRows(torch.from_numpy(content["features"]), torch.from_numpy(content["videos"]), failures)
            about = str(content["about"]) if "about" in content else None
        _require_features(rows.features)
        _require_numbers(rows.videos, num_rows=len(rows.features), least=0)
        if expected is not None:
            _require_expected(rows, about, expected)
    except Exception as error:  # the border: a damaged file makes its reader raise whatever it is
        raise CheckpointError(f"{file} cannot be read ({reason_of(error)}); delete it and start again") from error
    return rows


def _require_features(features: Tensor) -> None:
    if features.dim() != 2 or features.dtype != torch.float32:
        raise ValueError(
            f"features are {features.dtype} of shape {tuple(features.shape)}; rows of float32 were expected"
        )
    if not torch.isfinite(features).all():
        raise ValueError("features are not finite")


def _require_numbers(numbers: Tensor, *, num_rows: int, least: int) -> None:
    if numbers.dtype != torch.int64 or numbers.shape != (num_rows,) or (numbers < least).any():
        raise ValueError(f"{num_rows} rows have {numbers.dtype} of shape {tuple(numbers.shape)} beside them")


def _require_expected(rows: FeatureRows, about: str | None, expected: _Expected) -> None:
    if about not in (None, expected.about):
        raise ValueError("its features are of other weights, videos or views")
    if len(rows.features) and rows.features.shape[1] != expected.num_features:
        raise ValueError(f"its features have {rows.features.shape[1]} numbers; {expected.num_features} were expected")
    videos, failed = rows.videos.tolist(), [video for video, _ in rows.failures]
    if sorted({*videos, *failed}) != list(expected.videos) or set(videos) & set(failed) or videos != sorted(videos):
        raise ValueError(f"its rows are not of the videos {expected.videos.start} to {expected.videos.stop - 1}")
