import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sce_video.data.sources import read_list
from sce_video.errors import ManifestError

Write = Callable[..., Path]
FILE_NAMES = st.text("abc XYZ_-,.0123456789é", min_size=1, max_size=20).map(lambda text: f"{text.strip()}.mp4")
HEADER = "path\tlabel\tduration_seconds\tfps\theight\twidth\tnum_frames\tbytes\tsha256\n"
REST = "\t10.0\t29.97\t256\t340\t300\t123456\t" + 64 * "a"


def listed(labels: object) -> list[int] | None:
    return None if labels is None else list(labels)


@pytest.mark.parametrize(
    ("text", "paths", "labels"),
    [
        ("a/b.mp4 3\nc.mp4 0\n", ["a/b.mp4", "c.mp4"], [3, 0]),
        ("a/b.mp4,3\nc.mp4,0", ["a/b.mp4", "c.mp4"], [3, 0]),
        ("with space.mp4 1\n\n  other one.mp4   12  \n", ["with space.mp4", "other one.mp4"], [1, 12]),
        ("with, comma.mp4,1\n", ["with, comma.mp4"], [1]),
        ("a.mp4 , 1\nb.mp4, 2\n", ["a.mp4", "b.mp4"], [1, 2]),
        ("a.mp4\nb c.mp4\n", ["a.mp4", "b c.mp4"], None),
        ("\ufeffa.mp4 1\r\nb.mp4 2\r\n", ["a.mp4", "b.mp4"], [1, 2]),
        ("a.mp4 3 300\nmy clip.AVI 0 251\n", ["a.mp4", "my clip.AVI"], [3, 0]),
        ("a.mp4,3,300\n", ["a.mp4"], [3]),
        ("frames of 7 3\n", ["frames of 7"], [3]),
        ("a --3\nb ²\n", ["a --3", "b ²"], None),
        ("a\u2028b.mp4 1\n", ["a\u2028b.mp4"], [1]),
        ("a\tb.mp4 1\n", ["a\tb.mp4"], [1]),
        ("path label\n", ["path label"], None),
        ("a.mp4 b\na.mp4 ²\n", ["a.mp4 b", "a.mp4 ²"], None),
        ("a.mp4\t3\n", ["a.mp4"], [3]),
    ],
)
def test_lists(write: Write, tmp_path: Path, text: str, paths: list[str], labels: list[int] | None) -> None:
    manifest = read_list(write("list.txt", text), tmp_path)
    assert list(manifest.paths) == paths
    assert listed(manifest.labels) == labels


@given(st.lists(st.tuples(FILE_NAMES, st.integers(0, 700)), min_size=1, max_size=20), st.sampled_from([" ", ","]))
def test_lists_of_any_names_come_back(
    tmp_path_factory: pytest.TempPathFactory, videos: list[tuple[str, int]], separator: str
) -> None:
    file = tmp_path_factory.mktemp("lists") / "list.txt"
    file.write_text("\n".join(f"{path}{separator}{label}" for path, label in videos), encoding="utf-8")
    manifest = read_list(file, file.parent)
    assert list(zip(manifest.paths, manifest.labels or [], strict=True)) == videos


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.mp4 1\nb.mp4\n", "line 2.*every line has a label or none"),
        ("", "lists no videos"),
        ("a.mp4 -1\n", "label -1"),
        ("a.mp4 99999999999999999999\n", "label 99999999999999999999"),
        (HEADER, "lists no videos"),
        (HEADER + f"a.mp4\t1{REST}\nb.mp4\t{REST}\n", "line 3.*every line has a label or none"),
        (HEADER + f"a.mp4\tjump{REST}\n", "line 2: .*path<tab>label"),
        (HEADER + f"\t1{REST}\n", "line 2: .*path<tab>label"),
        (HEADER + "\n\na.mp4 1\n", "line 4: .*path<tab>label"),
    ],
)
def test_bad_lists_are_refused(write: Write, tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        read_list(write("list.txt", text), tmp_path)


def test_missing_and_binary_lists_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="nowhere.txt cannot be read"):
        read_list(tmp_path / "nowhere.txt", tmp_path)
    (tmp_path / "binary.txt").write_bytes("a.mp4 1\n".encode("utf-16"))
    with pytest.raises(ManifestError, match="binary.txt cannot be read .*zero bytes"):
        read_list(tmp_path / "binary.txt", tmp_path)


