"""Refusal of FIFOs, devices and sockets; a test that hangs has opened one."""

import os
import socket
from pathlib import Path

import pytest

from sce_video.special_files import SpecialFileError, read_small_file, refuse_special_file


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "fifo")
    return tmp_path / "fifo"


def test_a_fifo_and_a_link_to_it(fifo: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(fifo)
    for path in (fifo, str(fifo), tmp_path / "link"):
        with pytest.raises(SpecialFileError, match="it is a FIFO, not a file") as caught:
            refuse_special_file(path)
        assert isinstance(caught.value, OSError)
        assert caught.value.filename == os.fspath(path)
        with pytest.raises(SpecialFileError):
            read_small_file(path, most_bytes=10)


def test_a_device_and_a_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SpecialFileError, match="it is a device"):
        refuse_special_file("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listening:
        monkeypatch.chdir(tmp_path)  # a socket's path must be short
        listening.bind("socket")
        with pytest.raises(SpecialFileError, match="it is a socket"):
            refuse_special_file("socket")


def test_all_else_passes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"1234")
    for path in (tmp_path, tmp_path / "file", tmp_path / "absent", "a\0b"):
        refuse_special_file(path)
    assert read_small_file(tmp_path / "file", most_bytes=4) == b"1234"
    with pytest.raises(FileNotFoundError):
        read_small_file(tmp_path / "absent", most_bytes=4)


def test_a_file_that_should_be_small(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    with pytest.raises(OSError, match="it is larger than 4 bytes"):
        read_small_file(tmp_path / "file", most_bytes=4)
