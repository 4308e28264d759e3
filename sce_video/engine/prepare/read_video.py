"""A video read from its first frame to its last: what it shows, by definition."""

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
from sce_video.clips.decoders.container import opening_errors
from sce_video.clips.decoders.mp4 import kinds_of_top_boxes
from sce_video.clips.decoders.pyav_clock import in_order_of_play, steady_clock
from sce_video.clips.decoders.pyav_file import is_row_of_places, open_stream, packets_of, placed_frames
from sce_video.clips.decoders.transport_stream import refuse_lost_pictures
from sce_video.engine.prepare.timing import steady_fps

# Longer than any still in a real video; time stamps that start again, as in cut broadcasts, jump by a day.
_LONGEST_STILL_SECONDS = 3600.0
# Behind the last picture there is little but sound.
_LEAST_PICTURE_SHARE = 0.9
_JOINED = ("mpegts", "mpeg", "flv")
# PyAV converts with as many threads as there are cores, where it can be told not to; older versions use one.
_ONE_THREAD = {"threads": 1} if "threads" in (VideoReformatter.reformat.__doc__ or "") else {}
_MEMORY = (MemoryError,)  # is no fault of the video's
_RGB = 0  # AVCOL_SPC_RGB: there is no matrix to keep


class TimedFrame(NamedTuple):
    """A frame, when it begins after the first one, and for how long it is shown if nothing follows it."""

    start_seconds: float
    seconds: float
    frame: VideoFrame


class SequentialVideo:
    """One video, to be read once, in one thread; closed on leaving the `with`.

    `fps` is the rate at which most frames follow each other; `num_decoded` and `num_without_time`, those that begin
    no later than the one before, count as they are read. `note` says what the file has beside this video, if it may be
    missed.
    """

    def __init__(self, path: Path) -> None:
        """Raises DecodeError for a file without a video stream."""
        self._path = str(path)
        with opening_errors(self._path, passing=_MEMORY):
            starts, header_fps, self.note = _packet_starts(self._path)
            self.fps = steady_fps(starts, header_fps)
            self._container, self._stream = open_stream(self._path)
        self.num_decoded = self.num_without_time = 0
        self.end_seconds = 0.0

    def frames(self) -> Iterator[TimedFrame]:
        """All frames in the order of play; times are counted as the decoders of `clips` count them.

        Raises:
            DecodeError: damage anywhere, no frame at all, time stamps that jump by more than an hour.
        """
        start, first_begin = 0.0, None
        with decode_errors(self._path, passing=_MEMORY):
            for index, (begin, frame) in enumerate(placed_frames(self._container, self._stream)):
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
    """When frames begin, in any order and as far as the packets say; the header's rate; a note. Decodes nothing."""
    container, stream = open_stream(path)
    with container:
        if container.format.name == "mpegts":
            refuse_lost_pictures(path, stream_id=stream.id)
        has_places = is_row_of_places(container)
        base = stream.time_base or Fraction(0)
        clock = steady_clock(container, stream)
        stamps: list[tuple[int, int]] = []  # never the packets, which are the whole file
        end = 0  # of the last packet, in bytes, as far as it is said
        for packet in packets_of(container, stream):
            stamp = packet.dts if has_places else packet.pts
            if stamp is not None and not packet.is_discard:
                stamps.append((stamp, stamp if packet.dts is None else packet.dts))
            if packet.pos is not None and packet.pos >= 0:
                end = packet.pos + packet.size
        starts = in_order_of_play(stamps, clock) if clock else [stamp for stamp, _ in stamps]
        return [float(start * base) for start in starts], stream.average_rate, _note(path, container, end)


def _note(path: str, container: av.container.InputContainer, end: int) -> str:
    """Says if a file that may be joined of others goes on behind this picture's end, at byte `end`; 0: not known."""
    if end == 0 or end >= _LEAST_PICTURE_SHARE * container.size or not _may_be_joined(path, container):
        return ""
    return f"its picture ends after {end} of {container.size} bytes; what follows is another stream, and is not read"


def _may_be_joined(path: str, container: av.container.InputContainer) -> bool:
    """Byte by byte; of mp4 files joined so FFmpeg reads the first."""
    is_mp4 = "mp4" in container.format.name
    return kinds_of_top_boxes(path).count(b"moov") > 1 if is_mp4 else container.format.name in _JOINED


class Upright:
    """Frames of one video turned upright and scaled, never up; (height, width) is that of the results.

    A frame of another size, as streams that adapt have them, is scaled to the first's.

    Args:
        first: the video's first frame.
        short_side_pixels: 0 keeps the size.
        multiple: both sides are the nearest multiple of it that is no upscaling, and at least that.
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
        self._converter = VideoReformatter()  # one for all frames: to make one costs more than to convert

    def yuv420p(self, frame: VideoFrame) -> VideoFrame:
        """In limited range; the matrix stays the source's, as far as it has one."""
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
        """(H, W, 3) uint8."""
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
