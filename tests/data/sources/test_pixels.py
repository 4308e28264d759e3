"""Files in the data sets' own formats, written here; the MD5 sums that torchvision checks are those of these files."""

import hashlib
import io
import pickle
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import CIFAR10, CIFAR100, STL10

from sce_video.clips.decoders import VideoOpener
from sce_video.data.checks import require_files
from sce_video.data.sources import read_cifar10, read_cifar100, read_stl10
from sce_video.data.videos import ListedVideos
from sce_video.errors import ManifestError


def listed(file: Path, content: bytes) -> list[str]:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return [file.name, hashlib.md5(content).hexdigest()]


def some_images(num_images: int, side_pixels: int, seed: int) -> np.ndarray:
    shape = (num_images, side_pixels, side_pixels, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def cifar_batch(images: np.ndarray, key: str, labels: list[int]) -> bytes:
    """As on the data set's page: each row all red values, then all green, then all blue."""
    rows = np.stack([np.concatenate([image[..., channel].ravel() for channel in range(3)]) for image in images])
    return pickle.dumps({"data": rows, key: labels})


def check(manifest: ListedVideos, images: np.ndarray, labels: list[int] | None) -> None:
    videos = manifest.opened_by(VideoOpener("pyav"))
    for video, image in enumerate(images):
        with videos.open(video) as opened:
            np.testing.assert_array_equal(opened.frames_at([0.0])[0].permute(1, 2, 0), image, strict=True)
    assert (manifest.labels if labels is None else list(manifest.require_labels())) == labels
    assert len(set(manifest.paths)) == len(images)
    require_files(manifest, max_missing_share=0.0)


@pytest.fixture
def cifar10(tmp_path: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[np.ndarray, list[int]]:
    """Five training files and a test file of 4 real images each."""
    with np.load(shared_data / "cifar10" / "train.npz") as data:
        ends, labels = data["offsets"][:25], data["labels"][:24].tolist()
        jpeg = data["jpeg"][: ends[-1]].tobytes()
    files = [jpeg[start:end] for start, end in pairwise(ends.tolist())]
    images = np.stack([np.asarray(Image.open(io.BytesIO(file))) for file in files])
    folder = tmp_path / "cifar-10-batches-py"
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    batches = [
        listed(
            folder / name, cifar_batch(images[4 * index : 4 * index + 4], "labels", labels[4 * index : 4 * index + 4])
        )
        for index, name in enumerate(names)
    ]
    _, md5 = listed(folder / "batches.meta", pickle.dumps({"label_names": list("abcdefghij")}))
    monkeypatch.setattr(CIFAR10, "train_list", batches[:5])
    monkeypatch.setattr(CIFAR10, "test_list", batches[5:])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": md5})
    return images, labels


def test_cifar10(tmp_path: Path, cifar10: tuple[np.ndarray, list[int]]) -> None:
    images, labels = cifar10
    train, test = read_cifar10(tmp_path, "train"), read_cifar10(tmp_path, "test")
    check(train, images[:20], labels[:20])
    check(test, images[20:], labels[20:])
    assert not set(train.paths) & set(test.paths)


def test_cifar_files_that_are_not_the_published_ones_are_never_unpickled(
    tmp_path: Path, cifar10: tuple[np.ndarray, list[int]]
) -> None:
    trap = tmp_path / "sprung"
    attack = b"cbuiltins\nopen\n(V" + str(trap).encode() + b"\nVw\ntR."
    pickle.loads(attack).close()
    assert trap.exists()  # the trap works
    trap.unlink()
    (tmp_path / "cifar-10-batches-py" / "data_batch_2").write_bytes(attack)
    with pytest.raises(ManifestError, match="cifar-10-batches-py does not hold the files of CIFAR10 as published"):
        read_cifar10(tmp_path, "train")
    assert not trap.exists()


def test_cifar100_has_its_fine_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, images = tmp_path / "cifar-100-python", some_images(6, 32, seed=0)
    train = listed(folder / "train", cifar_batch(images[:4], "fine_labels", [99, 0, 5, 0]))
    test = listed(folder / "test", cifar_batch(images[4:], "fine_labels", [5, 99]))
    _, md5 = listed(folder / "meta", pickle.dumps({"fine_label_names": ["x"] * 100}))
    monkeypatch.setattr(CIFAR100, "train_list", [train])
    monkeypatch.setattr(CIFAR100, "test_list", [test])
    monkeypatch.setattr(CIFAR100, "meta", {**CIFAR100.meta, "md5": md5})
    check(read_cifar100(tmp_path, "train"), images[:4], [99, 0, 5, 0])
    check(read_cifar100(tmp_path, "test"), images[4:], [5, 99])


def test_stl10(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = some_images(9, 96, seed=1)
    # As on the data set's page: channel by channel, each column by column; labels from 1.
    stored = [image.transpose(2, 1, 0).tobytes() for image in images]
    folder = tmp_path / "stl10_binary"
    train = [listed(folder / "train_X.bin", b"".join(stored[:3])), listed(folder / "train_y.bin", bytes([1, 10, 3]))]
    unlabeled = listed(folder / "unlabeled_X.bin", b"".join(stored[3:7]))
    test = [listed(folder / "test_X.bin", b"".join(stored[7:])), listed(folder / "test_y.bin", bytes([10, 2]))]
    monkeypatch.setattr(STL10, "train_list", [*train, unlabeled])
    monkeypatch.setattr(STL10, "test_list", test)
    check(read_stl10(tmp_path, "train"), images[:3], [0, 9, 2])
    check(read_stl10(tmp_path, "unlabeled"), images[3:7], None)
    check(read_stl10(tmp_path, "train+unlabeled"), images[:7], None)
    check(read_stl10(tmp_path, "test"), images[7:], [9, 1])


@pytest.mark.parametrize(
    ("read", "folder"),
    [(read_cifar10, "cifar-10-batches-py"), (read_cifar100, "cifar-100-python"), (read_stl10, "stl10_binary")],
)
def test_missing_files_are_named_with_the_way_to_get_them(tmp_path: Path, read, folder: str) -> None:
    with pytest.raises(ManifestError, match=f"{folder} does not hold.*download=True"):
        read(tmp_path, "train")
