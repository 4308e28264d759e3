import hashlib
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sce_video.data.manifest import Manifest, PackedTexts, require_comparable
from sce_video.errors import ManifestError


def manifest(root: Path, labels: list[int] | None = None) -> Manifest:
    return Manifest(root=root, paths=["a b.mp4", "c/d.mp4"], labels=labels, origin="list.txt")


def test_paths_are_below_the_root(tmp_path: Path) -> None:
    videos = manifest(tmp_path)
    assert len(videos) == 2
    assert videos.path(1) == tmp_path / "c" / "d.mp4"


def test_labels_are_demanded_by_name_of_the_list(tmp_path: Path) -> None:
    assert list(manifest(tmp_path, [3, 0]).require_labels()) == [3, 0]
    with pytest.raises(ManifestError, match="list.txt has no labels"):
        manifest(tmp_path).require_labels()


def test_a_wrong_root_is_noticed_at_once(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"none of the first 2 videos exists.*DATA.ROOT"):
        manifest(tmp_path).require_files()
    (tmp_path / "a b.mp4").touch()
    manifest(tmp_path).require_files()


def test_pairs_that_give_meaningless_numbers_are_refused(tmp_path: Path) -> None:
    train = manifest(tmp_path, [0, 1])
    other = Manifest(root=tmp_path, paths=["e.mp4", "f.mp4"], labels=[1, 2], origin="test.txt")
    with pytest.raises(ManifestError, match="test.txt has the label 2, which no video of list.txt has"):
        require_comparable(train, other)
    with pytest.raises(ManifestError, match="2 videos are in both list.txt and list.txt, such as .*a b.mp4"):
        require_comparable(train, train)
    require_comparable(train, Manifest(root=tmp_path, paths=["e.mp4"], labels=[1], origin="test.txt"))


@pytest.mark.parametrize(
    ("root", "path"),
    [("", "c//d.mp4"), ("", "./c/d.mp4"), ("c", "d.mp4"), ("", "c/e/../d.mp4"), ("elsewhere", "ROOT/c/d.mp4")],
)
def test_one_video_under_two_spellings_is_still_in_both(tmp_path: Path, root: str, path: str) -> None:
    path = path.replace("ROOT", str(tmp_path))
    test = Manifest(root=tmp_path / root, paths=["x.mp4", path], labels=[0, 0], origin="test.txt")
    with pytest.raises(ManifestError, match="1 videos are in both .*c/d.mp4"):
        require_comparable(manifest(tmp_path, [0, 1]), test)


def test_equal_names_below_other_roots_are_other_videos(tmp_path: Path) -> None:
    other = Manifest(root=tmp_path / "other", paths=["a b.mp4", "c/d.mp4"], labels=[0, 0], origin="test.txt")
    require_comparable(manifest(tmp_path, [0, 1]), other)


def test_the_digest_tells_lists_and_orders_apart_but_not_roots(tmp_path: Path) -> None:
    def digest(*paths: str, root: Path = tmp_path) -> str:
        return Manifest(root=root, paths=paths, labels=None, origin="list").digest()

    assert digest("a", "b") == digest("a", "b", root=tmp_path / "moved")
    assert len({digest("a", "b"), digest("b", "a"), digest("a"), digest("ab")}) == 4


def test_empty_lists_and_negative_labels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="lists no videos"):
        Manifest(root=tmp_path, paths=[], labels=None, origin="list.txt")
    with pytest.raises(ManifestError, match="label -1"):
        manifest(tmp_path, [0, -1])
    with pytest.raises(ManifestError, match="label 9223372036854775808"):
        manifest(tmp_path, [0, 2**63])


@pytest.mark.parametrize("parallel", [{"labels": [0]}, {"labels": None, "pixels": np.zeros((3, 2, 2, 3), np.uint8)}])
def test_what_is_parallel_to_the_videos_is_as_long(tmp_path: Path, parallel: dict) -> None:
    with pytest.raises(ValueError, match="list.txt: 2 videos, but"):
        Manifest(root=tmp_path, paths=["a", "b"], origin="list.txt", **parallel)


def test_videos_in_memory_need_no_files(tmp_path: Path) -> None:
    pixels = np.zeros((2, 4, 4, 3), np.uint8)
    Manifest(root=tmp_path, paths=["a", "b"], labels=None, origin="cifar10", pixels=pixels).require_files()


# File names as Python gives them: any bytes but zero.
NAMES = st.lists(st.binary(max_size=12).filter(lambda name: 0 not in name).map(os.fsdecode), min_size=1)


@given(NAMES)
def test_packed_texts_are_a_sequence_like_a_list(texts: list[str]) -> None:
    packed = PackedTexts(iter(texts))
    assert (len(packed), list(packed)) == (len(texts), texts)
    for index in range(-len(texts), len(texts)):
        assert packed[index] == texts[index]
    for index in (slice(1, 3), slice(None, None, -2), slice(-2, None)):
        assert packed[index] == texts[index]
    for index in (len(texts), -len(texts) - 1):
        with pytest.raises(IndexError):
            packed[index]
    assert list(pickle.loads(pickle.dumps(packed))) == texts
    assert list(PackedTexts([])) == []


@given(NAMES)
def test_the_digest_is_that_of_the_joined_names(names: list[str]) -> None:
    """Old checkpoints hold it: it must not change with how a manifest keeps its paths."""
    joined = os.fsencode("\n".join(names))
    assert Manifest(Path("/"), names, None, "list").digest() == hashlib.sha256(joined).hexdigest()


def test_a_digest_of_an_old_checkpoint(tmp_path: Path) -> None:
    expected = "f33a73d042d4912af3e099cdddb4e86090157e8b3c53f20f920159076c0c0f30"
    assert manifest(tmp_path).digest() == expected


def test_a_manifest_survives_the_way_to_a_loader_process(tmp_path: Path) -> None:
    sent = pickle.loads(pickle.dumps(manifest(tmp_path, [3, 0])))
    assert (list(sent.paths), list(sent.require_labels())) == (["a b.mp4", "c/d.mp4"], [3, 0])


def test_labels_are_plain_numbers(tmp_path: Path) -> None:
    labels = manifest(tmp_path, np.array([3, 0]).tolist()).require_labels()
    assert [type(label) for label in labels] == [int, int]
