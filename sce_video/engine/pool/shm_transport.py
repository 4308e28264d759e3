"""Objects with tensors, handed from process to process through files in memory.

Only a file's descriptor goes through the socket: a message is one byte, so that sending does not wait for a reader,
and what was sent outlives a sender that dies.
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

_ALIGNMENT = 64  # bytes; tensors of any type may begin there
# A file begins with the lengths of the pickled object and of all tensors, and a byte that is 1 while the receiver needs
# the file; a file that is used again may be longer.
_LENGTHS = struct.Struct("<QQ")
_IN_USE = _LENGTHS.size
_HEAD = 24


class _Layout(NamedTuple):
    """Where a tensor's values lie, and how: `order` are its dimensions from the slowest to the fastest in memory."""

    offset: int
    num_bytes: int
    dtype: torch.dtype
    shape: tuple[int, ...]
    order: tuple[int, ...]


class _Packer(pickle.Pickler):
    """Pickles everything but the tensors, which are laid out one after the other, each as it lies in memory."""

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
    """A file in memory and this process's view of it."""

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
    """Packs objects into shared memory, files that are used again when the receiver has let go of all tensors in them.

    To make new memory takes longer than to copy into it: the kernel clears and maps it page by page.
    """

    def __init__(self) -> None:
        self._files: list[_MemoryFile] = []

    def pack(self, obj: object) -> int:
        """Write an object whose tensors are on the CPU to a file; its descriptor, to be closed after sending."""
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
                del values  # else the memory could not be closed
        return os.dup(file.descriptor)

    def close(self) -> None:
        """Let go of the files; what was sent stays whole."""
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
    """As `ShmPool.pack`, in a file of its own."""
    pool = ShmPool()
    try:
        return pool.pack(obj)
    finally:
        pool.close()


def unpack(file: int, *, pin_memory: bool) -> Any:
    """The object that was packed; the descriptor is closed. Only for files that this program's own processes wrote.

    Its tensors lie in the file's memory, or in one pinned block, for copies to a GPU that do not block.
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
    """Dimensions from the slowest to the fastest; as they are where the tensor does not lie in one piece."""
    dims = range(tensor.dim())
    order = sorted(dims, key=tensor.stride, reverse=True)
    return tuple(order if tensor.permute(order).is_contiguous() else dims)


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


def memory_file(size: int) -> int:
    """A file without a name, in memory."""
    if hasattr(os, "memfd_create"):
        file: int = os.memfd_create("sce_video")  # counts as memory; the size of /dev/shm does not matter
        os.ftruncate(file, size)
        return file
    # macOS, or a Python built for an old C library
    with tempfile.TemporaryFile(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as temporary:
        os.truncate(temporary.fileno(), size)
        if hasattr(os, "posix_fallocate"):  # a full /dev/shm is an error here, and a bus error later
            os.posix_fallocate(temporary.fileno(), 0, size)
        return os.dup(temporary.fileno())
