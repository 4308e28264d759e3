import logging
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sce_video.data.checks import require_comparable
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
        ("frames of 7 3\nother frames 2\n", ["frames of 7", "other frames"], [3, 2]),
        ("my clip.AVI; 3\nb.mp4;0\n", ["my clip.AVI", "b.mp4"], [3, 0]),
        ('"a, b 7.mp4",3\n"c ""d"".mp4" 4\ne.mp4,"5"\n', ["a, b 7.mp4", 'c "d".mp4', "e.mp4"], [3, 4, 5]),
        ('"frames 7"\t3\n', ["frames 7"], [3]),
        ("frames 7\t3\nfolder, 8\t4\n", ["frames 7", "folder, 8"], [3, 4]),
        ("a.mp4 3.0\nb,4.\n", ["a.mp4", "b"], [3, 4]),
        ("# made by me\na.mp4 1\n  #b.mp4 2\n./#c.mp4 3\n", ["a.mp4", "./#c.mp4"], [1, 3]),
        ("a.mp4 -1\nb.mp4 2\n", ["a.mp4", "b.mp4"], [-1, 2]),
        ("a.mp4 1\rb.mp4 2\r", ["a.mp4", "b.mp4"], [1, 2]),
        ("a.mp4,\nb.mp4,\n", ["a.mp4", "b.mp4"], None),
        ("a.mp4,7,\n", ["a.mp4"], [7]),
        ("a.mp4 3.mp4 4\n", ["a.mp4 3.mp4"], [4]),
        ('"b"c.mp4 3\n', ['"b"c.mp4'], [3]),
        ("a --3\nb ²\n", ["a --3", "b ²"], None),
        ("a\u2028b.mp4 1\n", ["a\u2028b.mp4"], [1]),
        # The first line may name the columns and so gives their order.
        ("path label\na.mp4 1\nfolder 2 3\n", ["a.mp4", "folder 2"], [1, 3]),
        ("path\nfolder 2 3\n", ["folder 2 3"], None),
        ("path,label\na.mp4,1\n", ["a.mp4"], [1]),
        ("Video ID;Frames;Label\nx;300;7\n", ["x"], [7]),
        ("path num_frames label\nfolder 7 300 1\n", ["folder 7"], [1]),
        ('# made by me\nsplit,label,path\ntrain,4,"a, b.mp4"\n', ["a, b.mp4"], [4]),
        ('path, label\n"a, b.mp4", "walk"\nc.mp4, jump\n', ["a, b.mp4", "c.mp4"], [1, 0]),
        ("path,num_frames\na.mp4,300\n", ["a.mp4"], None),
        # Names of classes, numbered in their order.
        ("b.mp4 walk\na.mp4,jump high\n", ["b.mp4", "a.mp4"], [1, 0]),
        ("b.mp4\tto walk\n", ["b.mp4"], [0]),
        ('a.mp4,"walk, run"\nb.mp4,jump\n', ["a.mp4", "b.mp4"], [1, 0]),
        ("path\tlabel\na.mp4\twalk\nb.mp4\tjump\n", ["a.mp4", "b.mp4"], [1, 0]),
        ("a.mp4\t3\n", ["a.mp4"], [3]),
    ],
)
def test_lists(write: Write, tmp_path: Path, text: str, paths: list[str], labels: list[int] | None) -> None:
    manifest = read_list(write("list.txt", text), tmp_path)
    assert list(manifest.paths) == paths
    assert listed(manifest.labels) == labels


