"""What is said of lists before the work begins: missing files, a video twice, labels and pairs that mean nothing."""

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

# A few are looked for first; where one is missing so many more, spread over the list, as can be asked in the time.
_FEW, _MANY = 64, 2048
_FEW_REMOTE, _MANY_REMOTE, _NUM_THREADS = 16, 128, 16
_MOST_SECONDS = 20.0
# Of so many classes, and of so many per video, a list may lack some.
_FEW_CLASSES, _MOST_CLASSES_PER_VIDEO = 1000, 10
# Numbers of frames are at least so large, and labels as large leave few below them out.
_LEAST_FRAMES, _NUM_JUDGED = 8, 8


def require_files(listed: ListedVideos, *, max_missing_share: float = 1.0) -> None:
    """Catch a wrong root, or a list of other videos, at once instead of as a long row of broken videos.

    Raises:
        ManifestError: none of the videos looked at exists, or too many do not; a server does not say.
    """
    few, many = (_FEW_REMOTE, _MANY_REMOTE) if listed.storage.is_remote else (_FEW, _MANY)
    missing, num_asked = _missing(listed, _spread(len(listed), few))
    if missing and many > few:
        missing, num_asked = _missing(listed, _spread(len(listed), many))
    if not missing:
        return
    video, said = min(missing.items())
    asked = f"{num_asked} videos" if num_asked == len(listed) else f"{num_asked} videos looked at"
    example = f"for example {said or listed.name(video)}" + (f" ({listed.where(video)})" if listed.lines else "")
    if len(missing) == num_asked:
        raise ManifestError(f"{listed.origin}: none of the {asked} exists, {example}; check DATA.ROOT")
    counted = f"{listed.origin}: {len(missing)} of the {asked} do not exist, {example}"
    if len(missing) > max_missing_share * num_asked:
        raise ManifestError(f"{counted}; DATA.MAX_FAILED_SHARE {max_missing_share} allows fewer")
    LOGGER.warning("%s", counted)


def say_repeated(manifest: Manifest) -> None:
    """Warn of videos that a list has twice, with different labels above all."""
    joined = manifest.paths.joined
    is_plain = b"./" not in joined and b"//" not in joined
    if is_plain and len(set(joined.split(b"\n"))) == len(manifest):
        return
    first: dict[str, int] = {}
    paths = manifest.paths if is_plain else map(_plain_path, manifest.paths)
    repeated = [(first[path], video) for video, path in enumerate(paths) if first.setdefault(path, video) != video]
    labels = manifest.labels
    differing = [] if labels is None else [(one, two) for one, two in repeated if labels[one] != labels[two]]
    for pairs, words in ((repeated, "stand in it more than once"), (differing, "stand in it with different labels")):
        if pairs:
            one, two = pairs[0]
            LOGGER.warning(
                "%s: %d videos %s, such as %s (%s)",
                *(manifest.origin, len({one for one, _ in pairs}), words, manifest.shown_paths[one]),
                _in_lines(manifest, one, two),
            )


def _plain_path(path: str) -> str:
    """The same text for `a//b` and `./a/b`."""
    return path if is_url(path) else os.path.normpath(path)


def _in_lines(manifest: Manifest, *videos: int) -> str:
    def one(video: int) -> str:
        where = f"number {video + 1}" if manifest.lines is None else f"line {manifest.lines[video]}"
        return where if manifest.labels is None else f"{where}: label {manifest.labels[video]}"

    return ", ".join(map(one, videos))


def _spread(num_videos: int, most: int) -> list[int]:
    """Evenly over the list, in an order of which every beginning is spread as well."""
    num = min(num_videos, most)
    videos = [index * num_videos // num for index in range(num)]
    random.Random(0).shuffle(videos)
    return videos


def _missing(listed: ListedVideos, videos: Sequence[int]) -> tuple[dict[int, str], int]:
    """Those that do not exist, with what a server says of each, "" for nothing; and how many there was time to ask for.

    Raises:
        ManifestError: a server does not say.
    """
    end = time.monotonic() + _MOST_SECONDS
    missing: dict[int, str] = {}
    num_asked = 0
    # Servers are asked for several at a time. Threads, since what is waited for takes no core.
    with ThreadPool(_NUM_THREADS if listed.storage.is_remote else 1) as pool:
        for video, said in pool.imap(partial(_asked, listed), videos):
            num_asked += 1
            if said is not None:
                missing[video] = said
            if time.monotonic() > end:
                break
    return missing, num_asked


def _asked(listed: ListedVideos, video: int) -> tuple[int, str | None]:
    try:
        return video, listed.storage.why_missing(listed.paths[video])
    except RemoteError as error:
        raise ManifestError(f"{listed.origin}: {error}") from error


def _require_classes(train: Manifest) -> None:
    """Refuse labels that are none: a classifier would have a row for each number up to the largest."""
    labels = train.require_labels()
    video = labels.index(high := max(labels))
    at = f"{train.where(video)}: {quoted(train.paths[video])} has the label {high}"
    if high >= max(_FEW_CLASSES, _MOST_CLASSES_PER_VIDEO * len(train)):
        raise ManifestError(f"{at}, but there are {len(train)} videos; number the classes from 0 without gaps")
    is_sparse = 2 * len(set(labels)) < high + 1
    if train.label_kind == "guessed" and len(train) >= _NUM_JUDGED and min(labels) >= _LEAST_FRAMES and is_sparse:
        raise ManifestError(
            f"{at}, and none is below {min(labels)}: are these numbers of frames? Say what they are with "
            "DATA.LIST_COLUMNS path,label or path,num_frames"
        )


def require_comparable(train: ListedVideos, test: ListedVideos) -> None:
    """Refuse pairs that give meaningless numbers, before hours go into them.

    Raises:
        ManifestError: no labels, or numbers that seem to be none; a test label without a training video, or whose
            class is another one there; a video in both.
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
    """A label is the same class in both."""
    for one, other in ((train, test), (test, train)):
        if one.label_kind == "named" and other.class_names is None:
            raise ManifestError(
                f"{one.origin} has names as labels and {other.origin} numbers, and nothing says what these stand for; "
                "put a classes.txt (one name a line, the first is label 0) beside each"
            )
    names, tested = train.class_names or {}, test.class_names or {}
    for label in sorted(names.keys() & tested.keys() & set(test.require_labels())):
        if names[label] != tested[label]:
            raise ManifestError(
                f"label {label} is {tested[label]!r} in {test.origin} and {names[label]!r} in {train.origin}; "
                "number the classes alike"
            )
