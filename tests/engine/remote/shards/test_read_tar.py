"""Compared with Python's tarfile: offsets and labels are right, requests few, and damaged files are refused."""

import gzip
import io
import subprocess
import tarfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sce_video.engine.remote.shards.read_tar import ShardVideo, read_tar
from sce_video.errors import ManifestError
from tests.engine.remote.shards.tars import write_tar

LARGE = 300_000
LONG = b'{"label": "%s"}' % (b"a caption " * 30)


def read(content: bytes, requests: list[tuple[int, int]] | None = None) -> list[ShardVideo]:
    def read_range(start: int, length: int) -> bytes:
        assert 0 <= start <= start + length <= len(content)
        if requests is not None:
            requests.append((start, length))
        return content[start : start + length]

    return read_tar("shard.tar", read_range, len(content))


def tar_of(tmp_path: Path, members: dict[str, bytes], format: int = tarfile.USTAR_FORMAT) -> bytes:
    return write_tar(tmp_path / "shard.tar", members, format=format).read_bytes()


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_offsets_are_those_of_tarfile(tmp_path: Path, format: int) -> None:
    members = {
        "a/000.mp4": b"first" * 1000,
        "a/000.cls": b"3",
        "a/001.json": b'{"label": 4, "text": "x"}',
        "a/001.WEBM": bytes(LARGE),
        "a/002.clip.avi": b"x",
        "a/002.cls": b" 5\n",
        "a/003.txt": b"no video",
        "b/" + "long" * (15 if format == tarfile.USTAR_FORMAT else 60) + "/0.jpg": b"image",
    }
    content = tar_of(tmp_path, members, format)
    videos = read(content)
    assert [video.label for video in videos] == [3, 4, 5, None]
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        for video in videos:
            file = tar.extractfile(video.name)
            assert file is not None
            assert content[video.start : video.start + video.length] == file.read()


def test_few_requests_and_few_bytes(tmp_path: Path) -> None:
    """One for each large video: its header comes with what is before it."""
    members: dict[str, bytes] = {}
    for number in range(20):
        members |= {f"{number:03d}.mp4": bytes(LARGE), f"{number:03d}.cls": b"0"}
    content, requests = tar_of(tmp_path, members), list[tuple[int, int]]()
    assert len(read(content, requests)) == 20
    assert len(requests) <= 22
    assert sum(length for _, length in requests) < len(content) / 4


def test_a_video_goes_before_its_picture(tmp_path: Path) -> None:
    [video] = read(tar_of(tmp_path, {"0.jpg": b"a", "0.mp4": b"bc", "0.json": b'{"caption": "x"}'}))
    assert (video.name, video.length, video.label) == ("0.mp4", 2, None)


@pytest.mark.parametrize(
    "content",
    [b'{"caption": "x"}', b'{"label": true}', b'{"label": 2.5}', b'{"label": ""}', b"[3]", b"", b" " * 2**21, LONG],
)
def test_other_json_is_not_a_label(tmp_path: Path, content: bytes) -> None:
    [video] = read(tar_of(tmp_path, {"0.mp4": b"x", "0.json": content}))
    assert video.label is None


@pytest.mark.parametrize(
    ("content", "label"), [(b'"high jump"', "high jump"), (b'"7"', 7), (b"7.0", 7), (b"-1", -1), (b'"\\u00e9"', "é")]
)
def test_labels_in_json(tmp_path: Path, content: bytes, label: int | str) -> None:
    [video] = read(tar_of(tmp_path, {"0.mp4": b"x", "0.json": b'{"label": ' + content + b"}"}))
    assert (video.label, type(video.label)) == (label, type(label))


def test_no_videos(tmp_path: Path) -> None:
    assert read(tar_of(tmp_path, {})) == []
    assert read(tar_of(tmp_path, {"a.txt": b"x", "noending": b"x", ".hidden.mp4": b"x", "a/._0.mp4": b"x"})) == []


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"0.mp4": b"", "0.avi": b""}, "a key has one video"),
        ({"0.mp4": b"", "0.cls": b"dog"}, "no valid label"),
        ({"0.mp4": b"", "0.json": b"{"}, "no valid label"),
        ({"0.mp4": b"", "0.json": b"[" * 100_000}, "no valid label"),
    ],
)
def test_refused_contents(tmp_path: Path, members: dict[str, bytes], words: str) -> None:
    with pytest.raises(ManifestError, match=f"^shard.tar.*{words}"):
        read(tar_of(tmp_path, members))


def test_refused_files(tmp_path: Path) -> None:
    content = tar_of(tmp_path, {"0.mp4": bytes(2000), "1.mp4": bytes(2000)})
    cases = {
        "compressed .gzip.": gzip.compress(content),
        "not a tar file": b"something else" * 1000,
        "truncated|damaged": content[:2000],
        "damaged": content[: 512 + 2048 + 100] + b"\xff" + content[512 + 2048 + 101 :],
        "joins several tars": content + content,
        "twice": tar_of(tmp_path, {"0.mp4": b"", "./0.mp4": b""}),
    }
    for words, damaged in cases.items():
        with pytest.raises(ManifestError, match=words):
            read(damaged)


def header(kind: bytes, content: bytes, *, size: int | None = None) -> bytes:
    """A header of tar's, with its content, as tarfile writes them."""
    about = tarfile.TarInfo("././@LongLink")
    about.type, about.size = kind, len(content) if size is None else size
    return about.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)


