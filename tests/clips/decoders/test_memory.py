"""A file without an index is read through when it is opened, keeping timestamps but no packets."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from sce_video.clips.decoders import pyav_file
from sce_video.clips.decoders.pyav_decoder import PyAVDecoder
from sce_video.engine.prepare.read_video import SequentialVideo

NUM_FRAMES, SIDE = 160, 640  # 0.6 MB a frame, 94 MB


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Uncompressed, in an mkv without duration and index."""
    path = tmp_path_factory.mktemp("live") / "live.mkv"
    image = np.zeros((SIDE * 3 // 2, SIDE), dtype=np.uint8)
    with av.open(str(path), "w", container_options={"live": "1"}) as container:
        stream = container.add_stream("rawvideo", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "yuv420p"
        for number in range(NUM_FRAMES):
            image[:] = number
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="yuv420p")))
    return path


def growth_of_peak(action) -> float:
    """Growth of this process's peak memory in MB."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here on
    before = _peak_kib()
    action()
    return (_peak_kib() - before) / 1000


def _peak_kib() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def test_opening_keeps_no_packets(live: Path) -> None:
    def open_it() -> None:
        with PyAVDecoder(str(live)) as video:
            assert video.metadata.num_frames == NUM_FRAMES

    assert growth_of_peak(open_it) < 35  # of 94 MB; FFmpeg itself holds 5 MB of a file


def test_preparing_keeps_no_packets(live: Path) -> None:
    def open_it() -> None:
        with SequentialVideo(live) as video:
            assert video.fps == 25

    assert growth_of_peak(open_it) < 35


def test_past_the_bound_a_clip_is_decoded_from_the_start(numbered_video, read_numbers, monkeypatch) -> None:
    video = numbered_video("mp4 gop 250 b-frames")
    times = [0.9, 0.1, 1.7]
    with PyAVDecoder(str(video.path)) as opened:
        expected = opened.frames_at(times)
    monkeypatch.setattr(pyav_file, "_MOST_KEPT_BYTES", 2000)
    with PyAVDecoder(str(video.path)) as opened:
        assert (opened.frames_at(times) == expected).all()
        assert opened._frames_of_window(opened._ticks(sorted(times))) is None


def test_distant_clips_are_read_separately_without_an_index(live: Path) -> None:
    with PyAVDecoder(str(live)) as video:
        assert [len(window) for window in video._windows([0.0, 3.0, 6.0])] == [1, 1, 1]
