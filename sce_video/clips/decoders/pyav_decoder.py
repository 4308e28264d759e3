"""PyAV: the decoder that is always installed, and the reference for the others."""

import math
from collections.abc import Iterator, Sequence
from itertools import chain, compress, groupby, islice

import av.error
import av.packet
import av.video.frame
import torch

from sce_video.clips.decoders.base import (
    CropRequest,
    DecodeError,
    VideoMetadata,
    check_times,
    decode_errors,
    scaled_size,
)
from sce_video.clips.decoders.h264 import are_unreferenced, length_bytes
from sce_video.clips.decoders.mp4 import plain_mp4_size, refuse_impossible_counts
from sce_video.clips.decoders.pyav_convert import CropCollector, FrameConverter
from sce_video.clips.decoders.pyav_file import (
    StampedFrame,
    decoded_first_frame,
    open_stream,
    packets_of,
    packets_until,
    stamped_frames,
    undecoded_first_frame,
)
from sce_video.clips.decoders.pyav_plan import DecodePlan, plan_decoding
from sce_video.clips.decoders.pyav_timing import video_timing

# Seeking is exact only if the container stores an index and the time of every frame, and the codec starts cleanly at a
# key frame. Other files (AVI with B-frames: half of the frames would be wrong) are decoded from the start.
_SEEKABLE_CONTAINERS = frozenset({"mp4", "matroska"})  # "mov" and "webm" are the same two readers
_SEEKABLE_CODECS = frozenset({"h264", "hevc", "vp8", "vp9", "av1", "libdav1d"})

_MAX_PTS = 2**63 - 1  # FFmpeg's; a damaged header can claim any duration

_TimedFrame = tuple[float, av.video.frame.VideoFrame]  # (start in seconds after that of the first frame, frame)


