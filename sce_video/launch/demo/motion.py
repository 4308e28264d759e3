"""Small synthetic data set of labelled videos, whose class is a motion.

Bright striped sprites on a dark background. The state of a sprite is its position, size and angle; each is drawn
uniformly on a circle (positions wrap around the frame, sizes around an interval of octaves), and a motion adds a
function of time to it. A uniform draw stays uniform under such a shift, so a single frame has the same distribution
in every class: two frames are needed to tell the class.

A video is a sequence of shots with the same motion and pace; textures, colours, positions, sizes, angles and the
direction of the motion (left or right, clockwise or not) are drawn for each shot. Two clips from different shots have
only the motion in common. No class depends on left or right, so a horizontal flip keeps the class.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Pixels = NDArray[np.float32]

NUM_SPRITES = 4
SMALLEST_RADIUS = 0.1  # half a sprite's length, as a share of the frame's side
SIZE_OCTAVES = 1.0  # the largest sprite is twice as long as the smallest
ASPECT = 0.5  # width of a sprite over its length
SPLITS = ("train", "test")


class Shift(NamedTuple):
    """Change of a sprite's state by a motion; each a number or one value per frame, (T,)."""

    x: Array | float = 0.0  # in frame sides, to the right
    y: Array | float = 0.0  # in frame sides, downwards
    octaves: Array | float = 0.0  # of size
    turns: Array | float = 0.0  # clockwise


Motion = Callable[[Array, int], Shift]


def _swing(phase: Array) -> Array:
    return np.sin(2 * np.pi * phase)


# Class -> (time in seconds, (T,); direction, +1 or -1) -> shift at pace 1; the pace scales time.
MOTIONS: dict[str, Motion] = {
    "slide": lambda time, direction: Shift(x=0.75 * direction * time),
    "rise": lambda time, direction: Shift(y=-0.75 * time),
    "fall": lambda time, direction: Shift(y=0.75 * time),
    "grow": lambda time, direction: Shift(octaves=1.2 * time),
    "shrink": lambda time, direction: Shift(octaves=-1.2 * time),
    "spin": lambda time, direction: Shift(turns=0.9 * direction * time),
    "orbit": lambda time, direction: Shift(x=0.13 * _swing(1.3 * time), y=0.13 * direction * _swing(1.3 * time + 0.25)),
    "shake": lambda time, direction: Shift(x=0.09 * direction * _swing(2.5 * time)),
}


@dataclass(frozen=True)
class MotionVideos:
    """Format of every video: a sequence of shots of one motion."""

    num_shots: int = 2
    shot_seconds: float = 2.0
    fps: int = 16
    size_pixels: int = 64

    def __post_init__(self) -> None:
        if self.size_pixels < 16 or self.size_pixels % 2:
            raise ValueError(f"size_pixels is {self.size_pixels}; it must be even and at least 16")
        if self.num_shots < 1 or self.shot_frames < 1:
            raise ValueError(f"{self.num_shots} shots of {self.shot_frames} frames; both must be at least 1")

    @property
    def shot_frames(self) -> int:
        return round(self.shot_seconds * self.fps)

    @property
    def num_frames(self) -> int:
        return self.num_shots * self.shot_frames


def write_motion_dataset(
    root: str | Path,
    *,
    num_train_videos_per_class: int,
    num_test_videos_per_class: int,
    seed: int,
    videos: MotionVideos | None = None,
    num_threads: int = 2,
) -> list[Path]:
    """Write `root/<split>/<class>/NNNN.mp4` (H.264) for both splits and every class of `MOTIONS`.

    Video i is a function of (seed, split, class, i): a larger set begins with the videos of a smaller one.

    Returns:
        The files: train before test, classes as in `MOTIONS`, videos by number.
    """
    counts = dict(zip(SPLITS, (num_train_videos_per_class, num_test_videos_per_class), strict=True))
    wanted = [(split, name, i) for split in SPLITS for name in MOTIONS for i in range(counts[split])]
    videos = videos or MotionVideos()

    def write(key: tuple[str, str, int]) -> Path:
        split, name, i = key
        path = Path(root) / split / name / f"{i:04d}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        draw = np.random.default_rng([seed, SPLITS.index(split), list(MOTIONS).index(name), i])
        write_h264(path, render_video(MOTIONS[name], draw, videos), fps=videos.fps)
        return path

    with ThreadPoolExecutor(num_threads) as pool:
        return list(pool.map(write, wanted))


