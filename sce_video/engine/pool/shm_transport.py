"""Transport of objects with tensors between processes through memory files.

Only a file's descriptor goes through the socket: a message is one byte, so sending does not block, and what was sent
survives the death of its sender.
"""

import errno
import io
import mmap
import os
import pickle
import select
import socket
import struct
import tempfile
import weakref
from contextlib import suppress
from typing import Any, NamedTuple

import torch
from torch import Tensor

_ALIGNMENT = 64  # bytes; enough for any dtype
# Header of a file: the lengths of the pickled object and of all tensors, and a byte that is 1 while the receiver uses
# the file. A reused file may be longer than its content.
_LENGTHS = struct.Struct("<QQ")
_IN_USE = _LENGTHS.size
_HEAD = 24


class _Layout(NamedTuple):
    """Offset and memory layout of a tensor; `order` lists its dimensions from slowest to fastest varying."""

    offset: int
    num_bytes: int
    dtype: torch.dtype
    shape: tuple[int, ...]
    order: tuple[int, ...]


class _Packer(pickle.Pickler):
    """Pickles everything but the tensors, which are laid out one after the other, each in its own dimension order."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self.tensors: list[tuple[_Layout, Tensor]] = []
        self.num_bytes = 0

    def persistent_id(self, obj: object) -> tuple[Any, ...] | None:
        if not isinstance(obj, Tensor):
            return None
        layout = _Layout(self.num_bytes, obj.numel() * obj.element_size(), obj.dtype, tuple(obj.shape), _order(obj))
        self.tensors.append((layout, obj))
        self.num_bytes = _aligned(layout.offset + layout.num_bytes)
        return tuple(layout)


class _Unpacker(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, tensors: Tensor) -> None:
        super().__init__(file)
        self._tensors = tensors

    def persistent_load(self, pid: tuple[Any, ...]) -> Tensor:
        layout = _Layout(*pid)
        values = self._tensors[layout.offset : layout.offset + layout.num_bytes].view(layout.dtype)
        in_memory = values.view([layout.shape[dim] for dim in layout.order])
        return in_memory.permute([layout.order.index(dim) for dim in range(len(layout.order))])


class _MemoryFile:
    """A memory file, mapped into this process."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.descriptor = memory_file(size)
        self.memory = mmap.mmap(self.descriptor, size)

    def is_free(self) -> bool:
        return self.memory[_IN_USE] == 0

    def close(self) -> None:
        self.memory.close()
        os.close(self.descriptor)


class ShmPool:
    """Packs objects into memory files, which are reused once the receiver has freed all tensors in them.

    Allocating takes longer than copying: the kernel zeroes and maps new memory page by page.
    """

    def __init__(self) -> None:
        self._files: list[_MemoryFile] = []

    def pack(self, obj: object) -> int:
        """Write an object whose tensors are on the CPU to a file; returns its descriptor, to close after sending."""
        pickled = io.BytesIO()
        packer = _Packer(pickled)
        packer.dump(obj)
        start = _aligned(_HEAD + pickled.tell())
        file = self._free_file(start + packer.num_bytes)
        _LENGTHS.pack_into(file.memory, 0, pickled.tell(), packer.num_bytes)
        file.memory[_IN_USE] = 1
        file.memory[_HEAD : _HEAD + pickled.tell()] = pickled.getbuffer()
        for layout, tensor in packer.tensors:
            if tensor.numel() > 0:
                values = torch.frombuffer(
                    file.memory, dtype=layout.dtype, count=tensor.numel(), offset=start + layout.offset
                )
                values.view([layout.shape[dim] for dim in layout.order]).copy_(tensor.permute(layout.order))
                del values  # a mapping with exported buffers cannot be closed
        return os.dup(file.descriptor)

    def close(self) -> None:
        """Close the files; what was sent stays readable."""
        for file in self._files:
            file.close()
        self._files.clear()

    def _free_file(self, size: int) -> _MemoryFile:
        free = [file for file in self._files if file.is_free()]
        for file in free:
            if file.size >= size:
                return file
        for file in free:  # each is too small
            self._files.remove(file)
            file.close()
        self._files.append(_MemoryFile(size))
        return self._files[-1]


def pack(obj: object) -> int:
    """`ShmPool.pack` into a file that is not reused."""
    pool = ShmPool()
    try:
        return pool.pack(obj)
    finally:
        pool.close()


def unpack(file: int, *, pin_memory: bool) -> Any:
    """The packed object; closes the descriptor. Only for files that this program's own processes wrote.

    Its tensors share the file's memory, or one pinned block, for non-blocking copies to a GPU.
    """
    try:
        memory = mmap.mmap(file, os.fstat(file).st_size)
        head = mmap.mmap(file, _HEAD)
    finally:
        os.close(file)
    weakref.finalize(memory, head.__setitem__, _IN_USE, 0).atexit = False
    num_pickled, num_bytes = _LENGTHS.unpack_from(memory)
    end = _HEAD + num_pickled
    tensors = torch.frombuffer(memory, dtype=torch.uint8)[_aligned(end) : _aligned(end) + num_bytes]
    return _Unpacker(io.BytesIO(memory[_HEAD:end]), tensors.pin_memory() if pin_memory else tensors).load()


def _order(tensor: Tensor) -> tuple[int, ...]:
    """Dimensions from slowest to fastest varying; unchanged for a tensor that is not contiguous in any order."""
    dims = range(tensor.dim())
    order = sorted(dims, key=tensor.stride, reverse=True)
    return tuple(order if tensor.permute(order).is_contiguous() else dims)


def send_file(connection: socket.socket, file: int) -> None:
    """Send a descriptor and close it on this side."""
    try:
        socket.send_fds(connection, [b"."], [file])
    finally:
        os.close(file)


def receive_file(connection: socket.socket) -> int | None:
    """The next descriptor; None when the other side has closed.

    Raises:
        TimeoutError: none arrived within the socket's timeout.
        OSError: this process has reached its limit of open files.
    """
    try:
        message, files, _, _ = socket.recv_fds(connection, 1, 1)
    except ConnectionResetError:
        return None
    if message and not files:
        raise OSError(errno.EMFILE, "too many open files to receive from a loader process; raise `ulimit -n`")
    return files[0] if files else None


def has_file(connection: socket.socket) -> bool:
    """Whether `receive_file` would return a descriptor without waiting."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    with suppress(ConnectionResetError):
        return bool(poll.poll(0)) and connection.recv(1, socket.MSG_PEEK) != b""
    return False


def _aligned(num_bytes: int) -> int:
    return -(-num_bytes // _ALIGNMENT) * _ALIGNMENT


def memory_file(size: int) -> int:
    """Descriptor of a new anonymous file in memory."""
    if hasattr(os, "memfd_create"):
        file: int = os.memfd_create("sce_video")  # not limited by the size of /dev/shm
        os.ftruncate(file, size)
        return file
    # macOS, or a Python built for an old C library
    with tempfile.TemporaryFile(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as temporary:
        os.truncate(temporary.fileno(), size)
        if hasattr(os, "posix_fallocate"):  # a full /dev/shm raises here instead of a SIGBUS later
            os.posix_fallocate(temporary.fileno(), 0, size)
        return os.dup(temporary.fileno())
