"""Features on disk, in parts: an extraction that is stopped goes on, and ranks share the work out.

A part is the same to the bit whichever rank makes it, so that metrics do not depend on the number of ranks.
"""

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sce_video.errors import CheckpointError
from sce_video.evaluate.features import FeatureExtractor, FeatureRows, joined
from sce_video.evaluate.records import read_csv, write_csv
from sce_video.runtime.distributed import all_gathered, is_main_process, num_ranks, rank, wait_for_all
from sce_video.runtime.files import atomic_path, write_json
from sce_video.runtime.logging import LOGGER
from sce_video.runtime.progress import progress_bar

_PART_VIDEOS = 1024
_ABOUT = "about.json"


def stored_features(
    folder: Path,
    extractor: FeatureExtractor,
    *,
    num_videos: int,
    local_batch_size: int,
    about: Mapping[str, Any],
    description: str,
) -> FeatureRows:
    """Features of the videos 0 .. `num_videos` - 1; only what is not in the folder is extracted.

    Videos that could not be decoded are tried again at every start: they may be mended.

    Args:
        folder: all ranks see it. Features of anything else than `about` in it are deleted.
        local_batch_size: videos in one batch.
        about: what the features are a function of; goes into a JSON file.
        description: for the progress bar.
    Raises:
        CheckpointError, ManifestError: see `FeatureExtractor.extract`.
    """
    starts = range(0, num_videos, _PART_VIDEOS)
    parts = {_part_file(folder, start): range(start, min(start + _PART_VIDEOS, num_videos)) for start in starts}
    if is_main_process():
        _clear_others(folder, {**about, "videos_per_part": _PART_VIDEOS})
    wait_for_all()
    mine = {file: _missing(file, videos) for file, videos in list(parts.items())[rank() :: num_ranks()]}
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
            _write(file, _added(_read(file), joined(done)) if file.is_file() else joined(done))
    wait_for_all()
    return joined([_read(file) for file in parts])


def read_features(folder: Path) -> FeatureRows | None:
    """All parts in a folder of `stored_features`; None if there are none.

    Raises:
        CheckpointError: one is damaged.
    """
    files = sorted(folder.glob("part_*.npz"))
    return joined([_read(file) for file in files]) if files else None


def read_export(stem: Path) -> tuple[Tensor, list[int], list[str]] | None:
    """Features (rows, D), labels (-1: none) and paths as `export` writes them; None where there are none.

    Raises:
        CheckpointError: a file is damaged, or the two do not belong together.
    """
    arrays, table = _export_files(stem)
    if not (arrays.is_file() and table.is_file()):
        return None
    try:
        with np.load(arrays, allow_pickle=False) as content:
            features, labels = torch.from_numpy(content["features"]), content["labels"].tolist()
        paths = [row["path"] for row in read_csv(table)]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{stem}.npz and .csv cannot be read ({error}); extract the features again") from error
    if len(paths) != len(features):
        raise CheckpointError(f"{table} does not list the rows of {arrays}; extract the features again")
    return features, labels, paths


def _export_files(stem: Path) -> tuple[Path, Path]:
    return stem.with_name(f"{stem.name}.npz"), stem.with_name(f"{stem.name}.csv")


def export(rows: FeatureRows, stem: Path, *, paths: Sequence[str], labels: Sequence[int] | None) -> list[Path]:
    """Write `stem`.npz (features float32 (rows, D), labels, videos) and `stem`.csv, which says what each row is of.

    Args:
        paths, labels: of every video of the list; labels are -1 where there are none.
    Returns:
        The files.
    """
    videos = rows.videos.tolist()
    of_rows = [-1] * len(videos) if labels is None else [labels[video] for video in videos]
    arrays, table = _export_files(stem)
    with atomic_path(arrays) as partial, partial.open("wb") as opened:
        np.savez(
            opened, features=rows.features.numpy(), labels=np.array(of_rows, dtype=np.int64), videos=rows.videos.numpy()
        )
    lines = (
        [row, video, paths[video], "" if label < 0 else label]
        for row, (video, label) in enumerate(zip(videos, of_rows, strict=True))
    )
    write_csv(table, ["row", "video", "path", "label"], lines)
    return [arrays, table]


def _missing(file: Path, videos: range) -> Sequence[int]:
    """Which of the videos of a part are not in its file."""
    return [video for video, _ in _read(file).failures] if file.is_file() else videos


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
    except ValueError:
        return ""


def _write(file: Path, rows: FeatureRows) -> None:
    with atomic_path(file) as partial, partial.open("wb") as opened:
        np.savez(
            opened,
            features=rows.features.numpy(),
            videos=rows.videos.numpy(),
            failures=np.array(json.dumps(rows.failures)),
        )


def _read(file: Path) -> FeatureRows:
    try:
        with np.load(file, allow_pickle=False) as content:
            failures = [(int(video), str(reason)) for video, reason in json.loads(str(content["failures"]))]
            return FeatureRows(torch.from_numpy(content["features"]), torch.from_numpy(content["videos"]), failures)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{file} cannot be read ({error}); delete it and start again") from error
