"""Errors that the user can fix: one clear line, exit code 2, no traceback.

Outside the rooms, below every floor: each room raises its own kind, `tools/` catches them all.
"""


class UserError(Exception):
    """Something the user gave cannot be used; the message is one line: name, value, way out."""


class ConfigError(UserError):
    """A config file or override that cannot be run."""


class ManifestError(UserError):
    """A list of videos that cannot be read, or of which too few videos can."""


class CheckpointError(UserError):
    """A checkpoint that is missing, damaged or made for another model."""


class StoppedError(Exception):
    """A signal asked the run to stop; it has saved, and the same command resumes it.

    Not a mistake of anybody's: the exit code is 128 + the signal. `step` is how many were made, where it trains.
    """

    def __init__(self, signal_number: int, *, step: int | None = None) -> None:
        after = "; what was finished is kept" if step is None else f" after {step} steps"
        super().__init__(f"stopped by signal {signal_number}{after}; rerun to resume")
        self.signal_number = signal_number
        self.step = step


class PeerLostError(Exception):
    """Another process of the run has ended, and this one cannot go on; that one says why."""


# Exit code of such a process.
LOST_A_PEER = 75


class NonFiniteLossError(UserError):
    """Training diverged; the message names step, learning rate and videos."""


def reason_of(error: Exception) -> str:
    """What an error of a library or of the system says, for one line of ours that names the file itself."""
    said = getattr(error, "strerror", None) or str(error)
    return " ".join(str(said).split())[:300] or type(error).__name__
