"""What is said of a list before the work begins: files that are not there, a video that stands in it twice."""

import os
import random
import time
from collections.abc import Sequence
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path

from sce_video.config.urls import is_url
from sce_video.data.find_file import find_file
from sce_video.data.manifest import Manifest, PackedTexts
from sce_video.data.remote import RefusedError, RemoteError
from sce_video.errors import ManifestError
from sce_video.runtime.logging import LOGGER

# A few are looked for first; where one is missing so many more, spread over the list, as can be asked in the time.
_FEW, _MANY = 64, 2048
_FEW_REMOTE, _MANY_REMOTE, _NUM_THREADS = 16, 128, 16
_MOST_SECONDS = 20.0


def require_files(manifest: Manifest, *, max_missing_share: float = 1.0) -> None:
    """Catch a wrong root, or a list of other videos, at once instead of as a long row of broken videos.

    Raises:
        ManifestError: none of the videos looked at exists, or too many do not; a server does not say.
    """
    if manifest.pixels is not None or manifest.versions is not None:  # a shard's videos were found in it
        return
    few, many = (_FEW_REMOTE, _MANY_REMOTE) if manifest.is_any_fetched else (_FEW, _MANY)
    missing, num_asked = _missing(manifest, _spread(len(manifest), few))
    if missing and many > few:
        missing, num_asked = _missing(manifest, _spread(len(manifest), many))
    if not missing:
        return
    video, said = min(missing.items())
    asked = f"{num_asked} videos" if num_asked == len(manifest) else f"{num_asked} videos looked at"
    example = f"for example {said or manifest.path(video)}" + (f" ({manifest.where(video)})" if manifest.lines else "")
    if len(missing) == num_asked:
        raise ManifestError(f"{manifest.origin}: none of the {asked} exists, {example}; check DATA.ROOT")
    counted = f"{manifest.origin}: {len(missing)} of the {asked} do not exist, {example}"
    if len(missing) > max_missing_share * num_asked:
        raise ManifestError(f"{counted}; DATA.MAX_FAILED_SHARE {max_missing_share} allows fewer")
    LOGGER.warning("%s", counted)


def say_repeated(manifest: Manifest) -> None:
    """Warn of videos that a list has twice, with different labels above all."""
    assert isinstance(manifest.paths, PackedTexts)
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
        place = f"number {video + 1}" if manifest.lines is None else f"line {manifest.lines[video]}"
        return place if manifest.labels is None else f"{place}: label {manifest.labels[video]}"

    return ", ".join(map(one, videos))


def _spread(num_videos: int, most: int) -> list[int]:
    """Evenly over the list, in an order of which every beginning is spread as well."""
    num = min(num_videos, most)
    videos = [place * num_videos // num for place in range(num)]
    random.Random(0).shuffle(videos)
    return videos


def _missing(manifest: Manifest, videos: Sequence[int]) -> tuple[dict[int, str], int]:
    """Those that do not exist, with what a server says of each, "" for nothing; and how many there was time to ask for.

    Raises:
        ManifestError: a server does not say.
    """
    end = time.monotonic() + _MOST_SECONDS
    missing: dict[int, str] = {}
    num_asked = 0
    # Servers are asked for several at a time. Threads, since what is waited for takes no core.
    with ThreadPool(_NUM_THREADS if manifest.is_any_fetched else 1) as pool:
        for video, said in pool.imap(partial(_asked, manifest), videos):
            num_asked += 1
            if said is not None:
                missing[video] = said
            if time.monotonic() > end:
                break
    return missing, num_asked


def _asked(manifest: Manifest, video: int) -> tuple[int, str | None]:
    """None for one that exists. Over a network it must be there by its very name."""
    path = manifest.path(video)
    if isinstance(path, Path):
        return video, None if find_file(str(path)) else ""
    try:
        return video, None if path.exists() else ""
    except RefusedError as error:  # S3 also forbids what is not there to those who may not list
        return video, str(error)
    except RemoteError as error:
        raise ManifestError(f"{manifest.origin}: {error}") from error
