"""What the floors see of a video, pixel by pixel, and from files."""

from pathlib import Path

import numpy as np
import torch

from sce_video.clips.decoders import VideoOpener
from sce_video.data.videos import videos_from_paths
from sce_video.evaluate.floor_features import (
    CELL,
    HEIGHT,
    LENGTHS,
    NUM_FRAMES,
    ROW_LENGTH,
    WIDTH,
    FloorDataset,
    floor_row,
    part,
)

NOISE = torch.randint(256, (NUM_FRAMES, 3, HEIGHT, WIDTH), generator=torch.Generator().manual_seed(0)).byte()


def parts_of(frames: torch.Tensor, **more: bool) -> dict[str, np.ndarray]:
    """Of frames that already have the small size, so that nothing is resized."""
    row = floor_row(frames, frames[len(frames) // 2], is_image=False, **more)
    assert row.shape == (ROW_LENGTH,)
    return {name: part(row[None], name)[0].numpy() for name in LENGTHS}


def test_maps_are_those_of_a_slow_loop() -> None:
    found = parts_of(NOISE)
    gray = np.array([0.299 * red + 0.587 * green + 0.114 * blue for red, green, blue in NOISE.double().numpy()])
    rows, columns = HEIGHT // CELL, WIDTH // CELL
    signed, absolute = np.zeros((NUM_FRAMES - 1, rows, columns)), np.zeros((rows, columns))
    for t in range(NUM_FRAMES - 1):
        for y in range(HEIGHT):
            for x in range(WIDTH):
                change = gray[t + 1, y, x] - gray[t, y, x]
                signed[t, y // CELL, x // CELL] += change / CELL**2
                absolute[y // CELL, x // CELL] += abs(change) / CELL**2 / (NUM_FRAMES - 1)
    np.testing.assert_allclose(found["signed_differences"], signed.ravel(), atol=1e-3)
    np.testing.assert_allclose(found["absolute_differences"], np.sqrt(absolute.ravel()), atol=1e-4)


def test_colors_and_middle_frame_are_numpys() -> None:
    found = parts_of(NOISE)
    pixels = NOISE.numpy()
    shares = [np.histogram(pixels[:, channel], bins=8, range=(0, 256))[0] / pixels[:, 0].size for channel in range(3)]
    np.testing.assert_allclose(found["colors"], np.sqrt(np.concatenate(shares)), atol=1e-6)
    np.testing.assert_array_equal(found["middle_frame"], pixels[8].ravel())


def test_a_reversed_video_has_the_same_absolute_and_the_opposite_signed_map() -> None:
    forwards, backwards = parts_of(NOISE), parts_of(NOISE.flip(0))
    np.testing.assert_allclose(forwards["absolute_differences"], backwards["absolute_differences"], rtol=1e-5)
    maps = forwards["signed_differences"].reshape(NUM_FRAMES - 1, -1)
    np.testing.assert_allclose(-maps[::-1].ravel(), backwards["signed_differences"], atol=1e-4)


def test_a_picture_is_marked_and_stands_still() -> None:
    row = floor_row(NOISE[:1].expand(NUM_FRAMES, -1, -1, -1), NOISE[0], is_image=True)[None]
    assert part(row, "is_image") == 1
    assert not part(row, "absolute_differences").any()


def test_videos_are_decoded_and_a_torn_one_is_named(motion_videos: Path, tmp_path: Path) -> None:
    whole = (motion_videos / "train" / "slide" / "0000.mp4").read_bytes()
    (tmp_path / "whole.mp4").write_bytes(whole)
    (tmp_path / "torn.mp4").write_bytes(whole[:200])
    listed = videos_from_paths(str(tmp_path), ["whole.mp4", "torn.mp4"], None, "a list")
    dataset = FloorDataset(listed.opened_by(VideoOpener("pyav", short_side_pixels=48)))
    read, failed = dataset[0], dataset[1]
    assert read.failure is None
    assert read.clips.shape == (1, ROW_LENGTH)
    assert part(read.clips, "is_image") == 0
    assert part(read.clips, "absolute_differences").max() > 1
    assert failed.failure is not None
    assert "torn.mp4" in failed.failure
