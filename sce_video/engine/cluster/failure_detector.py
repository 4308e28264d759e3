"""Failure detector: a rank that ends is named on all others at once, also where these wait in a collective for good.

Every rank has a connection to rank 0. The kernel closes it when a process dies; heartbeats tell of dead nodes and
networks, where nobody closes anything.
"""

import hmac
import os
import secrets
import selectors
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple
from weakref import WeakSet

import torch.distributed as dist

from sce_video.errors import UserError

_HEARTBEAT_SECONDS = 4.0
# Counted, not timed: after a pause of this process (Ctrl-Z, a frozen machine) the others have as long as before.
_MOST_MISSED_HEARTBEATS = 10
_CONNECT_SECONDS = 60.0
# What has ended another one may be about to end this one too (a signal, an error of all ranks), with more to say; or
# whoever has started the processes sees it first: a killed one is there at once, one with an error takes its time.
_SECONDS_BEHIND_KILLED, _SECONDS_BEHIND_ERROR = 1.0, 30.0
_BEAT, _BYE, _FAILED, _LOST = b"beat", b"bye", b"failed", b"lost"
_LONGEST_REASON = 1000
_PASSWORD_BYTES, _RANK_DIGITS = 16, 8


class PeerFailure(NamedTuple):
    """How another rank ended, in words; `is_error` if it has said so itself: a requeue would only repeat it."""

    line: str
    is_error: bool


@dataclass
class Peer:
    """The connection to another rank. `has_left` once it has ended in order."""

    name: str
    socket: socket.socket
    received: bytes = b""
    num_missed_heartbeats: int = 0
    has_left: bool = False

    def send(self, words: bytes) -> None:
        with suppress(OSError):  # a dead one is seen in what is received
            self.socket.send(words + b"\n")

    def lines(self) -> list[bytes] | None:
        """What has come, in whole lines; None at the end of the connection."""
        try:
            received = self.socket.recv(1 << 16)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not received:
            return None
        self.num_missed_heartbeats = 0
        *lines, self.received = (self.received + received).split(b"\n")
        return lines


class FailureDetector:
    """Follows other ranks from a thread, and passes on to all what it hears of one.

    Args:
        name: of this rank, for the others.
        on_failure: called in the thread, once, when a rank has ended without `close`, unless this one ends meanwhile.
        heartbeat_seconds: between two heartbeats.
    """

    def __init__(
        self,
        peers: Sequence[Peer],
        *,
        name: str,
        on_failure: Callable[[PeerFailure], None],
        heartbeat_seconds: float,
    ) -> None:
        self._peers = peers
        self._name = name
        self._on_failure = on_failure
        self._heartbeat_seconds = heartbeat_seconds
        self._has_left = False
        self._thread = threading.Thread(target=self._follow, name="failure detector", daemon=True)
        _OPEN.add(self)
        self._thread.start()

    def close(self) -> None:
        """This rank ends in order, and what others do is no matter to it any more."""
        self._leave(_BYE)

    def fail(self, reason: str) -> None:
        """This rank ends by an error; the others hear of it and end too."""
        self._leave(_failed(f"{self._name}: {' '.join(reason.split())[:_LONGEST_REASON]}"))

    def wait(self, seconds: float) -> None:
        """Give the thread time to learn who has ended."""
        self._thread.join(seconds)

    def close_in_child(self) -> None:
        """A forked process holds no end of a connection: its parent's death would not be seen."""
        for peer in self._peers:
            peer.socket.close()

    def _leave(self, words: bytes) -> None:
        if not self._has_left:
            self._has_left = True
            for peer in self._peers:
                peer.send(words)

    def _follow(self) -> None:
        with selectors.PollSelector() as selector:
            for peer in self._peers:
                selector.register(peer.socket, selectors.EVENT_READ, peer)
            next_beat = time.monotonic()
            while selector.get_map():
                for key, _ in selector.select(max(0.0, next_beat - time.monotonic())):
                    lines = key.data.lines()
                    if lines is None:
                        selector.unregister(key.data.socket)
                    if self._report(key.data, _failure_in(key.data, lines)):
                        return
                if time.monotonic() >= next_beat:
                    next_beat = time.monotonic() + self._heartbeat_seconds
                    if any(self._report(key.data, _beat(key.data)) for key in list(selector.get_map().values())):
                        return

    def _report(self, about: Peer, failure: PeerFailure | None) -> bool:
        """Tell all others of a rank's end, and act on it; whether there was one."""
        if failure is None or self._has_left:
            return False
        for peer in self._peers:
            if peer is not about:
                peer.send(_failed(failure.line) if failure.is_error else _LOST + b" " + failure.line.encode())
        time.sleep(_SECONDS_BEHIND_ERROR if failure.is_error else _SECONDS_BEHIND_KILLED)
        if not self._has_left:
            self._on_failure(failure)
        return True


