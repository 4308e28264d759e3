"""Several processes share a cache: always within its limit, complete files only, none deleted while in use."""

import errno
import hashlib
import multiprocessing
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sce_video.engine.remote.cache import CacheError, FileCache, TooLargeError
from sce_video.engine.remote.cache.folder import Fill, MakeRoom, own_folder
from sce_video.engine.remote.cache.locks import locked
from tests.servers import cached_bytes, ledger_of

FORK = multiprocessing.get_context("fork")


def content_of(key: str, size: int) -> bytes:
    return random.Random(key).randbytes(size)


def writes(content: bytes, calls: list[int] | None = None) -> Fill:
    def fill(target: str, make_room: MakeRoom) -> None:
        if calls is not None:
            calls.append(1)
        make_room(len(content))
        Path(target).write_bytes(content)

    return fill


def never(target: str, make_room: MakeRoom) -> None:
    raise AssertionError("it is there")


@pytest.fixture
def make_cache(tmp_path: Path) -> Callable[[int], FileCache]:
    def make(limit_bytes: int) -> FileCache:
        cache = FileCache(tmp_path / "cache", limit_bytes=limit_bytes)
        cache.prepare()
        return cache

    return make


def names(cache: FileCache) -> set[str]:
    return {file.name for file in (cache.folder / "files").rglob("*") if file.is_file()}


def test_a_file_is_filled_once(make_cache: Callable[[int], FileCache]) -> None:
    cache = make_cache(1000)
    calls: list[int] = []
    for _ in range(3):
        held = cache.hold("key", suffix=".mp4", fill=writes(b"content", calls))
        assert Path(held.path).read_bytes() == b"content"
        assert held.num_bytes == 7
        held.close()
    assert len(calls) == 1
    assert held.path.endswith(hashlib.sha256(b"key").hexdigest() + ".mp4")
    assert ledger_of(cache) == {"bytes": 7, "reserved": {}}


def test_nothing_is_touched_before_the_first_use(tmp_path: Path) -> None:
    FileCache(tmp_path / "cache", limit_bytes=1)
    assert not (tmp_path / "cache").exists()


def test_names_are_hashes_whatever_the_key(make_cache: Callable[[int], FileCache], tmp_path: Path) -> None:
    cache = make_cache(1000)
    cache.hold("../../../evil\0/\udc80", suffix="", fill=writes(b"x")).close()
    assert len(names(cache)) == 1
    assert all(file.is_relative_to(cache.folder) for file in tmp_path.rglob("*") if file.is_file())


def test_the_least_recently_used_go_first(make_cache: Callable[[int], FileCache]) -> None:
    cache = make_cache(100)
    for index, key in enumerate("abcde"):
        held = cache.hold(key, suffix="", fill=writes(bytes(20)))
        os.utime(held.path, (1000 + index, 1000 + index))
        held.close()
    cache.hold("a", suffix="", fill=never).close()  # used now
    cache.hold("f", suffix="", fill=writes(bytes(20))).close()
    gone = {key for key in "abcdef" if hashlib.sha256(key.encode()).hexdigest() not in names(cache)}
    assert gone == {"b", "c"}  # down to nine tenths with the new one: 80
    assert ledger_of(cache)["bytes"] == cached_bytes(cache) == 80


