"""Floors on a page: those that a run has measured, and those that others are compared with."""

from collections.abc import Sequence

from sce_video.report.floor_metrics import WHAT_FLOORS_ARE, floor_title, in_order
from sce_video.report.floors import Floor, find_floors, highest, in_words
from sce_video.report.markup import Markup, data_table, element, joined, note
from sce_video.report.reported import ReportedRun

_ABOUT_FLOORS = (
    "Floors: what classifiers reach that see one small frame, a coarse map of the frame differences, that map and the "
    "colours, or a network with random weights (docs/evaluation.md)."
)


def measured_floors(runs: Sequence[ReportedRun]) -> Markup:
    """Of runs of TASK floors: what each floor is, the highest first, and which one a number has to beat."""
    measured = [run for run in runs if run.task == "floors"]
    if not measured:
        return Markup()
    names = in_order([run.files.results["metrics"] for run in measured])
    rows = [[floor_title(name), WHAT_FLOORS_ARE[name]] for name in names if name in WHAT_FLOORS_ARE]
    words = [element("p", f"{run.name}: " if run.name else "", _to_beat(run), class_="verdict") for run in measured]
    return joined([data_table("What the floors are", ["floor", "what it is"], rows, num_text_columns=2), *words])


def _to_beat(run: ReportedRun) -> str:
    metrics, errors = (run.files.results.get(key, {}) for key in ("metrics", "standard_errors"))
    best = highest([Floor(floor_title(name), value, errors.get(name, 0.0)) for name, value in metrics.items()])
    return f"The highest floor is {best}: features that do not beat it say no more of the class than that."


def compared_floors(runs: Sequence[ReportedRun]) -> Markup:
    """What crude classifiers reach on the same lists, and in words which runs do not beat them."""
    of_runs = [find_floors(run.files.results, run.files.folder) for run in runs]
    by_title: dict[str, dict[int, Floor]] = {}
    for index, floors in enumerate(of_runs):
        for floor in floors:
            by_title.setdefault(floor.title, {})[index] = floor
    if not by_title:
        return Markup()
    rows = [
        [title, *(found[index].in_percent if index in found else "-" for index in range(len(runs)))]
        for title, found in sorted(by_title.items(), key=lambda item: -max(floor.top1 for floor in item[1].values()))
    ]
    words = [
        element("p", f"{run.name}: " if run.name else "", sentence, class_="verdict")
        for run, floors in zip(runs, of_runs, strict=True)
        for sentence in (in_words(run.files.results, floors) if floors else ())
    ]
    table = data_table("Floors, top-1 in percent", ["floor", *(run.name or "these lists" for run in runs)], rows)
    return joined([table, note(_ABOUT_FLOORS), *words])
