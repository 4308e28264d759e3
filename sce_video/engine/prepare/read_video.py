"""Sequential reading of a video from the first frame to the last, the reference for what it shows."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import av.container
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from sce_video.clips.decoders.base import DecodeError, decode_errors
from sce_video.clips.decoders.container import obvious_fault
from sce_video.clips.decoders.mp4 import kinds_of_top_boxes
from sce_video.clips.decoders.pyav_file import (
    continuous_clock,
    in_playback_order,
    lacks_presentation_times,
    open_stream,
    packets_of,
    stamped_frames,
)
from sce_video.clips.decoders.transport_stream import refuse_concatenated_streams
from sce_video.engine.prepare.timing import steady_fps

# Longer than any still in a real video; time stamps that restart, as in cut broadcasts, jump by a day.
_LONGEST_STILL_SECONDS = 3600.0
# After its last frame a file has little but sound.
_MIN_FRAMES_SHARE = 0.9
_JOINED = ("mpegts", "mpeg", "flv")
# Newer versions of PyAV convert with as many threads as cores unless told otherwise; older ones use one.
_ONE_THREAD = {"threads": 1} if "threads" in (VideoReformatter.reformat.__doc__ or "") else {}
_MEMORY = (MemoryError,)  # not the video's fault
_RGB = 0  # AVCOL_SPC_RGB: has no matrix to keep


class TimedFrame(NamedTuple):
    """A frame, its start relative to the first one, and how long it is shown if it is the last."""

    start_seconds: float
    seconds: float
    frame: VideoFrame


class SequentialVideo:
    """One video, to be read once, in one thread; a context manager.

    `fps` is the rate at which most frames follow each other. `num_decoded` counts frames as they are read, and
    `num_without_time` those that start no later than their predecessor. `note` describes other content of the file
    that is not read.
    """

    def __init__(self, path: Path) -> None:
        """Raises DecodeError for a file without a video stream."""
        self._path = str(path)
        try:
            with decode_errors(self._path, passing=_MEMORY):
                starts, header_fps, self.note = _packet_starts(self._path)
                self.fps = steady_fps(starts, header_fps)
                self._container, self._stream = open_stream(self._path)
        except DecodeError as error:
            fault = obvious_fault(self._path)
            if fault is None:
                raise
            raise DecodeError(f"{self._path}: {fault}") from error
        self.num_decoded = self.num_without_time = 0
        self.end_seconds = 0.0

    def frames(self) -> Iterator[TimedFrame]:
        """All frames in presentation order, with times as the decoders of `clips` give them.

        Raises:
            DecodeError: damage anywhere, no frame at all, or a jump of the time stamps by more than an hour.
        """
        start, first_begin = 0.0, None
        with decode_errors(self._path, passing=_MEMORY):
            for index, (begin, frame) in enumerate(stamped_frames(self._container, self._stream)):
                if index == 0:
                    first_begin = begin
                before = start
                if first_begin is None or begin is None or frame.time_base is None:
                    start = max(start, float(index / self.fps))
                    seconds = float(1 / self.fps)
                else:
                    start = max(start, float((begin - first_begin) * frame.time_base))
                    seconds = max(float((frame.duration or 0) * frame.time_base), float(1 / self.fps))
                if max(start - before, seconds) > _LONGEST_STILL_SECONDS:
                    raise DecodeError(f"{self._path}: its time stamps jump by {max(start - before, seconds):.0f} s")
                self.num_decoded = index + 1
                self.num_without_time += index > 0 and start <= before
                self.end_seconds = start + seconds
                yield TimedFrame(start, seconds, frame)
        if self.num_decoded == 0:
            raise DecodeError(f"{self._path}: holds no frame that can be decoded")

    def __enter__(self) -> "SequentialVideo":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()


def _packet_starts(path: str) -> tuple[list[float], Fraction | None, str]:
    """Frame starts in seconds, unordered, where packets have them; the header's rate; a note. Decodes nothing."""
    container, stream = open_stream(path)
    with container:
        if container.format.name == "mpegts":
            refuse_concatenated_streams(path, stream_id=stream.id)
        has_slots = lacks_presentation_times(container)
        base = stream.time_base or Fraction(0)
        clock = continuous_clock(container, stream)
        stamps: list[tuple[int, int]] = []  # never the packets, which are the whole file
        end = 0  # offset behind the last packet, where known
        for packet in packets_of(container, stream):
            stamp = packet.dts if has_slots else packet.pts
            if stamp is not None and not packet.is_discard:
                stamps.append((stamp, stamp if packet.dts is None else packet.dts))
            if packet.pos is not None and packet.pos >= 0:
                end = packet.pos + packet.size
        starts = in_playback_order(stamps, clock) if clock else [stamp for stamp, _ in stamps]
        return [float(start * base) for start in starts], stream.average_rate, _note(path, container, end)


