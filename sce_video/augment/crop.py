"""Random crops: the rectangle of a frame that a view shows, drawn from a generator."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import torch

from sce_video.augment.words import DrawnNumbers, Numbers

_CROP_TRIES = 10
MOST_NUMBERS = 2 * _CROP_TRIES + 2  # of a crop


class CropBox(NamedTuple):
    """A rectangle in space, pixels."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class RandomCrop(ABC):
    """How the box of a crop is drawn."""

    def draw(self, height: int, width: int, *, generator: torch.Generator) -> CropBox:
        """A random box inside a frame of `height` x `width` pixels."""
        return self.draw_from(DrawnNumbers(generator), height, width)

    @abstractmethod
    def draw_from(self, numbers: Numbers, height: int, width: int) -> CropBox:
        """As `draw`, from at most `MOST_NUMBERS` numbers."""


@dataclass(frozen=True)
class AreaCrop(RandomCrop):
    """Inception's random resized crop: `area` is a range of the share of the frame, `aspect` of width / height."""

    area: tuple[float, float]
    aspect: tuple[float, float]

    def draw_from(self, numbers: Numbers, height: int, width: int) -> CropBox:
        """See `RandomCrop`; the aspect is drawn log-uniformly.

        Returns:
            A box that fits; after ten tries that do not fit, the largest central box within the aspect range.
        """
        log_low, log_high = map(math.log, self.aspect)
        for _ in range(_CROP_TRIES):
            area_draw, aspect_draw = numbers.uniform(2)
            pixels = height * width * (self.area[0] + (self.area[1] - self.area[0]) * area_draw)
            ratio = math.exp(log_low + (log_high - log_low) * aspect_draw)
            box_width, box_height = round(math.sqrt(pixels * ratio)), round(math.sqrt(pixels / ratio))
            if 0 < box_width <= width and 0 < box_height <= height:
                return _placed(numbers, box_height, box_width, height, width)
        box_width = min(width, max(1, round(height * self.aspect[1])))
        box_height = min(height, max(1, round(width / self.aspect[0])))
        return CropBox((height - box_height) // 2, (width - box_width) // 2, box_height, box_width)


@dataclass(frozen=True)
class ShortSideCrop(RandomCrop):
    """The supervised recipe of SlowFast: resize the short side to a random length, then cut a square at random.

    `short_side_pixels` is the range of that length, inclusive; `size_pixels` is the side of the square, at most the
    lower end of that range.
    """

    short_side_pixels: tuple[int, int]
    size_pixels: int

    def draw_from(self, numbers: Numbers, height: int, width: int) -> CropBox:
        """The square, in pixels of the frame before resizing; see `RandomCrop`."""
        low, high = self.short_side_pixels
        short_side = low + numbers.below(high - low + 1)
        side = max(1, round(self.size_pixels * min(height, width) / short_side))
        return _placed(numbers, side, side, height, width)


CROPS: dict[str, type[RandomCrop]] = {"area": AreaCrop, "short_side": ShortSideCrop}


def _placed(numbers: Numbers, box_height: int, box_width: int, height: int, width: int) -> CropBox:
    top, left = numbers.below(height - box_height + 1), numbers.below(width - box_width + 1)
    return CropBox(top, left, box_height, box_width)
