"""Animated pictures without a video codec: the frames of a clip side by side in one JPEG."""

import base64
import io
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from sce_video.report.markup import Markup, element

_QUALITY = 70
_BLOCK = 8  # pixels; a JPEG smears over the border of two frames where it does not fall between two blocks


@dataclass(frozen=True)
class Strip:
    """`num_frames` pictures of `width` x `height` in one row; all of them last `seconds`."""

    jpeg: bytes
    num_frames: int
    width: int
    height: int
    seconds: float

    @property
    def uri(self) -> str:
        return "data:image/jpeg;base64," + base64.b64encode(self.jpeg).decode("ascii")


def make_strip(clip: Tensor, *, seconds: float, short_side_pixels: int, most_frames: int) -> Strip:
    """Args: clip: uint8 (T, C, H, W), C 3; of more than `most_frames` frames that many, evenly spread, are kept."""
    num_frames = min(len(clip), most_frames)
    kept = torch.linspace(0, len(clip) - 1, num_frames).round().long()
    frames = clip[kept].permute(0, 2, 3, 1).contiguous().numpy()  # (T, H, W, C)
    width, height = _size(frames.shape[2], frames.shape[1], short_side_pixels)
    row = Image.new("RGB", (num_frames * width, height))
    for place, frame in enumerate(frames):
        row.paste(Image.fromarray(frame).resize((width, height), Image.Resampling.LANCZOS), (place * width, 0))
    file = io.BytesIO()
    row.save(file, "JPEG", quality=_QUALITY, subsampling=0, optimize=True)
    return Strip(file.getvalue(), num_frames, width, height, seconds)


def _size(width: int, height: int, short_side_pixels: int) -> tuple[int, int]:
    """Never enlarged, whole blocks wide."""
    scale = min(1.0, short_side_pixels / min(width, height))
    return max(_BLOCK, round(width * scale / _BLOCK) * _BLOCK), max(1, round(height * scale))


class StripSheet:
    """The strips of a page, each once however often it is shown."""

    def __init__(self) -> None:
        self._places: dict[Strip, int] = {}

    def show(self, picture: Strip | str, *, label: str) -> Markup:
        """The moving picture, or why there is none.

        Args:
            label: what it shows, in words.
        """
        if isinstance(picture, str):
            return element("div", element("span", f"no picture: {picture}"), class_="clip missing")
        place = self._places.setdefault(picture, len(self._places))
        kind = f"clip strip-{place}" + (" still" if picture.num_frames == 1 else "")
        return element("div", class_=kind, role="img", aria_label=label, title=label)

    def css(self) -> Markup:
        """For the page's head; holds nothing but numbers and base64."""
        return Markup("\n".join(_rule(strip, place) for strip, place in self._places.items()))


def _rule(strip: Strip, place: int) -> str:
    look = f"--frames:{strip.num_frames};--seconds:{strip.seconds:.3f}s;aspect-ratio:{strip.width}/{strip.height}"
    return f".strip-{place}{{{look};background-image:url({strip.uri})}}"