@given(st.lists(st.tuples(FILE_NAMES, st.integers(0, 700)), min_size=1, max_size=20), st.sampled_from([" ", ","]))
def test_lists_of_any_names_round_trip(
    tmp_path_factory: pytest.TempPathFactory, videos: list[tuple[str, int]], separator: str
) -> None:
    file = tmp_path_factory.mktemp("lists") / "list.txt"
    file.write_text("\n".join(f"{path}{separator}{label}" for path, label in videos), encoding="utf-8")
    manifest = read_list(file, file.parent)
    assert list(zip(manifest.paths, manifest.labels or [], strict=True)) == videos


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.mp4 1\nb.mp4\n", "line 2: .*every line has a label or none"),
        ("", "lists no videos"),
        ("b.mp4 0\na.mp4 -2\n", "line 2: 'a.mp4' has the label -2; labels count classes from 0"),
        ("b.mp4 0\n\na.mp4 1000000000\n", "line 3: 'a.mp4' has the label 1000000000"),
        ("a.mp4 99999999999999999999\n", "line 1: 99999999999999999999 after the path 'a.mp4' is not a label"),
        ("a.mp4 " + "9" * 5000, "line 1: 9+ after the path 'a.mp4' is not a label"),
        ("a.mp4 3.5\n", "line 1: 3.5 after the path 'a.mp4' is not a label"),
        # A third column, several labels: which number is the label?
        ("x.mp4 0\na.mp4 300 3\n", "line 2: after the path 'a.mp4' come 2 numbers, 300 3; .*path,num_frames,label"),
        ("a.mp4,3,300\n", "line 1: after the path 'a.mp4' come 2 numbers, 3 300;"),
        ("frames of 7 300 3\nother frames 251 3\n", "line 2: after the path 'other frames' come 2 numbers, 251 3;"),
        ("a.mp4 3 7 12\n", "line 1: after the path 'a.mp4' come 3 numbers, 3 7 12;.*a video has one label"),
        ("a.mp4,3;7\n", "come 2 numbers, 3 7;"),
        ("b.mp4 1\na.mp4,,3\n", "line 2: after the path 'a.mp4' comes ',3'; quote it if it is one class name"),
        ("a.mp4 1\nb.mp4 walk\n", "line 2: after the path 'b.mp4' comes the text 'walk', elsewhere a number"),
        ("a.mp4 train 3\n", "line 1: after the path 'a.mp4' comes 'train 3'; quote it if it is one class name"),
        ("a.mp4 walk\nb.mp4 train jump\n", "line 2: after the path 'b.mp4' comes 'train jump'; quote it if"),
        ("a.mp4,walk,300\n", "line 1: after the path 'a.mp4' comes 'walk,300'; quote it if it is one class name"),
        ("vid,cls\na.mp4,3\n", "line 1: after the path 'vid,cls' comes nothing, elsewhere a number"),
        ("path,label\na.mp4,walk\nb.mp4,3\n", "line 3: 'b.mp4' has the label 3, but .*line 2: 'a.mp4' has 'walk'"),
        ("path,label\na, b.mp4,3\n", "line 2: 'a, b.mp4,3' has 3 columns, but the header has 2; quote"),
        ("path,label\n,3\n", "line 2: there is no path"),
        ("label,youtube_id,time_start,time_end,split\nx,y,1,2,train\n", "DATA.SOURCE kinetics"),
        ("path,label,class\na.mp4,3,x\n", "columns 'label' and 'class' of its header may both be the label"),
        ("path label\n", "lists no videos"),
        ("a\tb.mp4 1\n", r"line 1: 'a\\tb.mp4' has a control character"),
        ("x.mp4 0\n\x1b[2Ja.mp4 1\n", r"line 2: '\\x1b\[2Ja.mp4' has a control character"),
        ("x" * 20_000, "line 1 has 20000 characters"),
        (HEADER, "lists no videos"),
        (HEADER + f"a.mp4\t1{REST}\nb.mp4\t{REST}\n", "line 3: .*every line has a label or none"),
        (
            HEADER + f"b.mp4\t1{REST}\na.mp4\tjump{REST}\n",
            "line 3: 'a.mp4' has the label 'jump', but .*'b.mp4' has 1;",
        ),
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
    for content, words in (
        ("a.mp4 1\n".encode("utf-16-le"), "zero bytes"),
        (b"a.mp4 1\n\0", "zero bytes"),
        (b"\xff\xfea", "begins like UTF-16"),
    ):
        (tmp_path / "binary.txt").write_bytes(content)
        with pytest.raises(ManifestError, match=f"binary.txt cannot be read .*{words}"):
            read_list(tmp_path / "binary.txt", tmp_path)
    os.mkfifo(tmp_path / "pipe.txt")
    for name, words in (("pipe.txt", "it is a FIFO"), (".", "Is a directory")):
        with pytest.raises(ManifestError, match=f"cannot be read .*{words}"):
            read_list(tmp_path / name, tmp_path)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_lists_that_windows_programs_write(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "list.txt").write_bytes("é.mp4\t1\r\nb.mp4\t0\r\n".encode(encoding))
    manifest = read_list(tmp_path / "list.txt", tmp_path)
    assert (list(manifest.paths), listed(manifest.labels)) == (["é.mp4", "b.mp4"], [1, 0])


