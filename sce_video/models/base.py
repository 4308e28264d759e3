"""Base class of backbones: views to features, the expected input, and blocks."""

import json
import math
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from sce_video.models.representation import REPRESENTATIONS, RGB

_SENTENCE = re.compile(r"(?P<num_frames>\d+) frames in (?P<seconds>\S+) s, mean (?P<mean>\[.*\]), std (?P<std>\[.*\])")


@dataclass(frozen=True)
class NetworkInput:
    """The views that a network is trained on; `str()` of it is recorded in every weight file.

    Attributes:
        num_frames: frames of a clip.
        seconds: duration of a clip in the video.
        size_pixels: side of the square; None in files of earlier versions, which do not record it.
        mean, std: per channel, of values in [0, 1].
        antialiased_resize: frames are made smaller with antialiasing; in files of earlier versions they were not.
        representation: what the network sees of the frames, one of REPRESENTATIONS; RGB in files of earlier versions.
    Raises:
        ValueError: a value is not finite, or not positive where it must be, or the representation is unknown.
    """

    num_frames: int
    seconds: float
    size_pixels: int | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    antialiased_resize: bool = False
    representation: str = RGB

    def __post_init__(self) -> None:
        size_pixels = 1 if self.size_pixels is None else self.size_pixels
        above_zero = (self.num_frames, self.seconds, size_pixels, *self.std)
        are_finite = all(0 < each < math.inf for each in above_zero) and all(map(math.isfinite, self.mean))
        if not are_finite or self.representation not in REPRESENTATIONS:
            raise ValueError(f"{self} is not a valid network input")

    def __str__(self) -> str:
        return json.dumps(asdict(self))


def recorded_input(text: str) -> NetworkInput:
    """Inverse of `str`; also reads "16 frames in 1.28 s, mean [0.45, ...], std [0.225, ...]" of earlier versions.

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
            antialiased_resize=bool(parts.get("antialiased_resize", False)),
            representation=str(parts.get("representation", RGB)),
        )
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"its record of the network input is {text[:100]!r}") from error


@dataclass(frozen=True)
class AcceptedViews:
    """The views that a network can be applied to, if not all of at least one frame and 32 pixels.

    Attributes:
        num_frames, size_pixels: the only number of frames and side; None: any.
        pixels_multiple: height and width must be a multiple of it.
    """

    num_frames: int | None = None
    size_pixels: int | None = None
    pixels_multiple: int = 1

    def refused_frames(self, num_frames: int) -> str:
        """What the number of frames must be; "" if it is accepted."""
        return f"it must be {self.num_frames}" if self.num_frames not in (None, num_frames) else ""

    def refused_pixels(self, size_pixels: int) -> str:
        """What a side must be; "" if it is accepted."""
        if self.size_pixels not in (None, size_pixels):
            return f"it must be {self.size_pixels}"
        below = size_pixels - size_pixels % self.pixels_multiple
        nearest = f"for example {below} or {below + self.pixels_multiple}"
        return f"it must be a multiple of {self.pixels_multiple}, {nearest}" if below != size_pixels else ""

    def require(self, views: Tensor) -> None:
        """Raises ValueError for views (B, C, T, H, W) that are not accepted."""
        require_views(views)
        *_, num_frames, height, width = views.shape
        refusals = {
            f"{num_frames} frames": self.refused_frames(num_frames),
            f"a height of {height} pixels": self.refused_pixels(height),
            f"a width of {width} pixels": self.refused_pixels(width),
        }
        for found, refusal in refusals.items():
            if refusal:
                raise ValueError(f"the views have {found}; {refusal}")


class Backbone(nn.Module, ABC):
    """Base class of backbones: any network from views to features.

    A call of it makes `input.representation` of the views before `forward`, so that callers always pass RGB.

    Args:
        feature_dim: D, the length of a feature.
        input: the expected views.
    """

    def __init__(self, *, feature_dim: int, input: NetworkInput) -> None:
        super().__init__()
        self.feature_dim = feature_dim
        self.input = input
        if input.representation != RGB:
            self.register_forward_pre_hook(_represented)

    @abstractmethod
    def forward(self, views: Tensor) -> Tensor:
        """Features (B, D) of views, float (B, C, T, H, W), in the representation of the input."""

    @abstractmethod
    def blocks_in_order(self) -> list[nn.Module]:
        """Blocks in the order of application, which finetuning freezes or trains at a lower learning rate.

        Every parameter and every batch norm must be in exactly one of them. They need not be children of the network:
        `nn.ModuleList([self.patches, nn.ParameterList([self.cls_token, self.pos_embed])])` is valid too. (Not called
        `blocks`, as a child of the network may have that name.)
        """

    def no_weight_decay(self) -> set[str]:
        """Names of parameters that are not decayed, besides norms and biases: class tokens and learnt positions.

        Named as in timm, whose networks have it too.
        """
        return set()

    def current_names(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Tensors of a file of weights by the names that the network has now, if earlier versions had others."""
        return dict(tensors)


def _represented(backbone: nn.Module, arguments: tuple[Tensor]) -> Tensor:
    """The views as the network sees them."""
    assert isinstance(backbone, Backbone)
    (views,) = arguments
    require_views(views)
    return REPRESENTATIONS[backbone.input.representation].of(views)


def require_whole_blocks(backbone: Backbone) -> None:
    """Check that every parameter and batch norm is in one block; freezing would silently miss others.

    Raises:
        ValueError: one is in no block, or in several; names it.
    """
    blocks = backbone.blocks_in_order()
    times = Counter(id(part) for block in blocks for part in (*block.parameters(), *block.modules()))
    norms = ((name, module) for name, module in backbone.named_modules() if isinstance(module, _BatchNorm))
    for name, part in (*backbone.named_parameters(), *norms):
        if times[id(part)] != 1:
            raise ValueError(f"{name} is in {times[id(part)] or 'none'} of the backbone's blocks; it must be in one")


def require_views(views: Tensor) -> None:
    """Raises ValueError for a tensor without five dimensions."""
    if views.ndim != 5:
        raise ValueError(f"expected (B, C, T, H, W), got shape {tuple(views.shape)}")
