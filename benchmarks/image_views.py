"""Augmentation of a batch of images, videos of one frame, against torchvision's batched 2D operations.

    python benchmarks/image_views.py [--images 64] [--pixels 224] [--device cpu] [--rounds 7] [--quick] [--json FILE]

Both views of `configs/imagenet_sce_r50.yaml`, from uint8 to normalised floats, and each op alone. The peer applies
`torchvision.transforms.v2.functional` in batch to those images on which ours acts too; it has one factor, order and
sigma for all of them, ours has its own for each image. CPU time of one thread, or wall time of a GPU.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import torch
from harness import Row, alternate, new_parser, publish, seconds_of, speed_ratio, use_cores
from torch import Tensor
from torch.utils.data import default_collate
from torchvision.transforms.v2 import functional as TF

from sce_video.augment.apply import apply_view
from sce_video.augment.color_jitter import ColorJitter
from sce_video.augment.draw import ViewParameters, draw_view
from sce_video.augment.flip import Flip
from sce_video.augment.gaussian_blur import GaussianBlur
from sce_video.augment.grayscale import Grayscale
from sce_video.augment.op import Drawn, Op
from sce_video.augment.recipes import ViewRecipe
from sce_video.augment.solarize import Solarize
from sce_video.build.views import build_views
from sce_video.config import load_config
from sce_video.launch.program import exit_code_of

CONFIG = Path(__file__).parents[1] / "configs" / "imagenet_sce_r50.yaml"
# Of torchvision, in the order of its ColorJitter; the functions take a batch and one number.
ADJUSTMENTS = (TF.adjust_brightness, TF.adjust_contrast, TF.adjust_saturation, TF.adjust_hue)


def main() -> int:
    parser = new_parser(__doc__)
    parser.add_argument("--images", type=int, default=64, metavar="N", help="in the batch")
    parser.add_argument("--pixels", type=int, default=224, metavar="N", help="side of an image")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=7, metavar="N")
    return exit_code_of(partial(run, parser.parse_args()))


def run(arguments: argparse.Namespace) -> None:
    use_cores(1)
    num_images, num_rounds = (16, 2) if arguments.quick else (arguments.images, arguments.rounds)
    device, side = torch.device(arguments.device), arguments.pixels
    images = torch.randint(256, (num_images, side, side, 3), dtype=torch.uint8)
    clips = images.permute(0, 3, 1, 2)[:, None].to(device)  # (B, T, C, H, W), channels last as the loader has them
    rows: list[Row] = []
    ratios: dict[str, float] = {}
    for number, view in enumerate(build_views(load_config(CONFIG)), start=1):
        recipe, parameters = view.recipe, drawn_for(view.recipe, num_images)
        candidates: dict[str, Callable[[], object]] = {
            "ours": partial(our_view, clips, parameters, recipe),
            "torchvision": partial(peer_view, clips[:, 0], parameters, recipe),
        }
        compare(f"view_{number}", candidates, device, rows, ratios, num_images=num_images, num_rounds=num_rounds)
    floats = torch.rand(num_images, 3, 1, side, side, device=device)
    everyone = drawn_for(recipe, num_images)._replace(coins=torch.ones(num_images, len(recipe.ops), dtype=torch.bool))
    for op, drawn in acting_ops(everyone, recipe):
        candidates = {
            "ours": partial(op.apply, floats, drawn),
            "torchvision": partial(change_images, floats[:, :, 0], op, drawn),
        }
        name = type(op).__name__.lower()
        compare(name, candidates, device, rows, ratios, num_images=num_images, num_rounds=num_rounds)
    publish(rows=rows, ratios=ratios, json_file=arguments.json)


def drawn_for(recipe: ViewRecipe, num_images: int) -> ViewParameters:
    generator = torch.Generator().manual_seed(0)
    collated: ViewParameters = default_collate([draw_view(recipe, generator=generator) for _ in range(num_images)])
    return collated


def acting_ops(parameters: ViewParameters, recipe: ViewRecipe) -> list[tuple[Op, Drawn]]:
    """The ops that act on some images, with what is drawn for these."""
    numbers = parameters.numbers.split([len(op.ranges) for op in recipe.ops], dim=1)
    acting = [
        (op, Drawn(coins.nonzero().flatten(), of_op[coins], parameters.order[coins]))
        for op, coins, of_op in zip(recipe.ops, parameters.coins.unbind(1), numbers, strict=True)
    ]
    return [(op, drawn) for op, drawn in acting if len(drawn.videos)]


def our_view(clips: Tensor, parameters: ViewParameters, recipe: ViewRecipe) -> Tensor:
    """uint8 (B, T, C, H, W) -> float32 (B, C, T, H, W)"""
    return apply_view(clips.contiguous(), clips[:0], parameters, recipe)


def peer_view(images: Tensor, parameters: ViewParameters, recipe: ViewRecipe) -> Tensor:
    """uint8 (B, C, H, W) -> float32"""
    views = TF.to_dtype(images.contiguous(), torch.float32, scale=True)
    for op, drawn in acting_ops(parameters, recipe):
        change_images(views, op, drawn)
    return TF.normalize(views, list(recipe.mean), list(recipe.std), inplace=True)


def change_images(views: Tensor, op: Op, drawn: Drawn) -> None:
    """Apply torchvision's function for `op` to its images among the views (B, C, H, W), in place."""
    index = drawn.videos.to(views.device)
    views[index] = peer_op(views[index], op, drawn)


def peer_op(images: Tensor, op: Op, drawn: Drawn) -> Tensor:
    """With the numbers and the order of the first image for all."""
    numbers = drawn.numbers[0].tolist()
    if isinstance(op, ColorJitter):
        for adjustment in drawn.order[0].tolist():
            images = ADJUSTMENTS[adjustment](images, numbers[adjustment])
        return images
    if isinstance(op, Grayscale):
        return TF.rgb_to_grayscale(images, num_output_channels=3)
    if isinstance(op, GaussianBlur):
        return TF.gaussian_blur(images, [op.kernel_pixels] * 2, numbers * 2)
    if isinstance(op, Solarize):
        return TF.solarize(images, 0.5)
    assert isinstance(op, Flip)
    return TF.horizontal_flip(images)


def compare(
    name: str,
    candidates: dict[str, Callable[[], object]],
    device: torch.device,
    rows: list[Row],
    ratios: dict[str, float],
    *,
    num_images: int,
    num_rounds: int,
) -> None:
    timed = {who: partial(seconds_of, work, device) for who, work in candidates.items()}
    alternate(timed, num_rounds=1)  # warm-up
    seconds = alternate(timed, num_rounds=num_rounds)
    per_image = {who: median(taken) / num_images * 1000 for who, taken in seconds.items()}
    rows.append({"what": name, **{f"{who}, ms per image": value for who, value in per_image.items()}})
    ratios[f"{name}_vs_torchvision"] = speed_ratio(seconds["ours"], seconds["torchvision"])


if __name__ == "__main__":
    raise SystemExit(main())
