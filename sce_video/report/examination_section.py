"""Section on what features see: sentences, bars, and the shares of nearest neighbours."""

from collections.abc import Mapping, Sequence
from typing import Any

from sce_video.report.bars import Bar, bar_chart
from sce_video.report.markup import Markup, data_table, element, joined, note, percent, section
from sce_video.report.reported import ReportedRun
from sce_video.report.results_section import failures

_EXPLANATION = (
    "Similarity (cosine) of the feature of a clip to that of the same clip after a change, on a scale from clips of "
    "other videos (0) to the same feature (1). A bar near 1: the change is not seen. Thin line: the middle 80 % of the "
    "videos, of other videos the pairs; thick line: the middle half (docs/examine.md)."
)
_AXIS = "0: another video, 1: the same feature"


def examination_section(runs: Sequence[ReportedRun]) -> Markup:
    examined = [run for run in runs if "examination" in run.files.results]
    if not examined:
        return Markup()
    found = [run.files.results["examination"] for run in examined]
    lowest = min((bar.quantiles[0] for each in found for bar in _bars(each)), default=0.0)
    charts = [
        bar_chart(run.name or "Similarity to the clip", _bars(each), axis=_AXIS, lowest=lowest)
        for run, each in zip(examined, found, strict=True)
        if each["bars"]
    ]
    return section(
        "examination",
        "What the features see",
        *map(_words, examined),
        element("div", *charts, class_="examined"),
        note(_EXPLANATION),
        _shares(examined, found),
        _similarities(examined, found),
        failures(examined),
    )


def _words(run: ReportedRun) -> Markup:
    sentences = [element("li", sentence) for sentence in run.files.results["examination"]["words"]]
    title = element("h3", run.name) if run.name else ""
    return joined([title, element("div", element("ul", *sentences), class_="verdict")])


def _bars(found: Mapping[str, Any]) -> list[Bar]:
    return [Bar(each["title"], each["mean"], tuple(each["quantiles"])) for each in found["bars"]]


def _shares(runs: Sequence[ReportedRun], found: Sequence[Mapping[str, Any]]) -> Markup:
    titles = list(dict.fromkeys(share["title"] for each in found for share in each["shares"]))
    if not titles:
        return Markup()
    by_title = [{share["title"]: share for share in each["shares"]} for each in found]
    rows = [[title, *(cell for shares in by_title for cell in _share_cells(shares.get(title)))] for title in titles]
    header = ["share", *(head for run in runs for head in (run.name or "%", "chance"))]
    return data_table("Nearest neighbours, in percent", header, rows)


def _share_cells(share: Mapping[str, Any] | None) -> list[str]:
    if share is None:
        return ["-", "-"]
    return [f"{percent(share['share'])} ± {percent(share['error'])}", percent(share["chance"])]


def _similarities(runs: Sequence[ReportedRun], found: Sequence[Mapping[str, Any]]) -> Markup:
    titles = list(dict.fromkeys(bar["title"] for each in found for bar in each["bars"]))
    by_title = [{bar["title"]: bar for bar in each["bars"]} for each in found]
    rows = [[title, *(cell for bars in by_title for cell in _bar_cells(bars.get(title)))] for title in titles]
    rows.append(["videos examined", *(cell for run in runs for cell in (_counts(run), "", ""))])
    header = ["the clip and", *(head for run in runs for head in (run.name or "on the scale", "cosine", "videos"))]
    return data_table("Similarities", header, rows)


def _bar_cells(bar: Mapping[str, Any] | None) -> list[str]:
    if bar is None:
        return ["-", "-", "-"]
    error = "" if bar["error"] is None else f" ± {bar['error']:.2f}"
    return [f"{bar['mean']:.2f}{error}", f"{bar['cosine']:.5f}", str(bar["num_videos"])]


def _counts(run: ReportedRun) -> str:
    results = run.files.results
    return f"{results['num_evaluated']} of {results['num_expected']}"
