import logging
from pathlib import Path

import numpy as np
import pytest

from sce_video.data.checks import require_comparable, require_files, warn_of_duplicates
from sce_video.data.manifest import PackedTexts
from sce_video.data.storage import ImageArray
from sce_video.data.videos import ListedVideos, videos_from_paths
from sce_video.errors import ManifestError


def listed(root: Path, num_videos: int, *, num_there: int) -> ListedVideos:
    for video in range(num_there):
        (root / f"{video}.mp4").touch()
    paths = [f"{video}.avi" for video in range(num_videos)]
    return videos_from_paths(root, paths, None, "list.txt", lines=range(1, num_videos + 1))


def test_a_wrong_root_is_noticed_at_once(tmp_path: Path) -> None:
    words = f"^list.txt: none of the 3 videos exists, for example {tmp_path}/0.avi .list.txt, line 1.; check DATA.ROOT"
    with pytest.raises(ManifestError, match=words):
        require_files(listed(tmp_path, 3, num_there=0), max_missing_share=1.0)
    require_files(listed(tmp_path, 3, num_there=3), max_missing_share=0.0)


def test_missing_files_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    videos = listed(tmp_path, 200, num_there=180)
    require_files(videos, max_missing_share=0.1)
    missing = f"list.txt: 20 of the 200 videos do not exist, for example {tmp_path}/180.avi (list.txt, line 181)"
    assert caplog.messages == [missing]
    with pytest.raises(ManifestError) as raised:
        require_files(videos, max_missing_share=0.09)
    assert str(raised.value) == f"{missing}; DATA.MAX_FAILED_SHARE 0.09 allows fewer"


def test_a_sample_of_a_long_list_is_checked(tmp_path: Path) -> None:
    """Only the first half exists; checking just the first 32 would not notice."""
    videos = listed(tmp_path, 10_000, num_there=5_000)
    with pytest.raises(ManifestError, match="1024 of the 2048 videos checked do not exist"):
        require_files(videos, max_missing_share=0.49)


def test_videos_in_memory_need_no_files(tmp_path: Path) -> None:
    storage = ImageArray(tmp_path, np.zeros((2, 4, 4, 3), np.uint8))
    require_files(ListedVideos(PackedTexts(["0", "1"]), None, "cifar10", storage=storage), max_missing_share=0.0)


def test_duplicates_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    paths = ["a", "b", "a", "c", "a", "c"]
    warn_of_duplicates(videos_from_paths(Path(), paths, [0, 1, 0, 2, 3, 2], "list.txt", lines=range(1, 7)))
    assert caplog.messages == [
        "list.txt: 2 videos are listed more than once, such as a (line 1: label 0, line 3: label 0)",
        "list.txt: 1 videos are listed with different labels, such as a (line 1: label 0, line 5: label 3)",
    ]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    caplog.clear()
    paths = ["x/a", "./x/a", "http://h//b", "http://h/b"]
    warn_of_duplicates(videos_from_paths(Path(), paths, [0, 1, 0, 0], "list.txt"))
    assert caplog.messages == [
        "list.txt: 1 videos are listed more than once, such as x/a (number 1: label 0, number 2: label 1)",
        "list.txt: 1 videos are listed with different labels, such as x/a (number 1: label 0, number 2: label 1)",
    ]
    caplog.clear()
    warn_of_duplicates(videos_from_paths(Path(), ["a", "b"], [0, 0], "list.txt"))
    assert caplog.messages == []


def manifest(root: Path, labels: list[int] | None = None) -> ListedVideos:
    return videos_from_paths(root=root, paths=["a b.mp4", "c/d.mp4"], labels=labels, origin="list.txt")


def test_pairs_that_give_meaningless_numbers_are_refused(tmp_path: Path) -> None:
    train = manifest(tmp_path, [0, 1])
    other = videos_from_paths(root=tmp_path, paths=["e.mp4", "f.mp4"], labels=[1, 2], origin="test.txt")
    with pytest.raises(ManifestError, match="test.txt has the label 2, which no video of list.txt has"):
        require_comparable(train, other)
    with pytest.raises(ManifestError, match="2 videos are in both list.txt and list.txt, such as .*a b.mp4"):
        require_comparable(train, train)
    require_comparable(train, videos_from_paths(root=tmp_path, paths=["e.mp4"], labels=[1], origin="test.txt"))


@pytest.mark.parametrize(
    ("root", "path"),
    [("", "c//d.mp4"), ("", "./c/d.mp4"), ("c", "d.mp4"), ("", "c/e/../d.mp4"), ("elsewhere", "ROOT/c/d.mp4")],
)
def test_one_video_under_two_spellings_is_still_in_both(tmp_path: Path, root: str, path: str) -> None:
    path = path.replace("ROOT", str(tmp_path))
    test = videos_from_paths(root=tmp_path / root, paths=["x.mp4", path], labels=[0, 0], origin="test.txt")
    with pytest.raises(ManifestError, match="1 videos are in both .*c/d.mp4"):
        require_comparable(manifest(tmp_path, [0, 1]), test)


def test_equal_names_below_other_roots_are_other_videos(tmp_path: Path) -> None:
    other = videos_from_paths(root=tmp_path / "other", paths=["a b.mp4", "c/d.mp4"], labels=[0, 0], origin="test.txt")
    require_comparable(manifest(tmp_path, [0, 1]), other)


def require(train: ListedVideos) -> None:
    test = videos_from_paths(Path(), ["test.mp4"], [train.require_labels()[0]], "test.txt")
    require_comparable(train, test)


def test_secrets_of_a_lists_urls_are_never_shown() -> None:
    """Signed URLs of a list are sent to the server, but not shown in errors and results."""
    paths = ["https://me:hun@ter2@host/a b.mp4?X-Amz-Signature=hunter2 x", "https://host/@me/c.mp4"]
    signed = videos_from_paths(root=Path(), paths=paths, labels=[0, 1], origin="list.txt")
    assert list(signed.shown_paths) == ["https://***@host/a b.mp4?***", "https://host/@me/c.mp4"]
    assert signed.name(0) == "https://***@host/a b.mp4?***"
    with pytest.raises(ManifestError, match="2 videos are in both") as caught:
        require_comparable(signed, signed)
    assert "ter2" not in str(caught.value)


def classes(num_videos: int, labels: list[int], *, guessed: bool = False) -> ListedVideos:
    paths = [f"{video}.mp4" for video in range(num_videos)]
    return videos_from_paths(
        Path(),
        paths,
        (labels * num_videos)[:num_videos],
        "train.txt",
        lines=range(1, num_videos + 1),
        label_kind="guessed" if guessed else "stated",
    )


def test_the_number_of_classes_must_fit_that_of_videos() -> None:
    require(classes(20, [0, 399]))  # a few videos of Kinetics-400
    require(classes(600, [0, 5999]))
    with pytest.raises(ManifestError, match="train.txt, line 2: '1.mp4' has the label 6000, but there are 600 videos"):
        require(classes(600, [0, 6000]))
    with pytest.raises(ManifestError, match="line 2: '1.mp4' has the label 1000, but there are 20 videos"):
        require(classes(20, [0, 1000]))


def test_numbers_of_frames_are_not_labels() -> None:
    lengths = [300, 250, 37, 300, 299]
    with pytest.raises(ManifestError, match="line 1: '0.mp4' has the label 300, .*numbers of frames.*LIST_COLUMNS"):
        require(classes(60, lengths, guessed=True))
    require(classes(60, lengths))  # declared as labels
    require(classes(60, list(range(8, 30)), guessed=True))  # a part of the classes
    require(classes(60, [3, 7, 200], guessed=True))
