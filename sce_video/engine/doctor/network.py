"""Download speed of the user's own remote videos."""

import time
from collections.abc import Callable

from sce_video.clips.decoders import DecodeError, decode_errors
from sce_video.data.videos import ListedVideos
from sce_video.engine.doctor.amounts import in_bytes
from sce_video.engine.doctor.finding import Finding
from sce_video.engine.remote.videos import VideoFiles


def fetching(listed: ListedVideos, files: Callable[[], VideoFiles], *, seconds: float) -> list[Finding]:
    """Fetch videos into the cache until the time is up, so that decoding is measured on local copies.

    For local files there are no findings, and no cache is created.
    """
    wanted = [video for path in listed.paths if (video := listed.storage.fetchable(path)) is not None]
    if not wanted:
        return []
    fetched_by = files()
    failures, num_fetched, num_bytes, began = [], 0, 0, time.perf_counter()
    for video in wanted:
        try:
            with decode_errors(video.name):
                held = fetched_by.hold(video)
        except DecodeError as error:
            failures.append(str(error))
            continue
        num_bytes += held.num_bytes
        num_fetched += 1
        held.close()
        if time.perf_counter() - began > seconds:
            break
    taken, folder = time.perf_counter() - began, fetched_by.cache.folder
    findings = []
    if failures:
        fact = f"{len(failures)} of {len(failures) + num_fetched} cannot be fetched: {failures[0]}"
        findings.append(Finding("problem", "remote videos", fact, "check DATA.ROOT, permissions and network"))
    if num_fetched:
        fact = (
            f"{num_fetched} videos, {in_bytes(num_bytes)}, fetched in {taken:.1f} s with one reader, "
            f"{in_bytes(num_bytes / taken)}/s; those already in {folder} were read from there"
        )
        findings.append(Finding("ok", "remote videos", fact))
    return findings
