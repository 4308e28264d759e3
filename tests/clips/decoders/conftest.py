"""Small real videos whose every frame shows its own number, as 8 black or white blocks."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

BLOCK = 16
NUM_BITS = 8


@dataclass(frozen=True)
class NumberedVideo:
    path: Path
    starts: list[float]  # seconds at which each frame begins, after the first
    frame_seconds: float  # length of the shortest frame

    def number_at(self, seconds: float) -> int:
        """The frame that a slow reader of the definition finds."""
        return max([i for i, start in enumerate(self.starts) if start <= seconds], default=0)


@dataclass(frozen=True)
class _Recipe:
    file: str
    codec: str
    options: dict[str, str]
    fps: Fraction = Fraction(30)
    first_pts: int = 0
    skip_every: int = 10**9  # every so many frames, one frame's time passes without a frame

    def pts(self, index: int) -> int:
        return self.first_pts + index + index // self.skip_every


RECIPES = {
    "mp4": _Recipe("plain.mp4", "libx264", {"bf": "0", "g": "250"}),
    "mp4 b-frames": _Recipe("b.mp4", "libx264", {"bf": "3", "g": "24", "x264-params": "scenecut=0"}),
    "mp4 open gop": _Recipe(
        "open.mp4", "libx264", {"x264-params": "open-gop=1:bframes=3:b-adapt=0:keyint=20:scenecut=0"}
    ),
    "mp4 variable rate": _Recipe("vfr.mp4", "libx264", {"bf": "2", "g": "30"}, skip_every=5),
    "mkv late start": _Recipe("late.mkv", "libx264", {"bf": "3", "g": "24"}, Fraction(25), first_pts=50),
    "mp4 ntsc": _Recipe("ntsc.mp4", "libx264", {"bf": "2", "g": "48"}, Fraction(30000, 1001)),
    "webm vp8": _Recipe("vp8.webm", "libvpx", {"g": "30", "deadline": "realtime", "cpu-used": "8"}),
    "avi b-frames": _Recipe("b.avi", "mpeg4", {"bf": "2", "g": "24"}),
    "ts": _Recipe("b.ts", "libx264", {"bf": "2", "g": "24"}),
}


def number_image(number: int) -> np.ndarray:
    """(BLOCK * 2, BLOCK * NUM_BITS, 3) uint8, most significant bit to the left."""
    bits = [(number >> bit) & 1 for bit in reversed(range(NUM_BITS))]
    row = np.repeat(np.array(bits, dtype=np.uint8) * 255, BLOCK)
    return np.broadcast_to(row[None, :, None], (2 * BLOCK, row.size, 3)).copy()


def write_numbered(path: Path, recipe: _Recipe, num_frames: int) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(recipe.codec, rate=recipe.fps, options=recipe.options)
        stream.width, stream.height, stream.pix_fmt = BLOCK * NUM_BITS, 2 * BLOCK, "yuv420p"
        stream.bit_rate = 2_000_000
        stream.codec_context.time_base = 1 / recipe.fps
        for index in range(num_frames):
            frame = av.VideoFrame.from_ndarray(number_image(index), format="rgb24")
            frame.pts = recipe.pts(index)
            frame.time_base = 1 / recipe.fps
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.fixture(scope="session")
def numbered_video(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], NumberedVideo]:
    """Name of a recipe -> a video of 150 frames, written once a session."""
    folder = tmp_path_factory.mktemp("numbered")
    videos: dict[str, NumberedVideo] = {}

    def get(name: str) -> NumberedVideo:
        recipe = RECIPES[name]
        if name not in videos:
            write_numbered(folder / recipe.file, recipe, 150)
            starts = [float((recipe.pts(i) - recipe.first_pts) / recipe.fps) for i in range(150)]
            videos[name] = NumberedVideo(folder / recipe.file, starts, float(1 / recipe.fps))
        return videos[name]

    return get


@pytest.fixture(scope="session")
def read_numbers() -> Callable[..., list[int]]:
    """Frames (T, 3, H, W) -> the number that each shows."""

    def read(frames) -> list[int]:
        rows = frames[:, :, BLOCK, BLOCK // 2 :: BLOCK].float().mean(dim=1)  # (T, NUM_BITS), middles of the blocks
        assert ((rows < 80) | (rows > 175)).all(), "blocks are neither black nor white"
        weights = 2 ** np.arange(NUM_BITS)[::-1]
        return ((rows > 127).numpy() @ weights).tolist()

    return read
