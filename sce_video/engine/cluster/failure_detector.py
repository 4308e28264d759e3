"""Which rank has ended: said at once on all others, also where these wait in a collective that will never end.

Every rank has a connection to rank 0. The kernel closes it when a process dies; signs of life tell of dead nodes and
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

_BEAT_SECONDS = 4.0
# Counted, not timed: after a pause of this process (Ctrl-Z, a frozen machine) the others have as long as before.
_MOST_SILENT_BEATS = 10
_MEETING_SECONDS = 60.0
# What has ended another one may be about to end this one too (a signal, an error of all ranks), with more to say; or
# whoever has started the processes sees it first: a killed one is there at once, one with an error takes its time.
_SECONDS_BEHIND_KILLED, _SECONDS_BEHIND_ERROR = 1.0, 30.0
_BEAT, _BYE, _FAILED, _LOST = b"beat", b"bye", b"failed", b"lost"
_LONGEST_REASON = 1000
_PASSWORD_BYTES, _RANK_DIGITS = 16, 8


class Verdict(NamedTuple):
    """The end of another rank in words; `is_error` if it has said why: an error of its own, which would come again."""

    line: str
    is_error: bool


@dataclass
class Peer:
    """The connection to another rank. `has_left` once it has said good-bye."""

    name: str
    socket: socket.socket
    heard: bytes = b""
    num_silent_beats: int = 0
    has_left: bool = False

    def say(self, words: bytes) -> None:
        with suppress(OSError):  # of a dead one it is seen in what is heard
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
        self.num_silent_beats = 0
        *lines, self.heard = (self.heard + received).split(b"\n")
        return lines


class PeerWatch:
    """Watches other ranks from a thread, and passes on to all what it hears of one.

    Args:
        name: of this rank, for the others.
        on_lost: called in the thread, once, when a rank has ended without `close`, unless this one ends meanwhile.
        beat_seconds: between two signs of life.
    """

    def __init__(
        self,
        peers: Sequence[Peer],
        *,
        name: str,
        on_lost: Callable[[Verdict], None],
        beat_seconds: float,
    ) -> None:
        self._peers = peers
        self._name = name
        self._on_lost = on_lost
        self._beat_seconds = beat_seconds
        self._has_left = False
        self._thread = threading.Thread(target=self._watch, name="peer watch", daemon=True)
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
                peer.say(words)

    def _watch(self) -> None:
        with selectors.PollSelector() as selector:
            for peer in self._peers:
                selector.register(peer.socket, selectors.EVENT_READ, peer)
            next_beat = time.monotonic()
            while selector.get_map():
                for key, _ in selector.select(max(0.0, next_beat - time.monotonic())):
                    lines = key.data.lines()
                    if lines is None:
                        selector.unregister(key.data.socket)
                    if self._pronounce(key.data, _verdict(key.data, lines)):
                        return
                if time.monotonic() >= next_beat:
                    next_beat = time.monotonic() + self._beat_seconds
                    if any(self._pronounce(key.data, _beat(key.data)) for key in list(selector.get_map().values())):
                        return

    def _pronounce(self, about: Peer, verdict: Verdict | None) -> bool:
        """Tell all others of a rank's end, and act on it; whether there was one."""
        if verdict is None or self._has_left:
            return False
        for peer in self._peers:
            if peer is not about:
                peer.say(_failed(verdict.line) if verdict.is_error else _LOST + b" " + verdict.line.encode())
        time.sleep(_SECONDS_BEHIND_ERROR if verdict.is_error else _SECONDS_BEHIND_KILLED)
        if not self._has_left:
            self._on_lost(verdict)
        return True


def _verdict(peer: Peer, lines: list[bytes] | None) -> Verdict | None:
    """What has become of a rank, from what it says."""
    if lines is None:
        return None if peer.has_left else Verdict(f"{peer.name} has ended", is_error=False)
    for line in lines:
        word, _, rest = line.partition(b" ")
        if word == _BYE:
            peer.has_left = True
        elif word in (_FAILED, _LOST):
            return Verdict(rest.decode(errors="replace"), is_error=word == _FAILED)
    return None


def _failed(line: str) -> bytes:
    return _FAILED + b" " + line.encode(errors="replace")


def _beat(peer: Peer) -> Verdict | None:
    peer.say(_BEAT)
    peer.num_silent_beats += 1
    if peer.num_silent_beats > _MOST_SILENT_BEATS and not peer.has_left:
        return Verdict(f"{peer.name} gives no sign of life", is_error=False)
    return None


def watch_peers(
    store: "dist.Store",
    *,
    rank: int,
    num_ranks: int,
    address: str,
    on_lost: Callable[[Verdict], None],
    beat_seconds: float = _BEAT_SECONDS,
) -> PeerWatch:
    """Connect this rank with rank 0, or rank 0 with all others; all ranks must call it.

    Args:
        store: where the ranks leave word for each other; nothing else of torch.distributed need be there yet.
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
        peers = _receive(store, names) if rank == 0 else [_call(store, address, rank=rank, name=names[0])]
    except dist.DistError as error:
        raise UserError(
            f"rank {rank} has not met all {num_ranks} ranks, and rank 0 has ended; its log says why"
        ) from error
    return PeerWatch(peers, name=names[rank], on_lost=on_lost, beat_seconds=beat_seconds)


def _receive(store: "dist.Store", names: Sequence[str]) -> list[Peer]:
    dual = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if dual else socket.AF_INET
    peers: dict[int, Peer] = {}
    with socket.create_server(("", 0), family=family, dualstack_ipv6=dual, backlog=len(names)) as server:
        password = secrets.token_hex(_PASSWORD_BYTES)
        store.set("door", f"{server.getsockname()[1]} {password}")
        server.settimeout(_MEETING_SECONDS)
        while len(peers) < len(names) - 1:
            connection, _ = server.accept()
            caller = _caller(connection, password)
            if caller is None:
                connection.close()
            else:
                peers[caller] = Peer(names[caller], _prepared(connection))
    return list(peers.values())


def _caller(connection: socket.socket, password: str) -> int | None:
    """The rank that calls; None for one who does not belong to the run."""
    connection.settimeout(_MEETING_SECONDS)
    with suppress(OSError):
        words = connection.recv(2 * _PASSWORD_BYTES + _RANK_DIGITS, socket.MSG_WAITALL)
        if hmac.compare_digest(words[:-_RANK_DIGITS], password.encode()):
            return int(words[-_RANK_DIGITS:])
    return None


def _call(store: "dist.Store", address: str, *, rank: int, name: str) -> Peer:
    port, password = store.get("door").decode().split()
    connection = socket.create_connection((address, int(port)), timeout=_MEETING_SECONDS)
    connection.sendall(f"{password}{rank:0{_RANK_DIGITS}}".encode())
    return Peer(name, _prepared(connection))


def _prepared(connection: socket.socket) -> socket.socket:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setblocking(False)
    return connection


_OPEN: WeakSet[PeerWatch] = WeakSet()


def _close_in_child() -> None:
    for watch in list(_OPEN):
        watch.close_in_child()


os.register_at_fork(after_in_child=_close_in_child)
