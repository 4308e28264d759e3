"""Tar files written by Python's tarfile, as WebDataset lays them out."""

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path


def write_tar(file: Path, members: Mapping[str, bytes], *, format: int = tarfile.USTAR_FORMAT) -> Path:
    """Members in the order given."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, "w", format=format) as tar:
        for name, content in members.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            tar.addfile(about, io.BytesIO(content))
    return file
