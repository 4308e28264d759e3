"""Failure detector: when a rank ends, all others learn which one at once, even while they block in a collective.

Every rank has a connection to rank 0. The kernel closes it when a process dies; missed heartbeats reveal dead nodes and
networks, where nothing closes it.
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
# Counted, not timed: after a pause of this process (Ctrl-Z, a frozen machine) the others get the full time again.
_MAX_MISSED_HEARTBEATS = 10
_CONNECT_SECONDS = 60.0
# The same cause may be about to end this rank (a signal, an error of all ranks), with a better message; or the launcher
# notices first: at once that a rank was killed, some time later that one exits with an error.
_DELAY_AFTER_DEATH_SECONDS, _DELAY_AFTER_ERROR_SECONDS = 1.0, 30.0
_BEAT, _BYE, _FAILED, _LOST = b"beat", b"bye", b"failed", b"lost"
_MAX_REASON_LENGTH = 1000
_PASSWORD_BYTES, _RANK_DIGITS = 16, 8


class PeerFailure(NamedTuple):
    """How another rank ended, in one line; `is_error` if it reported that itself: a requeue would only repeat it."""

    line: str
    is_error: bool


@dataclass
class Peer:
    """Connection to another rank; `has_left` once that rank has ended normally."""

    name: str
    socket: socket.socket
    received: bytes = b""
    num_missed_heartbeats: int = 0
    has_left: bool = False

    def send(self, message: bytes) -> None:
        with suppress(OSError):  # a dead peer is noticed on receiving
            self.socket.send(message + b"\n")

    def lines(self) -> list[bytes] | None:
        """Complete lines received; None at the end of the connection."""
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
    """Monitor of other ranks in a thread; relays the failure of one to all.

    Args:
        name: of this rank, for messages on the others.
        on_failure: called in the thread, once, when a rank has ended without `close`, unless this one ends meanwhile.
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
        self._thread = threading.Thread(target=self._run, name="failure detector", daemon=True)
        _OPEN.add(self)
        self._thread.start()

    def close(self) -> None:
        """Announce the normal end of this rank; failures of others are ignored from now on."""
        self._announce(_BYE)

    def fail(self, reason: str) -> None:
        """Announce the end of this rank by an error; the others end too."""
        self._announce(_failed(f"{self._name}: {' '.join(reason.split())[:_MAX_REASON_LENGTH]}"))

    def wait(self, seconds: float) -> None:
        """Give the thread up to `seconds` to learn which rank has ended."""
        self._thread.join(seconds)

    def close_in_child(self) -> None:
        """Close the connections in a forked process, which would keep them open after its parent's death."""
        for peer in self._peers:
            peer.socket.close()

    def _announce(self, end: bytes) -> None:
        if not self._has_left:
            self._has_left = True
            for peer in self._peers:
                peer.send(end)

    def _run(self) -> None:
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
                    if any(self._report(key.data, _heartbeat(key.data)) for key in list(selector.get_map().values())):
                        return

    def _report(self, about: Peer, failure: PeerFailure | None) -> bool:
        """Relay a rank's failure to all others and act on it; returns whether there was one."""
        if failure is None or self._has_left:
            return False
        for peer in self._peers:
            if peer is not about:
                peer.send(_failed(failure.line) if failure.is_error else _LOST + b" " + failure.line.encode())
        time.sleep(_DELAY_AFTER_ERROR_SECONDS if failure.is_error else _DELAY_AFTER_DEATH_SECONDS)
        if not self._has_left:
            self._on_failure(failure)
        return True


def _failure_in(peer: Peer, lines: list[bytes] | None) -> PeerFailure | None:
    """The failure that a peer's lines report, or their end; None if there is none."""
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


def _heartbeat(peer: Peer) -> PeerFailure | None:
    """Send a heartbeat; returns a failure if the peer has missed too many of its own."""
    peer.send(_BEAT)
    peer.num_missed_heartbeats += 1
    if peer.num_missed_heartbeats > _MAX_MISSED_HEARTBEATS and not peer.has_left:
        return PeerFailure(f"{peer.name} sends no heartbeat", is_error=False)
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
    """Connect this rank to rank 0, or rank 0 to all others, and monitor them; all ranks must call it.

    Args:
        store: of all ranks; no process group is needed yet.
        address: of rank 0.
    Raises:
        OSError: a rank does not connect.
        UserError: rank 0 has ended.
    """
    store = dist.PrefixStore("peers", store)
    try:
        store.set(f"host/{rank}", socket.gethostname())
        hosts = store.multi_get([f"host/{number}" for number in range(num_ranks)])
        names = [f"rank {number} on {host.decode()}" for number, host in enumerate(hosts)]
        peers = _accept_all(store, names) if rank == 0 else [_connect(store, address, rank=rank, name=names[0])]
    except dist.DistError as error:
        raise UserError(f"rank {rank} did not find all {num_ranks} ranks, and rank 0 has ended; see its log") from error
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
    """The rank that connects; None if it does not know the password."""
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
