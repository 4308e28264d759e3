"""Files that cannot be read, wrong names and closed videos."""

import logging
import os
import sys

import pytest

from sce_video.clips.decoders import DECODERS, DecodeError, decode_errors, decoder_version, open_video
from sce_video.errors import PeerLostError, StoppedError, UserError

ALL = pytest.mark.parametrize("decoder", list(DECODERS), indirect=True)


def _assert_one_line_that_names(error, path):
    assert str(error).startswith(f"{path}: ")
    assert "\n" not in str(error)
    assert isinstance(error, UserError)


@ALL
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<!DOCTYPE html><html><body>404 Not Found</body></html>\n" * 40, id="html"),
        pytest.param(bytes(range(256)) * 64, id="noise"),
    ],
)
def test_content_that_is_not_a_video(tmp_path, decoder, content):
    path = tmp_path / "video.mp4"
    path.write_bytes(content)
    with pytest.raises(DecodeError) as caught:
        open_video(path, decoder=decoder)
    _assert_one_line_that_names(caught.value, path)


@ALL
@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "empty file"),
        (b"<!DOCTYPE html><html><body>404 Not Found</body></html>\n" * 40, "not a video: text"),
        ("Zugriff verweigert: f\u00fcr Ger\u00e4te\n".encode() * 60, "not a video: text"),
        (b"\xef\xbb\xbfAccessDenied", "not a video: text"),
        (b"#EXTM3U\n#EXTINF:1,\nhttp://localhost:9/a.ts\n", "not a video: text"),
    ],
    ids=["empty", "html", "utf-8", "short", "playlist"],
)
@pytest.mark.parametrize("file", ["video.mp4", "video.avi", "video.txt"])
def test_an_obvious_fault_is_named(tmp_path, decoder, file, content, fault):
    path = tmp_path / file
    path.write_bytes(content)
    with pytest.raises(DecodeError) as caught:
        open_video(path, decoder=decoder)
    assert str(caught.value) == f"{path}: {fault}"


def test_an_obvious_fault_of_an_image_is_named(tmp_path):
    for content, fault in ((b"", "empty file"), (b"<html>404</html>", "not an image: text")):
        (tmp_path / "a.jpg").write_bytes(content)
        with pytest.raises(DecodeError) as caught:
            open_video(tmp_path / "a.jpg", decoder="pyav")
        assert str(caught.value) == f"{tmp_path / 'a.jpg'}: {fault}"


@pytest.mark.parametrize("name", ["fifo.mp4", "fifo", "fifo.jpg"])
def test_a_fifo_is_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(DecodeError) as caught:
        open_video(tmp_path / name, decoder="pyav")
    assert str(caught.value) == f"{tmp_path / name}: it is a FIFO, not a file"
    with pytest.raises(DecodeError, match=r"/dev/zero: it is a device, not a file$"):
        open_video("/dev/zero", decoder="pyav")


def test_any_exception_becomes_the_videos_error_with_its_type(caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("sce_video"), "propagate", True)
    caplog.set_level(logging.DEBUG, logger="sce_video")
    for error in (RecursionError("deep"), MemoryError(), OverflowError("inf"), KeyError("k"), ZeroDivisionError()):
        line = f"^a.mp4: cannot be decoded .{type(error).__name__}"
        with pytest.raises(DecodeError, match=line) as caught, decode_errors("a.mp4"):
            raise error
        assert caught.value.__cause__ is error
    assert "Traceback" in caplog.text
    for error in (UserError("no library"), StoppedError(15), PeerLostError(), KeyboardInterrupt(), SystemExit()):
        with pytest.raises(type(error)) as caught, decode_errors("a.mp4"):
            raise error
        assert caught.value is error


def test_a_playlist_is_not_followed(tmp_path):
    path = tmp_path / "video.mp4"  # decord waits forever for such a list to grow
    path.write_bytes(b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://localhost:9/a.ts\n")
    with pytest.raises(DecodeError) as caught:
        open_video(path, decoder="pyav")
    _assert_one_line_that_names(caught.value, path)


@ALL
def test_a_truncated_video(numbered_video, tmp_path, decoder):
    whole = numbered_video("mp4").path.read_bytes()  # its index is at the end
    path = tmp_path / "truncated.mp4"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DecodeError) as caught:
        open_video(path, decoder=decoder)
    assert str(caught.value) == f"{path}: incomplete: no index (moov)"


@pytest.mark.parametrize(("kind", "box"), [("mp4", b"moov"), ("mp4 fragmented", b"moof"), ("mkv", b"\x1f\x43\xb6\x75")])
def test_a_video_that_ends_before_its_first_picture(numbered_video, tmp_path, kind, box):
    """In its index, in its first fragment, in its first cluster."""
    source = numbered_video(kind).path
    whole = source.read_bytes()
    path = tmp_path / f"truncated{source.suffix}"
    path.write_bytes(whole[: whole.index(box) + 20])
    with pytest.raises(DecodeError) as caught:
        open_video(path, decoder="pyav")
    assert str(caught.value) == f"{path}: incomplete: its header announces more bytes"


