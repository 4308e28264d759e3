import unicodedata

import pytest

from sce_video.plain_text import escaped, needs_escape


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Überflug 日本 \u00a0🎬.mp4", "Überflug 日本 \u00a0🎬.mp4"),
        ("a\x1b[2J\x1b]0;owned\x07.mp4", r"a\x1b[2J\x1b]0;owned\x07.mp4"),
        ("\x9b31mred", r"\x9b31mred"),  # an escape of one byte
        ("exe.\u202egpj", r"exe.\u202egpj"),
        ("\u2066a\u2069\u200f", r"\u2066a\u2069\u200f"),
        ("a\nb\rc\td\u2028e", r"a\nb\rc\td\u2028e"),
        (b"caf\xe9.avi".decode("utf-8", "surrogateescape"), r"caf\xe9.avi"),
        ("\ud800", r"\ud800"),
        ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"),  # joiners belong to words
        (r"\x1b as text", r"\x1b as text"),
    ],
)
def test_escaped(text: str, expected: str) -> None:
    assert escaped(text) == expected


def test_no_control_character_or_change_of_direction_is_left() -> None:
    bidirectional = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
    for code in range(0x110000):
        if code < 0x20 or 0x7F <= code < 0xA0 or unicodedata.bidirectional(chr(code)) in bidirectional:
            assert needs_escape(chr(code)), hex(code)
    text = "".join(map(chr, range(0x3000)))
    assert not any(map(needs_escape, escaped(text)))
    assert len(escaped(text, kept="\n").splitlines()) == 2
