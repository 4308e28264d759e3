"""The videos of benchmarks: real files, re-encoded copies, and the frames to read."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import torch
from av.video.frame import PictureType

from sce_video.clips.decoders import open_video
from sce_video.clips.frames import ClipSpan, frame_indices, frame_times
from sce_video.clips.samplers import one_random_span
from sce_video.engine.prepare.read_video import SequentialVideo, Upright
from sce_video.engine.prepare.timing import at_constant_rate
from sce_video.engine.prepare.write_video import write_mp4
from sce_video.errors import UserError

ORIGINALS = Path(__file__).resolve().parents[2] / "shared" / "data" / "originals" / "k400"
SUFFIXES = frozenset({".mp4", ".avi", ".mkv", ".webm", ".mov"})
# SCE's K400 recipe: two clips of 8 frames over 2.56 s.
NUM_CLIPS, NUM_FRAMES, CLIP_SECONDS = 2, 8, 2.56


# Short side (0 keeps the size; videos are never enlarged) and distance of key frames. "256p" is like the copies of
# Kinetics that most people train on; the others are as written by tools/prepare_data.py.
ORIGINAL, LONG_GOP = "original", "256p"
ENCODINGS = {
    "gop8": (0, 8),
    "gop4": (0, 4),
    "intra": (0, 1),
    LONG_GOP: (256, 250),
    "256p_gop8": (256, 8),
    "256p_gop4": (256, 4),
    "256p_intra": (256, 1),
}


@dataclass(frozen=True)
class Wanted:
    """The frames to read from one video: those of both clips, in order."""

    path: str
    spans: list[ClipSpan]
    indices: list[int]
    times_seconds: list[float]


def find_videos(folder: Path, *, num_videos: int | None) -> list[Path]:
    """The videos below a folder, or the `num_videos` smallest.

    Raises:
        UserError: there are none.
    """
    found = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES)
    if not found:
        raise UserError(f"{folder}: no such folder, or no video in it; give a folder of videos")
    return sorted(found, key=lambda path: path.stat().st_size)[:num_videos]


def encode_all(originals: Sequence[Path], cache: Path, *, name: str) -> list[Path]:
    """The originals, or their copies in an encoding of `ENCODINGS`, made unless they are in the cache."""
    if name == ORIGINAL:
        return list(originals)
    short_side_pixels, gop_frames = ENCODINGS[name]
    copies = []
    for original in originals:
        copy = cache / name / f"{original.parent.name}_{original.stem}.mp4"
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            part = copy.with_suffix(f".part{os.getpid()}")
            with SequentialVideo(original) as video:
                images = scaled_images(video, short_side_pixels)
                if name == LONG_GOP:
                    write_x264_defaults(part, images, fps=video.fps, gop_frames=gop_frames)
                else:
                    write_mp4(part, images, fps=video.fps, gop_frames=gop_frames, crf=23)
            part.replace(copy)
        copies.append(copy)
    return copies


def scaled_images(video: SequentialVideo, short_side_pixels: int) -> Iterator[av.VideoFrame]:
    upright = None
    for frame in at_constant_rate(video.frames(), video.fps):
        upright = upright or Upright(frame, short_side_pixels=short_side_pixels, multiple=2)
        yield upright.yuv420p(frame)


def write_x264_defaults(path: Path, images: Iterator[av.VideoFrame], *, fps: Fraction, gop_frames: int) -> None:
    """Encode with x264's defaults: crf 23, preset medium, up to 3 consecutive B-frames."""
    with av.open(str(path), "w", format="mp4") as container:
        stream = None
        for number, image in enumerate(images):
            if stream is None:
                stream = container.add_stream("libx264", rate=fps, options={"crf": "23", "g": str(gop_frames)})
                stream.width, stream.height, stream.pix_fmt = image.width, image.height, "yuv420p"
            image.pts, image.time_base, image.pict_type = number, 1 / fps, PictureType.NONE
            container.mux(stream.encode(image))
        if stream is not None:
            container.mux(stream.encode())


def wanted_frames(videos: Sequence[Path], *, seed: int) -> list[Wanted]:
    """Two random clips of each video."""
    wanted = []
    for number, path in enumerate(videos):
        generator = torch.Generator().manual_seed(1000 * seed + number)
        with open_video(path, decoder="pyav") as video:
            about = video.metadata
        spans = [one_random_span(about.duration_seconds, CLIP_SECONDS, generator=generator) for _ in range(NUM_CLIPS)]
        indices = [
            index
            for span in spans
            for index in frame_indices(span, fps=about.fps, num_video_frames=about.num_frames, num_frames=NUM_FRAMES)
        ]
        wanted.append(Wanted(str(path), spans, indices, frame_times(indices, fps=about.fps)))
    return wanted


def describe(path: Path) -> dict[str, object]:
    """Size, rate, frames and the longest distance between key frames, from the packets."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        is_key = [packet.is_keyframe for packet in container.demux(stream) if packet.size]
        keys = [index for index, key in enumerate(is_key) if key]
        gop = max(after - before for before, after in zip(keys, [*keys[1:], len(is_key)], strict=True))
        size = f"{stream.codec_context.width}x{stream.codec_context.height}"
        fps = round(float(stream.average_rate or 0), 2)
    return {"video": path.name, "size": size, "fps": fps, "frames": len(is_key), "longest_gop": gop}
