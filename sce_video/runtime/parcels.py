"""Objects with tensors, handed from process to process through a file in memory.

Only the file's descriptor goes through the socket: a message is one byte, so that sending does not wait for a reader,
and what was sent outlives a sender that dies.
"""

import errno
import io
import mmap
import os
import pickle
import select
import socket
import tempfile
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

_ALIGNMENT = 64  # bytes; tensors of any type may begin there
_HEAD = 8  # bytes that hold the length of the pickled object


class _Packer(pickle.Pickler):
    """Pickles everything but the tensors, which are laid out one after the other."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self.tensors: list[tuple[int, Tensor]] = []  # (offset, tensor)
        self.num_bytes = 0

    def persistent_id(self, obj: object) -> tuple[int, int, torch.dtype, tuple[int, ...]] | None:
        if not isinstance(obj, Tensor):
            return None
        offset, length = self.num_bytes, obj.numel() * obj.element_size()
        self.tensors.append((offset, obj))
        self.num_bytes = _aligned(offset + length)
        return offset, length, obj.dtype, tuple(obj.shape)


class _Unpacker(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, tensors: Tensor) -> None:
        super().__init__(file)
        self._tensors = tensors

    def persistent_load(self, pid: tuple[int, int, torch.dtype, tuple[int, ...]]) -> Tensor:
        offset, length, dtype, shape = pid
        return self._tensors[offset : offset + length].view(dtype).view(shape)


def pack(obj: object) -> int:
    """Write an object whose tensors are on the CPU to a file in memory; its descriptor, to be closed after sending."""
    pickled = io.BytesIO()
    packer = _Packer(pickled)
    packer.dump(obj)
    start = _aligned(_HEAD + pickled.tell())
    size = start + packer.num_bytes
    file = _memory_file(size)
    with mmap.mmap(file, size) as memory:
        memory[:_HEAD] = pickled.tell().to_bytes(_HEAD, "little")
        memory[_HEAD : _HEAD + pickled.tell()] = pickled.getbuffer()
        for offset, tensor in packer.tensors:
            if tensor.numel() > 0:
                there = torch.frombuffer(memory, dtype=tensor.dtype, count=tensor.numel(), offset=start + offset)
                there.view(tensor.shape).copy_(tensor)
                del there  # else the memory could not be closed
    return file


def unpack(file: int, *, pin_memory: bool) -> Any:
    """The object of `pack`, whose file is closed. Only for files that this program's own processes wrote.

    Its tensors lie in the file's memory, or in one pinned block, for copies to a GPU that do not block.
    """
    try:
        memory = mmap.mmap(file, os.fstat(file).st_size)
    finally:
        os.close(file)
    end = _HEAD + int.from_bytes(memory[:_HEAD], "little")
    tensors = torch.frombuffer(memory, dtype=torch.uint8)[_aligned(end) :]
    return _Unpacker(io.BytesIO(memory[_HEAD:end]), tensors.pin_memory() if pin_memory else tensors).load()


def send_file(connection: socket.socket, file: int) -> None:
    """Send a descriptor, and close it here."""
    try:
        socket.send_fds(connection, [b"."], [file])
    finally:
        os.close(file)


def receive_file(connection: socket.socket) -> int | None:
    """The next descriptor; None when the other side has ended.

    Raises:
        TimeoutError: none came within the socket's time limit.
        OSError: this process may not open any more files.
    """
    try:
        message, files, _, _ = socket.recv_fds(connection, 1, 1)
    except ConnectionResetError:
        return None
    if message and not files:
        raise OSError(errno.EMFILE, "too many open files to receive from a loader process; raise `ulimit -n`")
    return files[0] if files else None


def has_file(connection: socket.socket) -> bool:
    """Whether `receive_file` has a descriptor at hand."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    with suppress(ConnectionResetError):
        return bool(poll.poll(0)) and connection.recv(1, socket.MSG_PEEK) != b""
    return False


def _aligned(num_bytes: int) -> int:
    return -(-num_bytes // _ALIGNMENT) * _ALIGNMENT


def _memory_file(size: int) -> int:
    """A file without a name, in memory."""
    if hasattr(os, "memfd_create"):
        file: int = os.memfd_create("parcel")  # counts as memory; the size of /dev/shm does not matter
        os.ftruncate(file, size)
        return file
    # macOS, or a Python built for an old C library
    with tempfile.TemporaryFile(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as temporary:
        os.truncate(temporary.fileno(), size)
        if hasattr(os, "posix_fallocate"):  # a full /dev/shm is an error here, and a bus error later
            os.posix_fallocate(temporary.fileno(), 0, size)
        return os.dup(temporary.fileno())
