from sce_video.arguments import keyword_names


class Piece:
    def __init__(self, data: int, *, width: int) -> None: ...


class Heir(Piece):
    pass


def function(first: int, /, second: int = 0, *, depth: int, width: int = 2, **_: int) -> None: ...


def test_settings_are_the_keyword_only_arguments() -> None:
    assert keyword_names(Piece) == keyword_names(Heir) == ("width",)
    assert keyword_names(function) == ("depth", "width")


class Base:
    def __init__(self, *, low: int) -> None: ...


class Middle(Base):
    def __init__(self, *, high: int, **others: int) -> None: ...


class Youngest(Middle):
    """Has no constructor of its own."""


def test_a_class_with_others_takes_those_of_its_base() -> None:
    assert keyword_names(Youngest) == keyword_names(Middle) == ("high", "low")
