"""Changes of a clip: a feature that stays the same does not see what was changed."""

from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from sce_video.augment.grayscale import grayscale

_CROPPED_SHARE = 0.75  # of the side

# uint8 (T, C, S, S) -> the same shape.
Change = Callable[[Tensor], Tensor]


def frozen(clip: Tensor) -> Tensor:
    """Its middle frame in place of every frame."""
    return clip[len(clip) // 2].expand_as(clip)


def shuffled_order(num_frames: int) -> list[int]:
    """An order of two or more frames, always the same, in which no frame is followed by its successor."""
    generator = torch.Generator().manual_seed(0)
    while True:
        order: list[int] = torch.randperm(num_frames, generator=generator).tolist()
        if all(second != first + 1 for first, second in pairwise(order)):
            return order


def shuffled(clip: Tensor) -> Tensor:
    return clip[shuffled_order(len(clip))]


def reversed_in_time(clip: Tensor) -> Tensor:
    return clip.flip(0)


def mirrored(clip: Tensor) -> Tensor:
    """Left and right exchanged."""
    return clip.flip(-1)


def gray(clip: Tensor) -> Tensor:
    """Without colour, as three equal channels."""
    views = clip.transpose(0, 1).float().unsqueeze(0)  # (1, C, T, S, S)
    return grayscale(views)[0].round().to(clip.dtype).transpose(0, 1).expand_as(clip)


def cropped(clip: Tensor) -> Tensor:
    """The upper left three quarters of its side, enlarged: any clip can be cropped so, whatever its shape."""
    side = round(_CROPPED_SHARE * clip.shape[-1])
    part = clip[..., :side, :side].float()
    return F.interpolate(part, size=clip.shape[-2:], mode="bilinear", align_corners=False).round().to(clip.dtype)


OF_MOVEMENT: dict[str, Change] = {"frozen": frozen, "shuffled": shuffled, "reversed": reversed_in_time}
OF_APPEARANCE: dict[str, Change] = {"mirrored": mirrored, "gray": gray, "cropped": cropped}
# These are other frames of the video.
OTHER_SPEED, OTHER_CLIP = "other_speed", "other_clip"
# Of a video that does not move these say nothing.
MOVEMENT_ROWS = (*OF_MOVEMENT, OTHER_SPEED)
# These have all frames of the clip, so they are still if it is.
ORDER_ROWS = ("shuffled", "reversed")


def row_names(num_frames: int) -> tuple[str, ...]:
    """The clip and what it is compared with, in the order of `changed_clips`; of one frame without the movement.

    The last row, another clip, is missing for videos that are too short for it.
    """
    moving = MOVEMENT_ROWS if num_frames > 1 else ()
    return "clip", *moving, *OF_APPEARANCE, OTHER_CLIP


def changed_clips(clips: Tensor) -> Tensor:
    """The rows of a video.

    Args:
        clips: square, uint8 (2 or 3, T, C, S, S): the clip, the same at another speed, and another one if there is any.
    Returns:
        uint8 (rows, T, C, S, S), in the order of `row_names`.
    """
    clip, at_other_speed, *other = clips
    moving = [*(change(clip) for change in OF_MOVEMENT.values()), at_other_speed] if len(clip) > 1 else []
    return torch.stack([clip, *moving, *(change(clip) for change in OF_APPEARANCE.values()), *other])