def test_a_file_in_use_stays(make_cache: Callable[[int], FileCache], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sce_video.engine.remote.cache.folder._MAX_WAIT_SECONDS", 0.3)
    cache = make_cache(100)
    held = cache.hold("a", suffix="", fill=writes(bytes(60)))
    with pytest.raises(CacheError, match="DATA.CACHE_GB .* is full of files in use"):
        cache.hold("b", suffix="", fill=writes(bytes(60)))
    assert Path(held.path).exists()
    held.close()
    held.close()  # does no harm
    cache.hold("b", suffix="", fill=writes(bytes(60))).close()
    assert not Path(held.path).exists()
    assert cached_bytes(cache) == 60


def test_a_file_larger_than_the_cache(make_cache: Callable[[int], FileCache]) -> None:
    cache = make_cache(100)
    with pytest.raises(TooLargeError, match="DATA.CACHE_GB"):
        cache.hold("a", suffix="", fill=writes(bytes(101)))
    assert ledger_of(cache) == {"bytes": 0, "reserved": {}}


def test_a_failed_fill_leaves_nothing(make_cache: Callable[[int], FileCache]) -> None:
    cache = make_cache(100)

    def fails(target: str, make_room: MakeRoom) -> None:
        make_room(50)
        Path(target).write_bytes(b"half")
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        cache.hold("a", suffix="", fill=fails)
    assert cached_bytes(cache) == 0
    assert ledger_of(cache) == {"bytes": 0, "reserved": {}}
    cache.hold("a", suffix="", fill=writes(bytes(100))).close()


def test_a_full_disk_is_one_clear_line(make_cache: Callable[[int], FileCache]) -> None:
    def fails(target: str, make_room: MakeRoom) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    cache = make_cache(100)
    with pytest.raises(CacheError, match="DATA.CACHE_DIR .* cannot be written .the disk is full."):
        cache.hold("a", suffix="", fill=fails)


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheError, match="DATA.CACHE_DIR .* cannot be written"):
        FileCache(tmp_path / "file" / "cache", limit_bytes=1).prepare()


def test_a_bad_file_is_dropped(make_cache: Callable[[int], FileCache]) -> None:
    cache = make_cache(100)
    cache.drop(cache.hold("a", suffix="", fill=writes(b"a page that says: try later")))
    assert ledger_of(cache)["bytes"] == cached_bytes(cache) == 0
    held = cache.hold("a", suffix="", fill=writes(b"video"))
    assert Path(held.path).read_bytes() == b"video"


def test_a_file_that_another_process_has_fetched_anew_is_not_dropped(make_cache: Callable[[int], FileCache]) -> None:
    cache = make_cache(100)
    bad = [cache.hold("a", suffix="", fill=writes(b"bad")) for _ in range(2)]
    cache.drop(bad[0])
    cache.hold("a", suffix="", fill=writes(b"good")).close()
    cache.drop(bad[1])
    cache.drop(bad[1])  # does no harm
    assert Path(cache.hold("a", suffix="", fill=never).path).read_bytes() == b"good"
    assert ledger_of(cache)["bytes"] == 4


def test_a_folder_that_is_deleted_meanwhile_is_made_anew(make_cache: Callable[[int], FileCache]) -> None:
    cache = make_cache(100)
    cache.hold("a", suffix="", fill=writes(b"a")).close()
    shutil.rmtree(cache.folder)
    cache.hold("a", suffix="", fill=writes(b"a")).close()
    assert ledger_of(cache) == {"bytes": 1, "reserved": {}}
    deleted: list[int] = []

    def fill(target: str, make_room: MakeRoom) -> None:
        make_room(1)
        Path(target).write_bytes(b"b")
        if len(deleted) < times:
            deleted.append(1)
            shutil.rmtree(cache.folder)

    times = 2
    assert cache.hold("b", suffix="", fill=fill).num_bytes == 1
    times = 100
    with pytest.raises(CacheError, match="DATA.CACHE_DIR .* cannot be written"):
        cache.hold("c", suffix="", fill=fill)


def test_a_torn_ledger_and_a_lower_limit(make_cache: Callable[[int], FileCache]) -> None:
    cache = make_cache(1000)
    for key in "abcde":
        cache.hold(key, suffix="", fill=writes(bytes(100))).close()
    (cache.folder / "ledger.json").write_text('{"bytes": 5')
    cache.hold("f", suffix="", fill=writes(bytes(100))).close()
    assert ledger_of(cache)["bytes"] == cached_bytes(cache) == 600
    assert cached_bytes(make_cache(250)) <= 250