def _note(path: str, container: av.container.InputContainer, end: int) -> str:
    """A note on content of a concatenated file after this video stream's end at offset `end` (0: unknown); else ""."""
    if end == 0 or end >= _MIN_FRAMES_SHARE * container.size or not _may_be_joined(path, container):
        return ""
    return f"its frames end after {end} of {container.size} bytes; what follows is another stream and is not read"


def _may_be_joined(path: str, container: av.container.InputContainer) -> bool:
    """Whether the file may be concatenated from several; of concatenated mp4 files FFmpeg reads the first."""
    is_mp4 = "mp4" in container.format.name
    return kinds_of_top_boxes(path).count(b"moov") > 1 if is_mp4 else container.format.name in _JOINED


class Upright:
    """Rotates frames of one video upright and scales them down; (height, width) is the size of the results.

    A frame of another size, as in adaptive streams, is scaled to the first's.

    Args:
        first: the video's first frame.
        short_side_pixels: 0 keeps the size.
        multiple: both sides are rounded to a multiple of it, at least one, without upscaling.
    """

    def __init__(self, first: VideoFrame, *, short_side_pixels: int, multiple: int) -> None:
        short = min(first.width, first.height)
        scale = min(short_side_pixels / short, 1.0) if short_side_pixels else 1.0
        stored_height, stored_width = (
            max(min(round(side * scale / multiple), side // multiple), 1) * multiple
            for side in (first.height, first.width)
        )
        self._stored_width, self._stored_height = stored_width, stored_height
        self._quarter_turns = first.rotation // 90 % 4 if first.rotation % 90 == 0 else 0
        turned = self._quarter_turns % 2 == 1
        self.height, self.width = (stored_width, stored_height) if turned else (stored_height, stored_width)
        self._converter = VideoReformatter()  # reused, as creating one costs more than a conversion

    def yuv420p(self, frame: VideoFrame) -> VideoFrame:
        """The frame in yuv420p of limited range, with the source's color matrix if it has one."""
        matrix = {"dst_colorspace": Colorspace.ITU601} if frame.colorspace == _RGB else {}
        small = self._converter.reformat(
            frame,
            self._stored_width,
            self._stored_height,
            "yuv420p",
            interpolation="BICUBIC",
            dst_color_range=ColorRange.MPEG,
            **matrix,
            **_ONE_THREAD,
        )
        return _turned_yuv420p(small, self._quarter_turns) if self._quarter_turns else small

    def rgb(self, frame: VideoFrame) -> np.ndarray:
        """The frame as (H, W, 3) uint8."""
        rgb = self._converter.reformat(
            frame, self._stored_width, self._stored_height, "rgb24", interpolation="BICUBIC", **_ONE_THREAD
        )
        return np.ascontiguousarray(np.rot90(rgb.to_ndarray(), self._quarter_turns))


def _turned_yuv420p(frame: VideoFrame, quarter_turns: int) -> VideoFrame:
    width, height = frame.width, frame.height
    stacked = frame.to_ndarray().reshape(-1)  # Y, then U and V at half the size
    parts = np.split(stacked, [width * height, width * height * 5 // 4])
    shapes = [(height, width), (height // 2, width // 2), (height // 2, width // 2)]
    turned = [np.rot90(part.reshape(shape), quarter_turns) for part, shape in zip(parts, shapes, strict=True)]
    out_height, out_width = turned[0].shape
    planes = np.concatenate([part.reshape(-1) for part in turned]).reshape(out_height * 3 // 2, out_width)
    upright = VideoFrame.from_ndarray(planes, format="yuv420p")
    upright.colorspace, upright.color_range = frame.colorspace, frame.color_range
    return upright
