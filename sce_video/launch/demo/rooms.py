"""A harder synthetic data set, with a trap: the class is a movement, but what stands still tells the videos apart.

One bright object moves in front of a still background. The background looks like a photograph: dead leaves, opaque
shapes of all sizes that occlude one another, with shading and 1/f texture, which have the edges and the spectrum of
natural images (Lee, Mumford and Huang, IJCV 2001). All videos of a session share it, and a session has videos of every
class; training and test sessions are different. Shape, colour and place of the object are drawn for each video.

So two clips of a video are recognised by background and object, without their movement: pretraining that contrasts
videos can solve its task by that, and learn nothing of the class. In its middle frame a video looks the same in every
class. The classes are pairs of a movement and its reverse, which have the same map of absolute frame differences.
Left and right are classes, so a horizontal flip does not keep the class.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sce_video.launch.demo.motion import SPLITS, Array, Pixels, Shift, write_h264

FPS, NUM_FRAMES, SIZE_PIXELS = 16, 33, 64
# A session has so many videos of each class.
VIDEOS_PER_CLASS = 3
_TRAVEL = 0.22  # of a movement, from the middle of the video to its end, in frame sides
_CIRCLE_RADIUS = 0.12
_MOST_TILT = 0.5  # of a movement, radians: no two of them come near each other
_OCTAVES = 0.6
_START = (0.22, 0.78)  # where it is in the middle of the video, along both axes, in frame sides
_NUM_LEAVES = 250

# (progress, (T,), from -1 over 0 in the middle frame to 1; direction of a circle's centre, turns) -> shift
Movement = Callable[[Array, float], Shift]


def _circle(progress: Array, direction: float) -> Shift:
    """Once around a centre that lies in `direction`; at progress 0 it is where a video begins in every class."""
    angle, start = np.pi * progress, 2 * np.pi * direction
    return Shift(
        x=_CIRCLE_RADIUS * (np.cos(start + angle) - np.cos(start)),
        y=_CIRCLE_RADIUS * (np.sin(start + angle) - np.sin(start)),
    )


MOVEMENTS: dict[str, Movement] = {
    "left": lambda progress, direction: Shift(x=-_TRAVEL * progress),
    "right": lambda progress, direction: Shift(x=_TRAVEL * progress),
    "up": lambda progress, direction: Shift(y=-_TRAVEL * progress),
    "down": lambda progress, direction: Shift(y=_TRAVEL * progress),
    "clockwise": _circle,
    "anticlockwise": lambda progress, direction: _circle(-progress, direction),
    "nearer": lambda progress, direction: Shift(octaves=_OCTAVES * progress),
    "farther": lambda progress, direction: Shift(octaves=-_OCTAVES * progress),
}


def write_rooms_dataset(
    root: str | Path,
    *,
    num_train_videos_per_class: int,
    num_test_videos_per_class: int,
    seed: int,
    num_threads: int = 2,
) -> list[Path]:
    """Write `root/<split>/<class>/session_<split><SS>_<N>.mp4` (H.264), VIDEOS_PER_CLASS videos of a session per class.

    A video is a function of (seed, split, session, class, number).

    Returns:
        The files: train before test, classes as in `MOVEMENTS`, then by session.
    """
    counts = dict(zip(SPLITS, (num_train_videos_per_class, num_test_videos_per_class), strict=True))
    wanted = [(split, name, i) for split in SPLITS for name in MOVEMENTS for i in range(counts[split])]

    @cache
    def background_of(split: int, session: int) -> NDArray[np.uint8]:
        return render_background(np.random.default_rng([seed, split, session]))

    def write(key: tuple[str, str, int]) -> Path:
        split, name, i = key
        session, number = divmod(i, VIDEOS_PER_CLASS)
        path = Path(root) / split / name / f"session_{split}{session:02d}_{number}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        place = (SPLITS.index(split), session)
        draw = np.random.default_rng([seed, *place, list(MOVEMENTS).index(name), number])
        write_h264(path, render_video(MOVEMENTS[name], draw, background_of(*place)), fps=FPS)
        return path

    with ThreadPoolExecutor(num_threads) as pool:
        return list(pool.map(write, wanted))


def render_video(movement: Movement, draw: np.random.Generator, background: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A bright striped object that moves in front of the background, RGB, (T, H, W, C)."""
    progress = np.linspace(-1, 1, NUM_FRAMES) * draw.uniform(0.5, 1.2)
    shift = movement(progress, draw.random())
    tilt = draw.uniform(-_MOST_TILT, _MOST_TILT)
    x = draw.uniform(*_START) + np.cos(tilt) * shift.x - np.sin(tilt) * shift.y + 0 * progress  # (T,)
    y = draw.uniform(*_START) + np.cos(tilt) * shift.y + np.sin(tilt) * shift.x + 0 * progress
    radius = draw.uniform(0.08, 0.13) * 2.0 ** np.broadcast_to(shift.octaves, progress.shape)
    turn, aspect = 2 * np.pi * draw.random(), draw.uniform(0.6, 1.0)
    centers = (np.arange(SIZE_PIXELS) + 0.5) / SIZE_PIXELS
    across, down = centers[None, None, :] - x[:, None, None], centers[None, :, None] - y[:, None, None]
    along = (np.cos(turn) * across + np.sin(turn) * down) / radius[:, None, None]  # (T, H, W), -1 to 1 is inside
    aside = (np.cos(turn) * down - np.sin(turn) * across) / (aspect * radius[:, None, None])
    inside = (1 - np.hypot(along, aside)) * radius[:, None, None] * SIZE_PIXELS + 0.5  # an edge of one pixel
    cover = np.clip(inside, 0, 1)[..., None]
    stripes = 1 - draw.uniform(0, 0.15) * (1 + np.sin(draw.uniform(1, 6) * along + 2 * np.pi * draw.random()))
    color = draw.uniform(130, 256, 3)
    frames = (1 - cover) * background + cover * stripes[..., None] * color
    return np.clip(frames, 0, 255).astype(np.uint8)


