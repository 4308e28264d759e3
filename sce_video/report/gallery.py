"""Gallery of queries with their nearest neighbours, as animated pictures."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sce_video.report.classes import ClassAccuracy, name_of
from sce_video.report.markup import Markup, element, joined, percent
from sce_video.report.run_folder import Neighbor, Query
from sce_video.report.strips import Strip, StripSheet

NUM_SHOWN_NEIGHBORS = 5


def choose_queries(queries: Sequence[Query], accuracies: Sequence[ClassAccuracy], *, max_queries: int) -> list[Query]:
    """Queries evenly spread over every class, worst class first; a remainder goes to the worst classes.

    Args:
        accuracies: worst first.
    """
    of_class: dict[int, dict[str, Query]] = defaultdict(dict)
    for query in queries:
        of_class[query.label].setdefault(query.path, query)  # the first clip of each video
    order = [accuracy.label for accuracy in accuracies if accuracy.label in of_class]
    quotas = dict.fromkeys(order, 0)
    remaining = max_queries
    while remaining > 0 and (open_ := [label for label in order if quotas[label] < len(of_class[label])]):
        for label in open_[:remaining]:
            quotas[label] += 1
        remaining -= len(open_)
    return [query for label in order for query in _spread(list(of_class[label].values()), quotas[label])]


def _spread(queries: Sequence[Query], quota: int) -> list[Query]:
    return [queries[i * len(queries) // quota] for i in range(quota)]


def shown_paths(queries: Sequence[Query]) -> tuple[list[str], list[str]]:
    """Paths of the test and of the training videos that a gallery shows, each once."""
    near = (neighbor.path for query in queries for neighbor in query.neighbors[:NUM_SHOWN_NEIGHBORS])
    return list(dict.fromkeys(query.path for query in queries)), list(dict.fromkeys(near))


class Gallery:
    """Renders queries as cards.

    Args:
        test, bank: path -> picture, or why there is none.
    """

    def __init__(
        self,
        sheet: StripSheet,
        names: Mapping[int, str],
        test: Mapping[str, Strip | str],
        bank: Mapping[str, Strip | str],
    ) -> None:
        self._sheet = sheet
        self._names = names
        self._test = test
        self._bank = bank

    def card(self, query: Query, answers: Mapping[str, Sequence[Neighbor]]) -> Markup:
        """A query and its nearest videos.

        Args:
            answers: run name ("" if there is only one) -> nearest videos.
        """
        of_class = name_of(query.label, self._names)
        picture = self._sheet.show(self._test.get(query.path, "not decoded"), label=f"Query, {of_class}: {query.path}")
        figure = element(
            "figure", picture, element("figcaption", element("span", "query", class_="word"), " ", of_class)
        )
        rows = [self._row(name, near, query.label) for name, near in answers.items()]
        return element(
            "li",
            element("h3", of_class, " ", element("span", query.path, class_="path")),
            element("div", figure, element("div", *rows, class_="rows"), class_="asked"),
            class_="query",
            data_label=query.label,
        )

    def _row(self, name: str, near: Sequence[Neighbor], label: int) -> Markup:
        title = element("p", name, class_="run-name") if name else ""
        figures = [self._answer(rank, neighbor, label) for rank, neighbor in enumerate(near, start=1)]
        return joined([title, element("ol", *figures, class_="near")])

    def _answer(self, rank: int, neighbor: Neighbor, label: int) -> Markup:
        of_class, is_right = name_of(neighbor.label, self._names), neighbor.label == label
        word, mark = ("right", "✓") if is_right else ("wrong", "✗")
        picture = self._sheet.show(
            self._bank.get(neighbor.path, "not decoded"),
            label=f"Neighbour {rank}, {word}, {of_class}: {neighbor.path}; similarity {neighbor.similarity:.3f}",
        )
        symbol = element("span", mark, class_="mark", aria_hidden="true")
        caption = element("figcaption", symbol, element("span", f"{word}: ", class_="only-read"), " ", of_class)
        return element("li", element("figure", picture, caption, class_=word))


def classes_with_accuracy(accuracies: Sequence[ClassAccuracy], names: Mapping[int, str]) -> dict[int, str]:
    """label -> name and accuracy, for `class_filter`."""
    return {each.label: f"{name_of(each.label, names)} ({percent(each.share)} %)" for each in accuracies}


def class_filter(key: str, label: str, classes: Mapping[int, str], *, none: str, **data: object) -> Markup:
    """Drop-down list of classes; hidden until the script, which it needs, shows it.

    Args:
        classes: label -> text, in the order shown.
        none: text of the choice of no class.
    """
    options = [element("option", words, value=each) for each, words in classes.items()]
    choice = element("select", element("option", none, value=""), *options, id=key, **data)
    return element("p", element("label", label, " ", for_=key), choice, class_="control", hidden=True)