def _dies_while_it_writes(cache: FileCache) -> None:
    def fill(target: str, make_room: MakeRoom) -> None:
        make_room(80)
        Path(target).write_bytes(bytes(40))
        os.kill(os.getpid(), signal.SIGKILL)

    cache.hold("a", suffix="", fill=fill)


def test_partial_files_of_dead_processes_are_deleted(make_cache: Callable[[int], FileCache]) -> None:
    cache = make_cache(100)
    process = FORK.Process(target=_dies_while_it_writes, args=(cache,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert names(cache) == set()
    assert ledger_of(cache)["bytes"] == 80
    cache.hold("b", suffix="", fill=writes(bytes(50))).close()  # makes room
    assert cached_bytes(cache) == ledger_of(cache)["bytes"] == 50
    process = FORK.Process(target=_dies_while_it_writes, args=(cache,))
    process.start()
    process.join()
    make_cache(100)  # another run begins
    assert cached_bytes(cache) == ledger_of(cache)["bytes"]
    assert list((cache.folder / "partial").iterdir()) == []


def _same_file(cache: FileCache, written: "multiprocessing.sharedctypes.Synchronized[int]") -> None:
    def fill(target: str, make_room: MakeRoom) -> None:
        with written.get_lock():
            written.value += 1
        make_room(7)
        time.sleep(0.2)
        Path(target).write_bytes(b"content")

    held = cache.hold("key", suffix="", fill=fill)
    assert Path(held.path).read_bytes() == b"content"
    held.close()


def test_a_file_that_several_processes_need_is_fetched_once(make_cache: Callable[[int], FileCache]) -> None:
    cache, written = make_cache(1000), FORK.Value("i", 0)
    processes = [FORK.Process(target=_same_file, args=(cache, written)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert written.value == 1


SIZES = {f"key{number}": 1000 + 371 * number for number in range(20)}
LIMIT = 20_000  # a fifth of all


def _reads_at_random(cache: FileCache, seed: int, num_reads: int) -> None:
    drawn = random.Random(seed)
    for _ in range(num_reads):
        key = drawn.choice(list(SIZES))
        content = content_of(key, SIZES[key])

        def fill(target: str, make_room: MakeRoom, content: bytes = content) -> None:
            make_room(len(content))
            with open(target, "wb") as file:
                for start in range(0, len(content), 1000):
                    file.write(content[start : start + 1000])
                    file.flush()

        held = cache.hold(key, suffix=".mp4", fill=fill)
        for _ in range(2):  # opened anew, as decoders do
            assert Path(held.path).read_bytes() == content
        held.close()


def test_several_processes_never_exceed_the_limit_nor_see_a_torn_file(make_cache: Callable[[int], FileCache]) -> None:
    assert sum(SIZES.values()) > 4 * LIMIT
    cache = make_cache(LIMIT)
    processes = [FORK.Process(target=_reads_at_random, args=(cache, seed, 120)) for seed in range(4)]
    for process in processes:
        process.start()
    most = 0
    while any(process.is_alive() for process in processes):
        with locked(cache.folder / "ledger.json"):  # no file is added, deleted or renamed while this counts
            most = max(most, cached_bytes(cache))
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert LIMIT / 2 < most <= LIMIT
    assert ledger_of(cache) == {"bytes": cached_bytes(cache), "reserved": {}}


def test_the_default_folder_is_this_users_alone(tmp_path: Path) -> None:
    folder = own_folder(tmp_path)
    assert own_folder(tmp_path) == folder
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)
    with pytest.raises(CacheError, match="by others; give DATA.CACHE_DIR"):
        own_folder(tmp_path)
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(CacheError, match="by others"):
        own_folder(tmp_path)
    folder.unlink()
    folder.write_text("")
    with pytest.raises(CacheError, match="DATA.CACHE_DIR .* cannot be written"):
        own_folder(tmp_path)
