"""Integrity check of the zip archives that torch.save and numpy.savez write."""

import zipfile
from pathlib import Path


def require_plain_archive(path: Path, *, file_attributes: int | None = None) -> None:
    """Compare headers and checksums, which torch.load does not: it fills tensors with whatever is there.

    A compressed entry, or many that lie on one another, could be of any size.

    Args:
        file_attributes: those that every entry has.
    Raises:
        zipfile.BadZipFile: there are such entries, or a header or a checksum is wrong.
    """
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        for entry in entries:
            is_plain = entry.compress_type == zipfile.ZIP_STORED and entry.compress_size == entry.file_size
            if not is_plain or file_attributes not in (None, entry.external_attr):
                raise zipfile.BadZipFile(f"wrong header of {entry.filename}")
        if sum(entry.file_size for entry in entries) > path.stat().st_size:
            raise zipfile.BadZipFile("its entries are larger than the file")
        damaged = archive.testzip()
    if damaged:
        raise zipfile.BadZipFile(f"wrong checksum of {damaged}")
