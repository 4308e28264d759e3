"""Animated pictures without a video codec: the frames of a clip side by side in one JPEG."""

import base64
import io
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from sce_video.report.markup import Markup, element

_QUALITY = 70
_BLOCK = 8  # pixels; frames meet at the boundary of two JPEG blocks, so they do not bleed into each other


@dataclass(frozen=True)
class Strip:
    """`num_frames` frames of `width` x `height` in one row, which together last `seconds`."""

    jpeg: bytes
    num_frames: int
    width: int
    height: int
    seconds: float

    @property
    def uri(self) -> str:
        return "data:image/jpeg;base64," + base64.b64encode(self.jpeg).decode("ascii")


def make_strip(clip: Tensor, *, seconds: float, short_side_pixels: int, max_frames: int) -> Strip:
    """Strip of a clip, uint8 (T, 3, H, W); of more than `max_frames` frames, as many are kept, evenly spaced."""
    num_frames = min(len(clip), max_frames)
    kept = torch.linspace(0, len(clip) - 1, num_frames).round().long()
    frames = clip[kept].permute(0, 2, 3, 1).contiguous().numpy()  # (T, H, W, C)
    width, height = _size(frames.shape[2], frames.shape[1], short_side_pixels)
    row = Image.new("RGB", (num_frames * width, height))
    for index, frame in enumerate(frames):
        row.paste(Image.fromarray(frame).resize((width, height), Image.Resampling.LANCZOS), (index * width, 0))
    file = io.BytesIO()
    row.save(file, "JPEG", quality=_QUALITY, subsampling=0, optimize=True)
    return Strip(file.getvalue(), num_frames, width, height, seconds)


def _size(width: int, height: int, short_side_pixels: int) -> tuple[int, int]:
    """Size of a frame: a whole number of blocks wide, never enlarged."""
    scale = min(1.0, short_side_pixels / min(width, height))
    return max(_BLOCK, round(width * scale / _BLOCK) * _BLOCK), max(1, round(height * scale))


class StripSheet:
    """The strips of a page; each is embedded once, however often it is shown."""

    def __init__(self) -> None:
        self._indices: dict[Strip, int] = {}

    def show(self, picture: Strip | str, *, label: str) -> Markup:
        """The moving picture, or why there is none.

        Args:
            label: description of the picture, as text.
        """
        if isinstance(picture, str):
            return element("div", element("span", f"no picture: {picture}"), class_="clip missing")
        index = self._indices.setdefault(picture, len(self._indices))
        kind = f"clip strip-{index}" + (" still" if picture.num_frames == 1 else "")
        return element("div", class_=kind, role="img", aria_label=label, title=label)

    def css(self) -> Markup:
        """Rules for the page's head; only numbers and base64 are inserted."""
        return Markup("\n".join(_rule(strip, index) for strip, index in self._indices.items()))


def _rule(strip: Strip, index: int) -> str:
    look = f"--frames:{strip.num_frames};--seconds:{strip.seconds:.3f}s;aspect-ratio:{strip.width}/{strip.height}"
    return f".strip-{index}{{{look};background-image:url({strip.uri})}}"
