"""Curves of a run as a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sce_video.errors import UserError
from sce_video.runtime.logging import logged_metrics


def read_metrics(metrics_file: Path | str) -> list[dict[str, float]]:
    """The lines of a `metrics.jsonl`, at least one.

    Raises:
        UserError: no such file, or nothing in it.
    """
    metrics_file = Path(metrics_file)
    if not metrics_file.is_file():
        raise UserError(f"{metrics_file} does not exist; has the run logged anything yet?")
    lines = logged_metrics(metrics_file)
    if not lines:
        raise UserError(f"{metrics_file} holds no metrics; has the run logged anything yet?")
    return lines


def plot_curves(metrics_file: Path | str, picture: Path | str, *, names: Sequence[str], title: str) -> None:
    """Draw the named scalars of a run over its steps, one panel each, to a PNG.

    Raises:
        UserError: matplotlib (extra `plots`) is not installed; no metrics yet, or none of a name.
    """
    metrics_file, picture = Path(metrics_file), Path(picture)
    lines = read_metrics(metrics_file)
    figure, axes = _panels(len(names))
    for axis, name in zip(axes, names, strict=True):
        logged = [line for line in lines if name in line]
        if not logged:
            raise UserError(f"{metrics_file} has no {name!r}; it has {', '.join(lines[-1])}")
        axis.plot([line["step"] for line in logged], [line[name] for line in logged], color="tab:blue")
        axis.set_title(name.replace("_", " "))
        axis.set_xlabel("optimiser step")
        axis.grid(alpha=0.3)
    figure.suptitle(title)
    figure.savefig(picture, dpi=110)


def _panels(count: int) -> tuple[Any, Any]:
    """A figure without a window, and its axes in a row."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UserError("curves need matplotlib: pip install 'sce_video[plots]'") from error
    figure = Figure(figsize=(3.6 * count, 3.2), layout="constrained")
    return figure, figure.subplots(1, count, squeeze=False)[0]
