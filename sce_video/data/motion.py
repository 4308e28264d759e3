"""A small labelled video data set that is written, not downloaded: the class is how the picture moves.

A camera passes over a plane with a random texture. What it sees is given by a place, a zoom and an angle; each of the
three is drawn uniformly on a circle (the plane repeats, the zoom wraps around an interval of octaves), and a motion
only adds a function of time to it. A uniform draw stays uniform under such a shift, so a single frame has the same
distribution in every class: it cannot tell the class, two frames can.

A video is a row of shots. All shots of a video share its motion and its pace; the texture, its colours, the place
and, where a motion has a sense (left or right, clockwise or not), the sense are drawn anew in each. Two clips from
different shots have nothing but the motion in common. No class is named by left or right, so a horizontal flip keeps
the class.
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

GRID_CELLS = 8  # the texture's random colours per side; the plane repeats after them
CELLS_PER_FRAME = 6  # that many are across the frame, at the middle zoom
TEXELS_PER_CELL = 32
ZOOM_OCTAVES = 1.0  # the nearest camera shows things twice as large as the farthest
SPLITS = ("train", "test")


class Shift(NamedTuple):
    """What a motion adds to where the picture is: each a number or one value per frame, (T,)."""

    x: Array | float = 0.0  # in frame sides, to the right
    y: Array | float = 0.0  # in frame sides, downwards
    octaves: Array | float = 0.0  # of zoom
    turns: Array | float = 0.0  # clockwise


Motion = Callable[[Array, int], Shift]


def _swing(phase: Array) -> Array:
    return np.sin(2 * np.pi * phase)


# Name of the class -> (time in seconds, (T,); sense, +1 or -1) -> shift at pace 1. The pace stretches time.
MOTIONS: dict[str, Motion] = {
    "slide": lambda time, sense: Shift(x=0.75 * sense * time),
    "rise": lambda time, sense: Shift(y=-0.75 * time),
    "fall": lambda time, sense: Shift(y=0.75 * time),
    "grow": lambda time, sense: Shift(octaves=1.2 * time),
    "shrink": lambda time, sense: Shift(octaves=-1.2 * time),
    "spin": lambda time, sense: Shift(turns=0.9 * sense * time),
    "orbit": lambda time, sense: Shift(x=0.13 * _swing(1.3 * time), y=0.13 * sense * _swing(1.3 * time + 0.25)),
    "shake": lambda time, sense: Shift(x=0.09 * sense * _swing(2.5 * time)),
}


@dataclass(frozen=True)
class MotionVideos:
    """How every video of the set is made: a row of shots of one motion."""

    num_shots: int = 3
    shot_seconds: float = 1.0
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
        The paths written, in the order train before test, classes as in `MOTIONS`, videos by number.
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
    pace = 2.0 ** draw.uniform(-0.7, 0.7)
    time = np.arange(videos.shot_frames) / videos.fps * pace
    shots = [_render_shot(motion, time, draw, videos.size_pixels) for _ in range(videos.num_shots)]
    return np.concatenate(shots)


def _render_shot(motion: Motion, time: Array, draw: np.random.Generator, size: int) -> NDArray[np.uint8]:
    """What the camera sees of one plane, (T, H, W, C)."""
    shift = Shift(*(np.reshape(a, (-1, 1, 1)) for a in motion(time, int(draw.choice((-1, 1))))))  # (T or 1, 1, 1)
    texture = _repeating_texture(draw)  # (S, S, C)
    start_x, start_y, start_zoom, start_angle = draw.random(4)
    centred = (np.arange(size) + 0.5) / size - 0.5
    x, y = centred[None, None, :] - shift.x, centred[None, :, None] - shift.y
    angle = 2 * np.pi * (start_angle + shift.turns)
    octaves = ZOOM_OCTAVES * ((start_zoom + shift.octaves / ZOOM_OCTAVES) % 1 - 0.5)
    texels = CELLS_PER_FRAME * TEXELS_PER_CELL * 2.0**-octaves
    across = (np.cos(angle) * x + np.sin(angle) * y) * texels + start_x * len(texture)  # (T, H, W)
    down = (np.cos(angle) * y - np.sin(angle) * x) * texels + start_y * len(texture)
    return texture[down.astype(np.intp) % len(texture), across.astype(np.intp) % len(texture)]


def _repeating_texture(draw: np.random.Generator) -> NDArray[np.uint8]:
    """Random colours on a grid, interpolated, that continue over the edges; uint8 (S, S, C)."""
    colours = draw.random((GRID_CELLS, GRID_CELLS, 3))
    at = np.arange(GRID_CELLS * TEXELS_PER_CELL)[:, None] / TEXELS_PER_CELL - np.arange(GRID_CELLS)
    distance = np.abs((at + GRID_CELLS / 2) % GRID_CELLS - GRID_CELLS / 2)  # along the circle, in cells
    weights = np.maximum(0, 1 - distance)  # (S, cells), bilinear
    return (255 * np.einsum("hi,wj,ijc->hwc", weights, weights, colours, optimize=True)).astype(np.uint8)


def write_h264(path: Path, frames: NDArray[np.uint8], *, fps: int) -> None:
    """Write RGB frames (T, H, W, C) to an mp4 file; H and W must be even."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": "20", "preset": "veryfast", "g": "8"})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1  # the bytes must not depend on the machine's cores
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
