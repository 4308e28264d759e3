"""Writing of images to a folder of JPEG files with a `frames.json`."""

import hashlib
import io
import json
import os
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from sce_video.clips.decoders.images import FRAMES_FILE


def write_jpegs(folder: Path, images: Iterable[np.ndarray], *, fps: Fraction, quality: int) -> tuple[int, int, str]:
    """Write `000000.jpg`, `000001.jpg`, ... and `frames.json`; all files are synced to disk.

    Args:
        folder: created here.
        images: (H, W, 3) uint8, all of one size, at least one.
    Returns:
        number of images, bytes of all JPEG files, sha256 of their concatenation.
    """
    folder.mkdir()
    digest = hashlib.sha256()
    num_frames, num_bytes, size = 0, 0, (0, 0)
    previous, encoded = None, b""
    for num_frames, image in enumerate(images, start=1):
        if image is not previous:  # a repeated frame is encoded once
            encoded, previous, size = _jpeg(image, quality), image, image.shape[:2]
        (folder / f"{num_frames - 1:06d}.jpg").write_bytes(encoded)
        digest.update(encoded)
        num_bytes += len(encoded)
    facts = {"fps": float(fps), "num_frames": num_frames, "height": size[0], "width": size[1]}
    (folder / FRAMES_FILE).write_text(json.dumps(facts) + "\n", encoding="utf-8")
    for path in folder.iterdir():  # after the last write: the first sync does nearly all of the work
        sync(path)
    return num_frames, num_bytes, digest.hexdigest()


def _jpeg(image: np.ndarray, quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