PAX_RECORD = b"30 comment=this is no video..\n"


@pytest.mark.parametrize(
    ("kind", "content"), [(b"L", b"name.mp4\0"), (b"K", b"link\0"), (b"x", PAX_RECORD), (b"g", PAX_RECORD)]
)
def test_thousands_of_headers_before_one_member_are_refused(tmp_path: Path, kind: bytes, content: bytes) -> None:
    """Python's tarfile raises RecursionError for them."""
    requests: list[tuple[int, int]] = []
    tar = header(kind, content) * 5000 + tar_of(tmp_path, {"0.mp4": b"x"})
    with pytest.raises(ManifestError, match=r"^shard.tar is not a tar file, or is damaged .more than 16 headers"):
        read(tar, requests)
    assert sum(length for _, length in requests) < 100_000
    few = header(kind, content) * 10 + tar_of(tmp_path, {"0.mp4": b"x"})
    assert [video.name for video in read(few)] == ["name.mp4" if kind == b"L" else "0.mp4"]


@pytest.mark.parametrize("kind", [b"L", b"x", b"g"])
def test_a_giant_header_is_refused_unread(tmp_path: Path, kind: bytes) -> None:
    requests: list[tuple[int, int]] = []
    for size in (2**20 + 1, 2**33 - 1, 2**60):
        tar = header(kind, b"", size=size) + tar_of(tmp_path, {"0.mp4": b"x"})
        with pytest.raises(ManifestError, match=f"^shard.tar is not a tar .*a header has {size} bytes"):
            read(tar, requests)
    assert sum(length for _, length in requests) < 100_000


def test_a_member_larger_than_the_shard_is_refused(tmp_path: Path) -> None:
    for kind in (b"0", b"S", b"V"):
        for size in (2**33 - 1, 2**63 - 1):
            with pytest.raises(ManifestError, match=r"shard.tar is truncated|sparse file"):
                read(header(kind, b"", size=size) + bytes(1024))


def test_headers_of_negative_sizes_are_refused(tmp_path: Path) -> None:
    """tarfile goes backwards over them forever."""
    content = bytearray(tar_of(tmp_path, {"0.mp4": b"x"}))
    content[124:136] = b"\xff" * 12
    content[148:156] = b" " * 8
    content[148:156] = b"%06o\0 " % sum(content[:512])
    with pytest.raises(ManifestError, match=r"^shard.tar is not a tar file, or is damaged .a size is"):
        read(bytes(content))


def test_many_labels_are_not_kept(tmp_path: Path) -> None:
    large = b'{"label": 1, "x": "' + b"x" * 500_000 + b'"}'
    content = tar_of(tmp_path, {f"{number}.{ending}": large for number in range(60) for ending in ("mp4", "json")})
    tracemalloc.start()
    assert len(read(content)) == 60
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
@pytest.mark.parametrize("name", ["0.mp4", "0.cls", "0.txt", "0"])
def test_links_instead_of_videos_are_refused(name: str, kind: bytes) -> None:
    """Otherwise the videos of a folder of links, or those that tar saw twice, would be missing silently."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for each, its_kind in ((name, kind), ("folder.mp4", tarfile.DIRTYPE)):
            about = tarfile.TarInfo(each)
            about.type, about.linkname = its_kind, "/etc/passwd"
            tar.addfile(about)
    if name in ("0.txt", "0"):
        assert read(file.getvalue()) == []
    else:
        with pytest.raises(ManifestError, match=f"shard.tar: '{name}' is a link.*--dereference"):
            read(file.getvalue())


def test_sparse_members_are_refused(tmp_path: Path) -> None:
    with (tmp_path / "0.mp4").open("wb") as file:
        file.truncate(1_000_000)
        file.write(b"x")
    command = ["tar", "-C", str(tmp_path), "-c", "-S", "-f", str(tmp_path / "a.tar"), "0.mp4"]
    for format in ("gnu", "posix"):
        subprocess.run([*command, f"--format={format}"], check=True)
        with pytest.raises(ManifestError, match="'0.mp4' is a sparse file; .*without --sparse"):
            read((tmp_path / "a.tar").read_bytes())


def test_other_files_may_come_twice(tmp_path: Path) -> None:
    """As if tar had appended a README again."""
    once, twice = tar_of(tmp_path, {"0.mp4": b"x", "README.md": b"x"}), tar_of(tmp_path, {"./README.md": b"y"})
    [video] = read(once[:2048] + twice)
    assert video.name == "0.mp4"


@settings(max_examples=200)
@given(
    offsets=st.lists(st.tuples(st.integers(0, 10_239), st.integers(0, 255)), min_size=1, max_size=8),
    end=st.one_of(st.none(), st.integers(0, 10_239)),
)
def test_damage_is_refused_or_harmless(offsets: list[tuple[int, int]], end: int | None) -> None:
    """All members are within the file, whatever its content."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for number in range(3):
            about = tarfile.TarInfo(f"ä{number}.mp4")
            about.size = 700
            tar.addfile(about, io.BytesIO(bytes(700)))
    content = bytearray(file.getvalue())
    assert len(content) == 10_240
    for offset, value in offsets:
        content[offset] = value
    damaged = bytes(content[:end])
    try:
        videos = read(damaged)
    except ManifestError:
        return
    assert all(0 <= video.start <= video.start + video.length <= len(damaged) for video in videos)
