"""Checks of video lists at the start of a run: missing files, duplicates, implausible labels, unsuitable test lists."""

import os
import random
import time
from collections.abc import Sequence
from functools import partial
from multiprocessing.pool import ThreadPool

from sce_video.data.manifest import Manifest, quoted
from sce_video.data.videos import ListedVideos
from sce_video.engine.remote import RemoteError
from sce_video.errors import ManifestError
from sce_video.runtime.logging import LOGGER
from sce_video.urls import is_url

# A few files are checked first; if one is missing, many, as far as the time allows.
_FEW, _MANY = 64, 2048
_FEW_REMOTE, _MANY_REMOTE, _NUM_THREADS = 16, 128, 16
_MOST_SECONDS = 20.0
# Labels below either number (of classes in all, of classes per video) are plausible.
_FEW_CLASSES, _MOST_CLASSES_PER_VIDEO = 1000, 10
# Numbers of frames are at least this large; labels are judged in lists of at least this many videos.
_LEAST_FRAMES, _NUM_JUDGED = 8, 8


def require_files(listed: ListedVideos, *, max_missing_share: float = 1.0, root_key: str = "DATA.ROOT") -> None:
    """Check a sample of the videos, so that a wrong root or list is one error at the start and not many broken videos.

    Args:
        root_key: the setting of their folder, for messages.
    Raises:
        ManifestError: none of the checked videos exists, or too many are missing; a request fails.
    """
    few, many = (_FEW_REMOTE, _MANY_REMOTE) if listed.storage.is_remote else (_FEW, _MANY)
    missing, num_checked = _missing(listed, _spread(len(listed), few))
    if missing and many > few:
        missing, num_checked = _missing(listed, _spread(len(listed), many))
    if not missing:
        return
    video, reason = min(missing.items())
    checked = f"{num_checked} videos" if num_checked == len(listed) else f"{num_checked} videos checked"
    example = f"for example {reason or listed.name(video)}" + (f" ({listed.where(video)})" if listed.lines else "")
    if len(missing) == num_checked:
        raise ManifestError(f"{listed.origin}: none of the {checked} exists, {example}; check {root_key}")
    counted = f"{listed.origin}: {len(missing)} of the {checked} do not exist, {example}"
    if len(missing) > max_missing_share * num_checked:
        raise ManifestError(f"{counted}; DATA.MAX_FAILED_SHARE {max_missing_share} allows fewer")
    LOGGER.warning("%s", counted)


def warn_of_duplicates(manifest: Manifest) -> None:
    """Warn of videos that a list has more than once, and of those with different labels."""
    joined = manifest.paths.joined
    is_plain = b"./" not in joined and b"//" not in joined
    if is_plain and len(set(joined.split(b"\n"))) == len(manifest):
        return
    first: dict[str, int] = {}
    paths = manifest.paths if is_plain else map(_plain_path, manifest.paths)
    repeated = [(first[path], video) for video, path in enumerate(paths) if first.setdefault(path, video) != video]
    labels = manifest.labels
    differing = [] if labels is None else [(one, two) for one, two in repeated if labels[one] != labels[two]]
    for pairs, words in ((repeated, "are listed more than once"), (differing, "are listed with different labels")):
        if pairs:
            one, two = pairs[0]
            LOGGER.warning(
                "%s: %d videos %s, such as %s (%s)",
                *(manifest.origin, len({one for one, _ in pairs}), words, manifest.shown_paths[one]),
                _lines_of(manifest, one, two),
            )


def _plain_path(path: str) -> str:
    """The path without `//` and `./`; URLs are not changed."""
    return path if is_url(path) else os.path.normpath(path)


def _lines_of(manifest: Manifest, *videos: int) -> str:
    def one(video: int) -> str:
        where = f"number {video + 1}" if manifest.lines is None else f"line {manifest.lines[video]}"
        return where if manifest.labels is None else f"{where}: label {manifest.labels[video]}"

    return ", ".join(map(one, videos))


