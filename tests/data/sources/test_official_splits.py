from collections.abc import Callable
from pathlib import Path

import pytest

from sce_video.data.checks import require_files
from sce_video.data.sources import read_hmdb51, read_ucf101
from sce_video.errors import ManifestError

Write = Callable[..., Path]


def test_ucf101_by_hand(write: Write, tmp_path: Path) -> None:
    write("classInd.txt", "1 Archery\n2 Biking\n")
    write("trainlist02.txt", "Biking/v_Biking_g01.avi 2\nArchery/v_Archery_g01.avi 1\n")
    write("testlist02.txt", "Archery/v_Archery_g09.avi\n")
    train, test = read_ucf101(Path("/videos"), tmp_path, 2)
    assert list(train.paths) == ["Biking/v_Biking_g01.avi", "Archery/v_Archery_g01.avi"]
    assert list(train.labels or []) == [1, 0]
    assert test.name(0) == "/videos/Archery/v_Archery_g09.avi"
    assert list(test.labels or []) == [0]


@pytest.mark.parametrize("prepared", ["{}.mp4", "{}.webm", "{}/frames.json"])
def test_prepared_videos_are_found_by_the_official_names(write: Write, tmp_path: Path, prepared: str) -> None:
    """The lists say .avi."""
    write("classInd.txt", "1 Archery\n2 Biking\n")
    write("trainlist01.txt", "Biking/v_Biking_g01.avi 2\n")
    write("testlist01.txt", "Archery/v_Archery_g09.avi\n")
    write("bike_test_split1.txt", "one.avi 1\ntwo.avi 2\n")
    for name in ("Biking/v_Biking_g01", "Archery/v_Archery_g09", "bike/one", "bike/two"):
        write(f"videos/{prepared.format(name)}")
    ending = prepared.removeprefix("{}").removesuffix("/frames.json")
    for videos, name in zip(
        (*read_ucf101(tmp_path / "videos", tmp_path, 1), *read_hmdb51(tmp_path / "videos", tmp_path, 1)),
        ("Biking/v_Biking_g01", "Archery/v_Archery_g09", "bike/one", "bike/two"),
        strict=True,
    ):
        require_files(videos, max_missing_share=0.0)
        assert videos.storage.file(videos.paths[0]) == f"{tmp_path}/videos/{name}{ending}"
        assert list(videos.paths) == [f"{name}.avi"]  # checkpoints and results have the official names


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("testlist02.txt", "Bowling/v_Bowling_g09.avi\n", "line 1: class 'Bowling' is not in classInd"),
        ("testlist02.txt", "Archery/../../secret.avi\n", "testlist02.txt, line 1: .* leaves DATA.ROOT"),
        ("classInd.txt", "1 Archery\nBiking 2\n", "classInd.txt, line 2: .*`1 ClassName`"),
        ("classInd.txt", "0 Archery\n1 Biking\n", "classInd.txt, line 1: .*`1 ClassName`"),
        ("classInd.txt", "9" * 5000 + " Archery\n1 Biking\n", "classInd.txt, line 1: .*`1 ClassName`"),
    ],
)
def test_malformed_ucf101_lists_are_refused(write: Write, tmp_path: Path, file: str, text: str, message: str) -> None:
    write("classInd.txt", "1 Archery\n2 Biking\n")
    write("trainlist02.txt", "Biking/v_Biking_g01.avi 2\n")
    write(file, text)
    with pytest.raises(ManifestError, match=message):
        read_ucf101(Path("/videos"), tmp_path, 2)


def test_hmdb51_by_hand(write: Write, tmp_path: Path) -> None:
    write("chew_test_split1.txt", "one two.avi 1 \nthree.avi 2 \nfour.avi 0 \n")
    write("wave_test_split1.txt", "five.avi 2 \nsix.avi 1\n")
    train, test = read_hmdb51(Path("/videos"), tmp_path, 1)
    assert list(zip(train.paths, train.labels or [], strict=True)) == [("chew/one two.avi", 0), ("wave/six.avi", 1)]
    assert list(zip(test.paths, test.labels or [], strict=True)) == [("chew/three.avi", 0), ("wave/five.avi", 1)]
    with pytest.raises(ManifestError, match="holds no file"):
        read_hmdb51(Path("/videos"), tmp_path, 2)


@pytest.mark.parametrize(("line", "message"), [("a.avi 3", "`video.avi 0|1|2`"), ("../../a.avi 1", "leaves DATA.ROOT")])
def test_malformed_hmdb51_lists_are_refused(write: Write, tmp_path: Path, line: str, message: str) -> None:
    write("chew_test_split1.txt", f"one.avi 1\n{line}\n")
    with pytest.raises(ManifestError, match=f"chew_test_split1.txt, line 2: .*{message}"):
        read_hmdb51(Path("/videos"), tmp_path, 1)


# Sizes as the data sets' authors give them.
@pytest.mark.parametrize(("split", "num_train", "num_test"), [(1, 9537, 3783), (2, 9586, 3734), (3, 9624, 3696)])
def test_official_ucf101_splits(shared_data: Path, split: int, num_train: int, num_test: int) -> None:
    train, test = read_ucf101(Path("/videos"), shared_data / "ucf101_splits", split)
    assert (len(train), len(test)) == (num_train, num_test)
    assert set(train.labels or []) == set(test.labels or []) == set(range(101))
    assert not set(train.paths) & set(test.paths)


def test_the_official_ucf101_lists_and_classes_agree(shared_data: Path) -> None:
    """The training lists carry the class number, which the reader takes from classInd.txt instead."""
    train, _ = read_ucf101(Path("/videos"), shared_data / "ucf101_splits", 1)
    numbers = [int(line.split()[1]) - 1 for line in (shared_data / "ucf101_splits/trainlist01.txt").open()]
    assert list(train.labels or []) == numbers


@pytest.mark.parametrize("split", [1, 2, 3])
def test_official_hmdb51_splits(shared_data: Path, split: int) -> None:
    train, test = read_hmdb51(Path("/videos"), shared_data / "hmdb51_splits", split)
    assert (len(train), len(test)) == (51 * 70, 51 * 30)
    assert set(train.labels or []) == set(test.labels or []) == set(range(51))
    assert not set(train.paths) & set(test.paths)
