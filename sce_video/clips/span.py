"""The one word for "which part of a video"."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ClipSpan:
    """The part [start, start + duration) of a video, in seconds since its first frame."""

    start_seconds: float
    duration_seconds: float

    @property
    def end_seconds(self) -> float:
        """The first moment that no longer belongs to the span."""
        return self.start_seconds + self.duration_seconds
