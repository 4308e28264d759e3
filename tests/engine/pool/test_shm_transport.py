import os
import socket
from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sce_video.engine.pool.shm_transport import ShmPool, has_file, pack, receive_file, send_file, unpack

DTYPES = [torch.uint8, torch.bool, torch.int64, torch.float16, torch.bfloat16, torch.float32, torch.float64]


class Pair(NamedTuple):
    number: int
    tensor: Tensor | None


def round_trip(obj):
    return unpack(pack(obj), pin_memory=False)


@settings(max_examples=100)
@given(
    kinds=st.lists(st.tuples(st.sampled_from(DTYPES), st.lists(st.integers(0, 5), max_size=4)), max_size=6),
    text=st.text(max_size=200),
)
def test_any_tensors_arrive_bit_for_bit(kinds, text):
    tensors = [(torch.rand(shape) * 9 - 4).to(dtype) for dtype, shape in kinds]
    arrived, note = round_trip((tensors, text))
    assert note == text
    assert [(there.dtype, there.shape) for there in arrived] == [(here.dtype, here.shape) for here in tensors]
    assert all(map(torch.equal, arrived, tensors))


def test_containers_keep_their_type():
    sent = {"pair": Pair(3, torch.arange(4)), "none": Pair(4, None), "rest": [1, (2.5, "ü")]}
    arrived = round_trip(sent)
    assert type(arrived["pair"]) is Pair
    assert arrived["pair"].tensor.tolist() == [0, 1, 2, 3]
    assert arrived["none"] == Pair(4, None)
    assert arrived["rest"] == [1, (2.5, "ü")]


def test_views_of_tensors():
    frames = torch.arange(24).view(2, 3, 4)
    sent = [frames.permute(2, 0, 1), frames[:, ::2], frames[0, 0].expand(5, 4)]
    assert all(map(torch.equal, round_trip(sent), sent))


@given(order=st.permutations(range(4)), shape=st.lists(st.integers(1, 4), min_size=4, max_size=4))
def test_the_memory_layout_is_kept(order, shape):
    sent = torch.rand(shape).permute(order)
    arrived = round_trip(sent)
    assert torch.equal(arrived, sent)
    wide = [dim for dim in range(4) if sent.shape[dim] > 1]  # the stride of a dimension of size one is arbitrary
    assert [arrived.stride(dim) for dim in wide] == [sent.stride(dim) for dim in wide]


def test_a_file_is_reused_once_its_receiver_has_freed_it():
    pool = ShmPool()

    def send(number):
        descriptor = pool.pack([torch.full((1000,), number), torch.full((10,), number)])
        return os.fstat(descriptor).st_ino, unpack(descriptor, pin_memory=False)

    first_file, (first, rest) = send(1)
    second_file, second = send(2)
    assert second_file != first_file  # the first is still needed
    assert (first.unique().tolist(), second[0].unique().tolist()) == ([1], [2])
    del first
    third_file, third = send(3)
    assert third_file not in (first_file, second_file)  # one tensor of the first is still there
    assert rest.unique().tolist() == [1]
    del rest
    fourth_file, fourth = send(4)
    assert fourth_file == first_file
    assert [part.unique().tolist() for part in (second[0], third[0], fourth[0])] == [[2], [3], [4]]
    pool.close()
    assert fourth[0].unique().tolist() == [4]


def test_a_file_that_is_too_small_is_replaced():
    pool = ShmPool()
    before = len(os.listdir("/proc/self/fd"))
    open_files = set()
    for num in (10, 100_000, 1_000_000, 10):
        assert torch.equal(unpack(pool.pack(torch.arange(num)), pin_memory=False), torch.arange(num))
        open_files.add(len(os.listdir("/proc/self/fd")))
    assert len(open_files) == 1
    pool.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_received_tensors_do_not_share_memory():
    ones = torch.ones(3)
    first, second = round_trip([ones, ones])
    first += 1
    assert (first.tolist(), second.tolist(), ones.tolist()) == ([2, 2, 2], [1, 1, 1], [1, 1, 1])


def test_without_memfd_create(monkeypatch):
    monkeypatch.delattr(os, "memfd_create")
    big = torch.arange(100_000)
    assert torch.equal(round_trip([big])[0], big)


def test_no_descriptor_stays_open():
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        round_trip([torch.ones(1000)])
    with pytest.raises(AttributeError, match="local object"):
        pack(lambda: None)
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_was_sent_outlives_the_sender():
    ours, theirs = socket.socketpair()
    with ours:
        ours.settimeout(10)
        assert not has_file(ours)
        for number in range(64):  # as many as a worker may be given ahead; none is read meanwhile
            send_file(theirs, pack(torch.full((100_000,), number)))
        theirs.close()
        for number in range(64):
            assert has_file(ours)
            file = receive_file(ours)
            assert file is not None
            assert unpack(file, pin_memory=False).unique().tolist() == [number]
        assert not has_file(ours)
        assert receive_file(ours) is None


def test_silence_is_a_timeout():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0.01)
        with pytest.raises(TimeoutError):
            receive_file(ours)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_pin_memory():
    sent = [Pair(1, torch.rand(2, 3)), Pair(2, torch.rand(0, 3)), Pair(3, torch.arange(5, dtype=torch.uint8))]
    arrived = unpack(pack(sent), pin_memory=True)
    assert [pair.tensor.is_pinned() for pair in arrived if pair.tensor.numel()] == [True, True]
    assert all(
        torch.equal(a.tensor.cuda(non_blocking=True).cpu(), b.tensor) for a, b in zip(arrived, sent, strict=True)
    )
