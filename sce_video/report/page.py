"""HTML page of one run, or of several side by side, in one self-contained file."""

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from sce_video.report.charts import Point, line_chart
from sce_video.report.class_section import class_section
from sce_video.report.classes import class_names
from sce_video.report.markup import Markup, element, html, joined, note, section
from sce_video.report.origin_section import origin_section, weights_of
from sce_video.report.picture_sections import gallery_section, map_section, views_section
from sce_video.report.reported import ReportedRun
from sce_video.report.results_section import results_section
from sce_video.report.security import own_code, policy
from sce_video.report.strips import StripSheet

# Scalar of metrics.jsonl -> title, unit, factor.
_CURVES = {
    "loss": ("Loss", "nats", 1.0),
    "lr": ("Learning rate", "", 1.0),
    "clips_per_second": ("Speed", "clips/s", 1.0),
    "data_wait_share": ("Wait for data", "% of the time", 100.0),
}
_TITLES = {
    "results": "Results",
    "curves": "Curves",
    "classes": "Classes",
    "gallery": "Nearest videos",
    "views": "Views",
    "map": "Feature map",
    "origin": "How it was made",
}


def report_page(
    runs: Sequence[ReportedRun], *, title: str, summary: Mapping[str, Any] | None = None, made_on: str
) -> str:
    """A whole HTML document.

    Args:
        runs: at least one; several have different names.
        summary: `results.json` over several splits, if the runs are these.
        made_on: the day, in words.
    """
    sheet = StripSheet()
    names = {**class_names(_labeled_paths(runs)), **_known_names(runs)}
    sections = {
        "results": results_section(runs, summary or {}),
        "curves": curves_section(runs),
        "classes": class_section(runs, names),
        "gallery": gallery_section(runs, names, sheet),
        "views": views_section(runs, sheet),
        "map": map_section(runs, names),
        "origin": origin_section(runs),
    }
    links = [element("li", element("a", _TITLES[key], href=f"#{key}")) for key, content in sections.items() if content]
    header = element(
        "header",
        element("h1", title),
        element("p", ", ".join(str(run.files.folder) for run in runs), class_="path"),
        *map(_weights, runs),
        element("p", f"sce_video, page made on {made_on}", class_="note"),
        element("nav", element("ul", *links), aria_label="contents"),
    )
    play = element("button", "Pause pictures", type="button", id="play", class_="control", hidden=True)
    main = element("main", _other_videos(runs), *sections.values())
    return _document(title, joined([header, main, play]), strips=sheet.css())


def _weights(run: ReportedRun) -> Markup:
    """Which network this is about, and whether it has seen videos before."""
    weights = weights_of(run)
    if run.task == "pretrain":
        kind = "trained here from random weights"
    else:
        kind = "random weights" if weights.endswith("random initialisation") else "pretrained weights"
    name = f"{run.name}: " if run.name else ""
    return element("p", name, element("span", kind, class_="badge own"), " ", weights, class_="weights")


def _known_names(runs: Sequence[ReportedRun]) -> dict[int, str]:
    """Names of classes that the data set itself has; of several runs the first that knows one."""
    known = [run.files.results.get("class_names") or {} for run in runs]
    return {int(label): str(name) for names in reversed(known) for label, name in names.items()}


def curves_section(runs: Sequence[ReportedRun]) -> Markup:
    charts = []
    for scalar, (title, unit, factor) in _CURVES.items():
        lines = {
            run.name: [Point(line["step"], factor * line[scalar]) for line in run.files.metrics_log if scalar in line]
            for run in runs
        }
        if any(lines.values()):
            charts.append(line_chart(title, unit, lines))
    return section("curves", "Curves", element("div", *charts, class_="charts")) if charts else Markup()


def _labeled_paths(runs: Sequence[ReportedRun]) -> list[tuple[str, int]]:
    asked = [(answer.path, answer.label) for run in runs for answer in run.files.answers]
    near = [(near.path, near.label) for run in runs for query in run.files.queries for near in query.neighbors]
    drawn = [pair for run in runs if run.feature_map for pair in run.feature_map.labeled_paths()]
    return asked + near + drawn


def _other_videos(runs: Sequence[ReportedRun]) -> Markup:
    """A warning where runs that stand side by side were not tested on the same."""
    tested = {frozenset((answer.path, answer.label) for answer in run.files.answers) for run in runs}
    if len(tested) < 2:
        return Markup()
    return note("These runs were not tested on the same videos: their numbers do not compare one to one.")


def _document(title: str, body: Markup, *, strips: Markup) -> str:
    files = resources.files("sce_video.report")
    style, script = (files.joinpath(name).read_text(encoding="utf-8") for name in ("style.css", "script.js"))
    style, script = f"\n{style}\n{strips}\n", f"\n{script}"
    head = [
        '<meta charset="utf-8">',
        policy(style=style, script=script),
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{html(title)}</title>",
        own_code("style", style),
    ]
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>',
            *head,
            "</head>\n<body>",
            body,
            f"{own_code('script', script)}\n</body>\n</html>\n",
        ]
    )
