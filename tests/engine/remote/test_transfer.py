"""With real servers: bytes are those of the files, and faults are retried or reported in one line."""

import os
import time
from collections import deque
from pathlib import Path

import pytest

from sce_video.engine.remote import RefusedError, RemoteError, RemotePath, location, transfer
from sce_video.engine.remote.retry import RetryPolicy, status_of
from sce_video.engine.remote.transfer import fetch, file_facts, has_ranges, list_files, read_range
from sce_video.runtime.logging import LOGGER
from tests.servers import HttpFolder

NAME = "a folder/v#1?%20.mp4"
QUICK = RetryPolicy(total_seconds=10.0, first_wait_seconds=0.01)


@pytest.fixture
def content(http: HttpFolder) -> bytes:
    content = os.urandom(300_000)
    (http.folder / NAME).parent.mkdir()
    (http.folder / NAME).write_bytes(content)
    return content


def remote(http: HttpFolder, name: str = NAME) -> RemotePath:
    path = location(http.url) / name
    assert isinstance(path, RemotePath)
    return path


def fetched(path: RemotePath, target: Path, retry_policy: RetryPolicy = QUICK) -> tuple[bytes, list[int]]:
    room: list[int] = []
    fetch(path, str(target), make_room=room.append, retry_policy=retry_policy)
    return target.read_bytes(), room


def test_over_http(http: HttpFolder, content: bytes, tmp_path: Path) -> None:
    path = remote(http)
    assert file_facts(path).size == len(content)
    assert file_facts(path).version
    assert path.exists()
    assert not remote(http, "missing.mp4").exists()
    assert path.read_bytes() == content
    assert has_ranges(path)
    deadline = QUICK.deadline()
    assert read_range(path, 1000, 500, retry_policy=QUICK, deadline=deadline) == content[1000:1500]
    assert fetched(path, tmp_path / "target") == (content, [len(content)] * 2)


@pytest.mark.parametrize("fault", ["503", "500", "429", "drop", "short", "slow"])
def test_faults_are_tried_again(http: HttpFolder, content: bytes, tmp_path: Path, fault: str) -> None:
    http.faults[NAME] = deque([fault, fault])
    http.hang_seconds = 0.1
    assert fetched(remote(http), tmp_path / "target")[0] == content
    assert http.gets()[NAME] == (1 if fault == "slow" else 3)


@pytest.mark.parametrize(("responses", "room"), [(["gzip"], None), (["chunked"], 300_000), (["moved"], 300_000)])
def test_odd_responses(
    http: HttpFolder, content: bytes, tmp_path: Path, responses: list[str], room: int | None
) -> None:
    http.faults[NAME] = deque(responses)
    found, told = fetched(remote(http), tmp_path / "target")
    assert found == content
    assert http.gets()[NAME] == (2 if responses == ["moved"] else 1)
    assert told[-1] == len(content)
    assert room in (None, max(told))
    http.faults[NAME] = deque(responses)
    assert remote(http).read_bytes() == content


def test_a_compressed_response_that_is_larger_than_announced(http: HttpFolder, tmp_path: Path) -> None:
    """Room is made before the bytes are written."""
    (http.folder / "zeros.mp4").write_bytes(bytes(20_000_000))
    http.faults["zeros.mp4"] = deque(["gzip"])

    def make_room(num_bytes: int) -> None:
        if num_bytes > 1_000_000:
            raise RemoteError("too much")

    with pytest.raises(RemoteError, match="too much"):
        fetch(remote(http, "zeros.mp4"), str(tmp_path / "target"), make_room=make_room, retry_policy=QUICK)
    assert (tmp_path / "target").stat().st_size < 20_000_000


def test_endless_redirects_are_not_a_missing_file(http: HttpFolder, content: bytes) -> None:
    http.faults[NAME] = deque(["moved"] * 100)
    with pytest.raises(RefusedError, match="TooManyRedirects"):
        has_ranges(remote(http))
    error = FileNotFoundError("x")
    error.__cause__ = type("TooManyRedirects", (Exception,), {"status": 0})()
    assert status_of(error) == 0


