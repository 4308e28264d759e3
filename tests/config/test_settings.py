"""Declaration of settings: conditions derived from arguments, and which settings are free."""

from sce_video.config.settings import Section, fixed, flag, free, number, when_takes


class Piece:
    def __init__(self, data: int, *, width: int) -> None: ...


def function(first: int, /, second: int = 0, *, depth: int, width: int = 2, **_: int) -> None: ...


def test_a_setting_is_used_by_the_pieces_with_an_argument_of_its_name() -> None:
    pieces = {"a": Piece, "b": function, "c": lambda data: None}
    condition = when_takes("X.NAME", pieces, "width")
    assert condition.words == "X.NAME a or b"
    assert [condition.holds(name) for name in pieces] == [True, True, False]
    assert when_takes("X.NAME", pieces, "depth").words == "X.NAME b"


def test_a_setting_is_free_by_itself_or_else_by_its_section() -> None:
    section = Section(is_free=True)
    section.A, section.B = flag(False), fixed(flag(False))
    assert [section.settings()[name].is_free for name in "AB"] == [True, False]
    section = Section()
    section.A, section.B = number(1, least=0), free(number(1, least=0))
    assert [section.settings()[name].is_free for name in "AB"] == [False, True]