# What can be below a root: any bytes that a file system takes, apart from the two that the format cannot hold.
PATHS = (
    st.binary(min_size=1, max_size=12)
    .filter(lambda name: not set(name) & set(b"\0\n\t"))
    .map(lambda name: f"d/{os.fsdecode(name)}")
    .filter(lambda path: not os.path.normpath(path).startswith(".."))
)


@given(
    paths=st.lists(PATHS, min_size=1, max_size=20), first_label=st.integers(0, 700) | st.none(), is_short=st.booleans()
)
def test_prepared_manifests_of_any_names_come_back(
    tmp_path_factory: pytest.TempPathFactory, paths: list[str], first_label: int | None, is_short: bool
) -> None:
    labels = None if first_label is None else list(range(first_label, first_label + len(paths)))
    fields = zip(paths, labels or [""] * len(paths), strict=True)
    text = "".join(f"{path}\t{label}{'' if is_short else REST}\n" for path, label in fields)
    file = tmp_path_factory.mktemp("lists") / "prepared.tsv"
    file.write_bytes(os.fsencode(("path\tlabel\n" if is_short else HEADER) + text))
    manifest = read_list(file, file.parent)
    assert list(manifest.paths) == paths
    assert listed(manifest.labels) == labels


def test_a_prepared_manifest_that_an_editor_wrote_back(write: Write, tmp_path: Path) -> None:
    text = "\ufeff" + HEADER + f"my clip 7\t3{REST}\n\n b.mp4\t0{REST}\n"
    manifest = read_list(write("prepared.tsv", text.replace("\n", "\r\n")), tmp_path)
    assert list(zip(manifest.paths, manifest.labels or [], strict=True)) == [("my clip 7", 3), (" b.mp4", 0)]
    manifest = read_list(write("short.tsv", "path\tlabel\r\na.mp4\t\r\nb.mp4\t\r\n"), tmp_path)
    assert (list(manifest.paths), manifest.labels) == (["a.mp4", "b.mp4"], None)


@pytest.mark.parametrize(
    "line", ["../a.mp4", "b/../../a.mp4", "..", "/elsewhere/a.mp4", "ROOT/../a.mp4", "ROOT-2/a.mp4"]
)
@pytest.mark.parametrize("text", ["fine.mp4 1\n{} 1\n", HEADER.rstrip("\n") + "\n{}\t1" + REST])
def test_no_line_leaves_the_root(write: Write, tmp_path: Path, line: str, text: str) -> None:
    root = tmp_path / "videos"
    list_file = write("list.txt", text.format(line.replace("ROOT", str(root))))
    with pytest.raises(ManifestError, match=r"list.txt, line 2: .*a.mp4' leaves DATA.ROOT|line 2: '..' leaves"):
        read_list(list_file, root)


@pytest.mark.parametrize("line", ["b/../a.mp4", "a..mp4", "..a/b.mp4", "ROOT/a.mp4", "ROOT/b/../a.mp4", "./a.mp4"])
def test_paths_that_only_seem_to_leave_the_root(write: Write, tmp_path: Path, line: str) -> None:
    line = line.replace("ROOT", str(tmp_path))
    assert read_list(write("list.txt", f"{line} 1\n"), tmp_path).paths[0] == line


def test_without_a_root_absolute_paths_may_lie_anywhere(write: Write) -> None:
    manifest = read_list(write("list.txt", "/data/a.mp4 1\n/other/../b.mp4 2\n"), Path(""))
    assert manifest.path(0) == Path("/data/a.mp4")
    with pytest.raises(ManifestError, match="line 1: '../a.mp4' leaves"):
        read_list(write("list.txt", "../a.mp4 1\n"), Path(""))


def test_a_relative_root_may_be_spelled_out(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    list_file = write("list.txt", f"{tmp_path}/videos/a.mp4 1\n")
    assert read_list(list_file, Path("videos")).path(0) == tmp_path / "videos" / "a.mp4"
    with pytest.raises(ManifestError, match="leaves DATA.ROOT 'clips'"):
        read_list(list_file, Path("clips"))