def render_background(draw: np.random.Generator) -> NDArray[np.uint8]:
    """Dead leaves with shading and texture, rendered at twice the size: (H, W, C), at most 150 bright."""
    size = 2 * SIZE_PIXELS
    grid = np.arange(size, dtype=np.float32)
    scene = np.zeros((size, size, 3), np.float32)
    tint = draw.uniform(0.6, 1.0, 3)
    # Uniform inverse squares are radii with density r^-3, at which the scene looks alike at all scales.
    radii = 1 / np.sqrt(draw.uniform(1 / 50**2, 1 / 7**2, _NUM_LEAVES))
    scene[:] = 80 * tint
    for radius in radii:
        x, y = draw.uniform(0, size, 2)
        turn, aspect = 2 * np.pi * draw.random(), draw.uniform(0.4, 1.0)
        across, down = grid[None, :] - x, grid[:, None] - y
        along = (np.cos(turn) * across + np.sin(turn) * down) / radius
        aside = (np.cos(turn) * down - np.sin(turn) * across) / (aspect * radius)
        inside = np.maximum(abs(along), abs(aside)) < 0.9 if draw.random() < 0.5 else np.hypot(along, aside) < 1
        color = draw.uniform(25, 140) * tint * draw.uniform(0.8, 1.2, 3)
        shading = 1 + draw.uniform(-0.3, 0.3) * along[inside, None]
        scene[inside] = color * shading
    scene *= 1 + 0.12 * _pink_noise(draw, size)[..., None]
    small = scene.reshape(SIZE_PIXELS, 2, SIZE_PIXELS, 2, 3).mean((1, 3))
    return np.clip(small, 0, 150).astype(np.uint8)


def _pink_noise(draw: np.random.Generator, size: int) -> Pixels:
    """Noise whose amplitude falls with 1 / frequency, with deviation 1: (size, size)."""
    frequencies = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size)[None, :])
    frequencies[0, 0] = np.inf
    noise = np.fft.ifft2(np.fft.fft2(draw.standard_normal((size, size))) / frequencies).real
    return (noise / noise.std()).astype(np.float32)
