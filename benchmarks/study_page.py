"""The page of a study: bars with the spread over seeds at the last step, and curves of the means by step.

Takes the JSON files that `study.py` wrote, of one or several sessions; a run that is in several counts once.

python benchmarks/study_page.py benchmarks/studies/cifar10.yaml study.json ... --output study.html
"""

import argparse
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness import Row, publish
from study import over_seeds, read_study, scale_of

from sce_video.report.bars import Bar, bar_chart
from sce_video.report.charts import Point, line_chart
from sce_video.report.markup import element, note
from sce_video.report.page import document


def merged(files: Sequence[Path]) -> list[Row]:
    """Rows of all files, one for each setting, seed, step and evaluation: that of the last file."""
    rows = [row for file in files for row in json.loads(file.read_text())["rows"]]
    return list({tuple(row[name] for name in ("setting", "seed", "step", "evaluation")): row for row in rows}.values())


def page(title: str, rows: Sequence[Row], metrics: Mapping[str, str], settings: Sequence[str]) -> str:
    """A document with a figure of bars and one of curves for each metric, on its scale.

    Args:
        metrics: evaluation -> the metric of it that is shown.
        settings: those shown, in this order; a setting without a row of an evaluation is left out of it.
    """
    parts = []
    for evaluation, metric in metrics.items():
        factor, _, axis = scale_of(metric)
        values: dict[str, dict[int, list[float]]] = {name: {} for name in settings}
        for row in rows:
            if row["evaluation"] == evaluation and row["setting"] in values and metric in row:
                of_step = values[str(row["setting"])].setdefault(int(str(row["step"])), [])
                of_step.append(factor * float(str(row[metric])))
        shown = {name: by_step for name, by_step in values.items() if by_step}
        if not shown:
            continue
        label = metric.replace("_", " ")
        bars = [_bar(name, by_step[max(by_step)]) for name, by_step in shown.items()]
        parts.append(bar_chart(label, bars, axis=axis, lowest=min(bar.quantiles[0] for bar in bars)))
        curves = {
            name: [Point(step, statistics.fmean(each)) for step, each in sorted(by_step.items())]
            for name, by_step in shown.items()
            if len(by_step) > 1
        }
        if curves:
            parts.append(line_chart(f"{label}, mean over seeds", axis, curves))
    words = note(
        "Bars: mean over seeds at the last step, with the number of seeds; thick line: one standard deviation (n - 1) "
        "to each side; thin line: the lowest and the highest seed."
    )
    return document(title, element("main", element("h1", title), words, element("div", *parts, class_="examined")))


def _bar(name: str, values: Sequence[float]) -> Bar:
    mean = statistics.fmean(values)
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    low, high = mean - deviation, mean + deviation
    # The thin line is at least as long as the thick one, so that the axis has room for both.
    return Bar(f"{name} ({len(values)})", mean, (min(low, *values), low, mean, high, max(high, *values)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("files", type=Path, nargs="+", metavar="JSON")
    parser.add_argument("--settings", nargs="+", help="only these, in this order")
    parser.add_argument("--output", type=Path, required=True, metavar="HTML")
    arguments = parser.parse_args()
    study, rows = read_study(arguments.study), merged(arguments.files)
    settings = arguments.settings or list(study.settings)
    arguments.output.write_text(page(arguments.study.stem, rows, study.metrics, settings))
    shown = [row for row in rows if row["setting"] in settings]
    publish(rows=list(over_seeds(shown, study.metrics)), ratios={}, json_file=None)


if __name__ == "__main__":
    main()