def _spread(num_videos: int, most: int) -> list[int]:
    """Indices spread evenly over the list, shuffled so that any first part of them is spread as well."""
    num = min(num_videos, most)
    videos = [index * num_videos // num for index in range(num)]
    random.Random(0).shuffle(videos)
    return videos


def _missing(listed: ListedVideos, videos: Sequence[int]) -> tuple[dict[int, str], int]:
    """The missing videos with the server's reason or "", and how many were checked in the time.

    Raises:
        ManifestError: a request fails.
    """
    end = time.monotonic() + _MOST_SECONDS
    missing: dict[int, str] = {}
    num_checked = 0
    # Several requests at a time, in threads, as waiting takes no core.
    with ThreadPool(_NUM_THREADS if listed.storage.is_remote else 1) as pool:
        for video, reason in pool.imap(partial(_why_missing, listed), videos):
            num_checked += 1
            if reason is not None:
                missing[video] = reason
            if time.monotonic() > end:
                break
    return missing, num_checked


def _why_missing(listed: ListedVideos, video: int) -> tuple[int, str | None]:
    try:
        return video, listed.storage.why_missing(listed.paths[video])
    except RemoteError as error:
        raise ManifestError(f"{listed.origin}: {error}") from error


def _require_classes(train: Manifest) -> None:
    """Refuse implausible labels: a classifier has an output for each number up to the largest."""
    labels = train.require_labels()
    video = labels.index(high := max(labels))
    at = f"{train.where(video)}: {quoted(train.paths[video])} has the label {high}"
    if high >= max(_FEW_CLASSES, _MOST_CLASSES_PER_VIDEO * len(train)):
        raise ManifestError(f"{at}, but there are {len(train)} videos; number the classes from 0 without gaps")
    is_sparse = 2 * len(set(labels)) < high + 1
    if train.label_kind == "guessed" and len(train) >= _NUM_JUDGED and min(labels) >= _LEAST_FRAMES and is_sparse:
        raise ManifestError(
            f"{at}, and no label is below {min(labels)}: are these numbers of frames? Set DATA.LIST_COLUMNS to "
            "path,label or path,num_frames"
        )


def require_comparable(train: ListedVideos, test: ListedVideos) -> None:
    """Refuse a pair of lists whose results would be meaningless.

    Raises:
        ManifestError: no or implausible labels; a test label without a training video, or of another class there; a
            video in both lists.
    """
    _require_classes(train)
    _require_same_names(train, test)
    unseen = sorted(set(test.require_labels()) - set(train.require_labels()))
    if unseen:
        raise ManifestError(
            f"{test.origin} has the label {unseen[0]}, which no video of {train.origin} has; do both count from 0, "
            "and are these labels, not numbers of frames?"
        )
    tested = set(test.storage.full_paths(test.paths))
    shared = {path: video for video, path in enumerate(train.storage.full_paths(train.paths)) if path in tested}
    if shared:
        example = train.name(shared[min(shared)])
        raise ManifestError(f"{len(shared)} videos are in both {train.origin} and {test.origin}, such as {example}")


def _require_same_names(train: Manifest, test: Manifest) -> None:
    """Refuse lists in which a label may be different classes."""
    for one, other in ((train, test), (test, train)):
        if one.label_kind == "named" and other.class_names is None:
            raise ManifestError(
                f"{one.origin} has class names as labels and {other.origin} numbers without names; put a classes.txt "
                "(one name a line, the first is label 0) beside each"
            )
    names, tested = train.class_names or {}, test.class_names or {}
    for label in sorted(names.keys() & tested.keys() & set(test.require_labels())):
        if names[label] != tested[label]:
            raise ManifestError(
                f"label {label} is {tested[label]!r} in {test.origin} and {names[label]!r} in {train.origin}; "
                "number the classes the same way in both"
            )