def test_by_way_of_the_proxy_of_the_environment(
    http: HttpFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy gets requests for the whole URL."""
    file = http.folder / "http:/elsewhere.invalid/a.mp4"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"by proxy")
    monkeypatch.setenv("http_proxy", http.url)
    monkeypatch.delenv("no_proxy", raising=False)
    path = location("http://elsewhere.invalid") / "a.mp4"
    assert isinstance(path, RemotePath)
    assert fetched(path, tmp_path / "target")[0] == b"by proxy"


def test_the_protocol_may_be_in_capitals(http: HttpFolder, content: bytes) -> None:
    path = location(http.url.replace("http", "HTTP")) / NAME
    assert isinstance(path, RemotePath)
    assert path.read_bytes() == content


def test_short_ranges_are_tried_again(http: HttpFolder, content: bytes) -> None:
    http.faults[NAME] = deque(["drop", "503", "short"])
    part = read_range(remote(http), 10, 100_000, retry_policy=QUICK, deadline=QUICK.deadline())
    assert part == content[10:100_010]


@pytest.mark.parametrize(("fault", "words"), [("404", "no such file"), ("403", "403")])
def test_final_responses_are_not(http: HttpFolder, content: bytes, tmp_path: Path, fault: str, words: str) -> None:
    http.faults[NAME] = deque([fault] * 10)
    with pytest.raises(RefusedError, match=words):
        fetched(remote(http), tmp_path / "target")
    assert http.gets()[NAME] == 1


def test_a_server_that_stays_broken_ends_at_the_deadline(http: HttpFolder, content: bytes, tmp_path: Path) -> None:
    http.faults[NAME] = deque(["503"] * 100)
    began = time.monotonic()
    with pytest.raises(RemoteError, match=r"tries in \d s, the last: .*503"):
        fetched(remote(http), tmp_path / "target", RetryPolicy(total_seconds=0.4, first_wait_seconds=0.05))
    assert time.monotonic() - began < 8  # a hundred tries take minutes


def test_a_trickle_ends_at_the_deadline(http: HttpFolder, content: bytes, tmp_path: Path) -> None:
    http.faults[NAME] = deque(["slow"] * 100)
    http.hang_seconds = 12.0  # each eighth after 1.5 seconds
    with pytest.raises(RemoteError, match="the response was not complete at the deadline"):
        fetched(remote(http), tmp_path / "target", RetryPolicy(total_seconds=2.0, first_wait_seconds=0.05))


def test_a_trickled_part_ends_at_the_deadline(http: HttpFolder, content: bytes) -> None:
    http.faults[NAME] = deque(["slow"] * 100)
    http.hang_seconds = 16.0  # each eighth after two seconds
    retry_policy = RetryPolicy(total_seconds=0.5, first_wait_seconds=0.05)
    began = time.monotonic()
    with pytest.raises(RemoteError, match="cannot be fetched"):
        read_range(remote(http), 0, 300_000, retry_policy=retry_policy, deadline=retry_policy.deadline())
    assert time.monotonic() - began < 12


@pytest.mark.parametrize("fault", ["drip", "drip_head"])
@pytest.mark.parametrize("what", ["list", "video", "part", "ranges"])
def test_a_byte_now_and_then_ends_at_the_deadline(
    http: HttpFolder, content: bytes, tmp_path: Path, fault: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each read comes in time, the whole would take hours."""
    http.faults[NAME] = deque([fault] * 100)
    succeeds = (what, fault) == ("ranges", "drip")  # nothing of the response is read
    retry_policy = RetryPolicy(total_seconds=20.0 if succeeds else 0.5, first_wait_seconds=0.05)
    monkeypatch.setattr(transfer, "START_RETRY_POLICY", retry_policy)
    monkeypatch.setattr(transfer, "_LIST_SECONDS", retry_policy.total_seconds)
    path = remote(http)
    if succeeds:
        assert has_ranges(path)
        return
    with pytest.raises(RemoteError, match="cannot be fetched"):
        {
            "list": path.read_bytes,
            "video": lambda: fetched(path, tmp_path / "target", retry_policy),
            "part": lambda: read_range(path, 5, 1000, retry_policy=retry_policy, deadline=retry_policy.deadline()),
            "ranges": lambda: has_ranges(path),
        }[what]()


@pytest.mark.parametrize("fault", ["endless", "lies"])
def test_a_response_is_read_no_further_than_it_may_be(
    http: HttpFolder, content: bytes, tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    http.faults[NAME] = deque([fault] * 100)
    monkeypatch.setattr(transfer, "_MOST_LIST_BYTES", 2**20)
    monkeypatch.setattr(transfer, "_MOST_UNANNOUNCED_BYTES", 2**20)
    path, room = remote(http), []

    def make_room(num_bytes: int) -> None:
        room.append(num_bytes)
        if num_bytes > 10**12:
            raise RemoteError("larger than the cache")

    with pytest.raises(RemoteError, match="more than 1048576 bytes"):
        path.read_bytes()
    with pytest.raises(RemoteError, match="more than 1048576 bytes|larger than the cache"):
        fetch(path, str(tmp_path / "target"), make_room=make_room, retry_policy=QUICK)
    assert (tmp_path / "target").stat().st_size <= 2**20
    with pytest.raises(RemoteError, match="ignores range requests and sends the whole file"):
        read_range(path, 0, 1000, retry_policy=QUICK, deadline=QUICK.deadline())
    assert http.gets()[NAME] == 3  # none of it is tried again


def test_a_whole_file_instead_of_a_part_is_refused(http: HttpFolder, content: bytes) -> None:
    """A server without ranges sends the requested number of bytes, but from the beginning."""
    http.has_ranges = False
    with pytest.raises(RemoteError, match="sends the whole file"):
        read_range(remote(http), 10, len(content), retry_policy=QUICK, deadline=QUICK.deadline())


def test_retry_after_is_honoured(http: HttpFolder, content: bytes, tmp_path: Path) -> None:
    http.retry_after, http.faults[NAME] = "1", deque(["503"])
    began = time.monotonic()
    assert fetched(remote(http), tmp_path / "target")[0] == content
    assert time.monotonic() - began >= 1


def test_a_retry_after_beyond_the_deadline_ends_at_once(http: HttpFolder, content: bytes, tmp_path: Path) -> None:
    http.retry_after, http.faults[NAME] = "86400", deque(["429"] * 9)
    with pytest.raises(RemoteError, match="429.*the server asks to retry after 86400 s"):
        fetched(remote(http), tmp_path / "target")
    assert http.gets()[NAME] == 1


def test_a_server_that_is_gone(content: bytes, http: HttpFolder, tmp_path: Path) -> None:
    path = location("http://127.0.0.1:9/") / "a.mp4"
    assert isinstance(path, RemotePath)
    with pytest.raises(RemoteError, match="cannot be fetched"):
        fetched(path, tmp_path / "target", RetryPolicy(total_seconds=0.3, first_wait_seconds=0.05))


def test_a_server_without_ranges(http: HttpFolder, content: bytes) -> None:
    http.has_ranges = False
    assert not has_ranges(remote(http))
    with pytest.raises(RemoteError, match="sends the whole file"):
        read_range(remote(http), 0, 10, retry_policy=QUICK, deadline=QUICK.deadline())


def test_a_failed_check_is_not_a_missing_file_and_logged_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(LOGGER, "warning", lambda text, *values: said.append(text % values))
    monkeypatch.setattr(transfer, "START_RETRY_POLICY", RetryPolicy(total_seconds=0.2, first_wait_seconds=0.05))
    path = location("http://127.0.0.1:9/a.mp4")
    assert isinstance(path, RemotePath)
    with pytest.raises(RemoteError):
        path.exists()
    [line] = said
    assert line.startswith("http://127.0.0.1:9/a.mp4: cannot be fetched (")
    assert line.endswith("; retrying for 0 s")


def test_s3(s3_bucket: str, tmp_path: Path) -> None:
    import boto3

    content = os.urandom(100_000)
    names = ["v/a b/c#1?.mp4", "v/d.mp4", "other.mp4"]
    for name in names:
        boto3.client("s3").put_object(Bucket=s3_bucket, Key=name, Body=content)
    root = location(f"s3://{s3_bucket}/v")
    assert isinstance(root, RemotePath)
    path = root / "a b/c#1?.mp4"
    assert file_facts(path).size == len(content)
    assert path.exists()
    assert not (root / "e.mp4").exists()
    assert fetched(path, tmp_path / "target") == (content, [len(content)] * 2)
    assert read_range(path, 5, 10, retry_policy=QUICK, deadline=QUICK.deadline()) == content[5:15]
    assert list_files(root) == ["a b/c#1?.mp4", "d.mp4"]
    with pytest.raises(RemoteError, match=f"^s3://{s3_bucket}/v/e.mp4: no such file$"):
        fetched(root / "e.mp4", tmp_path / "target")
    with pytest.raises(RemoteError, match="no such file"):
        list_files(RemotePath("s3://no-such-bucket-here/v"))


def test_unknown_protocols_are_named() -> None:
    with pytest.raises(RemoteError, match="Protocol not known: foo"):
        RemotePath("foo://host/a").read_bytes()
