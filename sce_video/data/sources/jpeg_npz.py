"""JPEG images of one size in a .npz file, each a video of one frame; decoded at the start and held in memory."""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sce_video.data.manifest import PackedTexts
from sce_video.data.sources.source import Source
from sce_video.data.storage import ImageArray
from sce_video.data.videos import ListedVideos
from sce_video.errors import ManifestError, reason_of
from sce_video.runtime.archives import require_plain_archive
from sce_video.special_files import refuse_special_file

_MOST_BYTES = 16 * 2**30  # of all images together, decoded
_BEGIN, _END = b"\xff\xd8", b"\xff\xd9"  # of a JPEG file
_OTHERWISE = "for images of several sizes, or for too many, save them as files and use DATA.SOURCE image_folders"


def read_jpeg_npz(file: Path | str) -> ListedVideos:
    """Images of one size from a file of `numpy.savez` (not compressed, without pickles).

    Its arrays: `jpeg` uint8 (bytes,), all JPEG files end to end; `offsets` integers (N + 1,), where each begins, and
    the end of the last; `labels` integers (N,), and `classes`, the names of labels 0, 1, ...; both may be left out.

    Raises:
        ManifestError: an array is missing or has an unexpected type or shape, an image cannot be decoded, images of
            several sizes, more than 16 GiB of pixels.
    """
    file = Path(file)
    arrays = _arrays(file)
    jpeg, limits = _require_files(file, arrays)
    num_images = len(limits) - 1
    labels, class_names = _labels(file, arrays, num_images=num_images)
    storage = ImageArray(file.parent, _decoded(file, jpeg, limits), origin=file)
    paths = PackedTexts(f"{file.name}/{image:06d}" for image in range(num_images))
    return ListedVideos(paths, labels, str(file), class_names=class_names, storage=storage)


def _arrays(file: Path) -> dict[str, NDArray[Any]]:
    try:
        refuse_special_file(file)
        require_plain_archive(file)
        with np.load(file, allow_pickle=False) as content:
            return {name: content[name] for name in ("jpeg", "offsets", "labels", "classes") if name in content}
    except Exception as error:  # a damaged file may raise anything
        reason = f"{file} cannot be read ({reason_of(error)})"
        raise ManifestError(f"{reason}; write it with numpy.savez, which does not compress") from error


def _require_files(file: Path, arrays: Mapping[str, NDArray[Any]]) -> tuple[NDArray[np.uint8], list[int]]:
    """`jpeg` and `offsets`, if these are the limits of JPEG files."""
    jpeg, offsets = arrays.get("jpeg"), arrays.get("offsets")
    if jpeg is None or jpeg.dtype != np.uint8 or jpeg.ndim != 1:
        raise ManifestError(f"{file}: its array jpeg is {_described(jpeg)}; it must be uint8 (bytes,)")
    if offsets is None or offsets.dtype.kind not in "iu" or offsets.ndim != 1 or len(offsets) < 2:
        raise ManifestError(f"{file}: its array offsets is {_described(offsets)}; it must be integers (images + 1,)")
    limits = offsets.tolist()  # Python's integers do not overflow
    lengths = [stop - start for start, stop in pairwise(limits)]
    if limits[0] != 0 or limits[-1] != len(jpeg) or min(lengths) < len(_BEGIN) + len(_END):
        raise ManifestError(f"{file}: its offsets do not rise from 0 to the {len(jpeg)} bytes of jpeg")
    for image, (start, stop) in enumerate(pairwise(limits)):
        if bytes(jpeg[[start, start + 1, stop - 2, stop - 1]]) != _BEGIN + _END:
            raise ManifestError(f"{file}: image {image} is not a whole JPEG file")
    return jpeg, limits


def _labels(
    file: Path, arrays: Mapping[str, NDArray[Any]], *, num_images: int
) -> tuple[list[int] | None, dict[int, str] | None]:
    labels, classes = arrays.get("labels"), arrays.get("classes")
    if labels is not None and (labels.dtype.kind not in "iu" or labels.shape != (num_images,)):
        raise ManifestError(f"{file}: its array labels is {_described(labels)}; it must be integers ({num_images},)")
    if classes is not None and (classes.dtype.kind != "U" or classes.ndim != 1):
        raise ManifestError(f"{file}: its array classes is {_described(classes)}; it must be names (classes,)")
    if labels is not None and classes is not None and labels.max() >= len(classes):
        raise ManifestError(f"{file}: a label is {labels.max()}, but there are names of {len(classes)} classes")
    return (
        None if labels is None else labels.tolist(),
        None if classes is None else dict(enumerate(classes.tolist())),
    )


def _described(array: NDArray[Any] | None) -> str:
    return "missing" if array is None else f"{array.dtype} {array.shape}"


def _decoded(file: Path, jpeg: NDArray[np.uint8], limits: list[int]) -> NDArray[np.uint8]:
    """The pixels of all images, uint8 (N, H, W, 3)."""
    pixels, size = np.empty(0, np.uint8), (0, 0)
    for image, (start, stop) in enumerate(pairwise(limits)):
        with _errors_of(file, image), Image.open(io.BytesIO(jpeg[start:stop].data), formats=["JPEG"]) as opened:
            if image == 0:
                size = opened.size
                pixels = _memory(file, len(limits) - 1, size)
            if opened.size != size:  # before a damaged file that announces an enormous image is decoded
                raise ManifestError(
                    f"{file}: image {image} has {_by(opened.size)} pixels, image 0 {_by(size)}; {_OTHERWISE}"
                )
            pixels[image] = opened.convert("RGB")
    return pixels


@contextmanager
def _errors_of(file: Path, image: int) -> Iterator[None]:
    try:
        yield
    except ManifestError:
        raise
    except Exception as error:  # PIL may raise anything
        raise ManifestError(f"{file}: image {image} cannot be decoded ({reason_of(error)})") from error


def _memory(file: Path, num_images: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    width, height = size
    if 3 * num_images * height * width > _MOST_BYTES:
        raise ManifestError(
            f"{file}: {num_images} images of {_by(size)} pixels need more than {_MOST_BYTES // 2**30} GiB; {_OTHERWISE}"
        )
    return np.empty((num_images, height, width, 3), np.uint8)


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


JPEG_NPZ = Source(
    lambda listing: read_jpeg_npz(listing.train),
    lambda listing: read_jpeg_npz(listing.test),
    train="file",
    needs_root=False,
    is_local=True,
    is_in_memory=True,
)
