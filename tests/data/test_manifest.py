from pathlib import Path

import pytest

from sce_video.data.manifest import Manifest, require_comparable
from sce_video.errors import ManifestError


def manifest(root: Path, labels: list[int] | None = None) -> Manifest:
    return Manifest(root=root, paths=["a b.mp4", "c/d.mp4"], labels=labels, origin="list.txt")


def test_paths_are_below_the_root(tmp_path: Path) -> None:
    videos = manifest(tmp_path)
    assert len(videos) == 2
    assert videos.path(1) == tmp_path / "c" / "d.mp4"


def test_labels_are_demanded_by_name_of_the_list(tmp_path: Path) -> None:
    assert manifest(tmp_path, [3, 0]).require_labels() == [3, 0]
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