def render_video(motion: Motion, draw: np.random.Generator, videos: MotionVideos) -> NDArray[np.uint8]:
    """The frames of one video, RGB, (T, H, W, C)."""
    pace = 2.0 ** draw.uniform(-0.25, 0.25)
    time = np.arange(videos.shot_frames) / videos.fps * pace
    shots = [_render_shot(motion, time, draw, videos.size_pixels) for _ in range(videos.num_shots)]
    return np.concatenate(shots)


def _render_shot(motion: Motion, time: Array, draw: np.random.Generator, size: int) -> NDArray[np.uint8]:
    """Sprites with the same motion over a still background, (T, H, W, C)."""
    shift = motion(time, int(draw.choice((-1, 1))))
    background = draw.integers(0, 50, 3)
    frames = np.full((len(time), size, size, 3), background, dtype=np.uint8)
    for _ in range(NUM_SPRITES):
        across, down = _sprite_coordinates(shift, draw, size)
        inside = np.broadcast_to(np.square(across * across) + np.square(down * down) < 1, frames.shape[:3])
        shade = np.broadcast_to(_stripes(across, down, draw), frames.shape[:3])
        frames[inside] = shade[inside, None] * draw.integers(150, 256, 3)  # a rounded rectangle
    return frames


def _stripes(across: Pixels, down: Pixels, draw: np.random.Generator) -> Pixels:
    """A sprite's texture: stripes of random width, direction, phase and depth, in [0.8, 1]."""
    across_turns, down_turns = draw.uniform(-0.8, 0.8, 2).astype(np.float32)
    phase, depth = draw.random(dtype=np.float32), np.float32(draw.uniform(0.0, 0.1))
    waves: Pixels = np.sin(2 * np.pi * (across_turns * across + down_turns * down + phase))
    return 1 - depth * (1 + waves)


def _sprite_coordinates(shift: Shift, draw: np.random.Generator, size: int) -> tuple[Pixels, Pixels]:
    """Pixel coordinates along the sprite's length and width, (T or 1, H, W); -1 to 1 is inside."""
    state = (shift.x, shift.y, np.asarray(shift.octaves) / SIZE_OCTAVES, shift.turns)
    starts = draw.random(len(state))
    x, y, octaves, turns = (
        np.reshape(part + start, (-1, 1, 1)).astype(np.float32)  # (T or 1, 1, 1)
        for part, start in zip(state, starts, strict=True)
    )
    radius = SMALLEST_RADIUS * 2 ** (SIZE_OCTAVES * (octaves % 1))
    centers = (np.arange(size, dtype=np.float32) + 0.5) / size
    across = ((centers[None, None, :] - x + 0.5) % 1 - 0.5) / radius  # (T or 1, 1, W)
    down = ((centers[None, :, None] - y + 0.5) % 1 - 0.5) / radius  # (T or 1, H, 1)
    cos, sin = np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)
    return cos * across + sin * down, (cos * down - sin * across) / ASPECT


def write_h264(path: Path | str, frames: NDArray[np.uint8], *, fps: int) -> None:
    """Write RGB frames (T, H, W, C) to an mp4 file; H and W must be even."""
    path = Path(path)
    with av.open(str(path), "w") as container:
        # Without tune=zerolatency x264's look-ahead sometimes gives other bytes for the same frames.
        options = {"crf": "20", "preset": "veryfast", "tune": "zerolatency", "g": "8"}
        stream = container.add_stream("libx264", rate=fps, options=options)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1  # the bytes must not depend on the machine's cores
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
