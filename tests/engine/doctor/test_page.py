from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sce_video.engine.doctor.amounts import in_bytes, in_cores
from sce_video.engine.doctor.examine import read_subject
from sce_video.engine.doctor.finding import Finding, Section, refusal, section_text, summary_text
from sce_video.errors import UserError

REPOSITORY = Path(__file__).resolve().parents[3]
FINDINGS = [
    Finding("ok", "cores", "8 usable"),
    Finding("note", "load", "busy", "wait"),
    Finding("problem", "/dev/shm", "64 MiB free", "docker run --shm-size=8g"),
]


def test_levels_can_be_told_apart_without_colour() -> None:
    assert section_text(Section("Resources", FINDINGS)).splitlines() == [
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
    lines = section_text(Section("", [Finding("note", "path", "b" * 300, "b" * 300)])).splitlines()
    assert max(map(len, lines)) == 100


@given(st.text("ab /", max_size=400), st.text("ab /-", max_size=400))
def test_no_line_is_longer_than_100(fact: str, way_out: str) -> None:
    text = section_text(Section(fact, [Finding("problem", "topic", fact, way_out)]))
    assert max(map(len, text.splitlines())) <= 100
    assert text.replace(" ", "").replace("\n", "").count("b") == 2 * fact.count("b") + way_out.count("b")


def test_the_way_out_of_a_refusal_is_its_last_part() -> None:
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


def test_lists_are_relative_to_their_folder_or_to_the_configs_root(motion_videos: Path, tmp_path: Path) -> None:
    inside = motion_videos / "doctor.txt"
    inside.write_text("".join(f"{path.relative_to(motion_videos)} 0\n" for path in motion_videos.glob("test/*/*.mp4")))
    subject = read_subject(inside, config_file=None, run_dir=None)
    assert subject.videos is not None
    assert len(subject.videos) == 8
    elsewhere = tmp_path / "list.txt"
    elsewhere.write_text(inside.read_text())
    config = tmp_path / "config.yaml"
    config.write_text(f"DATA: {{ROOT: {motion_videos}, TRAIN: {elsewhere}}}\n")
    for path in (elsewhere, None):
        subject = read_subject(path, config_file=config, run_dir=None)
        assert subject.videos is not None
        assert len(subject.videos) == 8
    inside.unlink()
    with pytest.raises(UserError, match="none of the 8 videos exists"):
        read_subject(elsewhere, config_file=None, run_dir=None)


def test_a_sample_is_taken_and_is_always_the_same(tmp_path: Path) -> None:
    for number in range(60):
        (tmp_path / f"{number}.mp4").touch()
    first, second = (read_subject(tmp_path, config_file=None, run_dir=None).videos for _ in range(2))
    assert first is not None
    assert second is not None
    assert len(set(first.paths)) == 24
    assert list(first.paths) == list(second.paths)
    assert list(first.paths) != sorted(first.paths)
    assert first.origin.startswith("24 of 60 videos of ")


def test_videos_that_only_the_config_names_may_be_missing() -> None:
    subject = read_subject(None, config_file=REPOSITORY / "configs" / "k400_sce.yaml", run_dir=None)
    assert subject.videos is None
    assert subject.missing is not None
    assert subject.missing.level == "problem"
    assert "data/k400/train.csv" in subject.missing.fact
    subject = read_subject(None, config_file=None, run_dir=None)
    assert subject.missing is not None
    assert subject.missing.level == "note"


def test_what_was_given_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere does not exist"):
        read_subject(tmp_path / "nowhere", config_file=None, run_dir=None)
    with pytest.raises(UserError, match="holds no videos"):
        read_subject(tmp_path, config_file=None, run_dir=None)
    with pytest.raises(UserError, match="does not exist"):
        read_subject(None, config_file=tmp_path / "no.yaml", run_dir=None)
