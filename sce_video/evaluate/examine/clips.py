"""The clips of a video that are examined: one, the same at another speed, and another one."""

from torch import Tensor

from sce_video.clips.decoders import VideoDecoder, VideoMetadata, Videos
from sce_video.clips.frames import ClipSpan
from sce_video.evaluate.views import VideoDataset, ViewProtocol, clip_indices, decoded_clips

# Two clips that have more than this share of their time in common are not "another clip".
_MOST_COMMON = 0.5


def examined_spans(video_seconds: float, clip_seconds: float) -> list[ClipSpan]:
    """Two spans around the middle of a video, at least a clip apart if it is long enough; one if it is too short.

    Their starts are max(clip, half of what is possible) apart, but never more than is possible: the second may overlap
    the first by up to half.
    """
    latest = max(video_seconds - clip_seconds, 0.0)
    apart = min(latest, max(clip_seconds, latest / 2))
    if apart < (1 - _MOST_COMMON) * clip_seconds:
        return [ClipSpan(latest / 2, clip_seconds)]
    return [ClipSpan((latest - apart) / 2, clip_seconds), ClipSpan((latest + apart) / 2, clip_seconds)]


def at_half_speed(indices: list[int]) -> list[int]:
    """As many frames, evenly from the middle half of the time of a clip's frames; a short one repeats some."""
    first, last = indices[0], indices[-1]
    steps = max(len(indices) - 1, 1)
    return [round(first + (last - first) * (0.25 + 0.5 * step / steps)) for step in range(len(indices))]


class ExaminedDataset(VideoDataset):
    """Clips of each video, in the order of `changed_clips`."""

    def __init__(self, videos: Videos, *, protocol: ViewProtocol) -> None:
        super().__init__(videos)
        self._protocol = protocol

    def read(self, opened: VideoDecoder) -> Tensor:
        return decoded_clips(opened, self._indices(opened.metadata), self._protocol)

    def _indices(self, about: VideoMetadata) -> list[list[int]]:
        spans = examined_spans(about.duration_seconds, self._protocol.clip_seconds) if about.num_frames > 1 else []
        spans = spans or [ClipSpan(0.0, self._protocol.clip_seconds)]
        clip, *other = (clip_indices(span, about, self._protocol) for span in spans)
        return [clip, at_half_speed(clip), *other]
