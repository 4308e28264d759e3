from collections.abc import Callable
from pathlib import Path

import pytest

from sce_video.data.sources import read_moments
from sce_video.errors import ManifestError

Write = Callable[..., Path]
CATEGORIES = "playing+music,1\nclapping,0\n"


def test_moments_by_hand(write: Write, tmp_path: Path) -> None:
    write("moments_categories.txt", CATEGORIES)
    write("trainingSet.csv", 'playing+music/a.mp4,playing+music,3,0\n"clapping/b, c.mp4",clapping,2,1\n')
    write("validationSet.csv", "clapping/a.mp4,clapping\n")
    train = read_moments(Path("/moments"), tmp_path, "training")
    assert list(train.paths) == ["training/playing+music/a.mp4", "training/clapping/b, c.mp4"]
    assert list(train.require_labels()) == [1, 0]
    test = read_moments(Path("/moments"), tmp_path, "validation")
    assert test.name(0) == "/moments/validation/clapping/a.mp4"


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("moments_categories.txt", "clapping\n", "moments_categories.txt, line 1: .*`class,number`"),
        ("moments_categories.txt", "clapping,one\n", "moments_categories.txt, line 1: .*`class,number`"),
        ("trainingSet.csv", "clapping/a.mp4,clapping\nx/b.mp4,jumping\n", "trainingSet.csv, line 2: .*with a class of"),
        ("trainingSet.csv", "clapping/a.mp4\n", "trainingSet.csv, line 1: .*`path,class`"),
        ("trainingSet.csv", "../../a.mp4,clapping\n", "trainingSet.csv, line 1: .*leaves DATA.ROOT"),
    ],
)
def test_malformed_files_are_refused(write: Write, tmp_path: Path, file: str, text: str, message: str) -> None:
    write("moments_categories.txt", CATEGORIES)
    write("trainingSet.csv", "clapping/a.mp4,clapping\n")
    write(file, text)
    with pytest.raises(ManifestError, match=message):
        read_moments(tmp_path, tmp_path, "training")