def test_damage_is_an_error_only_for_frames_that_need_it(numbered_video, read_numbers, tmp_path):
    content = bytearray(numbered_video("mp4 b-frames").path.read_bytes())
    begin = content.index(b"mdat")
    end = content.index(b"moov")
    middle = begin + (end - begin) // 2
    content[middle : middle + 400] = b"\xff" * 400
    path = tmp_path / "damaged.mp4"
    path.write_bytes(bytes(content))
    with open_video(path, decoder="pyav") as opened:
        assert read_numbers(opened.frames_at([0.0])) == [0]
        with pytest.raises(DecodeError) as caught:
            opened.frames_at([i / 30 for i in range(150)])
        assert read_numbers(opened.frames_at([0.0])) == [0]
    _assert_one_line_that_names(caught.value, path)


@pytest.mark.parametrize("decoder", list(DECODERS))
def test_a_missing_file_and_a_folder(tmp_path, decoder):
    for path, cause in ((tmp_path / "absent.mp4", "no such file"), (tmp_path, "a folder without images")):
        with pytest.raises(DecodeError, match=cause) as caught:
            open_video(path, decoder=decoder)
        _assert_one_line_that_names(caught.value, path)


def test_an_unknown_decoder_lists_the_known_ones(numbered_video):
    with pytest.raises(ValueError, match="decoder is 'opencv'; it must be one of 'pyav', 'torchcodec', 'decord'"):
        open_video(numbered_video("mp4").path, decoder="opencv")


@pytest.mark.parametrize(
    ("decoder", "module", "message"),
    [
        ("decord", "decord", 'decoder "decord" cannot be loaded .*or use "pyav"'),
        ("torchcodec", "torchcodec.decoders", 'decoder "torchcodec" is not installed .*pip install torchcodec'),
    ],
)
def test_a_missing_library_is_an_error_that_says_what_to_do(numbered_video, monkeypatch, decoder, module, message):
    monkeypatch.setitem(sys.modules, module, None)  # to import it now raises ImportError
    with pytest.raises(UserError, match=message) as caught:
        open_video(numbered_video("mp4").path, decoder=decoder)
    assert not isinstance(caught.value, DecodeError)  # the data set must not treat it as a broken video
    with pytest.raises(UserError, match=message):
        decoder_version(decoder)
    with open_video(numbered_video("mp4").path, decoder="pyav") as opened:
        assert opened.metadata.num_frames == 150


def test_torchcodec_without_ffmpegs_libraries_is_an_error_that_says_what_to_do(tmp_path, monkeypatch):
    """It raises RuntimeError while it is imported, over many lines."""
    (tmp_path / "torchcodec").mkdir()
    (tmp_path / "torchcodec" / "__init__.py").write_text("")
    (tmp_path / "torchcodec" / "decoders.py").write_text(
        "raise RuntimeError('Could not load libtorchcodec.\\nLikely: ...')"
    )
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchcodec"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        UserError, match="cannot be loaded .Could not load libtorchcodec.*apt-get install ffmpeg"
    ) as caught:
        decoder_version("torchcodec")
    assert "\n" not in str(caught.value)
    del sys.modules["torchcodec"]


@ALL
def test_leaving_the_with_closes(numbered_video, decoder):
    with open_video(numbered_video("mp4").path, decoder=decoder) as opened:
        opened.frames_at([0.0])
    with pytest.raises(ValueError, match="is closed"):
        opened.frames_at([0.0])


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_pyav_leaves_no_file_open(numbered_video, tmp_path):
    def open_files():
        return [os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]

    good = numbered_video("avi b-frames").path
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"nothing")
    with open_video(good, decoder="pyav") as opened:
        opened.frames_at([1.0])  # opens the file a second time
        assert open_files().count(str(good)) == 1
    with pytest.raises(DecodeError) as caught:
        open_video(broken, decoder="pyav")
    assert caught.value is not None  # kept alive, with its traceback
    assert str(good) not in open_files()
    assert str(broken) not in open_files()


def test_a_name_that_looks_like_a_protocol(numbered_video, tmp_path, monkeypatch, read_numbers):
    monkeypatch.chdir(tmp_path)
    for name in ("rtsp:%03d.mp4", "-dash.mp4"):
        (tmp_path / name).write_bytes(numbered_video("mp4").path.read_bytes())
        with open_video(name, decoder="pyav") as opened:
            assert read_numbers(opened.frames_at([1.01])) == [30]
