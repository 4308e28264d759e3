"""CIFAR-10, CIFAR-100 and STL-10 through torchvision's readers: each image is a video of one frame, held in memory."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sce_video.data.manifest import PackedTexts
from sce_video.data.sources.source import Source
from sce_video.data.storage import ImageArray
from sce_video.data.videos import ListedVideos
from sce_video.errors import ManifestError

if TYPE_CHECKING:
    from torchvision.datasets import CIFAR10, STL10


def read_cifar10(root: Path | str, part: str) -> ListedVideos:
    """Images of 32x32 pixels from `root/cifar-10-batches-py`; `part` is train or test.

    Raises:
        ManifestError: files are missing or not the published ones (MD5); no others are opened, as they are pickles.
    """
    root = Path(root)
    from torchvision.datasets import CIFAR10

    return _read_cifar(CIFAR10, "cifar10", root, part)


def read_cifar100(root: Path | str, part: str) -> ListedVideos:
    """As `read_cifar10`, from `root/cifar-100-python`, with the 100 fine classes."""
    root = Path(root)
    from torchvision.datasets import CIFAR100

    return _read_cifar(CIFAR100, "cifar100", root, part)


def read_stl10(root: Path | str, part: str) -> ListedVideos:
    """Images of 96x96 pixels from `root/stl10_binary`.

    Args:
        part: train, test, unlabeled or train+unlabeled; the last two have no labels.
    Raises:
        ManifestError: files are missing or not the published ones (MD5).
    """
    root = Path(root)
    from torchvision.datasets import STL10

    try:
        images = STL10(str(root), split=part, download=False)
    except RuntimeError as error:
        raise _not_found(STL10, root) from error
    pixels = images.data.transpose(0, 2, 3, 1)  # (N, C, H, W) -> (N, H, W, C)
    labels = None if "unlabeled" in part else images.labels.tolist()
    return _manifest("stl10", root, part, pixels, labels, getattr(images, "classes", ()))


def _read_cifar(reader: "type[CIFAR10]", name: str, root: Path, part: str) -> ListedVideos:
    try:
        images = reader(str(root), train=part == "train", download=False)
    except RuntimeError as error:
        raise _not_found(reader, root) from error
    return _manifest(name, root, part, images.data, images.targets, getattr(images, "classes", ()))


def _not_found(reader: "type[CIFAR10 | STL10]", root: Path) -> ManifestError:
    return ManifestError(
        f"{root / reader.base_folder} does not hold the files of {reader.__name__} as published (by their MD5 sums); "
        f"torchvision.datasets.{reader.__name__}({str(root)!r}, download=True) fetches them"
    )


def _manifest(
    name: str, root: Path, part: str, pixels: np.ndarray, labels: list[int] | None, classes: Sequence[str]
) -> ListedVideos:
    paths = [f"{name}/{part}/{image:06d}" for image in range(len(pixels))]
    origin, class_names = f"{name} {part} in {root}", dict(enumerate(classes)) or None
    storage = ImageArray(root, pixels)
    return ListedVideos(PackedTexts(paths), labels, origin, class_names=class_names, storage=storage)


CIFAR_10 = Source(
    lambda listing: read_cifar10(listing.root, "train"),
    lambda listing: read_cifar10(listing.root, "test"),
    is_local=True,
    is_in_memory=True,
)
CIFAR_100 = Source(
    lambda listing: read_cifar100(listing.root, "train"),
    lambda listing: read_cifar100(listing.root, "test"),
    is_local=True,
    is_in_memory=True,
)
STL_10 = Source(
    lambda listing: read_stl10(listing.root, listing.train),
    lambda listing: read_stl10(listing.root, "test"),
    train="part",
    parts=("train", "unlabeled", "train+unlabeled"),
    is_local=True,
    is_in_memory=True,
)