@pytest.mark.parametrize(
    ("columns", "text", "paths", "labels"),
    [
        ("path,num_frames,label", "a 7.mp4 300 3\nv_x 251 4\n", ["a 7.mp4", "v_x"], [3, 4]),
        ("path,label,num_frames", "a.mp4,3,300\nb c,4,251\n", ["a.mp4", "b c"], [3, 4]),
        ("path,num_frames", "a.mp4 300\nfolder 251\n", ["a.mp4", "folder"], None),
        ("path, label", "folder jump\nother folder walk\n", ["folder", "other folder"], [0, 1]),
        ("path,num_frames,label", "a.mp4,300,jump high\nb.mp4,200,walk\n", ["a.mp4", "b.mp4"], [0, 1]),
        ("path,label", "a.mp4 300\nb.mp4 299\n", ["a.mp4", "b.mp4"], [300, 299]),
        ("path", "folder 7\na.mp4\n", ["folder 7", "a.mp4"], None),
        ("path,label", "path label\nfolder 2\n", ["folder"], [2]),
    ],
)
def test_configured_columns(
    write: Write, tmp_path: Path, columns: str, text: str, paths: list[str], labels: list[int] | None
) -> None:
    manifest = read_list(write("list.txt", text), tmp_path, columns=columns)
    assert (list(manifest.paths), listed(manifest.labels)) == (paths, labels)
    assert manifest.label_kind != "guessed"


@pytest.mark.parametrize(
    ("columns", "text", "labels"),
    [
        ("", "path,label,group\na.mp4,1,night\nb.mp4,0,\n", [1, 0]),
        ("", "video;group;label\na;night;1\nb;;0\n", [1, 0]),
        ("", "group,video\nnight,a\n,b\n", None),
        ("", "path\tlabel\tfps\tgroup\na.mp4\t1\t25\tnight\n\nb.mp4\t0\t25\n", [1, 0]),
        ("", 'path group\nfolder 7 night\nb ""\n', None),
        ("path,label,group", 'a.mp4 1 night\nb.mp4,0,""\n', [1, 0]),
    ],
)
def test_groups(write: Write, tmp_path: Path, columns: str, text: str, labels: list[int] | None) -> None:
    manifest = read_list(write("list.txt", text), tmp_path, columns=columns)
    assert list(manifest.groups or []) == ["night", ""]
    assert listed(manifest.labels) == labels
    assert list(manifest.part([1], origin="part").groups or []) == [""]
    assert read_list(write("list.txt", "a.mp4 1\n"), tmp_path).groups is None
    by_columns = read_list(write("list.txt", "a.mp4 7\nfolder 8,9\n"), tmp_path, columns="path,group")
    assert list(zip(by_columns.paths, by_columns.groups or [], strict=True)) == [("a.mp4", "7"), ("folder 8", "9")]


@pytest.mark.parametrize(
    ("columns", "text", "message"),
    [
        ("label,path", "a.mp4 3\n", "DATA.LIST_COLUMNS is 'label,path'; it must be one of path "),
        ("path,path", "a.mp4 3\n", "DATA.LIST_COLUMNS is 'path,path'"),
        ("path,score", "a.mp4 3\n", "DATA.LIST_COLUMNS is 'path,score'"),
        ("path,label", "a.mp4 3\nb.mp4 300 3\n", "line 2: after the path 'b.mp4' comes '300 3', but the columns are"),
        (
            "path,num_frames,label",
            "a.mp4 3\n",
            "line 1: after the path 'a.mp4' comes '3', but the columns are",
        ),
        ("path,num_frames,label", "a.mp4 x 3\n", "line 1: after the path 'a.mp4' comes 'x 3'"),
        ("path,label", "folder\n", "line 1: after the path 'folder' comes nothing"),
    ],
)
def test_lines_without_the_configured_columns_are_refused(
    write: Write, tmp_path: Path, columns: str, text: str, message: str
) -> None:
    with pytest.raises(ManifestError, match=message):
        read_list(write("list.txt", text), tmp_path, columns=columns)


def test_lines_are_counted_as_an_editor_does(write: Write, tmp_path: Path) -> None:
    manifest = read_list(write("list.txt", "# videos\n\na.mp4 1\nb.mp4 0\n\nc 2\n"), tmp_path)
    assert [manifest.where(video).rpartition(", ")[2] for video in range(3)] == ["line 3", "line 4", "line 6"]
    assert isinstance(read_list(write("list.txt", "#\na.mp4 1\nb.mp4 0\n"), tmp_path).lines, range)


