"""Section on accuracy per class and on confusions."""

from collections.abc import Mapping, Sequence

from sce_video.report.classes import ClassAccuracy, class_accuracies, confusions, name_of
from sce_video.report.markup import Markup, data_table, element, joined, percent, section
from sce_video.report.reported import ReportedRun

_MAX_CONFUSIONS = 15


def class_section(runs: Sequence[ReportedRun], names: Mapping[int, str]) -> Markup:
    answered = [run for run in runs if run.files.answers]
    if not answered:
        return Markup()
    accuracies, confused = _accuracies(answered, names), [_confusions(run, names) for run in answered]
    if len(answered) == 1:
        return section("classes", "Classes", element("div", accuracies, *confused, class_="filled"))
    return section("classes", "Classes", accuracies, element("div", *confused, class_="filled"))


def _measure_of(run: ReportedRun) -> str:
    return "accuracy" if run.files.predictions else "R@1"


def _accuracies(runs: Sequence[ReportedRun], names: Mapping[int, str]) -> Markup:
    """Table with one column per run, sorted by the first."""
    measured = [{each.label: each for each in class_accuracies(run.files.answers)} for run in runs]
    labels = list(dict.fromkeys(label for of_run in measured for label in of_run))
    rows = [[name_of(label, names), *(_cell(of_run.get(label)) for of_run in measured)] for label in labels]
    measures = " and ".join(dict.fromkeys(map(_measure_of, runs)))
    header = ["class", *(run.name or "correct" for run in runs)]
    return data_table(
        f"{measures[:1].upper()}{measures[1:]} of each class in percent, worst first", header, rows, tall=True
    )


def _cell(accuracy: ClassAccuracy | None) -> Markup:
    if accuracy is None:
        return joined(["-"])
    filled = element("rect", width=f"{100 * accuracy.share:.2f}", height=10)
    bar = element("svg", filled, viewBox="0 0 100 10", preserveAspectRatio="none", class_="bar", aria_hidden="true")
    counts = element("span", f" {accuracy.num_correct} of {accuracy.num_videos}", class_="counts")
    return joined([bar, element("span", percent(accuracy.share), class_="share"), counts])


def _confusions(run: ReportedRun, names: Mapping[int, str]) -> Markup:
    found = confusions(run.files.answers, max_confusions=_MAX_CONFUSIONS)
    predicted = "predicted" if run.files.predictions else "class of the nearest video"
    rows = [[name_of(each.label, names), name_of(each.predicted, names), each.num_videos] for each in found]
    whose = f", {run.name}" if run.name else ""
    return data_table(
        f"Most frequent confusions{whose}", ["true class", predicted, "count"], rows, num_text_columns=2, tall=True
    )
