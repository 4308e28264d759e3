"""Which archives are accepted, and which are refused before anything is loaded."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from sce_video.runtime.archives import require_plain_archive

CONTENT = bytes(range(256)) * 4


def archive(path: Path, *, compression: int = zipfile.ZIP_STORED, external_attr: int = 0) -> Path:
    entry = zipfile.ZipInfo("numbers")
    entry.compress_type, entry.external_attr = compression, external_attr
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr(entry, CONTENT)
    return path


@pytest.mark.parametrize("save", [torch.save, lambda content, file: np.savez(file, content=content)])
def test_what_torch_and_numpy_write_is_plain(tmp_path: Path, save: Callable) -> None:
    out = io.BytesIO()
    save(torch.arange(6.0), out)
    (tmp_path / "file").write_bytes(out.getvalue())
    require_plain_archive(tmp_path / "file")


def test_a_compressed_entry_could_be_of_any_size(tmp_path: Path) -> None:
    with pytest.raises(zipfile.BadZipFile, match="numbers is compressed"):
        require_plain_archive(archive(tmp_path / "a.zip", compression=zipfile.ZIP_DEFLATED))


def test_one_other_byte_is_a_wrong_checksum(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip")
    whole = bytearray(path.read_bytes())
    whole[whole.index(CONTENT) + 100] ^= 1
    path.write_bytes(whole)
    with pytest.raises(zipfile.BadZipFile, match="wrong checksum of numbers"):
        require_plain_archive(path)


def test_overlapping_entries(tmp_path: Path) -> None:
    """Its directory, 46 bytes and a name for each entry, lists the one entry twice; the record at the end counts it."""
    path = archive(tmp_path / "a.zip")
    whole = path.read_bytes()
    start, end = whole.index(b"PK\1\2"), whole.index(b"PK\5\6")
    record = bytearray(whole[end:])
    record[8:12] = (2).to_bytes(2, "little") * 2
    record[12:16] = (2 * (end - start)).to_bytes(4, "little")
    path.write_bytes(whole[:end] + whole[start:end] + record)
    with pytest.raises(zipfile.BadZipFile, match="its entries are larger than the file"):
        require_plain_archive(path)


def test_attributes_that_every_entry_must_have(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", external_attr=7)
    require_plain_archive(path, file_attributes=7)
    with pytest.raises(zipfile.BadZipFile, match="wrong header of numbers"):
        require_plain_archive(path, file_attributes=0)