class PyAVDecoder:
    """One video read by PyAV in one thread; see `VideoDecoder`.

    For each requested frame only the packets from its key frame on are decoded, without those that no other frame
    references, and only requested frames are converted to RGB.
    """

    def __init__(self, path: str, *, short_side_pixels: int = 0) -> None:
        """Raises DecodeError or PyAV's errors, which `open_video` converts, for a file that cannot be decoded."""
        self._path = path
        self._closed = False
        plain_size = plain_mp4_size(path)
        if plain_size is None:
            refuse_impossible_counts(path)
        self._container, self._stream = open_stream(path, is_plain_mp4=plain_size is not None)
        try:
            self.metadata = self._inspect(short_side_pixels, plain_size)
        except BaseException:
            self._container.close()
            raise

    def frames_at(self, times_seconds: Sequence[float]) -> torch.Tensor:
        """See `VideoDecoder.frames_at`; one call is cheaper than two, which may decode the same frames twice."""
        whole = (0, 0, self.metadata.height, self.metadata.width)
        return self.crops_at([CropRequest(times_seconds, whole)])[0]

    def crops_at(self, requests: Sequence[CropRequest]) -> list[torch.Tensor]:
        """See `VideoDecoder.crops_at`."""
        if self._closed:
            raise ValueError(f"{self._path} is closed")
        for request in requests:
            check_times(request.times_seconds)
        with decode_errors(self._path):
            crops = CropCollector(requests, self._converter)
            for frames in self._shown_at(crops.times):
                crops.put(frames)
            return [torch.from_numpy(clip).permute(0, 3, 1, 2) for clip in crops.clips()]

    def __enter__(self) -> "PyAVDecoder":
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        self._container.close()

    def _inspect(self, short_side_pixels: int, plain_size: tuple[int, int] | None) -> VideoMetadata:
        """Find start time, size and rotation, decoding the first frame only if necessary."""
        self._from_start: Iterator[StampedFrame] | None = None
        read = list(islice(packets_of(self._container, self._stream), 1))
        first = undecoded_first_frame(read[0], self._stream, size=plain_size) if plain_size and read else None
        if first is None:
            frames = stamped_frames(self._container, self._stream, read=read)
            stamped = next(frames, None)
            if stamped is None:
                raise DecodeError(f"{self._path}: holds no frame that can be decoded")
            first, self._from_start = decoded_first_frame(stamped), chain([stamped], frames)
        duration, fps, num_frames = video_timing(self._path, self._container, self._stream)
        if "matroska" in self._container.format.name:  # it may now be at the last frame
            self._from_start = None
        self._lacks_timestamps = first.begin is None
        self._first_pts = first.begin or 0
        self._ticks_to_seconds = (first.time_base.numerator, first.time_base.denominator)
        self._fps = fps
        (self._last_pts,) = self._ticks([duration])
        context = self._stream.codec_context
        self._length_bytes = length_bytes(context.extradata) if context.name == "h264" else 0
        height, width = scaled_size(first.height, first.width, short_side_pixels)
        quarter_turns = first.rotation // 90 if first.rotation % 90 == 0 else 0
        self._converter = FrameConverter(height=height, width=width, quarter_turns=quarter_turns)
        if quarter_turns % 2 == 1:
            height, width = width, height
        return VideoMetadata(duration, fps, num_frames, height, width)

    def _shown_at(self, times: Sequence[float]) -> Iterator[list[av.video.frame.VideoFrame]]:
        """The frames on screen at ascending times, window by window."""
        num_done = 0
        for window in self._windows(times) if self._is_seekable() else []:
            frames = self._frames_of_window(window)
            if frames is None:
                break
            yield frames
            num_done += len(window)
        if num_done < len(times):
            yield from ([frame] for frame in self._shown_from_start(times[num_done:]))

    def _shown_from_start(self, times: Sequence[float]) -> Iterator[av.video.frame.VideoFrame]:
        """The same by decoding from the start: a frame is shown until the next one in playback order begins."""
        frames = self._timed_frames()
        _, shown = next(frames)
        following = next(frames, None)
        for time in times:
            while following is not None and following[0] <= time:
                shown = following[1]
                following = next(frames, None)
            yield shown

    def _timed_frames(self) -> Iterator[_TimedFrame]:
        """Decode from the first frame; times never decrease."""
        frames, self._from_start = self._from_start, None
        if frames is None:
            self._container.close()
            self._container, self._stream = open_stream(self._path)
            frames = stamped_frames(self._container, self._stream)
        time = 0.0
        for index, (begin, frame) in enumerate(frames):
            time = max(time, index / self._fps if self._lacks_timestamps or begin is None else self._seconds(begin))
            yield time, frame

    def _windows(self, times: Sequence[float]) -> list[list[int]]:
        """The times in ticks, grouped by their key frame in the container's index; one group without an index.

        No groups if the index is damaged.
        """
        ticks = self._ticks(times)
        try:
            self._seek(ticks[-1])  # Matroska reads its index on the first seek, or builds it up to there
        except av.error.FFmpegError:  # a damaged index
            return []
        return [list(group) for _, group in groupby(ticks, self._stream.index_entries.search_timestamp)]

    def _frames_of_window(self, ticks: list[int]) -> list[av.video.frame.VideoFrame] | None:
        """The frames on screen at the times of one window; None if the file must be decoded from the start."""
        try:
            packets = self._packets_around(ticks[0], ticks[-1])
            if packets is None:
                return None
            begins = [packet.pts for packet in packets if packet.pts is not None and not packet.is_discard]
            if min(begins, default=self._first_pts) < self._first_pts:  # their times contradict each other
                return None
            plan = plan_decoding(packets, ticks)
            return None if plan is None else self._decode(packets, plan)
        except av.error.FFmpegError:  # raised again when decoding from the start, if it matters there
            return None

    def _packets_around(self, first: int, last: int) -> list[av.packet.Packet] | None:
        """Packets from a key frame shown at or before tick `first` to all shown by tick `last`; None: too many."""
        self._seek(first)
        packets = packets_until(self._container, self._stream, last)
        if packets and packets[0].dts is not None and packets[0].pts is not None and packets[0].pts > first:
            # Containers seek by decoding time: this key frame is shown later than it is decoded.
            self._container.seek(packets[0].dts - 1, stream=self._stream)
            packets = packets_until(self._container, self._stream, last)
        return packets

    def _decode(self, packets: list[av.packet.Packet], plan: DecodePlan) -> list[av.video.frame.VideoFrame] | None:
        """The requested frames; None if one is missing, damaged or out of order.

        Returned only when all are there: a later frame can show that the times contradict each other.
        """
        shown = [packets[index].pts for index in plan.shown]
        wanted = set(shown)
        others = [i for start, stop in plan.ranges for i in range(start, stop) if packets[i].pts not in wanted]
        skipped = self._unreferenced(packets, others)
        found: dict[int | None, av.video.frame.VideoFrame] = {}
        last = -math.inf
        for start, stop in plan.ranges:
            for packet in [packets[i] for i in range(start, stop) if i not in skipped] + [None]:
                for frame in self._stream.decode(packet):
                    # Damage is concealed with earlier frames, of which there are more when decoding from the start.
                    if frame.is_corrupt or frame.pts is None or frame.pts <= last:
                        return None
                    last = frame.pts
                    if last in wanted:
                        found[last] = frame
            self._stream.codec_context.flush_buffers()
        return [found[pts] for pts in shown] if len(found) == len(wanted) else None

    def _unreferenced(self, packets: list[av.packet.Packet], indices: list[int]) -> set[int]:
        """The indices whose frame no other one references; known for H.264 only.

        HEVC's mark holds within one temporal layer only. libavcodec can skip such frames (`skip_frame`), but then does
        not report others that it drops.
        """
        if self._length_bytes == 0:
            return set()
        contents = [memoryview(packets[index]) for index in indices]
        return set(compress(indices, are_unreferenced(contents, length_bytes=self._length_bytes)))

    def _seek(self, ticks: int) -> None:
        self._from_start = None
        self._container.seek(min(ticks, self._last_pts), stream=self._stream)

    def _seconds(self, pts: int) -> float:
        return (pts - self._first_pts) * self._ticks_to_seconds[0] / self._ticks_to_seconds[1]

    def _ticks(self, times_seconds: Sequence[float]) -> list[int]:
        """The last tick at or before each time, the inverse of `_seconds`; at least the first frame's."""
        multiplier, divisor = self._ticks_to_seconds
        found = []
        for seconds in times_seconds:
            ticks = int(min(max(seconds, 0.0) * divisor / multiplier, float(_MAX_PTS)))
            while ticks > 0 and ticks * multiplier / divisor > seconds:
                ticks -= 1
            while (ticks + 1) * multiplier / divisor <= seconds and ticks < _MAX_PTS:
                ticks += 1
            found.append(min(self._first_pts + ticks, _MAX_PTS))
        return found

    def _is_seekable(self) -> bool:
        containers = self._container.format.name.split(",")
        return (
            not self._lacks_timestamps
            and not _SEEKABLE_CONTAINERS.isdisjoint(containers)
            and self._stream.codec_context.name in _SEEKABLE_CODECS
        )
