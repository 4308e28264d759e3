import pytest

from sce_video.report.markup import Markup, data_table, element, html, joined
from tests.report.runs import NASTY, parse, rows_of


def test_text_is_escaped() -> None:
    page = parse(element("p", NASTY, title=NASTY))
    assert page.one("p").text == NASTY
    assert page.one("p").attributes["title"] == NASTY
    assert page.all("img") == []


def test_markup_is_not_escaped_again() -> None:
    assert joined([element("b", "x"), "<b>"]) == "<b>x</b>&lt;b&gt;"
    assert isinstance(html("a"), Markup)
    assert html(Markup("<i>")) == "<i>"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("caf\udce9", r"caf\xe9"), ("\ud800", r"\ud800"), ("a\x00b", r"a\x00b"), ("a\x1bb", r"a\x1bb")),
        *(("exe.\u202egpj", r"exe.\u202egpj"), ("a\nb", "a\nb")),
    ],
)
def test_control_and_bidirectional_characters_are_written_out(text: str, expected: str) -> None:
    page = parse(element("p", text, title=text))
    assert (page.one("p").text, page.one("p").attributes["title"]) == (expected, expected)


def test_attributes() -> None:
    made = element("td", 3, class_="number", data_label=7, hidden=True, id=None, disabled=False)
    assert made == '<td class="number" data-label="7" hidden>3</td>'


def test_a_table_by_hand() -> None:
    read = parse(data_table("of <all>", ["class", "n"], [["a & b", 1], [NASTY, 2]], marked=frozenset({1})))
    assert read.one("caption").text == "of <all>"
    assert [cell.text for cell in read.one("thead").all("th")] == ["class", "n"]
    assert rows_of(read.one("table")) == [["a & b", "1"], [NASTY, "2"]]
    assert [row.attributes.get("class") for row in read.one("tbody").all("tr")] == [None, "marked"]
    box = read.one("div", class_="scroll")  # reached and scrolled by keyboard
    assert (box.attributes["tabindex"], box.attributes["role"]) == ("0", "region")
