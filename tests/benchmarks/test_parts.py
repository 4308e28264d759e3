"""What benchmarks measure besides speed: wrong frames, growth of memory, distances between key frames."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import av
import pytest
import torch

from sce_video.clips.decoders import open_video

Module = Callable[[str], ModuleType]


@pytest.mark.parametrize(("shift", "least_wrong"), [(0, 0), (1, 14), (-1, 14), (5, 14)])
def test_frames_beside_the_wanted_ones_are_counted(
    benchmark_module: Module, motion_videos: Path, shift: int, least_wrong: int
) -> None:
    """Of 16 requested frames the first or last cannot be shifted out of the video, and a few may look alike."""
    videos, decode, peers = (benchmark_module(name) for name in ("videos", "decode", "peers"))
    video = sorted(motion_videos.rglob("*.mp4"))[:1]
    wanted = videos.wanted_frames(video, seed=1)
    fps = benchmark_module("videos").describe(video[0])["fps"]

    def shifted(asked):
        times = [time + shift / fps for time in asked[0].times_seconds]
        yield from peers.ours("pyav")([dataclasses.replace(asked[0], times_seconds=times)])

    wrong = decode.count_wrong({"shifted": shifted}, wanted)["shifted"]
    assert least_wrong <= wrong <= (16 if shift else 0)


def test_a_frame_must_be_the_nearest_and_near(benchmark_module: Module) -> None:
    """Frames that differ by 2 levels from one to the next: a slow pan."""
    is_wrong = benchmark_module("decode").is_wrong
    sequential = {index: torch.full((3, 4, 4), 2 * index, dtype=torch.uint8) for index in range(40, 46)}
    rounded = sequential[42].clone()
    rounded[0, 0, 0] += 3  # another decoder's rounding
    assert not is_wrong(sequential[42], 42, sequential)
    assert not is_wrong(rounded, 42, sequential)
    assert is_wrong(sequential[43], 42, sequential)
    assert is_wrong(sequential[41], 42, sequential)
    assert is_wrong(sequential[42] + 100, 42, sequential)
    assert is_wrong(sequential[42][:, :2], 42, sequential)
    assert not is_wrong(sequential[40], 40, sequential)  # nothing before the first


def test_a_reader_that_fails_has_no_right_frame(benchmark_module: Module, motion_videos: Path) -> None:
    videos, decode = benchmark_module("videos"), benchmark_module("decode")

    def fails(asked):
        raise RuntimeError("damaged")
        yield

    def skips(asked):
        yield from ()

    wanted = videos.wanted_frames(sorted(motion_videos.rglob("*.mp4"))[:1], seed=0)
    assert decode.count_wrong({"fails": fails, "skips": skips}, wanted) == {"fails": 16, "skips": 16}


def test_all_readers_give_the_same_clips(benchmark_module: Module, motion_videos: Path) -> None:
    videos, peers = benchmark_module("videos"), benchmark_module("peers")
    wanted = videos.wanted_frames(sorted(motion_videos.rglob("*.mp4"))[:2], seed=0)
    readers = peers.readers_that_load(wanted[:1])
    assert {"ours pyav", "pytorchvideo"} <= readers.keys()
    expected = list(readers["ours pyav"](wanted))
    assert [frames.shape[0] for frames in expected] == [16, 16]
    for reader in readers.values():
        for frames, same in zip(reader(wanted), expected, strict=True):
            assert frames.shape == same.shape
            assert (frames.float() - same.float()).abs().mean() < 2


@pytest.mark.parametrize(("name", "gop"), [("gop8", 8), ("gop4", 4), ("intra", 1)])
def test_copies_keep_size_and_rate(
    benchmark_module: Module, motion_videos: Path, tmp_path: Path, name: str, gop: int
) -> None:
    videos = benchmark_module("videos")
    original = sorted(motion_videos.rglob("*.mp4"))[0]
    (copy,) = videos.encode_all([original], tmp_path, name=name)
    before, after = videos.describe(original), videos.describe(copy)
    assert after["longest_gop"] == gop
    assert all(after[fact] == before[fact] for fact in ("size", "fps", "frames"))
    with open_video(original, decoder="pyav") as first, open_video(copy, decoder="pyav") as second:
        times = [0.0, 0.5, 1.0]
        assert (first.frames_at(times).float() - second.frames_at(times).float()).abs().mean() < 6
    made = copy.stat().st_mtime_ns
    assert videos.encode_all([original], tmp_path, name=name) == [copy]
    assert copy.stat().st_mtime_ns == made
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


def test_only_the_long_gop_has_b_frames(benchmark_module: Module, motion_videos: Path, tmp_path: Path) -> None:
    """256p is like the files that most people have; the others are like prepared ones."""
    videos = benchmark_module("videos")
    original = sorted(motion_videos.rglob("*.mp4"))[0]
    facts = videos.describe(original)
    for name, has_b_frames in [("256p", True), ("256p_gop8", False)]:
        (copy,) = videos.encode_all([original], tmp_path, name=name)
        with av.open(str(copy)) as container:
            times = [packet.pts for packet in container.demux(video=0) if packet.size]
        assert (times != sorted(times)) == has_b_frames
        assert all(videos.describe(copy)[fact] == facts[fact] for fact in ("size", "fps", "frames"))
    assert videos.describe(tmp_path / "256p" / f"{original.parent.name}_{original.stem}.mp4")["longest_gop"] > 8


def test_growth_is_the_slope_after_the_first_tenth(benchmark_module: Module) -> None:
    memory = benchmark_module("memory")
    resident = [0.0, 50.0, *(100.0 + 2 * sample for sample in range(18))]  # 2 MiB every 100 openings
    row = memory.growth(resident, every=100)
    assert row["kib_per_opening"] == pytest.approx(20.48)
    assert (row["first_mib"], row["last_mib"]) == (0.0, 134.0)
    assert memory.growth([100.0] * 30, every=100)["kib_per_opening"] == pytest.approx(0)


def test_bars(benchmark_module: Module) -> None:
    bars = benchmark_module("memory").bars
    assert bars([0.0, 1.0, 2.0, 7.0]) == "▁▂▃█"
    assert bars([100.0, 100.1, 100.2]) == "▁▁▁"  # nothing to see
    assert len(bars([float(value) for value in range(100)], width=25)) == 25


def test_parts_add_up(benchmark_module: Module, motion_videos: Path) -> None:
    """Every part takes time, and the requested frames are recorded."""
    loader, parts = benchmark_module("loader"), benchmark_module("loader_parts")
    paths = [str(path) for path in sorted(motion_videos.rglob("*.mp4"))[:4]]
    timed = parts.TimedVideos(loader.Files(paths), paths)
    ours = loader.our_loader(timed, num_workers=0)
    (batch,) = ours.requests_of(0)
    seconds = parts.load_timed(loader.our_dataset(timed), [batch], timed)
    assert set(seconds) == {"open", "decode", "convert", "crop", "collate", "transfer"}
    assert all(value > 0 for value in seconds.values())
    assert [path for path, _ in timed.requested] == [paths[request.video] for request in batch]
    assert {len(times) for _, times in timed.requested} == {16}


def test_pytorchvideo_does_the_same_work(benchmark_module: Module) -> None:
    clip = torch.arange(77.0)[None, :, None, None]
    kept = benchmark_module("peers").subsample(clip).flatten().tolist()
    assert kept == [0, 10, 21, 32, 43, 54, 65, 76]  # floor of k * 76 / 7


@pytest.mark.rounding
def test_the_peer_of_image_views_makes_the_same_view_of_one_image(benchmark_module: Module) -> None:
    """Ours is (1, C, 1, H, W), with all five ops; torchvision rounds the blur and the hue otherwise."""
    program = benchmark_module("image_views")
    recipe = program.build_views(program.load_config(program.CONFIG))[1].recipe
    drawn = program.drawn_for(recipe, 1)
    parameters = drawn._replace(coins=torch.ones_like(drawn.coins))
    image = torch.randint(256, (1, 1, 3, 40, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    ours = program.apply_view(image, image[:0], parameters, recipe)
    theirs = program.peer_view(image[:, 0], parameters, recipe)
    assert len(program.acting_ops(parameters, recipe)) == 5
    torch.testing.assert_close(ours[:, :, 0], theirs, rtol=0, atol=1e-4)
