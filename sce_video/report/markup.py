"""Building of HTML with automatic escaping."""

import html as html_escapes
from collections.abc import Iterable, Sequence

from sce_video.plain_text import escaped


class Markup(str):
    """A string of HTML; any other string is escaped when it is inserted."""


def html(value: object) -> Markup:
    """Escape a value for text and quoted attributes; control and bidirectional characters are written out."""
    if isinstance(value, Markup):
        return value
    return Markup(html_escapes.escape(escaped(str(value), kept="\n\t"), quote=True))


def joined(parts: Iterable[object]) -> Markup:
    return Markup("".join(map(html, parts)))


def element(tag: str, *content: object, **attributes: object) -> Markup:
    """`<tag attribute="...">content</tag>`.

    Args:
        attributes: underscores become hyphens, a trailing one is dropped (`class_`); True gives an attribute without
            a value, False and None none.
    """
    written = [
        f" {name.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{html(value)}"')
        for name, value in attributes.items()
        if value is not None and value is not False
    ]
    return Markup(f"<{tag}{''.join(written)}>{joined(content)}</{tag}>")


def section(key: str, title: str, *content: object) -> Markup:
    """A section of the page; the table of contents links to its `key`."""
    return element("section", element("h2", title, id=f"{key}-title"), *content, id=key, aria_labelledby=f"{key}-title")


def details(summary: str, *content: object, **attributes: object) -> Markup:
    return element("details", element("summary", summary), *content, **attributes)


def note(*content: object) -> Markup:
    return element("p", *content, class_="note")


def scrolling(label: str, *content: object, tall: bool = False) -> Markup:
    """A box with its own scroll bar, which also works by keyboard."""
    kind = "scroll tall" if tall else "scroll"
    return element("div", *content, class_=kind, role="region", aria_label=label, tabindex=0)


def data_table(
    caption: str,
    header: Sequence[object],
    rows: Iterable[Sequence[object]],
    *,
    num_text_columns: int = 1,
    marked: frozenset[int] = frozenset(),
    tall: bool = False,
) -> Markup:
    """A table in a scrolling box; the first cell of each row is its header.

    Args:
        num_text_columns: left-aligned; the others hold numbers.
        marked: indices of highlighted rows.
        tall: scroll vertically, too.
    """

    def kind(column: int) -> str | None:
        return "number" if column >= num_text_columns else None

    head = [element("th", cell, scope="col", class_=kind(column)) for column, cell in enumerate(header)]
    lines = []
    for index, (first, *others) in enumerate(rows):
        cells = [element("td", cell, class_=kind(column)) for column, cell in enumerate(others, start=1)]
        row_class = "marked" if index in marked else None
        lines.append(element("tr", element("th", first, scope="row"), *cells, class_=row_class))
    body = element("thead", element("tr", *head)), element("tbody", *lines)
    return scrolling(caption, element("table", element("caption", caption), *body), tall=tall)


def percent(share: float) -> str:
    return f"{100 * share:.1f}"
