"""Random crops: the rectangle of a frame that a view shows, drawn from a generator."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch

_CROP_TRIES = 10


class CropBox(NamedTuple):
    """A rectangle in space, pixels."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class AreaCrop:
    """Inception's random resized crop: `area` is a range of the share of the frame, `aspect` of width / height."""

    area: tuple[float, float]
    aspect: tuple[float, float]

    def draw(self, height: int, width: int, *, generator: torch.Generator) -> CropBox:
        """A random box inside a frame of `height` x `width` pixels; the aspect is drawn log-uniformly.

        Returns:
            A box that fits; after ten tries that do not fit, the largest central box within the aspect range.
        """
        log_low, log_high = map(math.log, self.aspect)
        for _ in range(_CROP_TRIES):
            area_draw, aspect_draw = torch.rand(2, generator=generator).tolist()
            pixels = height * width * (self.area[0] + (self.area[1] - self.area[0]) * area_draw)
            ratio = math.exp(log_low + (log_high - log_low) * aspect_draw)
            box_width, box_height = round(math.sqrt(pixels * ratio)), round(math.sqrt(pixels / ratio))
            if 0 < box_width <= width and 0 < box_height <= height:
                return _placed(box_height, box_width, height, width, generator=generator)
        box_width = min(width, max(1, round(height * self.aspect[1])))
        box_height = min(height, max(1, round(width / self.aspect[0])))
        return CropBox((height - box_height) // 2, (width - box_width) // 2, box_height, box_width)


@dataclass(frozen=True)
class ShortSideCrop:
    """The supervised recipe of SlowFast: resize the short side to a random length, then cut a square at random.

    `short_side_pixels` is the range of that length, inclusive; `size_pixels` is the side of the square, at most the
    lower end of that range.
    """

    short_side_pixels: tuple[int, int]
    size_pixels: int

    def draw(self, height: int, width: int, *, generator: torch.Generator) -> CropBox:
        """The square inside a frame of `height` x `width` pixels, in pixels of the frame before resizing."""
        low, high = self.short_side_pixels
        short_side = low + _draw_below(high - low + 1, generator=generator)
        side = max(1, round(self.size_pixels * min(height, width) / short_side))
        return _placed(side, side, height, width, generator=generator)


RandomCrop = AreaCrop | ShortSideCrop
CROPS: dict[str, type[RandomCrop]] = {"area": AreaCrop, "short_side": ShortSideCrop}


def _placed(box_height: int, box_width: int, height: int, width: int, *, generator: torch.Generator) -> CropBox:
    top = _draw_below(height - box_height + 1, generator=generator)
    left = _draw_below(width - box_width + 1, generator=generator)
    return CropBox(top, left, box_height, box_width)


def _draw_below(bound: int, *, generator: torch.Generator) -> int:
    return int(torch.randint(bound, (), generator=generator).item())
