"""Small real videos, each frame with its own number as 8 black or white blocks in its upper half."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from multiprocessing import forkserver
from pathlib import Path

import av
import numpy as np
import pytest

BLOCK = 16
NUM_BITS = 8


def number_image(number: int) -> np.ndarray:
    """(2 BLOCK, NUM_BITS BLOCK, 3) uint8, most significant bit to the left; the lower half is gray."""
    bits = [(number >> bit) & 1 for bit in reversed(range(NUM_BITS))]
    image = np.full((2 * BLOCK, NUM_BITS * BLOCK, 3), 128, dtype=np.uint8)
    image[:BLOCK] = np.repeat(np.array(bits, dtype=np.uint8) * 255, BLOCK)[None, :, None]
    return image


def _read_number(image: np.ndarray) -> int:
    """The number that an upright image (H, W, 3) of `number_image`'s proportions shows, at any size."""
    height, width = image.shape[:2]
    columns = [int((bit + 0.5) * width / NUM_BITS) for bit in range(NUM_BITS)]
    blocks = image[height // 4, columns].astype(float).mean(axis=1)
    assert ((blocks < 80) | (blocks > 175)).all(), "blocks are neither black nor white"
    assert 90 < image[height * 3 // 4, width // 2].mean() < 165, "the gray half is not below"
    return sum(2**bit for bit, value in enumerate(reversed(blocks)) if value > 127)


@pytest.fixture(scope="session", autouse=True)
def _one_import_for_all_processes() -> None:
    """The server that all worker processes of this session come from reads torch once, whichever test is first."""
    forkserver.set_forkserver_preload(["sce_video.engine.prepare.one_video"])
    forkserver.ensure_running()


@pytest.fixture(scope="session")
def write_video() -> Callable[..., Path]:
    """(path, stamps, ...) -> the path; frame i shows number i and begins at `stamps[i]` ticks of 1 / `fps`."""

    def write(
        path: Path,
        stamps: Sequence[int],
        *,
        fps: Fraction | int = 30,
        codec: str = "libx264",
        quarter_turns: int = 0,
        **options: str,
    ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(f"file:{path}", "w") as container:
            stream = container.add_stream(codec, rate=Fraction(fps), options={"threads": "1", **options})
            height, width = np.rot90(number_image(0), quarter_turns).shape[:2]
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.bit_rate = 1_000_000
            stream.codec_context.time_base = 1 / Fraction(fps)
            for number, stamp in enumerate(stamps):
                stored = np.ascontiguousarray(np.rot90(number_image(number), quarter_turns))
                frame = av.VideoFrame.from_ndarray(stored, format="rgb24")
                frame.pts, frame.duration, frame.time_base = stamp, 1, 1 / Fraction(fps)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return path

    return write


@pytest.fixture(scope="session")
def read_number() -> Callable[[np.ndarray], int]:
    return _read_number


@pytest.fixture(scope="session")
def shown_numbers() -> Callable[[Path], list[int]]:
    """Path -> what each frame shows, decoded from the first to the last by PyAV alone."""

    def read(path: Path) -> list[int]:
        with av.open(f"file:{path}") as container:
            return [_read_number(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]

    return read
