"""Descriptions as text and JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sce_video.cli.describe.description import Description, describe
from sce_video.config import load_config
from sce_video.errors import UserError
from sce_video.models.representation import REPRESENTATIONS
from sce_video.report.text_table import text_table
from sce_video.runtime.files import write_json

_HEADER = ("config", "task", "backbone", "M params", "view", "GMACs", "peak lr", "videos", "GiB")


def describe_configs(
    path: Path, overrides: Sequence[str], *, num_gpus: int, gpu_gib: float | None, json_file: Path | None
) -> None:
    """Print the description of a config, or a table of all configs in a folder, and write it as JSON.

    Args:
        overrides: KEY VALUE KEY VALUE ...; of a folder's configs those that use the key.
        gpu_gib: memory of a GPU; None: do not say whether a step fits.
    Raises:
        UserError: a config cannot be used, or the folder has none.
    """
    is_folder = path.is_dir()
    files = sorted(path.glob("*.yaml")) if is_folder else [path]
    if not files:
        raise UserError(f"{path} has no *.yaml files; give a config or a folder of configs")
    described = {}
    for file in files:
        cfg = load_config(file, shared=overrides) if is_folder else load_config(file, overrides)
        described[file.stem] = describe(cfg, num_gpus=num_gpus)
    print(table_text(described, gpu_gib) if is_folder else page_text(described[path.stem], gpu_gib))
    if json_file:
        pages = {name: as_json(each, gpu_gib) for name, each in described.items()}
        write_json(json_file, pages if is_folder else pages[path.stem])


def as_json(description: Description, gpu_gib: float | None) -> dict[str, Any]:
    fits = {} if gpu_gib is None else {"gpu_gib": gpu_gib, "fits": description.fits(gpu_gib) or None}
    page: dict[str, Any] = json.loads(json.dumps({**asdict(description), **fits}))
    return page


def page_text(description: Description, gpu_gib: float | None) -> str:
    lines = [("task", " ".join(filter(None, (description.task, description.method))))]
    lines.append(("backbone", description.backbone))
    lines.append(("network sees", REPRESENTATIONS[description.representation].words))
    lines += [(f"parameters, {name}", f"{number:,}") for name, number in description.parameters.items()]
    for number, view in enumerate(description.views, start=1):
        times = f"{view.num_views} x " if view.num_views > 1 else ""
        what = f"{view.num_frames} frames over {view.seconds:g} s, {view.size_pixels} pixels, {view.gmacs:.1f} GMACs"
        lines.append((f"view {number}", times + what))
    lines += _training_lines(description, gpu_gib)
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in lines)


def _training_lines(description: Description, gpu_gib: float | None) -> list[tuple[str, str]]:
    cost = description.training
    if cost is None:
        return []
    steps = "not known" if cost.steps_per_epoch is None else str(cost.steps_per_epoch)
    if cost.image_steps_per_epoch:
        steps += f", {cost.image_steps_per_epoch} of them of images, in one frame"
    lines = [("training list", cost.list), ("steps per epoch", steps), ("peak learning rate", f"{cost.peak_lr:g}")]
    lines += [(f"a rank sends, {name}", f"{number:,} bytes") for name, number in cost.sent_bytes.items()]
    lines.append((f"peak memory, {cost.videos_at_once} videos at once", f"{cost.peak_gib:.1f} GiB"))
    if gpu_gib is not None:
        lines.append((f"fits {gpu_gib:g} GiB", description.fits(gpu_gib)))
    return lines


def table_text(described: Mapping[str, Description], gpu_gib: float | None) -> str:
    """One line per config."""
    header = [*_HEADER, *([] if gpu_gib is None else [f"fits {gpu_gib:g}"])]
    return text_table(header, [_row(name, each, gpu_gib) for name, each in described.items()])


def _row(name: str, description: Description, gpu_gib: float | None) -> list[str]:
    views, cost = description.views, description.training
    view = views[0]
    parameters = description.parameters["backbone"] / 1e6
    training = ["-"] * 3 if cost is None else [f"{cost.peak_lr:g}", str(cost.videos_at_once), f"{cost.peak_gib:.1f}"]
    fits = [] if gpu_gib is None else [description.fits(gpu_gib) or "-"]
    shown = f"{view.num_frames}x{view.size_pixels}" + (f" and {len(views) - 1} more" if len(views) > 1 else "")
    cells = [name, description.task, description.backbone, f"{parameters:.2f}", shown, f"{view.gmacs:.1f}"]
    return [*cells, *training, *fits]
