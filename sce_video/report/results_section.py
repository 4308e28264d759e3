"""Section with the results of a run, beside published ones."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from sce_video.report.floor_metrics import WHAT_FLOORS_ARE, in_order
from sce_video.report.floors_section import compared_floors, measured_floors
from sce_video.report.markup import Markup, data_table, details, element, joined, note, percent, section
from sce_video.report.published import PROTOCOLS, Published, dataset_of, is_comparable, published_for
from sce_video.report.reported import ReportedRun

_SUFFIXES = {"top1": "top-1", "top5": "top-5", "mean_class": "mean over classes"}
_EXPLANATION = (
    "±: standard error from the choice of test videos; chance: the value reached without looking at a video "
    "(docs/evaluation.md)."
)
_HEADER = ["method", "from", "%", "frames", "backbone", "pretraining", "source", "evidence"]
_CERTAINTY = {"stated": "own docs", "secondary": "secondary source"}


def results_section(runs: Sequence[ReportedRun], summary: Mapping[str, Any]) -> Markup:
    """Metrics, failures and published results.

    Args:
        summary: `results.json` of several splits, or empty.
    """
    measured = [run for run in runs if run.files.results and "examination" not in run.files.results]
    if not measured:
        return Markup()
    return section(
        "results",
        "Results",
        _metrics(measured, summary),
        measured_floors(measured),
        compared_floors(measured),
        failures(measured),
        _published(measured, summary),
    )


def metric_name(name: str) -> str:
    """`retrieval_r5` -> R@5, `knn_top1` -> top-1."""
    for suffix, words in _SUFFIXES.items():
        if name.endswith(f"_{suffix}"):
            return words
    rank = name.removeprefix("retrieval_r")
    return f"R@{rank}" if rank.isdecimal() else name.replace("_", " ")


def _task_of(name: str) -> str:
    """`linear_features_mean_class` -> linear features."""
    suffix = next((suffix for suffix in _SUFFIXES if name.endswith(f"_{suffix}")), name.rsplit("_", 1)[-1])
    return name.removesuffix(f"_{suffix}").replace("_", " ")


def _metrics(runs: Sequence[ReportedRun], summary: Mapping[str, Any]) -> Markup:
    names = in_order([run.files.results["metrics"] for run in runs])
    chance = {name: level for run in runs for name, level in run.files.results.get("chance", {}).items()}
    header = ["metric", *(run.name or "this run, %" for run in runs), *(["mean ± std"] if summary else [])]
    header += ["chance"] if chance else []
    tasks = {run.task for run in runs}
    rows: list[list[object]] = []
    for name in names:
        task = "" if len(tasks) == 1 or name in WHAT_FLOORS_ARE else f"{_task_of(name)} "
        title = f"{task}{metric_name(name)}"
        rows.append([title, *(_with_error(run, name) for run in runs)])
        if summary:
            rows[-1].append(_mean(summary, name))
        if chance:
            rows[-1].append(percent(chance[name]) if name in chance else "-")
    if not names:
        counts = [_counts(run.files.results) for run in runs]
        return data_table("Features", ["count", *(run.name or "this run" for run in runs)], [["videos", *counts]])
    rows.append(["test videos evaluated", *(_counts(run.files.results) for run in runs)])
    if summary:
        rows[-1].append(_counts(summary))
    rows[-1] += [""] if chance else []
    metrics = data_table("Metrics, in percent", header, rows)
    has_errors = any("standard_errors" in run.files.results for run in runs)
    return joined([metrics, note(_EXPLANATION)]) if has_errors else metrics


def _with_error(run: ReportedRun, name: str) -> str:
    value, error = (run.files.results.get(key, {}).get(name) for key in ("metrics", "standard_errors"))
    return "-" if value is None else percent(value) + ("" if error is None else f" ± {percent(error)}")


def _mean(summary: Mapping[str, Any], name: str) -> str:
    spread = summary.get("metrics_std", {}).get(name, 0.0)
    return f"{percent(summary['metrics'][name])} ± {percent(spread)}"


def _counts(results: Mapping[str, Any]) -> str:
    return f"{results['num_evaluated']} of {results['num_expected']}"


def failures(runs: Sequence[ReportedRun]) -> Markup:
    """Videos that are missing from the numbers."""
    parts = []
    for run in runs:
        lines = run.files.results.get("failures", [])
        if lines:
            whose = f" ({run.name})" if run.name else ""
            listed = element("ul", *(element("li", line) for line in lines), class_="failures")
            parts.append(details(f"{_videos(len(lines))} left out: could not be decoded{whose}", listed))
    return joined(parts)


def _videos(count: int) -> str:
    return f"{count} video" + ("s" if count != 1 else "")


def _published(runs: Sequence[ReportedRun], summary: Mapping[str, Any]) -> Markup:
    comparable = [run for run in runs if is_comparable(run.files.results)]
    first = (comparable or runs)[0]
    if not first.files.results["metrics"]:
        return Markup()
    dataset = _dataset(first)
    others = published_for(dataset, first.task)
    if others and not comparable:
        return note(
            "No published results are shown: they use all labels, all weights and whole videos (docs/evaluation.md)."
        )
    if not others:
        return note(f"No published results are shown: none are known for {first.task} on {dataset or 'this list'}.")
    ours = [run for run in comparable if run.task == first.task and _dataset(run) == dataset]
    lines = [(_own_value(run), _own_row(run)) for run in ours]
    if summary:
        mean = summary["metrics"][PROTOCOLS[first.task][1]]
        lines = [(mean, _own_row(first, value=_mean(summary, PROTOCOLS[first.task][1]), name="mean over splits"))]
    own = {id(row) for _, row in lines}
    lines += [(other.value / 100, _published_row(other)) for other in others]
    lines.sort(key=lambda line: -line[0])
    marked = frozenset(number for number, (_, row) in enumerate(lines) if id(row) in own)
    return joined(
        [
            data_table(
                f"{dataset}, {others[0].protocol}, in percent",
                _HEADER,
                [row for _, row in lines],
                num_text_columns=len(_HEADER),
                marked=marked,
            ),
            note("Rows differ in backbone, frames and pretraining: their order does not rank the methods."),
        ]
    )


def _dataset(run: ReportedRun) -> str | None:
    return dataset_of(run.files.results["protocol"], [answer.label for answer in run.files.answers])


def _own_value(run: ReportedRun) -> float:
    value: float = run.files.results["metrics"][PROTOCOLS[run.task][1]]
    return value


def _own_row(run: ReportedRun, *, value: str = "", name: str = "") -> list[object]:
    weights = run.files.results.get("weights", "")
    return [
        name or run.name or PurePath(run.files.folder).name,
        element("span", "this run", class_="badge own"),
        value or percent(_own_value(run)),
        run.settings["CLIP.NUM_FRAMES"],
        run.settings["MODEL.BACKBONE"],
        weights,
        "results.json",
        "measured",
    ]


def _published_row(row: Published) -> list[object]:
    epochs = "" if row.pretraining_epochs is None else f", {row.pretraining_epochs} epochs"
    return [
        row.method,
        element("span", "published", class_="badge"),
        f"{row.value:.1f}",
        "unknown" if row.frames is None else row.frames,
        row.backbone,
        row.pretraining + epochs,
        row.source,
        _CERTAINTY[row.certainty],
    ]
