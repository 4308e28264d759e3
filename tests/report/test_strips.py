import io

import numpy as np
import pytest
import torch
from PIL import Image

from sce_video.report.strips import StripSheet, make_strip
from tests.report.runs import NASTY, colored_clip, parse, strip

COLORS = [(250, 10, 10), (10, 250, 10), (10, 10, 250), (240, 240, 20), (128, 128, 128)]


def frames_of(made) -> np.ndarray:
    """What is in the JPEG, (T, H, W, C)."""
    with Image.open(io.BytesIO(made.jpeg)) as image:
        assert image.format == "JPEG"
        pixels = np.asarray(image.convert("RGB"))
    assert pixels.shape == (made.height, made.num_frames * made.width, 3)
    return np.stack(np.split(pixels, made.num_frames, axis=1))


def test_frames_lie_side_by_side_without_bleeding() -> None:
    made = make_strip(colored_clip(*COLORS, height=90, width=120), seconds=1, short_side_pixels=72, max_frames=8)
    assert (made.num_frames, made.width, made.height) == (5, 96, 72)
    for frame, color in zip(frames_of(made), COLORS, strict=True):
        assert np.abs(frame.astype(int) - color).max() <= 6  # also at the edges


def test_of_many_frames_some_are_kept_evenly() -> None:
    grays = [(8 * i, 8 * i, 8 * i) for i in range(29)]
    made = make_strip(colored_clip(*grays), seconds=1, short_side_pixels=72, max_frames=8)
    kept = frames_of(made).mean(axis=(1, 2, 3)) / 8
    np.testing.assert_allclose(kept, [0, 4, 8, 12, 16, 20, 24, 28], atol=0.2)


@pytest.mark.parametrize(
    ("height", "width", "size"),
    [(240, 320, (96, 72)), (320, 240, (72, 96)), (256, 256, (72, 72)), (40, 48, (48, 40)), (32, 30, (32, 32))],
)
def test_sizes_are_whole_blocks_and_never_enlarged(height: int, width: int, size: tuple[int, int]) -> None:
    made = make_strip(
        colored_clip((9, 9, 9), height=height, width=width), seconds=1, short_side_pixels=72, max_frames=8
    )
    assert (made.width, made.height) == size


def test_a_real_clip_is_small(motion_videos) -> None:
    noise = torch.randint(256, (8, 3, 240, 320), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    made = make_strip(noise, seconds=1, short_side_pixels=72, max_frames=8)
    assert len(made.jpeg) < 60_000  # noise is the worst there is; 360 clips of it as base64 would be 29 MB


def test_a_picture_shown_twice_is_in_the_page_once() -> None:
    sheet = StripSheet()
    red, same, blue = strip((255, 0, 0), (0, 0, 0)), strip((255, 0, 0), (0, 0, 0)), strip((0, 0, 255))
    kinds = [parse(sheet.show(each, label=NASTY)).one("div").attributes["class"] for each in (red, same, blue)]
    assert kinds == ["clip strip-0", "clip strip-0", "clip strip-1 still"]
    assert sheet.css().count("data:image/jpeg;base64,") == 2
    assert "--frames:2;--seconds:0.500s;aspect-ratio:32/24" in sheet.css()


def test_descriptions_for_screen_readers() -> None:
    sheet = StripSheet()
    shown = parse(sheet.show(strip((255, 0, 0)), label=NASTY)).one("div")
    assert (shown.attributes["role"], shown.attributes["aria-label"]) == ("img", NASTY)
    assert parse(sheet.show(f"{NASTY} is torn", label="x")).one("div").text == f"no picture: {NASTY} is torn"
    assert sheet.css().count("{") == 1
