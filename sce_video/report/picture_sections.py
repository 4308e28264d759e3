"""Sections with pictures: nearest videos, views, feature map."""

from collections.abc import Iterator, Mapping, Sequence

from sce_video.report.classes import class_accuracies, name_of
from sce_video.report.feature_map import class_colors, color_legend, scatter
from sce_video.report.gallery import NUM_SHOWN_NEIGHBORS, Gallery, class_filter, classes_with_accuracy
from sce_video.report.markup import Markup, element, note, section
from sce_video.report.reported import Preview, ReportedRun
from sce_video.report.strips import StripSheet


def gallery_section(runs: Sequence[ReportedRun], names: Mapping[int, str], sheet: StripSheet) -> Markup:
    """Queries of the first run that has any, each with the neighbours that every run finds."""
    shown = [run for run in runs if run.pictures.queries]
    if not shown:
        return Markup()
    first, queries = shown[0], shown[0].pictures.queries
    num_videos = len({query.path for query in first.files.queries})
    explained = (
        f"{len(queries)} of {num_videos} test videos, each with its {NUM_SHOWN_NEIGHBORS} nearest training videos, "
        "nearest first. Queries are spread over all classes, worst class first. A tick or a cross shows whether a "
        "neighbour has the query's class. Pictures show the middle clip of each video, uncropped."
    )
    labels = {query.label for query in queries}
    accuracies = [each for each in class_accuracies(first.files.answers) if each.label in labels]
    return section(
        "gallery",
        "Nearest videos",
        note(explained),
        class_filter(
            "gallery-class",
            "Show the queries of",
            classes_with_accuracy(accuracies, names),
            none="all classes",
            data_filters=".query",
        ),
        element("p", f"{len(queries)} queries shown", class_="note", role="status", id="gallery-count"),
        element("ul", *_cards(shown, names, sheet), class_="gallery"),
    )


def _cards(runs: Sequence[ReportedRun], names: Mapping[int, str], sheet: StripSheet) -> Iterator[Markup]:
    test = {path: picture for run in reversed(runs) for path, picture in run.pictures.test.items()}
    bank = {path: picture for run in reversed(runs) for path, picture in run.pictures.bank.items()}
    gallery = Gallery(sheet, names, test, bank)
    found = {run.name: {query.path: query for query in run.pictures.queries} for run in runs}
    for query in runs[0].pictures.queries:
        asked = {name: of_run[query.path] for name, of_run in found.items() if query.path in of_run}
        yield gallery.card(query, {name: each.neighbors[:NUM_SHOWN_NEIGHBORS] for name, each in asked.items()})


def views_section(runs: Sequence[ReportedRun], sheet: StripSheet) -> Markup:
    """Views of training videos, or why they are missing."""
    parts: list[Markup] = []
    for run in runs:
        title = element("h3", run.name) if run.name else Markup()
        missing = [note(line) for line in run.pictures.missing]
        figures = [_preview(preview, sheet) for preview in run.pictures.previews]
        if figures or missing:
            parts += [title, *missing, element("div", *figures, class_="previews")]
    if not parts:
        return Markup()
    explained = "Views of a few training videos as the network sees them in the first epoch, not normalised."
    if any(run.pictures.previews for run in runs):
        return section("views", "Views", note(explained), *parts)
    return section("views", "Views", *parts)


def _preview(preview: Preview, sheet: StripSheet) -> Markup:
    pictures = [
        element("div", sheet.show(view, label=f"View {number} of {preview.path}"), element("span", f"view {number}"))
        for number, view in enumerate(preview.views, start=1)
    ]
    caption = element("figcaption", preview.path, class_="path")
    return element("figure", element("div", *pictures, class_="views"), caption, class_="preview")


def map_section(runs: Sequence[ReportedRun], names: Mapping[int, str]) -> Markup:
    """Feature maps of the runs that have one."""
    maps = []
    labels = {label for run in runs if run.feature_map for label in run.feature_map.labels}
    colors = class_colors(labels)
    for run in runs:
        if run.feature_map is not None:
            drawn = run.feature_map
            count = f"{len(drawn.points)} of {drawn.num_rows}"
            words = f"{count} features of {drawn.listed} videos on their first two principal axes"
            caption = element("figcaption", f"{run.name}: " if run.name else "", words)
            maps.append(element("figure", caption, scatter(drawn, names, description=words, colors=colors)))
    if not maps:
        return Markup()
    rated = classes_with_accuracy(class_accuracies(runs[0].files.answers), names)
    classes = {label: words for label, words in rated.items() if label in labels}
    classes |= {label: name_of(label, names) for label in sorted(labels - rated.keys()) if label >= 0}
    choice = class_filter("map-class", "Highlight", classes, none="no class", data_highlights=".map circle")
    explained = note(
        "Hover over a dot for its class and video. Classes that overlap here may be separate in the other dimensions."
    )
    shown = element("div", *maps, class_="maps")
    return section("map", "Feature map", explained, choice if classes else "", shown, color_legend(colors, names))
