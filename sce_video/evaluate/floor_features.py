"""What the floors see of a video: a small middle frame, coarse maps of the differences of its frames, its colours."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from sce_video.clips.decoders import VideoDecoder
from sce_video.clips.frames import frame_times, uniform_positions
from sce_video.evaluate.views import VideoDataset

# Frames of a video, evenly spread from its first to its last; a short video repeats some.
NUM_FRAMES = 16
# All are resized to HEIGHT x WIDTH pixels, whatever their shape; differences are averaged over cells of CELL x CELL.
HEIGHT, WIDTH, CELL = 24, 32, 4
# Of the histograms of red, green and blue.
BINS = 8
_GRAY = (0.299, 0.587, 0.114)  # ITU-R BT.601
_CELLS = (HEIGHT // CELL) * (WIDTH // CELL)
# Part of a row -> its length; rows hold the parts in this order.
LENGTHS: Mapping[str, int] = {
    "is_image": 1,
    "middle_frame": 3 * HEIGHT * WIDTH,
    "absolute_differences": _CELLS,
    "signed_differences": (NUM_FRAMES - 1) * _CELLS,
    "colors": 3 * BINS,
}
ROW_LENGTH = sum(LENGTHS.values())


def part(rows: Tensor, name: str) -> Tensor:
    """One part of all rows: (n, ROW_LENGTH) -> (n, LENGTHS[name])."""
    return dict(zip(LENGTHS, rows.split(list(LENGTHS.values()), dim=1), strict=True))[name]


def floor_row(frames: Tensor, middle: Tensor, *, is_image: bool) -> Tensor:
    """The row of one video, float32 (ROW_LENGTH,).

    middle_frame: RGB, (3, HEIGHT, WIDTH). signed_differences: of the gray values of successive frames, mean over each
    cell, in order of time, so that a movement and its reverse differ. absolute_differences: the mean of their absolute
    values over time and cell. colors: shares of the pixels of all frames in the bins of each channel. Of the last two
    the square roots, or a few cells and bins would decide alone.

    Args:
        frames: its NUM_FRAMES frames, uint8 (T, 3, H, W); middle: its middle one, uint8 (3, H, W).
        is_image: whether it has one frame only.
    """
    small = _small(torch.cat([frames, middle[None]]))  # (T + 1, 3, HEIGHT, WIDTH)
    small, middle_frame = small[:-1], small[-1]
    gray = (small * small.new_tensor(_GRAY)[:, None, None]).sum(dim=1, keepdim=True)  # (T, 1, HEIGHT, WIDTH)
    differences = gray[1:] - gray[:-1]
    signed = F.avg_pool2d(differences, CELL)
    absolute = F.avg_pool2d(differences.abs().mean(dim=0, keepdim=True), CELL).sqrt()
    parts = [small.new_tensor([float(is_image)]), middle_frame, absolute, signed, _histograms(small).sqrt()]
    return torch.cat([each.flatten() for each in parts])


def _small(frames: Tensor) -> Tensor:
    """uint8 (T, 3, H, W) -> float32 (T, 3, HEIGHT, WIDTH), in [0, 255]; bilinear, antialiased."""
    return F.interpolate(frames.float(), size=(HEIGHT, WIDTH), mode="bilinear", antialias=True)


def _histograms(small: Tensor) -> Tensor:
    """Share of the values of each channel of (T, 3, h, w) in each of BINS equal bins of [0, 256): (3, BINS)."""
    bins = (small * (BINS / 256)).long().clamp(0, BINS - 1).transpose(0, 1).flatten(1)  # (3, pixels)
    return F.one_hot(bins, BINS).float().mean(dim=1)


class FloorDataset(VideoDataset):
    """The row of each video, as its only clip."""

    def read(self, opened: VideoDecoder) -> Tensor:
        about = opened.metadata
        indices = [*uniform_positions(about.num_frames, NUM_FRAMES), about.num_frames // 2]
        frames = opened.frames_at(frame_times(indices, fps=about.fps))
        return floor_row(frames[:-1], frames[-1], is_image=about.num_frames == 1)[None]