def test_comments_are_logged(write: Write, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A name may begin with #."""
    with caplog.at_level(logging.INFO, logger="sce_video"):
        read_list(write("list.txt", "a.mp4 1\n#dance/b.mp4 2\n"), tmp_path)
    assert "list.txt: 1 lines that begin with # are comments, the first is line 2" in caplog.text


def test_class_names_are_read_beside_the_list(write: Write, tmp_path: Path) -> None:
    write("classes.txt", "walk\njump high\nrun\n")
    numbers = read_list(write("list.txt", "a.mp4 1\n"), tmp_path)
    assert numbers.class_names == {0: "walk", 1: "jump high", 2: "run"}
    names = read_list(write("names.txt", "a.mp4,jump high\nb.mp4 walk\n"), tmp_path)
    assert (listed(names.labels), names.class_names) == ([1, 0], numbers.class_names)
    with pytest.raises(ManifestError, match="line 2: 'b.mp4' has the label 'swim', which is not one of the 3 classes"):
        read_list(write("names.txt", "a.mp4 walk\nb.mp4 swim\n"), tmp_path)


def test_a_test_list_is_numbered_as_the_training_list(write: Write, tmp_path: Path) -> None:
    train = read_list(write("train.txt", "a.mp4 walk\nb.mp4 jump\nc.mp4 run\n"), tmp_path)
    assert (listed(train.labels), train.class_names) == ([2, 0, 1], {0: "jump", 1: "run", 2: "walk"})
    test = read_list(write("test.txt", "d.mp4 walk\n"), tmp_path, class_names=lambda: train.class_names)
    assert listed(test.labels) == [2]
    with pytest.raises(ManifestError, match="test.txt, line 1: .*'swim', which is not one of the 3 classes"):
        read_list(write("test.txt", "d.mp4 swim\n"), tmp_path, class_names=lambda: train.class_names)


def test_names_in_one_list_and_unexplained_numbers_in_the_other_are_refused(write: Write, tmp_path: Path) -> None:
    """`walk` is 1 in the sorted order of the names; the class of the number 1 is unknown."""
    names, numbers = write("names.txt", "a.mp4 run\nb.mp4 walk\n"), write("numbers.txt", "c.mp4 0\nd.mp4 1\n")
    for train, test in ((names, numbers), (numbers, names)):
        read = read_list(train, tmp_path)
        with pytest.raises(
            ManifestError, match=r"names.txt has class names as labels and .*numbers.txt numbers .*classes.txt"
        ):
            require_comparable(read, read_list(test, tmp_path, class_names=lambda read=read: read.class_names))
    write("classes.txt", "walk\nrun\n")
    require_comparable(read_list(numbers, tmp_path), read_list(names, tmp_path))


def test_a_label_that_is_another_class_elsewhere_is_refused(write: Write, tmp_path: Path) -> None:
    for folder, names in (("one", "walk\nrun\n"), ("two", "run\nwalk\n")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "classes.txt").write_text(names)
        (tmp_path / folder / "list.txt").write_text(f"{folder}.mp4 0\n{folder}_.mp4 1\n")
    train, test = (read_list(tmp_path / folder / "list.txt", tmp_path) for folder in ("one", "two"))
    with pytest.raises(ManifestError, match=r"label 0 is 'run' in .*two/list.txt and 'walk' in .*one/list.txt"):
        require_comparable(train, test)


# What can be below a root: any bytes that a file system takes, apart from control characters.
PATHS = (
    st.binary(min_size=1, max_size=12)
    .map(lambda name: re.sub("[\x00-\x1f\x7f-\x9f]", "_", f"d/{os.fsdecode(name)}"))
    .filter(lambda path: not os.path.normpath(path).startswith(".."))
)


@given(
    paths=st.lists(PATHS, min_size=1, max_size=20), first_label=st.integers(0, 700) | st.none(), is_short=st.booleans()
)
def test_prepared_manifests_of_any_names_round_trip(
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


def test_without_a_root_absolute_paths_may_be_anywhere(write: Write) -> None:
    manifest = read_list(write("list.txt", "/data/a.mp4 1\n/other/../b.mp4 2\n"), Path(""))
    assert manifest.name(0) == "/data/a.mp4"
    with pytest.raises(ManifestError, match="line 1: '../a.mp4' leaves"):
        read_list(write("list.txt", "../a.mp4 1\n"), Path(""))


def test_a_relative_root_may_be_spelled_out(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    list_file = write("list.txt", f"{tmp_path}/videos/a.mp4 1\n")
    assert read_list(list_file, Path("videos")).name(0) == f"{tmp_path}/videos/a.mp4"
    with pytest.raises(ManifestError, match="leaves DATA.ROOT 'clips'"):
        read_list(list_file, Path("clips"))


def test_paths_may_be_str(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a/1.mp4 0\nb/2.mp4 1\n")
    of_texts, of_paths = read_list(f"{tmp_path}/list.txt", str(tmp_path)), read_list(tmp_path / "list.txt", tmp_path)
    assert (of_texts.storage, list(of_texts.paths)) == (of_paths.storage, list(of_paths.paths))
    assert read_list(f"{tmp_path}/list.txt", "s3://bucket/v").name(0) == "s3://bucket/v/a/1.mp4"
