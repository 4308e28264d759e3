"""Preparation of one video, from its source to its output and its record; runs in a worker process."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from av.video.frame import VideoFrame

from sce_video.clips.decoders.base import DecodeError
from sce_video.engine.prepare.actions import Action, Check, Frames, Transcode
from sce_video.engine.prepare.journal import BROKEN, DONE, SHORT, Planned, Record
from sce_video.engine.prepare.read_video import SequentialVideo, Upright
from sce_video.engine.prepare.target import sha256_of
from sce_video.engine.prepare.timing import at_constant_rate
from sce_video.engine.prepare.write_frames import sync, write_jpegs
from sce_video.engine.prepare.write_video import write_mp4

_OUTPUT = "output"


@dataclass(frozen=True)
class VideoTask:
    """A worker's task. `partial_dir` is its own: created by the worker, deleted by the main process."""

    video: Planned
    source_dir: Path
    partial_dir: Path
    action: Action

    @property
    def partial(self) -> Path:
        """Path of the finished output before it is published."""
        return self.partial_dir / _OUTPUT


@dataclass(frozen=True)
class _Output:
    """Properties of an output, as in `Record`."""

    duration_seconds: float
    fps: float
    height: int
    width: int
    num_frames: int
    bytes: int
    sha256: str
    num_lost: int = 0
    reason: str = ""


def prepare_video(task: VideoTask) -> Record:
    """Verify one video and, unless the action is `Check`, write its output to `task.partial`.

    Raises:
        MemoryError: more memory is needed than available; not the video's fault.
        OSError: the output cannot be written.
    """
    source = task.source_dir / task.video.source
    try:
        source_sha256 = sha256_of(source)
    except OSError as error:
        return Record.of(task.video, BROKEN, reason=f"cannot be read ({error.strerror})")
    task.partial_dir.mkdir()
    try:
        output = _MAKERS[type(task.action)](source, task.partial, task.action)
    except DecodeError as error:
        reason = str(error).removeprefix(f"{source}: ")
        return Record.of(task.video, BROKEN, reason=reason, source_sha256=source_sha256)
    if isinstance(task.action, Check):
        output = _Output(**{**vars(output), "bytes": task.video.size, "sha256": source_sha256})
    facts = {"source_sha256": source_sha256, **vars(output)}
    if output.num_frames < task.action.min_frames:
        return Record.of(task.video, SHORT, **{**facts, "reason": f"{output.num_frames} frames"})
    return Record.of(task.video, DONE, **facts)


def _check(source: Path, partial: Path, action: Check) -> _Output:
    height = width = 0
    with SequentialVideo(source) as video:
        for _, _, frame in video.frames():
            if height == 0:
                upright = Upright(frame, short_side_pixels=0, multiple=1)
                height, width = upright.height, upright.width
    fps = video.num_decoded / video.end_seconds
    return _Output(
        video.end_seconds, fps, height, width, video.num_decoded, 0, "", reason=_note(video.num_without_time, video)
    )


def _transcode(source: Path, partial: Path, action: Transcode) -> _Output:
    with SequentialVideo(source) as video:
        images = _Images(video, Upright.yuv420p, action, multiple=2)
        fps = images.fps
        num_frames = write_mp4(partial, images.each(), fps=fps, gop_frames=action.gop_frames, crf=action.crf)
    sync(partial)
    height, width = images.size
    size, sha256 = partial.stat().st_size, sha256_of(partial)
    seconds = float(num_frames / fps)
    return _Output(seconds, float(fps), height, width, num_frames, size, sha256, images.num_lost, images.note)


def _extract(source: Path, partial: Path, action: Frames) -> _Output:
    with SequentialVideo(source) as video:
        images = _Images(video, Upright.rgb, action, multiple=1)
        fps = images.fps
        num_frames, size, sha256 = write_jpegs(partial, images.each(), fps=fps, quality=action.quality)
    height, width = images.size
    seconds = float(num_frames / fps)
    return _Output(seconds, float(fps), height, width, num_frames, size, sha256, images.num_lost, images.note)


_MAKERS: dict[type, Callable[[Path, Path, Any], _Output]] = {Check: _check, Transcode: _transcode, Frames: _extract}


class _Images:
    """Images of a video at a constant rate; a frame is converted once, and only if it is shown."""

    def __init__(
        self,
        video: SequentialVideo,
        convert: Callable[[Upright, VideoFrame], Any],
        action: Transcode | Frames,
        *,
        multiple: int,
    ) -> None:
        self.fps = (
            video.fps if action.max_fps is None else min(video.fps, Fraction(action.max_fps).limit_denominator(1001))
        )
        self._video = video
        self._convert = convert
        self._sizes = {"short_side_pixels": action.short_side_pixels, "multiple": multiple}
        self._num_shown = 0

    def each(self) -> Iterator[Any]:
        upright: Upright | None = None
        converted: VideoFrame | None = None
        for frame in at_constant_rate(self._video.frames(), self.fps):
            if upright is None:
                upright = Upright(frame, **self._sizes)
                self.size = (upright.height, upright.width)
            if frame is not converted:
                image, converted = self._convert(upright, frame), frame
                self._num_shown += 1
            yield image

    @property
    def num_lost(self) -> int:
        """Decoded frames that are not among the images, except those dropped for a lower rate."""
        if self.fps < self._video.fps:
            return self._video.num_without_time
        return self._video.num_decoded - self._num_shown

    @property
    def note(self) -> str:
        return _note(self.num_lost, self._video)


def _note(num_lost: int, video: SequentialVideo) -> str:
    """What is missing in the output, in a few words."""
    lost = f"{num_lost} of {video.num_decoded} frames have no time stamp of their own" if num_lost else ""
    return "; ".join(filter(None, [lost, video.note]))
