"""Damage affects only the frames that need it, and wrong headers cost time but give no wrong frames."""

import av
import pytest

from sce_video.clips.decoders import DecodeError, open_video
from tests.clips.decoders.numbered import numbers_in, write_numbered


def packets_of(path):
    with av.open(str(path)) as container:
        return [packet for packet in container.demux(video=0) if packet.size]


@pytest.fixture
def damaged(tmp_path):
    """60 frames in five closed groups of 12; the group of frames 24 to 35 is overwritten with noise."""
    path = tmp_path / "damaged.mp4"
    options = {"x264-params": "scenecut=0:b-adapt=0:bframes=2:keyint=12:min-keyint=12"}
    write_numbered(path, options=options, container_options={"movflags": "faststart"})
    packets = packets_of(path)
    assert [number for number, packet in enumerate(packets) if packet.is_keyframe] == [0, 12, 24, 36, 48]
    content = bytearray(path.read_bytes())
    for packet in packets[24:36]:
        content[packet.pos : packet.pos + packet.size] = b"\xff" * packet.size
    path.write_bytes(bytes(content))
    return path


def middle(number):
    return (number + 0.5) / 30


def test_damage_in_one_group_of_pictures_does_not_reach_the_others(damaged):
    outside = [0, 5, 11, 12, 22, 36, 40, 47, 48, 59]
    with open_video(damaged, decoder="pyav") as opened:
        assert numbers_in(opened.frames_at([middle(number) for number in outside])) == outside
        for number in outside:
            assert numbers_in(opened.frames_at([middle(number)])) == [number]


def test_a_decoder_works_after_an_error_in_a_damaged_group(damaged):
    with open_video(damaged, decoder="pyav") as opened:
        for number in (24, 26, 30, 34):
            with pytest.raises(DecodeError, match="damaged.mp4: cannot be decoded"):
                opened.frames_at([middle(number)])
            with pytest.raises(DecodeError, match="damaged.mp4: cannot be decoded"):
                opened.frames_at([middle(5), middle(number), middle(50)])
            assert numbers_in(opened.frames_at([middle(50), middle(5)])) == [50, 5]


def test_a_file_that_ends_inside_a_frame(tmp_path):
    """Frames before the cut are right; later ones are an error, or the last frame there is."""
    path = tmp_path / "cut.mp4"
    write_numbered(path, options={"bf": "0", "g": "12"}, container_options={"movflags": "faststart"})
    last = packets_of(path)[36]
    path.write_bytes(path.read_bytes()[: last.pos + last.size // 2])
    with open_video(path, decoder="pyav") as opened:
        assert abs(opened.metadata.num_frames - 36) <= 1  # not the 60 of the header
        assert numbers_in(opened.frames_at([middle(number) for number in range(35)])) == list(range(35))
        with pytest.raises(DecodeError, match="cut.mp4"):
            opened.frames_at([middle(36)])


def test_the_first_group_is_damaged(tmp_path):
    """Time 0 is unknown: the file is refused, or begins with the first frame that can be decoded."""
    path = tmp_path / "headless.mp4"
    write_numbered(path, options={"bf": "0", "g": "12"}, container_options={"movflags": "faststart"})
    content = bytearray(path.read_bytes())
    first = packets_of(path)[0]
    content[first.pos : first.pos + first.size] = b"\xff" * first.size
    path.write_bytes(bytes(content))
    with pytest.raises(DecodeError, match="headless.mp4"):
        open_video(path, decoder="pyav")


@pytest.mark.parametrize("offset_frames", [-7, 5, 30])
def test_an_index_with_wrong_times(tmp_path, offset_frames):
    """Matroska's cues: the times of all key frames are off by so many frames, and seeking ends elsewhere."""
    path = tmp_path / "cues.mkv"
    write_numbered(
        path, options={"bf": "2", "g": "12", "sc_threshold": "0"}, container_options={"cluster_time_limit": "1"}
    )
    content = bytearray(path.read_bytes())
    start = content.rindex(b"\x1c\x53\xbb\x6b")  # the cues come last
    offset, num_changed = start, 0
    while (offset := content.find(b"\xb3", offset + 1)) > 0:  # a cue's time: id, length with its marker bit, ms
        length = content[offset + 1] & 0x7F
        if content[offset + 1] & 0x80 and length <= 2:
            old = int.from_bytes(content[offset + 2 : offset + 2 + length], "big")
            new = max(old + offset_frames * 33, 0) % 256**length
            content[offset + 2 : offset + 2 + length] = new.to_bytes(length, "big")
            num_changed += 1
    assert num_changed >= 4
    path.write_bytes(bytes(content))
    wanted = [50, 3, 13, 24, 11, 36, 59]
    with open_video(path, decoder="pyav") as opened:
        for number in wanted:
            assert numbers_in(opened.frames_at([middle(number)])) == [number]
        assert numbers_in(opened.frames_at([middle(number) for number in wanted])) == wanted
