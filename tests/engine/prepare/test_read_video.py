"""AVI, whose frame slots may be empty: the output shows the same frames at the same times."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sce_video.clips.decoders import open_video
from sce_video.engine.prepare.actions import Action, Check, Transcode
from sce_video.engine.prepare.journal import Planned, Record
from sce_video.engine.prepare.one_video import VideoTask, prepare_video
from sce_video.engine.prepare.read_video import SequentialVideo
from sce_video.engine.prepare.target import publish

FPS = 10

# Name -> slots of the frames, options of the encoder.
ROWS: dict[str, tuple[list[int], dict[str, str]]] = {
    "one gap": ([*range(5), *range(20, 25)], {}),
    "gaps of all lengths": ([0, 1, 2, 4, 5, 6, 10, 11, 12, 40, 41, 42, 43, 150, 151], {}),
    "b-frames": ([*range(9), *range(20, 40), *range(47, 60)], {"bf": "2", "g": "12"}),
    "every third slot": (list(range(0, 60, 3)), {}),
}


@pytest.fixture
def prepare(tmp_path: Path) -> Callable[[Path, Action], Record]:
    def run(path: Path, action: Action) -> Record:
        video = Planned(path.name, path.stat().st_size, path.stat().st_mtime_ns, "out.mp4")
        task = VideoTask(video, path.parent, tmp_path / "partial", action)
        record = prepare_video(task)
        if not isinstance(action, Check):
            publish(task.partial, tmp_path, "out.mp4")
        shutil.rmtree(task.partial_dir)
        return record

    return run


@pytest.mark.parametrize("name", ROWS)
def test_frames_keep_their_slots(write_video, read_number, prepare, tmp_path, name) -> None:
    slots, options = ROWS[name]
    source = write_video(tmp_path / "a.avi", slots, fps=FPS, codec="mpeg4", **options)
    record = prepare(source, Transcode(short_side_pixels=0))
    times = [(slot + 0.5) / FPS for slot in range(slots[-1] + 10)]
    shown = []
    for path in (source, tmp_path / "out.mp4"):
        with open_video(path, decoder="pyav") as video:
            shown.append([read_number(frame.permute(1, 2, 0).numpy()) for frame in video.frames_at(times)])
            duration = video.metadata.duration_seconds
    expected, made = shown
    assert made == expected
    assert record.duration_seconds == pytest.approx(duration)
    assert max(expected) >= len(slots) - 2  # with B-frames FFmpeg loses the last one


def test_one_gap_by_hand(write_video, shown_numbers, prepare, tmp_path) -> None:
    source = write_video(tmp_path / "a.avi", ROWS["one gap"][0], fps=FPS, codec="mpeg4")
    record = prepare(source, Transcode(short_side_pixels=0))
    assert shown_numbers(tmp_path / "out.mp4") == [0, 1, 2, 3, *[4] * 16, 5, 6, 7, 8, 9]
    assert (record.duration_seconds, record.fps, record.num_frames) == (2.5, FPS, 25)
    checked = prepare(source, Check())
    assert (checked.duration_seconds, checked.num_frames) == (2.5, 10)


def test_the_rate_is_that_of_the_frames_not_of_the_slots(write_video, tmp_path) -> None:
    source = write_video(tmp_path / "a.avi", ROWS["every third slot"][0], fps=30, codec="mpeg4")
    with SequentialVideo(source) as video:
        assert video.fps == 10
        assert [round(start * 10, 6) for start, _, _ in video.frames()] == list(range(20))


@pytest.mark.parametrize(("suffix", "codec"), [(".flv", "flv"), (".mp4", "libx264"), (".mkv", "libx264")])
def test_lost_frames_of_concatenated_files_are_reported(write_video, prepare, tmp_path, suffix, codec) -> None:
    """Twice the same ten frames: FFmpeg reads the first ten, or all."""
    one = write_video(tmp_path / f"one{suffix}", range(10), fps=25, codec=codec)
    assert prepare(one, Check()).reason == ""
    two = tmp_path / f"two{suffix}"
    two.write_bytes(2 * one.read_bytes())
    record = prepare(two, Check())
    reasons = {
        10: f"its frames end after [0-9]+ of {two.stat().st_size} bytes; what follows is .* not read",
        20: "10 of 20 frames have no time stamp of their own",
    }
    assert re.fullmatch(reasons[record.num_frames], record.reason), record.reason