def _failure_in(peer: Peer, lines: list[bytes] | None) -> PeerFailure | None:
    """What has become of a rank, from what it says."""
    if lines is None:
        return None if peer.has_left else PeerFailure(f"{peer.name} has ended", is_error=False)
    for line in lines:
        word, _, rest = line.partition(b" ")
        if word == _BYE:
            peer.has_left = True
        elif word in (_FAILED, _LOST):
            return PeerFailure(rest.decode(errors="replace"), is_error=word == _FAILED)
    return None


def _failed(line: str) -> bytes:
    return _FAILED + b" " + line.encode(errors="replace")


def _beat(peer: Peer) -> PeerFailure | None:
    peer.send(_BEAT)
    peer.num_missed_heartbeats += 1
    if peer.num_missed_heartbeats > _MOST_MISSED_HEARTBEATS and not peer.has_left:
        return PeerFailure(f"{peer.name} gives no sign of life", is_error=False)
    return None


def detect_failures(
    store: "dist.Store",
    *,
    rank: int,
    num_ranks: int,
    address: str,
    on_failure: Callable[[PeerFailure], None],
    heartbeat_seconds: float = _HEARTBEAT_SECONDS,
) -> FailureDetector:
    """Connect this rank with rank 0, or rank 0 with all others, and follow them; all ranks must call it.

    Args:
        store: of all ranks; nothing else of torch.distributed need be there yet.
        address: of rank 0.
    Raises:
        OSError: a rank does not come.
        UserError: rank 0 has ended.
    """
    store = dist.PrefixStore("peers", store)
    try:
        store.set(f"host/{rank}", socket.gethostname())
        hosts = store.multi_get([f"host/{number}" for number in range(num_ranks)])
        names = [f"rank {number} on {host.decode()}" for number, host in enumerate(hosts)]
        peers = _accept_all(store, names) if rank == 0 else [_connect(store, address, rank=rank, name=names[0])]
    except dist.DistError as error:
        raise UserError(
            f"rank {rank} has not found all {num_ranks} ranks, and rank 0 has ended; its log says why"
        ) from error
    return FailureDetector(peers, name=names[rank], on_failure=on_failure, heartbeat_seconds=heartbeat_seconds)


def _accept_all(store: "dist.Store", names: Sequence[str]) -> list[Peer]:
    dual = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if dual else socket.AF_INET
    peers: dict[int, Peer] = {}
    with socket.create_server(("", 0), family=family, dualstack_ipv6=dual, backlog=len(names)) as server:
        password = secrets.token_hex(_PASSWORD_BYTES)
        store.set("endpoint", f"{server.getsockname()[1]} {password}")
        server.settimeout(_CONNECT_SECONDS)
        while len(peers) < len(names) - 1:
            connection, _ = server.accept()
            caller = _caller(connection, password)
            if caller is None:
                connection.close()
            else:
                peers[caller] = Peer(names[caller], _prepared(connection))
    return list(peers.values())


def _caller(connection: socket.socket, password: str) -> int | None:
    """The rank that connects; None for one who does not belong to the run."""
    connection.settimeout(_CONNECT_SECONDS)
    with suppress(OSError):
        words = connection.recv(2 * _PASSWORD_BYTES + _RANK_DIGITS, socket.MSG_WAITALL)
        if hmac.compare_digest(words[:-_RANK_DIGITS], password.encode()):
            return int(words[-_RANK_DIGITS:])
    return None


def _connect(store: "dist.Store", address: str, *, rank: int, name: str) -> Peer:
    port, password = store.get("endpoint").decode().split()
    connection = socket.create_connection((address, int(port)), timeout=_CONNECT_SECONDS)
    connection.sendall(f"{password}{rank:0{_RANK_DIGITS}}".encode())
    return Peer(name, _prepared(connection))


def _prepared(connection: socket.socket) -> socket.socket:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setblocking(False)
    return connection


_OPEN: WeakSet[FailureDetector] = WeakSet()


def _close_in_child() -> None:
    for detector in list(_OPEN):
        detector.close_in_child()


os.register_at_fork(after_in_child=_close_in_child)
