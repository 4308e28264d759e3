"""What worker processes are on, and which items have ended them."""

import mmap
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_OF_ITS_OWN = 255  # a process that ended without a signal: some library called exit()
_NOTHING = -1
_RETIRED = -2
_GRACE_SECONDS = 10.0
_NANOSECONDS = 1_000_000_000
_LONGEST_SECONDS = 1e8  # three years: a timer of the kernel cannot be set to infinity


class Watch:
    """Names the item that a process dies on, ends a process that stays on one, or between two, for too long, remembers
    lost items.

    Items are numbers from 0; here they are videos. What is lost is seen at once by all processes forked after the
    watch was made. In a process that is no worker `begin` and `end` do nothing.

    Args:
        timeout_seconds: on one item, above 0. The kernel ends the process, so that native code cannot hold it up.
        name: of an item, for messages.
    """

    def __init__(self, num_items: int, *, timeout_seconds: float, name: Callable[[int], object]) -> None:
        self._lost = mmap.mmap(-1, num_items)  # shared by forked processes; a byte for each item, 0 is not lost
        self._timeout_seconds = min(timeout_seconds, _LONGEST_SECONDS)
        self._name = name
        self._post: Post | None = None

    def begin(self, item: int) -> None:
        """This worker is on `item` from now on, until the next one or the end of its task."""
        if self._post is not None:
            self._stand(item, self._timeout_seconds)

    def begin_between(self) -> None:
        """This worker is at work from now on, on no item."""
        if self._post is not None:
            self._stand(None, self._timeout_seconds)

    def end(self) -> None:
        """This worker is on nothing, and may be so for any time."""
        if self._post is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            self._post.stand(None, self._timeout_seconds)

    def _stand(self, item: int | None, most_seconds: float) -> None:
        assert self._post is not None
        self._post.stand(item, most_seconds)
        signal.setitimer(signal.ITIMER_REAL, min(most_seconds, _LONGEST_SECONDS))

    @contextmanager
    def _waiting(self, most_seconds: float) -> Iterator[None]:
        assert self._post is not None
        item = self._post.item
        self._stand(None, most_seconds)
        try:
            yield
        finally:
            self._stand(item, self._timeout_seconds)

    def expect(self, post: "Post") -> None:
        """A worker that will stand at `post` is started."""
        post.stand(None, self._timeout_seconds)

    def is_overdue(self, post: "Post", *, waited_seconds: float) -> bool:
        """Whether a worker has not moved for so long that even the kernel's timer has not ended it (a dead disk).

        Args:
            waited_seconds: for a result that it owes; a worker that is on nothing may not have seen its task before.
        """
        seconds = post.seconds if post.item is not None else min(post.seconds, waited_seconds)
        return seconds > post.most_seconds + _GRACE_SECONDS

    def lose(self, item: int, signal_number: int) -> None:
        """Never give `item` to a process again: it has ended one, by this signal (0: without a signal)."""
        self._lost[item] = signal_number or _OF_ITS_OWN

    def why_lost(self, item: int) -> str | None:
        """One line that names a lost item; None for all others."""
        return self.describe(self._lost[item] % _OF_ITS_OWN, item) if self._lost[item] else None

    def lost(self) -> dict[int, int]:
        """The lost items, and for each the signal to `lose` it by again."""
        return {item: number % _OF_ITS_OWN for item, number in enumerate(self._lost[:]) if number}

    def name_of(self, item: int) -> str:
        """For messages."""
        return str(self._name(item))

    def describe(self, signal_number: int, item: int | None) -> str:
        """One line that says how a worker has ended and what it was on."""
        if signal_number == signal.SIGALRM:
            end = f"was ended after {self._timeout_seconds:g} s"
        elif signal_number == signal.SIGKILL:
            end = "was killed (signal 9; out of memory?)"
        elif signal_number:
            end = f"died of signal {signal_number} ({signal.strsignal(signal_number)})"
        else:
            end = "ended without a word"
        return f"{'between videos' if item is None else self.name_of(item)}: its loader process {end}"

    def take(self, post: "Post") -> None:
        """Make this process a worker that says at `post` what it is on.

        The signals that a job's processes all get are the main process's to act on.
        """
        for number in (signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGALRM):  # at once, in native code too
            signal.signal(number, signal.SIG_DFL)
        self._post = post
        _watches_here[:] = [self]


# The watch over this process, if it is a worker: the kernel's timer, too, is the process's.
_watches_here: list[Watch] = []


@contextmanager
def waiting_for_others(*, most_seconds: float) -> Iterator[None]:
    """What this worker does here is nothing that its item can be blamed for (a slow network), nor counts as time on it.

    A process that dies here, or is ended after `most_seconds`, dies between items: nothing is lost by it.
    """
    if not _watches_here:
        yield
        return
    with _watches_here[0]._waiting(most_seconds):
        yield


class Post:
    """Where a worker leaves the number of the item it is on and when it began, to be read when it is dead."""

    def __init__(self) -> None:
        self._memory = memoryview(mmap.mmap(-1, 24)).cast("q")
        self.stand(None, _LONGEST_SECONDS)

    @property
    def item(self) -> int | None:
        return None if self._memory[0] in (_NOTHING, _RETIRED) else self._memory[0]

    def stand(self, item: int | None, most_seconds: float) -> None:
        """Leave word: on this item, or on nothing, for so long at most."""
        self._memory[2] = int(min(most_seconds, _LONGEST_SECONDS) * _NANOSECONDS)
        self._memory[1] = time.monotonic_ns()  # the same clock in all processes of a machine
        self._memory[0] = _NOTHING if item is None else item

    def retire(self) -> None:
        """The worker says that it ends of its own will."""
        self._memory[0] = _RETIRED

    @property
    def is_retired(self) -> bool:
        return self._memory[0] == _RETIRED

    @property
    def seconds(self) -> float:
        """For how long the worker has been on it, or on nothing."""
        return (time.monotonic_ns() - self._memory[1]) / _NANOSECONDS

    @property
    def most_seconds(self) -> float:
        """For how long it may be."""
        return self._memory[2] / _NANOSECONDS
