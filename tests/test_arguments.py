from sce_video.arguments import keyword_names


class Piece:
    def __init__(self, data: int, *, width: int) -> None: ...


class Heir(Piece):
    pass


def function(first: int, /, second: int = 0, *, depth: int, width: int = 2, **_: int) -> None: ...


def test_settings_are_the_keyword_only_arguments() -> None:
    assert keyword_names(Piece) == keyword_names(Heir) == ("width",)
    assert keyword_names(function) == ("depth", "width")
