import pytest
from hypothesis import given
from hypothesis import strategies as st

from sce_video.engine.doctor.amounts import in_bytes, in_cores
from sce_video.engine.doctor.finding import Finding, PageSection, refusal, section_text, summary_text
from sce_video.errors import UserError

FINDINGS = [
    Finding("ok", "cores", "8 usable"),
    Finding("note", "load", "busy", "wait"),
    Finding("problem", "/dev/shm", "64 MiB free", "docker run --shm-size=8g"),
]


def test_levels_differ_without_colour() -> None:
    assert section_text(PageSection("Resources", FINDINGS)).splitlines() == [
        "== Resources ==",
        "  ok       cores: 8 usable",
        "  note     load: busy",
        "           -> wait",
        "! PROBLEM  /dev/shm: 64 MiB free",
        "           -> docker run --shm-size=8g",
    ]
    assert summary_text(FINDINGS) == "1 problem, 1 note, 1 ok"
    assert summary_text([]) == "0 problems, 0 notes, 0 ok"


def test_a_word_longer_than_a_line_is_broken() -> None:
    lines = section_text(PageSection("", [Finding("note", "path", "b" * 300, "b" * 300)])).splitlines()
    assert max(map(len, lines)) == 100


@given(st.text("ab /", max_size=400), st.text("ab /-", max_size=400))
def test_no_line_is_longer_than_100(fact: str, fix: str) -> None:
    text = section_text(PageSection(fact, [Finding("problem", "topic", fact, fix)]))
    assert max(map(len, text.splitlines())) <= 100
    assert text.replace(" ", "").replace("\n", "").count("b") == 2 * fact.count("b") + fix.count("b")


def test_the_fix_of_a_refusal_is_the_last_part_of_the_error() -> None:
    error = UserError("it cannot; be loaded; pip install it")
    assert refusal("x", error) == Finding("problem", "x", "it cannot; be loaded", "pip install it")
    assert refusal("x", UserError("no"), level="note", otherwise="yes") == Finding("note", "x", "no", "yes")


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (64 * 2**20, "64 MiB"),
        (9.94 * 2**30, "9.9 GiB"),
        (2**41, "2048 GiB"),
    ],
)
def test_bytes(count: float, text: str) -> None:
    assert in_bytes(count) == text


def test_cores() -> None:
    assert [in_cores(count) for count in (1, 1.5, 8)] == ["1 core", "1.5 cores", "8 cores"]
