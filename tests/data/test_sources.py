from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sce_video.data.sources import read_class_folders, read_folder, read_hmdb51, read_list, read_ucf101
from sce_video.errors import ManifestError

FILE_NAMES = st.text("abc XYZ_-,.0123456789é", min_size=1, max_size=20).map(lambda text: f"{text.strip()}.mp4")


def written(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("text", "paths", "labels"),
    [
        ("a/b.mp4 3\nc.mp4 0\n", ["a/b.mp4", "c.mp4"], [3, 0]),
        ("a/b.mp4,3\nc.mp4,0", ["a/b.mp4", "c.mp4"], [3, 0]),
        ("with space.mp4 1\n\n  other one.mp4   12  \n", ["with space.mp4", "other one.mp4"], [1, 12]),
        ("with, comma.mp4,1\n", ["with, comma.mp4"], [1]),
        ("a.mp4\nb c.mp4\n", ["a.mp4", "b c.mp4"], None),
        ("\ufeffa.mp4 1\r\nb.mp4 2\r\n", ["a.mp4", "b.mp4"], [1, 2]),
        ("a.mp4 3 300\nmy clip.AVI 0 251\n", ["a.mp4", "my clip.AVI"], [3, 0]),
        ("a.mp4,3,300\n", ["a.mp4"], [3]),
        ("frames of 7 3\n", ["frames of 7"], [3]),
        ("a --3\nb ²\n", ["a --3", "b ²"], None),
    ],
)
def test_lists(tmp_path: Path, text: str, paths: list[str], labels: list[int] | None) -> None:
    manifest = read_list(written(tmp_path, "list.txt", text), tmp_path)
    assert list(manifest.paths) == paths
    assert manifest.labels == labels


@given(st.lists(st.tuples(FILE_NAMES, st.integers(0, 700)), min_size=1, max_size=20), st.sampled_from([" ", ","]))
def test_lists_of_any_names_come_back(
    tmp_path_factory: pytest.TempPathFactory, videos: list[tuple[str, int]], separator: str
) -> None:
    folder = tmp_path_factory.mktemp("lists")
    text = "\n".join(f"{path}{separator}{label}" for path, label in videos)
    manifest = read_list(written(folder, "list.txt", text), folder)
    assert list(zip(manifest.paths, manifest.labels or [], strict=True)) == videos


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.mp4 1\nb.mp4\n", "line 2.*every line has a label or none"),
        ("", "lists no videos"),
        ("a.mp4 -1\n", "label -1"),
    ],
)
def test_bad_lists_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        read_list(written(tmp_path, "list.txt", text), tmp_path)


def test_missing_and_binary_lists_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="nowhere.txt cannot be read"):
        read_list(tmp_path / "nowhere.txt", tmp_path)
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(ManifestError, match="binary.txt cannot be read"):
        read_list(tmp_path / "binary.txt", tmp_path)


def test_ucf101_by_hand(tmp_path: Path) -> None:
    written(tmp_path, "classInd.txt", "1 Archery\n2 Biking\n")
    written(tmp_path, "trainlist02.txt", "Biking/v_Biking_g01.avi 2\nArchery/v_Archery_g01.avi 1\n")
    written(tmp_path, "testlist02.txt", "Archery/v_Archery_g09.avi\n")
    train, test = read_ucf101(Path("/videos"), tmp_path, 2)
    assert list(train.paths) == ["Biking/v_Biking_g01.avi", "Archery/v_Archery_g01.avi"]
    assert train.labels == [1, 0]
    assert test.path(0) == Path("/videos/Archery/v_Archery_g09.avi")
    assert test.labels == [0]
    written(tmp_path, "testlist02.txt", "Bowling/v_Bowling_g09.avi\n")
    with pytest.raises(ManifestError, match="'Bowling' is not in classInd"):
        read_ucf101(Path("/videos"), tmp_path, 2)


def test_hmdb51_by_hand(tmp_path: Path) -> None:
    written(tmp_path, "chew_test_split1.txt", "one two.avi 1 \nthree.avi 2 \nfour.avi 0 \n")
    written(tmp_path, "wave_test_split1.txt", "five.avi 2 \nsix.avi 1\n")
    train, test = read_hmdb51(Path("/videos"), tmp_path, 1)
    assert list(zip(train.paths, train.labels or [], strict=True)) == [("chew/one two.avi", 0), ("wave/six.avi", 1)]
    assert list(zip(test.paths, test.labels or [], strict=True)) == [("chew/three.avi", 0), ("wave/five.avi", 1)]
    with pytest.raises(ManifestError, match="holds no file"):
        read_hmdb51(Path("/videos"), tmp_path, 2)


# Sizes as the data sets' authors give them.
@pytest.mark.parametrize(("split", "num_train", "num_test"), [(1, 9537, 3783), (2, 9586, 3734), (3, 9624, 3696)])
def test_official_ucf101_splits(shared_data: Path, split: int, num_train: int, num_test: int) -> None:
    train, test = read_ucf101(Path("/videos"), shared_data / "ucf101_splits", split)
    assert (len(train), len(test)) == (num_train, num_test)
    assert set(train.labels or []) == set(test.labels or []) == set(range(101))
    assert not set(train.paths) & set(test.paths)


@pytest.mark.parametrize("split", [1, 2, 3])
def test_official_hmdb51_splits(shared_data: Path, split: int) -> None:
    train, test = read_hmdb51(Path("/videos"), shared_data / "hmdb51_splits", split)
    assert (len(train), len(test)) == (51 * 70, 51 * 30)
    assert not set(train.paths) & set(test.paths)


def test_class_folders_are_labelled_in_sorted_order(tmp_path: Path) -> None:
    for name in ("train/walk/b.mp4", "train/jump/x/a.AVI", "train/jump/notes.txt", "test/walk/c.webm"):
        written(tmp_path, name, "")
    train = read_class_folders(tmp_path, "train")
    assert list(zip(train.paths, train.labels or [], strict=True)) == [
        ("train/jump/x/a.AVI", 0),
        ("train/walk/b.mp4", 1),
    ]
    test = read_class_folders(tmp_path, "test", class_names=["jump", "walk"])
    assert test.labels == [1]
    with pytest.raises(ManifestError, match="'walk' is not among the 1 training classes"):
        read_class_folders(tmp_path, "test", class_names=["jump"])
    with pytest.raises(ManifestError, match="holds no class folders"):
        read_class_folders(tmp_path, "nowhere")


def test_plain_folders_have_no_labels(tmp_path: Path) -> None:
    for name in ("all/b.mp4", "all/a/c.mkv", "all/readme.md"):
        written(tmp_path, name, "")
    manifest = read_folder(tmp_path, "all")
    assert list(manifest.paths) == ["all/a/c.mkv", "all/b.mp4"]
    assert manifest.labels is None
    with pytest.raises(ManifestError, match="is not a folder"):
        read_folder(tmp_path, "nowhere")
