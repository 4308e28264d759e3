"""Log of the videos that failed in a run: each is named once, and too many stop the run."""

from collections.abc import Iterable

from sce_video.augment.batch import Failure
from sce_video.data.joined import NamedVideos
from sce_video.engine.cluster.collectives import all_gathered
from sce_video.engine.pool.workers import Workers
from sce_video.errors import ManifestError
from sce_video.runtime.logging import LOGGER, RUN_LOG, TEXT_FILE_ONLY

_NUM_NAMED = 5  # in the error
_NUM_LOGGED = 10  # on the terminal
_MOST_SIGNALS = 128


class FailureLog:
    """Collects the videos of a run that could not be used.

    Args:
        max_failed_share: of the videos of each list, in [0, 1].
        workers: their blocked videos are saved in checkpoints, so that a resumed run does not try them again.
    """

    def __init__(self, listed: NamedVideos, *, max_failed_share: float, workers: Workers) -> None:
        self._listed = listed
        self._max_failed_share = max_failed_share
        self._workers = workers
        self._failed: set[int] = set()
        self._first_reason = ""
        self._num_logged = 0

    def __len__(self) -> int:
        return len(self._failed)

    def record(self, failures: Iterable[Failure]) -> None:
        """Log the videos that fail for the first time, the first ten of a run also on the terminal.

        Raises:
            ManifestError: more than the allowed share has failed; the message names them.
        """
        for failure in failures:
            if failure.video not in self._failed:
                self._failed.add(failure.video)
                self._first_reason = self._first_reason or failure.reason
                self._log(failure.reason)
        for part in self._listed.parts:
            if len(self._failed) > self._max_failed_share * len(part):  # usually not, even over all lists
                self._require_few(part)

    def _require_few(self, part: range) -> None:
        failed = sorted(video for video in self._failed if video in part)
        if len(failed) <= self._max_failed_share * len(part):
            return
        first = failed[:_NUM_NAMED]
        names = ", ".join(self._listed.name(video) for video in first)
        if len(failed) > len(first):
            names += f" and {len(failed) - len(first)} more, each named in {RUN_LOG}"
        why = f" (the first: {self._first_reason})" if self._first_reason else ""
        raise ManifestError(
            f"{len(failed)} of {len(part)} videos cannot be decoded, more than "
            f"DATA.MAX_FAILED_SHARE {self._max_failed_share} allows: {names}{why}"
        )

    def _log(self, reason: str) -> None:
        self._num_logged += 1
        LOGGER.warning("replaced: %s", reason, extra=TEXT_FILE_ONLY if self._num_logged > _NUM_LOGGED else None)
        if self._num_logged == _NUM_LOGGED:
            LOGGER.warning("replaced: %d videos so far; further ones are named only in %s", len(self._failed), RUN_LOG)

    def state_dict(self) -> dict[str, list[int]]:
        """The failed videos of this rank; the blocked ones of all ranks ("lost"), with the signals of their deaths."""
        of_ranks = all_gathered(self._workers.blocked())
        blocked = {video: signal for of_rank in of_ranks for video, signal in of_rank.items()}
        return {"failed": sorted(self._failed), "lost": list(blocked), "lost_by_signal": list(blocked.values())}

    def load_state_dict(self, state: dict[str, list[int]]) -> None:
        """Raises ValueError for a video or signal that cannot be; nothing has changed then."""
        blocked, signals = state.get("lost", []), state.get("lost_by_signal", [])  # not in older checkpoints
        signal_of = dict(zip(blocked, signals, strict=True))
        if not all(type(video) is int and 0 <= video < len(self._listed) for video in (*state["failed"], *blocked)):
            raise ValueError("a failed video is not in the list")
        if not all(type(signal) is int and 0 <= signal < _MOST_SIGNALS for signal in signals):
            raise ValueError("a video is blocked by an unknown signal")
        self._failed = set(state["failed"])
        for video, signal in signal_of.items():
            self._workers.block(video, signal)
