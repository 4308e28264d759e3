import hashlib
import os
import pickle
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sce_video.data.manifest import Manifest, PackedTexts
from sce_video.errors import ManifestError


def manifest(labels: list[int] | None = None) -> Manifest:
    return Manifest(PackedTexts(["a b.mp4", "c/d.mp4"]), labels, "list.txt")


def test_a_list_without_labels_is_named() -> None:
    assert list(manifest([3, 0]).require_labels()) == [3, 0]
    with pytest.raises(ManifestError, match="list.txt has no labels"):
        manifest().require_labels()


def test_the_digest_differs_between_lists_and_orders() -> None:
    def digest(*paths: str) -> str:
        return Manifest(PackedTexts(paths), None, "list").digest()

    assert len({digest("a", "b"), digest("b", "a"), digest("a"), digest("ab")}) == 4


def test_empty_lists_and_invalid_labels_are_refused() -> None:
    with pytest.raises(ManifestError, match="lists no videos"):
        Manifest(PackedTexts([]), None, "list.txt")
    for label in (-2, 10**6, 2**63):
        with pytest.raises(ManifestError, match=f"list.txt: 'c/d.mp4' has the label {label};"):
            manifest([0, label])
    assert list(manifest([0, 10**6 - 1]).require_labels()) == [0, 10**6 - 1]


def test_minus_one_is_no_label() -> None:
    """Test lists have it; it is refused only where labels are used."""
    unlabelled = replace(manifest([0, -1]), lines=[4, 7])
    assert list(unlabelled.labels or ()) == [0, -1]
    with pytest.raises(ManifestError, match="list.txt, line 7: 'c/d.mp4' has the label -1, which means no label"):
        unlabelled.require_labels()


@pytest.mark.parametrize("path", ["a\nb.mp4", "a\tb.mp4", "\x1b[31m.mp4", "a\x7f", "a\x85.mp4", "\x9b.mp4"])
def test_control_characters_in_paths_are_refused(path: str) -> None:
    with pytest.raises(ManifestError) as raised:
        Manifest(PackedTexts(["fine é\u2028\xa0.mp4", path]), None, "list.txt", lines=range(3, 5))
    assert str(raised.value).startswith(f"list.txt, line 4: {path!r} has a control character in it")
    with pytest.raises(ManifestError, match="list.txt: the class .* has a control character"):
        Manifest(PackedTexts(["fine.mp4"]), [0], "list.txt", class_names={0: "a", 1: path})
    Manifest(PackedTexts(["fine é\u2028\xa0.mp4", os.fsdecode(b"latin \xe9\x85.mp4")]), None, "list.txt")


def test_a_part_of_a_part_has_the_lines_of_the_whole() -> None:
    paths, lines = [f"{video}.mp4" for video in range(40)], range(1, 41)
    whole = Manifest(PackedTexts(paths), [0, 1] * 20, "train.txt", lines=lines)
    half = whole.balanced_part(share=0.5, seed=0)
    assert all(half.where(video).endswith(f"line {int(half.paths[video][:-4]) + 1}") for video in range(len(half)))
    assert replace(manifest(), origin="x").where(0) == "x"


def test_labels_are_as_many_as_videos() -> None:
    with pytest.raises(ValueError, match="list.txt: 2 videos, but"):
        manifest([0])


# File names in Python: any bytes but zero.
NAMES = st.lists(st.binary(max_size=12).filter(lambda name: 0 not in name).map(os.fsdecode), min_size=1)


@given(NAMES)
def test_packed_texts_behave_like_a_list(texts: list[str]) -> None:
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


@given(NAMES.map(lambda names: [re.sub("[\x00-\x1f\x7f-\x9f]", "_", name) for name in names]))
def test_the_digest_is_that_of_the_joined_names(names: list[str]) -> None:
    """Old checkpoints have it: it must not depend on how a manifest keeps its paths."""
    joined = os.fsencode("\n".join(names))
    assert Manifest(PackedTexts(names), None, "list").digest() == hashlib.sha256(joined).hexdigest()


def test_a_digest_of_an_old_checkpoint() -> None:
    expected = "f33a73d042d4912af3e099cdddb4e86090157e8b3c53f20f920159076c0c0f30"
    assert manifest().digest() == expected


def test_a_manifest_can_be_pickled() -> None:
    sent = pickle.loads(pickle.dumps(manifest([3, 0])))
    assert (list(sent.paths), list(sent.require_labels())) == (["a b.mp4", "c/d.mp4"], [3, 0])


def test_labels_are_plain_numbers() -> None:
    labels = manifest(np.array([3, 0]).tolist()).require_labels()
    assert [type(label) for label in labels] == [int, int]
