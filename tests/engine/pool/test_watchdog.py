import os
import signal
import time

import pytest

from sce_video.engine.pool.watchdog import Post, Watch, waiting_for_others


def watch(*, timeout_seconds: float = 120.0) -> Watch:
    return Watch(10, timeout_seconds=timeout_seconds, name=lambda item: f"/videos/{item}.mp4")


def test_lost_items_are_named_with_what_they_did():
    videos = watch()
    videos.lose(3, signal.SIGSEGV)
    videos.lose(4, signal.SIGALRM)
    videos.lose(5, signal.SIGKILL)
    videos.lose(6, 0)
    assert videos.why_lost(2) is None
    assert videos.why_lost(3) == "/videos/3.mp4: its loader process died of signal 11 (Segmentation fault)"
    assert videos.why_lost(4) == "/videos/4.mp4: its loader process was ended after 120 s"
    assert videos.why_lost(5) == "/videos/5.mp4: its loader process was killed (signal 9; out of memory?)"
    assert videos.why_lost(6) == "/videos/6.mp4: its loader process ended without a word"


def test_lost_items_can_be_lost_again_in_the_next_run():
    first, second = watch(), watch()
    for item, number in ((9, signal.SIGSEGV), (0, 0), (5, signal.SIGALRM)):
        first.lose(item, number)
    assert first.lost() == {0: 0, 5: 14, 9: 11}
    for item, number in first.lost().items():
        second.lose(item, number)
    assert [second.why_lost(item) for item in range(10)] == [first.why_lost(item) for item in range(10)]


def test_a_process_that_was_there_before_sees_what_is_lost():
    videos = watch()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(read, 1)
        os._exit(0 if videos.why_lost(7) else 1)
    videos.lose(7, signal.SIGSEGV)
    os.write(write, b".")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize(
    ("is_worker", "is_done", "limit", "code"),
    [
        (True, False, 0.1, -signal.SIGALRM),
        (True, True, 1.0, 5),
        (False, False, 0.1, 5),
        (True, False, float("inf"), 5),
    ],
)
def test_only_a_worker_that_is_on_a_video_for_too_long_is_ended(is_worker, is_done, limit, code):
    videos = watch(timeout_seconds=limit)
    child = os.fork()
    if child == 0:
        if is_worker:
            videos.take(Post())
        videos.begin(3)
        if is_done:
            videos.end()
        time.sleep(1.5)
        os._exit(5)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == code


def test_what_a_dead_worker_was_on_can_be_read():
    post = Post()
    assert post.item is None
    for item in (0, 649_999):
        child = os.fork()
        if child == 0:
            post.stand(item, 1.0)
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(child, 0)
        assert post.item == item


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2])
def test_a_worker_leaves_the_jobs_signals_to_the_main_process(number):
    child = os.fork()
    if child == 0:
        watch().take(Post())
        os.kill(os.getpid(), number)
        os._exit(5)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGALRM])
def test_a_worker_is_ended_without_asking_the_main_process_s_handlers(number):
    before = signal.signal(number, lambda *_: os._exit(6))
    try:
        child = os.fork()
        if child == 0:
            watch().take(Post())
            os.kill(os.getpid(), number)
            os._exit(5)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -number
    finally:
        signal.signal(number, before)


def on_one_video_while_waiting(post: Post, *, waits_for: float, most: float, then: float) -> int:
    """How a worker ends that waits for others while it is on video 3."""
    videos = watch(timeout_seconds=1.0)
    child = os.fork()
    if child == 0:
        videos.take(post)
        videos.begin(3)
        with waiting_for_others(most_seconds=most):
            time.sleep(waits_for)
        time.sleep(then)
        os._exit(5)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_waiting_for_others_is_no_time_on_a_video():
    assert on_one_video_while_waiting(Post(), waits_for=1.5, most=30.0, then=0.0) == 5


def test_who_waits_for_too_long_is_ended_and_no_video_is_to_blame():
    post = Post()
    assert on_one_video_while_waiting(post, waits_for=30.0, most=0.2, then=0.0) == -signal.SIGALRM
    assert post.item is None


def test_after_waiting_the_time_on_the_video_begins():
    post = Post()
    assert on_one_video_while_waiting(post, waits_for=0.1, most=30.0, then=30.0) == -signal.SIGALRM
    assert post.item == 3


def test_a_worker_that_stands_still_is_overdue_on_nothing_too():
    """It owes a result: how long the main process has waited counts, not how long the worker had nothing to do."""
    videos, post = watch(timeout_seconds=100.0), Post()
    videos.expect(post)
    post._memory[1] -= 111 * 10**9  # as if that was so long ago; it is ended 10 s after the kernel should have
    assert not videos.is_overdue(post, waited_seconds=0.0)
    assert not videos.is_overdue(post, waited_seconds=109.0)
    assert videos.is_overdue(post, waited_seconds=111.0)
    post.stand(3, 100.0)
    assert not videos.is_overdue(post, waited_seconds=1000.0)
    post._memory[1] -= 111 * 10**9
    assert videos.is_overdue(post, waited_seconds=0.0)


def test_who_waits_for_others_is_overdue_when_that_takes_too_long():
    videos, post = watch(timeout_seconds=1.0), Post()
    post.stand(None, 600.0)
    post._memory[1] -= 609 * 10**9
    assert not videos.is_overdue(post, waited_seconds=1000.0)
    post._memory[1] -= 2 * 10**9
    assert videos.is_overdue(post, waited_seconds=1000.0)


def test_elsewhere_nothing_is_timed_while_waiting():
    with waiting_for_others(most_seconds=0.01):
        time.sleep(0.1)
