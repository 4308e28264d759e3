"""Integrity check of the zip archives that torch.save and numpy.savez write."""

import zipfile
from pathlib import Path


def require_plain_archive(path: Path, *, file_attributes: int | None = None) -> None:
    """Check headers and checksums, which torch.load ignores, and refuse entries that could unpack to any size.

    Args:
        file_attributes: required of every entry, if given.
    Raises:
        zipfile.BadZipFile: a header or a checksum is wrong, or entries are compressed or overlap.
    """
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        for entry in entries:
            if entry.compress_type != zipfile.ZIP_STORED:
                raise zipfile.BadZipFile(f"{entry.filename} is compressed")
            if entry.compress_size != entry.file_size or file_attributes not in (None, entry.external_attr):
                raise zipfile.BadZipFile(f"wrong header of {entry.filename}")
        if sum(entry.file_size for entry in entries) > path.stat().st_size:
            raise zipfile.BadZipFile("its entries are larger than the file")
        damaged = archive.testzip()
    if damaged:
        raise zipfile.BadZipFile(f"wrong checksum of {damaged}")
