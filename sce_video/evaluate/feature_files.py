"""Feature cache on disk, in parts: an interrupted extraction is resumed, and ranks share the work.

A part is bit-identical whichever rank computes it, so metrics do not depend on the number of ranks.
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
from sce_video.evaluate.features import FeatureExtractor, FeatureRows, concatenated
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
    """Expected content of a part; `about` is the digest of what its features depend on."""

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
    videos_per_part: int = 0,
) -> FeatureRows:
    """Features of the videos 0 .. `num_videos` - 1, extracting only what is not in the folder.

    Videos that could not be decoded are retried at every start, as they may have been repaired.

    Args:
        folder: shared by all ranks. Cached features that depend on anything else than `about` are deleted.
        num_features: the backbone's feature dimension, D.
        local_batch_size: videos in one batch.
        about: everything that the features depend on; saved as JSON.
        description: for the progress bar.
        videos_per_part: in a file, the work of one rank; 0: 1,024.
    Raises:
        CheckpointError: a part cannot be read or has unexpected content; or see `FeatureExtractor.extract`.
        ManifestError: see there.
    """
    folder = Path(folder)
    videos_per_part = videos_per_part or _PART_VIDEOS
    about = {**about, "videos_per_part": videos_per_part}
    digest = sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
    starts = range(0, num_videos, videos_per_part)
    ranges = {
        folder / f"part_{part:06d}.npz": range(start, min(start + videos_per_part, num_videos))
        for part, start in enumerate(starts)
    }
    parts = {file: _Expected(videos, num_features, digest) for file, videos in ranges.items()}
    if is_main_process():
        _clear_stale(folder, about)
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
            made, expected = concatenated(done), parts[file]
            _write(file, _merged(_read(file, expected), made) if file.is_file() else made, about=digest)
    wait_for_all()
    return concatenated([_read(file, expected) for file, expected in parts.items()])


def read_features(folder: Path | str) -> FeatureRows | None:
    """Features in a folder of `stored_features`; None if there are none.

    Raises:
        CheckpointError: one is damaged.
    """
    folder = Path(folder)
    files = sorted(folder.glob("part_*.npz"))
    parts = [_read(file, None) for file in files]
    if len({part.features.shape[1] for part in parts if len(part.features)}) > 1:
        raise CheckpointError(f"the parts in {folder} have features of different lengths; delete it")
    return concatenated(parts) if parts else None


def read_export(stem: Path | str) -> tuple[Tensor, list[int], list[str]] | None:
    """Features (rows, D), labels (-1: none) and paths as `export` writes them; None where there are none.

    Raises:
        CheckpointError: a file is damaged, or the two do not match.
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
    except Exception as error:  # a damaged file may raise anything
        reason = reason_of(error)
        raise CheckpointError(f"{stem}.npz and .csv cannot be read ({reason}); extract the features again") from error
    if len(paths) != len(features):
        raise CheckpointError(f"{table} and {arrays} have different numbers of rows; extract the features again")
    return features, labels.tolist(), paths


def _export_files(stem: Path) -> tuple[Path, Path]:
    return stem.with_name(f"{stem.name}.npz"), stem.with_name(f"{stem.name}.csv")


def export(rows: FeatureRows, stem: Path | str, *, paths: Sequence[str], labels: Sequence[int] | None) -> list[Path]:
    """Write `stem`.npz (features float32 (rows, D), labels, videos, paths) and `stem`.csv, which describes each row.

    Args:
        paths, labels: of every video of the list; without labels, -1 is written.
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
    """Videos of a part that are not in its file."""
    return [video for video, _ in _read(file, expected).failures] if file.is_file() else expected.videos


def _merged(known: FeatureRows, retried: FeatureRows) -> FeatureRows:
    """A part merged with videos that failed before and were retried."""
    rows = concatenated([known._replace(failures=[]), retried])
    order = rows.videos.argsort(stable=True)
    return FeatureRows(rows.features[order], rows.videos[order], rows.failures)


def _batches(videos: Sequence[int], local_batch_size: int) -> list[Sequence[int]]:
    return [videos[i : i + local_batch_size] for i in range(0, len(videos), local_batch_size)]


def _clear_stale(folder: Path, about: Mapping[str, Any]) -> None:
    """Delete features of other weights, videos or views; raises CheckpointError for a folder with other files."""
    about_file, known = folder / _ABOUT, json.loads(json.dumps(about))
    if about_file.is_file():
        if _text(about_file) == json.dumps(known, sort_keys=True):
            return
        LOGGER.info("%s has features of other weights, videos or views; extracting them again", folder)
        for file in folder.glob("part_*.npz"):
            file.unlink()
    elif folder.is_dir() and any(folder.iterdir()):
        raise CheckpointError(f"{folder} has files that are not features; choose another EVAL.FEATURES_DIR")
    write_json(about_file, known)


def _text(file: Path) -> str:
    """Content of a JSON file with sorted keys; "" if it is damaged."""
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
    """Read and check a part; parts of versions without a digest are accepted without it."""
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
    except Exception as error:  # a damaged file may raise anything
        raise CheckpointError(f"{file} cannot be read ({reason_of(error)}); delete it and rerun") from error
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
        raise ValueError(f"numbers of {num_rows} rows are {numbers.dtype} of shape {tuple(numbers.shape)}")


def _require_expected(rows: FeatureRows, about: str | None, expected: _Expected) -> None:
    if about not in (None, expected.about):
        raise ValueError("it has features of other weights, videos or views")
    if len(rows.features) and rows.features.shape[1] != expected.num_features:
        raise ValueError(f"its features have length {rows.features.shape[1]}; {expected.num_features} was expected")
    videos, failed = rows.videos.tolist(), [video for video, _ in rows.failures]
    if sorted({*videos, *failed}) != list(expected.videos) or set(videos) & set(failed) or videos != sorted(videos):
        raise ValueError(f"its rows are not of the videos {expected.videos.start} to {expected.videos.stop - 1}")
