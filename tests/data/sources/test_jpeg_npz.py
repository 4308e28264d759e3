"""Files written here with PIL and numpy, and the shared copy of CIFAR-10."""

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sce_video.clips.decoders import VideoOpener
from sce_video.data.sources import read_jpeg_npz
from sce_video.errors import ManifestError

COLOURS = [(200, 30, 60), (10, 20, 230), (90, 250, 40)]  # of the three images, uniform: JPEG keeps them to 2 values


def jpeg(size: tuple[int, int] = (12, 8), colour: Any = (0, 0, 0), mode: str = "RGB") -> bytes:
    content = io.BytesIO()
    Image.new(mode, size, colour).save(content, "JPEG", quality=100)
    return content.getvalue()


def arrays_of(*images: bytes) -> dict[str, np.ndarray]:
    offsets = np.cumsum([0, *map(len, images)])
    return {"jpeg": np.frombuffer(b"".join(images), np.uint8), "offsets": offsets}


def three_images() -> dict[str, np.ndarray]:
    arrays = arrays_of(*(jpeg(colour=colour) for colour in COLOURS))
    return {**arrays, "labels": np.array([2, 0, 2]), "classes": np.array(["ant", "bee", "cat"])}


def written(tmp_path: Path, arrays: Mapping[str, np.ndarray], name: str = "train.npz") -> Path:
    file = tmp_path / name
    np.savez(file, **arrays)
    return file


def test_images_labels_and_classes(tmp_path: Path) -> None:
    listed = read_jpeg_npz(written(tmp_path, three_images()))
    assert list(listed.require_labels()) == [2, 0, 2]
    assert listed.class_names == {0: "ant", 1: "bee", 2: "cat"}
    videos = listed.opened_by(VideoOpener("pyav"))
    for video, colour in enumerate(COLOURS):
        with videos.open(video) as opened:
            (frame,) = opened.frames_at([0.0]).int()
            assert frame.shape == (3, 8, 12)
            assert (frame - frame.new_tensor(colour)[:, None, None]).abs().max() <= 2
    assert listed.name(1) == str(tmp_path / "train.npz" / "000001")


def test_without_labels_and_in_gray(tmp_path: Path) -> None:
    listed = read_jpeg_npz(written(tmp_path, arrays_of(jpeg(mode="L", colour=77))))
    assert (listed.labels, listed.class_names) == (None, None)
    with listed.opened_by(VideoOpener("pyav")).open(0) as opened:
        assert opened.frames_at([0.0]).unique().tolist() == [77]


def test_a_file_with_other_images_has_another_digest(tmp_path: Path) -> None:
    file = written(tmp_path, three_images())
    first = read_jpeg_npz(file).content_digest()
    assert read_jpeg_npz(file).content_digest() == first
    identity = read_jpeg_npz(file).identity_digest()
    os.utime(file, ns=(0, 0))
    assert read_jpeg_npz(file).content_digest() != first
    assert read_jpeg_npz(file).identity_digest() == identity
    file.write_bytes(file.read_bytes() + b"0")
    assert read_jpeg_npz(file).identity_digest() != identity


def changed(**arrays: np.ndarray | None) -> dict[str, np.ndarray]:
    return {name: array for name, array in {**three_images(), **arrays}.items() if array is not None}


