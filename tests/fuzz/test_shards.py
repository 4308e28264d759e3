"""Tar files of any content give the videos that tarfile finds in valid ones, or one line that names the shard."""

import io
import random
import tarfile
from collections.abc import Iterator

from sce_video.engine.remote.shards.read_tar import ShardVideo, read_tar
from sce_video.errors import ManifestError

NAMES = ("0.mp4", "1.mp4", "a/2.webm", "ä.avi", "long" * 40 + ".mp4", "3.jpg", "README")
FORMATS = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
KINDS = b"0012345670LKxgSVDMN\0"
# Fields of a header: offsets of their begin and end.
FIELDS = ((0, 100), (124, 136), (148, 156), (156, 157), (157, 257), (257, 265), (345, 500), (482, 483), (512, 560))


def sound_tar(dice: random.Random) -> tuple[dict[str, bytes], bytes]:
    members = {name: dice.randbytes(dice.randrange(1500)) for name in dice.sample(NAMES, dice.randrange(1, 5))}
    for name in [name for name in members if "." in name and dice.random() < 0.5]:
        members[name.rpartition(".")[0] + ".json"] = dice.choice([b'{"label": 3}', b'{"label": "walk"}', b"{}"])
    members = {name: content for name, content in members.items() if len(name) < 100 or dice.random() < 0.5}
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=dice.choice(FORMATS[1:])) as tar:
        for name, content in members.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            tar.addfile(about, io.BytesIO(content))
    return members, file.getvalue()


def damaged(content: bytes, dice: random.Random) -> bytes:
    """The tar with changed fields of headers, mostly with a valid checksum, with repeated blocks, or truncated."""
    tar = bytearray(content)
    for _ in range(dice.randrange(1, 4)):
        block = 512 * dice.randrange(len(tar) // 512)
        begin, end = dice.choice(FIELDS)
        value = dice.choice(
            [
                dice.randbytes(end - begin),
                b"%011o\0" % dice.choice([0, 1, 511, 513, 2**20, 2**20 + 1, 2**33 - 1]),
                b"\x80" + dice.randbytes(11),
                b"\xff" * 12,
                bytes([dice.choice(KINDS)]),
                b"30 comment=this is no video..\n",
                b"20 size=99999999999\n13 path=x.mp4\n",
            ]
        )[: end - begin]
        tar[block + begin : block + begin + len(value)] = value
        if dice.random() < 0.8:
            tar[block + 148 : block + 156] = b" " * 8
            tar[block + 148 : block + 156] = b"%06o\0 " % sum(tar[block : block + 512])
    if dice.random() < 0.3:
        block = 512 * dice.randrange(len(tar) // 512)
        tar[block:block] = tar[block : block + 512] * dice.choice([1, 20, 3000])
    return bytes(tar[: dice.choice([None, None, dice.randrange(len(tar))])])


def read(content: bytes) -> list[ShardVideo] | None:
    num_read = 0

    def read_range(start: int, length: int) -> bytes:
        nonlocal num_read
        assert 0 <= start <= start + length <= len(content)
        num_read += length
        return content[start : start + length]

    videos, message = None, "shard.tar"
    try:
        videos = read_tar("shard.tar", read_range, len(content))
    except ManifestError as error:
        message = str(error)
    assert message.startswith("shard.tar")
    assert len(message) < 1000
    assert num_read < 4 * len(content) + 200_000
    return videos


def check_sound(members: dict[str, bytes], content: bytes) -> None:
    videos = read(content)
    assert videos is not None
    expected = {name: body for name, body in members.items() if name.endswith((".mp4", ".webm", ".avi", ".jpg"))}
    assert {video.name: content[video.start : video.start + video.length] for video in videos} == expected


def test_tars(seeds: Iterator[int]) -> None:
    num_read = 0
    for seed in seeds:
        dice = random.Random(seed)
        members, content = sound_tar(dice)
        if seed % 2:
            check_sound(members, content)
            continue
        content = damaged(content, dice)
        videos = read(content)
        if videos is not None:
            num_read += 1
            assert all(0 <= video.start <= video.start + video.length <= len(content) for video in videos)
    assert num_read > 0
