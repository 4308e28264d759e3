"""Broken videos: each named once, all counted, too many stop the run."""

from collections.abc import Iterable

from sce_video.augment.batch import Failure
from sce_video.data.videos import ListedVideos
from sce_video.engine.cluster.collectives import all_gathered
from sce_video.engine.pool.workers import Workers
from sce_video.errors import ManifestError
from sce_video.runtime.logging import LOGGER, RUN_LOG, TEXT_FILE_ONLY

_NUM_NAMED = 5  # by the error
_NUM_SAID = 10  # on the terminal
_MOST_SIGNALS = 128


class FailureLog:
    """Collects the videos of a run that could not be used.

    Args:
        max_failed_share: of the listed videos, in [0, 1].
        workers: whose blocked videos are kept in checkpoints, so that a resumed run does not lose processes to them
            again.
    """

    def __init__(self, listed: ListedVideos, *, max_failed_share: float, workers: Workers) -> None:
        self._listed = listed
        self._max_failed_share = max_failed_share
        self._workers = workers
        self._failed: set[int] = set()
        self._first_reason = ""
        self._num_said = 0

    def __len__(self) -> int:
        return len(self._failed)

    def record(self, failures: Iterable[Failure]) -> None:
        """Log the videos not seen failing before, the first ones on the terminal too.

        Raises:
            ManifestError: more than the allowed share has failed; the message names them.
        """
        for failure in failures:
            if failure.video not in self._failed:
                self._failed.add(failure.video)
                self._first_reason = self._first_reason or failure.reason
                self._say(failure.reason)
        if len(self._failed) > self._max_failed_share * len(self._listed):
            first = sorted(self._failed)[:_NUM_NAMED]
            names = ", ".join(self._listed.name(video) for video in first)
            if len(self._failed) > len(first):
                names += f" and {len(self._failed) - len(first)} more, each named in {RUN_LOG}"
            why = f" (the first: {self._first_reason})" if self._first_reason else ""
            raise ManifestError(
                f"{len(self._failed)} of {len(self._listed)} videos cannot be decoded, more than "
                f"DATA.MAX_FAILED_SHARE {self._max_failed_share} allows: {names}{why}"
            )

    def _say(self, reason: str) -> None:
        self._num_said += 1
        LOGGER.warning("replaced: %s", reason, extra=TEXT_FILE_ONLY if self._num_said > _NUM_SAID else None)
        if self._num_said == _NUM_SAID:
            LOGGER.warning("replaced: %d videos so far; further ones are named in %s alone", len(self._failed), RUN_LOG)

    def state_dict(self) -> dict[str, list[int]]:
        lost = {video: number for of_rank in all_gathered(self._workers.blocked()) for video, number in of_rank.items()}
        return {"failed": sorted(self._failed), "lost": list(lost), "lost_by_signal": list(lost.values())}

    def load_state_dict(self, state: dict[str, list[int]]) -> None:
        """Raises ValueError if there are not so many videos; nothing has changed then."""
        lost, signals = state.get("lost", []), state.get("lost_by_signal", [])  # older checkpoints know of none
        by_signal = dict(zip(lost, signals, strict=True))
        if not all(type(video) is int and 0 <= video < len(self._listed) for video in (*state["failed"], *lost)):
            raise ValueError("a failed video is none of the list")
        if not all(type(number) is int and 0 <= number < _MOST_SIGNALS for number in signals):
            raise ValueError("a video was lost by no signal")
        self._failed = set(state["failed"])
        for video, number in by_signal.items():
            self._workers.block(video, number)