OFFSETS = three_images()["offsets"]
BAD: dict[str, tuple[dict[str, np.ndarray], str]] = {
    "no jpeg": (changed(jpeg=None), "array jpeg is missing"),
    "jpeg of another type": (changed(jpeg=np.zeros(9, np.int8)), r"array jpeg is int8 \(9,\)"),
    "offsets in two dimensions": (changed(offsets=OFFSETS[None]), r"array offsets is int64 \(1, 4\)"),
    "offsets of another type": (changed(offsets=OFFSETS * 1.0), "array offsets is float64"),
    "no image": (changed(offsets=OFFSETS[:1]), r"array offsets is int64 \(1,\)"),
    "offsets that end early": (changed(offsets=OFFSETS[:3], labels=None), "do not rise from 0 to the"),
    "offsets that begin late": (changed(offsets=OFFSETS[1:], labels=None), "do not rise from 0 to the"),
    "offsets that fall": (changed(offsets=OFFSETS[[0, 2, 1, 3]]), "do not rise from 0 to the"),
    "enormous offsets": (changed(offsets=np.array([0, 2**64 - 1, 5, 7], np.uint64)), "do not rise from 0 to the"),
    "shifted offsets": (changed(offsets=np.add(OFFSETS, [0, 1, 0, 0])), "image 0 is not a whole JPEG file"),
    "labels of another length": (changed(labels=np.array([1, 2])), r"array labels is int64 \(2,\)"),
    "labels that are names": (changed(labels=np.array(["a", "b", "c"])), "array labels is <U1"),
    "a label without a name": (changed(labels=np.array([0, 3, 0])), "a label is 3, but there are names of 3 classes"),
    "an impossible label": (changed(labels=np.array([0, -2, 0])), "has the label -2"),
    "classes that are numbers": (changed(classes=np.arange(3)), "array classes is int64"),
    "pickled objects": (changed(classes=np.array([{}, {}, {}])), "cannot be read"),
    "images of two sizes": (arrays_of(jpeg(), jpeg((8, 12))), "image 1 has 8x12 pixels, image 0 12x8; .*image_folders"),
    "not a JPEG between the marks": (arrays_of(jpeg(), b"\xff\xd8junk\xff\xd9"), "image 1 cannot be decoded"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_refused_with_one_line(tmp_path: Path, case: str) -> None:
    arrays, message = BAD[case]
    file = written(tmp_path, arrays)
    with pytest.raises(ManifestError, match=message) as caught:
        read_jpeg_npz(file)
    assert str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)


def test_an_image_that_announces_more_pixels_than_fit_is_not_decoded(tmp_path: Path) -> None:
    content = bytearray(jpeg())
    size = content.index(b"\xff\xc0") + 5  # of the frame header: two bytes each for height and width
    content[size : size + 4] = b"\xea\x60\xea\x60"  # 60,000
    with pytest.raises(ManifestError, match="2 images of 60000x60000 pixels need more than 16 GiB|exceeds limit"):
        read_jpeg_npz(written(tmp_path, arrays_of(bytes(content), bytes(content))))


def test_files_that_are_no_archives(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "compressed.npz", **three_images())
    (tmp_path / "text.npz").write_text("no archive")
    (tmp_path / "damaged.npz").write_bytes(written(tmp_path, three_images()).read_bytes()[:-300])
    for name, reason in (("compressed", "jpeg.npy is compressed"), ("text", ""), ("damaged", ""), ("missing", "")):
        with pytest.raises(ManifestError, match=rf"{name}.npz cannot be read \({reason}.*; write it with numpy.savez"):
            read_jpeg_npz(tmp_path / f"{name}.npz")


def test_the_first_images_of_cifar10(shared_data: Path, tmp_path: Path) -> None:
    with np.load(shared_data / "cifar10" / "test.npz") as content:
        offsets, jpegs, classes = content["offsets"][:9], content["jpeg"], content["classes"]
        arrays = {"jpeg": jpegs[: offsets[-1]], "offsets": offsets, "labels": content["labels"][:8]}
    listed = read_jpeg_npz(written(tmp_path, {**arrays, "classes": classes}))
    assert listed.class_names is not None
    assert [listed.class_names[label] for label in listed.require_labels()] == ["airplane"] * 8
    videos = listed.opened_by(VideoOpener("pyav"))
    for video in range(8):
        image = Image.open(io.BytesIO(jpegs[offsets[video] : offsets[video + 1]].tobytes()))
        with videos.open(video) as opened:
            np.testing.assert_array_equal(opened.frames_at([0.0])[0].permute(1, 2, 0), np.asarray(image))
