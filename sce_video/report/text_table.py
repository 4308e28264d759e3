"""Tables for the terminal."""

from collections.abc import Mapping, Sequence

from sce_video.report.floor_metrics import floor_title, in_order
from sce_video.report.floors import Floor


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Table with aligned columns, the first to the left, the others to the right."""
    lines = [list(header), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]

    def fit(line: Sequence[str]) -> str:
        first, *others = line
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
        return "  ".join(cells).rstrip()

    return "\n".join([fit(header), "  ".join("-" * width for width in widths), *map(fit, rows)])


def metrics_table(
    metrics: Mapping[str, float], *, standard_errors: Mapping[str, float], chance: Mapping[str, float]
) -> str:
    """One line per metric, with its standard error and chance level, in percent."""
    columns = (metrics, standard_errors, chance)
    rows = [
        [floor_title(name), *(f"{100 * each[name]:.2f}" if name in each else "-" for each in columns)]
        for name in in_order([metrics])
    ]
    return text_table(["metric", "%", "±", "chance"], rows)


def floors_table(floors: Sequence[Floor]) -> str:
    """One line per floor, the highest first, in percent."""
    ordered = sorted(floors, key=lambda floor: -floor.top1)
    rows = [[floor.title, f"{100 * floor.top1:.2f}", f"{100 * floor.standard_error:.2f}"] for floor in ordered]
    return text_table(["floor", "%", "±"], rows)
