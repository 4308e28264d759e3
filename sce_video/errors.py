"""Exceptions that all rooms share. The programs in `tools/` report a `UserError` in one line, with exit code 2."""

from collections.abc import Sequence


class UserError(Exception):
    """An error that the user can fix; the message is one line: what is wrong, with the value, and what to do."""


class ConfigError(UserError):
    """A config file or override that cannot be used."""


class ManifestError(UserError):
    """A list of videos that cannot be read, or too many of whose videos cannot."""


class CheckpointError(UserError):
    """A checkpoint that is missing, damaged or made for another model."""


class StoppedError(BaseException):
    """A signal has stopped the run, which has saved its progress; the exit code is 128 + the signal.

    Like KeyboardInterrupt no `Exception`: it may come while a file is read, whose errors of any class mean damage.

    Args:
        step: number of training steps completed; None for a task that does not train.
    """

    def __init__(self, signal_number: int, *, step: int | None = None) -> None:
        super().__init__(f"stopped by signal {signal_number}" + ("" if step is None else f" after {step} steps"))
        self.signal_number = signal_number
        self.step = step


class PeerLostError(Exception):
    """Another process of the run has ended, so this one cannot continue; the other one reports the cause."""


PEER_LOST_EXIT_CODE = 75


class NonFiniteLossError(UserError):
    """Training has diverged; the message has the step, the learning rate and the videos.

    Args:
        losses: (step, loss) of the steps that were not logged yet, up to the first whose loss is not finite.
    """

    def __init__(self, message: str, losses: Sequence[tuple[int, float]] = ()) -> None:
        super().__init__(message)
        self.losses = losses


def reason_of(error: Exception) -> str:
    """The message of an exception from a library or the system in one line, without the file name of an OSError."""
    message = getattr(error, "strerror", None) or str(error)
    return " ".join(str(message).split())[:300] or type(error).__name__
