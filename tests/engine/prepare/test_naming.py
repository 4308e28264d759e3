"""Output names are unique, short enough, and not taken by foreign files."""

from pathlib import PurePosixPath

from hypothesis import given
from hypothesis import strategies as st

from sce_video.engine.prepare.naming import REPORTS, name_outputs, num_bytes


def test_names_by_hand() -> None:
    assert name_outputs(["x/a.avi", "x/a.mkv", "x/b.MP4"], suffix=".mp4", earlier={}) == {
        "x/a.avi": "x/a.mp4",
        "x/a.mkv": "x/a.mkv.mp4",
        "x/b.MP4": "x/b.mp4",
    }
    # what ends in .mp4 already keeps its name, wherever the alphabet puts it
    assert name_outputs(["a.avi", "a.mp4"], suffix=".mp4", earlier={}) == {"a.avi": "a.avi.mp4", "a.mp4": "a.mp4"}
    assert name_outputs(["a.b.mp4"], suffix="", earlier={}) == {"a.b.mp4": "a.b"}
    # a folder of that name is in the way
    assert name_outputs(["a.avi", "a/b.avi"], suffix="", earlier={}) == {"a.avi": "a.avi", "a/b.avi": "a/b"}
    for name in ("manifest.tsv.mp4", "classes.txt.mp4"):  # of files that this program writes
        assert name_outputs([name], suffix="", earlier={}) == {name: name}


def test_names_are_kept_when_a_file_is_added() -> None:
    earlier = name_outputs(["a.mkv"], suffix=".mp4", earlier={})
    assert name_outputs(["a.avi", "a.mkv"], suffix=".mp4", earlier=earlier) == {
        "a.avi": "a.avi.mp4",
        "a.mkv": "a.mp4",
    }


def test_an_earlier_name_that_is_taken_now_is_not_kept() -> None:
    both = {"a.avi": "a.mp4", "a.mkv": "a.mp4"}  # the first was away for a while
    assert name_outputs(both, suffix=".mp4", earlier=both) == {"a.avi": "a.mp4", "a.mkv": "a.mkv.mp4"}
    assert name_outputs(["a.avi", "a/b.avi"], suffix="", earlier={"a.avi": "a"})["a.avi"] == "a.avi"


PARTS = st.sampled_from(["a", "b", "a.mp4", "a.avi", "a.avi.mp4", "a.avi.2.mp4", "b.mkv", "report.json", "a.mp4.avi"])
SOURCES = st.lists(
    st.tuples(st.lists(PARTS, max_size=2), st.sampled_from(["a.mp4", "a.avi", "a.mkv", "a.avi.mp4", "a.avi.2.mp4"])),
    max_size=12,
).map(lambda found: sorted({"/".join([*folders, name]) for folders, name in found}))


@given(SOURCES, SOURCES, st.sampled_from([".mp4", ""]))
def test_no_two_outputs_are_the_same_or_inside_each_other(sources: list[str], before: list[str], suffix: str) -> None:
    folders = {str(parent) for source in sources for parent in PurePosixPath(source).parents}
    sources = [source for source in sources if source not in folders]  # as a file system has it
    earlier = name_outputs(before, suffix=suffix, earlier={})
    outputs = name_outputs(sources, suffix=suffix, earlier=earlier)
    assert outputs.keys() == set(sources)
    names = list(outputs.values())
    assert len(set(names)) == len(names)
    inner = {str(parent) for name in names for parent in PurePosixPath(name).parents}
    assert not inner & set(names)
    assert all(
        PurePosixPath(name).parent == PurePosixPath(source).parent
        for source, name in outputs.items()
        if not source.startswith("report.json/")
    )
    assert not any(PurePosixPath(name).parts[0] in REPORTS for name in names)
    assert all(name.endswith(suffix) for name in names)


def test_class_folders_named_like_a_report_get_a_number() -> None:
    sources = ["report.json/a.avi", "report.json.2/b.avi", "Classes.TXT/deep/c.avi", "x/report.txt/d.avi"]
    assert name_outputs(sources, suffix=".mp4", earlier={}) == {
        "report.json/a.avi": "report.json.3/a.mp4",
        "report.json.2/b.avi": "report.json.2/b.mp4",
        "Classes.TXT/deep/c.avi": "Classes.TXT.2/deep/c.mp4",
        "x/report.txt/d.avi": "x/report.txt/d.mp4",
    }


def test_names_of_foreign_files_are_not_used() -> None:
    foreign = {"a.mp4", "a.avi.mp4", "b.mp4"}
    outputs = name_outputs(["a.avi", "b.avi"], suffix=".mp4", earlier={}, is_free=lambda name: name not in foreign)
    assert outputs == {"a.avi": "a.avi.2.mp4", "b.avi": "b.avi.mp4"}
    # nor is an earlier name kept
    earlier = {"b.avi": "b.mp4"}
    assert name_outputs(["b.avi"], suffix=".mp4", earlier=earlier, is_free=lambda name: name not in foreign) == {
        "b.avi": "b.avi.mp4"
    }


def test_long_names_are_truncated_at_whole_characters() -> None:
    long = "ž" * 126  # 252 bytes
    outputs = name_outputs([f"x/{long}.ts", f"x/{long}.rm"], suffix=".mp4", earlier={})
    assert len(set(outputs.values())) == 2
    for name in outputs.values():
        assert name.startswith("x/" + "ž" * 100)
        assert name.endswith(".mp4")
        assert num_bytes(PurePosixPath(name).name) <= 255
    assert name_outputs([f"x/{long}.ts", f"x/{long}.rm"], suffix=".mp4", earlier=outputs) == outputs


@given(
    st.lists(st.tuples(st.text("ab€", min_size=1, max_size=90), st.sampled_from([".ts", ".mp4", ".webm"])), max_size=8),
    st.integers(64, 140),
)
def test_all_names_fit(found: list[tuple[str, str]], limit: int) -> None:
    sources = sorted({stem + suffix for stem, suffix in found})
    outputs = name_outputs(sources, suffix=".mp4", earlier={}, max_name_bytes=limit)
    assert outputs.keys() == set(sources)
    assert len(set(outputs.values())) == len(sources)
    assert all(num_bytes(name) <= limit and name.endswith(".mp4") for name in outputs.values())
