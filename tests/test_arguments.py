from sce_video.arguments import takes


class Piece:
    def __init__(self, data: int, *, width: int) -> None: ...


class Heir(Piece):
    pass


def function(first: int, /, second: int = 0, *, depth: int, width: int = 2, **_: int) -> None: ...


def test_a_piece_takes_what_is_by_keyword_alone() -> None:
    assert takes(Piece) == takes(Heir) == ("width",)
    assert takes(function) == ("depth", "width")
