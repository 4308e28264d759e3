"""What every backbone is to the rest: views to features, of what views, and in which blocks."""

import json
import math
import re
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import asdict, dataclass

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

_SENTENCE = re.compile(r"(?P<num_frames>\d+) frames in (?P<seconds>\S+) s, mean (?P<mean>\[.*\]), std (?P<std>\[.*\])")


@dataclass(frozen=True)
class NetworkInput:
    """The views that a network is made for and trained on; `str` of it stands in every file of its weights.

    Attributes:
        num_frames: kept of a clip.
        seconds: length of a clip in the video.
        size_pixels: side of the square; None in files of earlier versions, which do not say.
        mean, std: per channel, of values in [0, 1].
    Raises:
        ValueError: a number that none of these can be.
    """

    num_frames: int
    seconds: float
    size_pixels: int | None
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        size_pixels = 1 if self.size_pixels is None else self.size_pixels
        above_zero = (self.num_frames, self.seconds, size_pixels, *self.std)
        if not all(0 < each < math.inf for each in above_zero) or not all(map(math.isfinite, self.mean)):
            raise ValueError(f"no network has the input {self}")

    def __str__(self) -> str:
        return json.dumps(asdict(self))


def recorded_input(text: str) -> NetworkInput:
    """What `str` wrote; earlier versions wrote "16 frames in 1.28 s, mean [0.45, ...], std [0.225, ...]".

    Raises:
        ValueError: it is neither.
    """
    sentence = _SENTENCE.fullmatch(text)
    try:
        parts = (
            {name: json.loads(part) for name, part in sentence.groupdict().items()} if sentence else json.loads(text)
        )
        size_pixels = parts.get("size_pixels")
        return NetworkInput(
            num_frames=int(parts["num_frames"]),
            seconds=float(parts["seconds"]),
            size_pixels=None if size_pixels is None else int(size_pixels),
            mean=tuple(map(float, parts["mean"])),
            std=tuple(map(float, parts["std"])),
        )
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"what it says of its input is {text[:100]!r}") from error


class Backbone(nn.Module, ABC):
    """A network from views to features, by any way.

    Args:
        feature_dim: D, the length of a feature.
        input: the views that it is made for.
    """

    def __init__(self, *, feature_dim: int, input: NetworkInput) -> None:
        super().__init__()
        self.feature_dim = feature_dim
        self.input = input

    @abstractmethod
    def forward(self, views: Tensor) -> Tensor:
        """Features (B, D) of views, float (B, C, T, H, W)."""

    @abstractmethod
    def blocks_in_order(self) -> list[nn.Module]:
        """The parts that finetuning freezes, or trains more slowly, in the order of application.

        Every parameter and every batch norm is in exactly one of them. They need not be parts of the module tree:
        `nn.ModuleList([self.patches, nn.ParameterList([self.cls_token, self.pos_embed])])` is a block as well. (Not
        `blocks`: a child of the network may be called that.)
        """


def require_whole_blocks(backbone: Backbone) -> None:
    """What is in no block would be left out of layer-wise learning rates and of freezing, without a word.

    Raises:
        ValueError: a parameter or a batch norm is in no block, or in several; names it.
    """
    blocks = backbone.blocks_in_order()
    times = Counter(id(part) for block in blocks for part in (*block.parameters(), *block.modules()))
    norms = ((name, module) for name, module in backbone.named_modules() if isinstance(module, _BatchNorm))
    for name, part in (*backbone.named_parameters(), *norms):
        if times[id(part)] != 1:
            raise ValueError(f"{name} is in {times[id(part)] or 'none'} of the backbone's blocks; it must be in one")


def require_views(views: Tensor) -> None:
    """Raises ValueError for what does not have five dimensions."""
    if views.ndim != 5:
        raise ValueError(f"expected (B, C, T, H, W), got shape {tuple(views.shape)}")
