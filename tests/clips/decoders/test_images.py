"""Still images, folders of frames and pixels in memory as videos."""

import io
import json
import math
import os

import numpy as np
import pytest
from PIL import Image

from sce_video.clips.decoders import DecodeError, PixelVideo, open_video


def picture(height=40, width=60):
    """Smooth, so that JPEG leaves it nearly alone, and different at each corner."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) * 200 // (width + height)], axis=2).astype(np.uint8)


def gray(level, size=(60, 40)):
    return Image.new("RGB", size, (level, level, level))


def read(path, times=(0.0,), **how):
    """(T, H, W, C) as int."""
    with open_video(path, decoder="pyav", **how) as opened:
        frames = opened.frames_at(list(times))
        assert frames.shape[2:] == (opened.metadata.height, opened.metadata.width)
    return frames.permute(0, 2, 3, 1).numpy().astype(int)


@pytest.mark.parametrize(
    ("file", "mode"),
    [
        *(
            ("a.jpg", "RGB"),
            ("a.JPEG", "RGB"),
            ("a.png", "RGB"),
            ("a.webp", "RGB"),
            ("a.bmp", "RGB"),
            ("a.tiff", "RGB"),
        ),
        *(("a.jpg", "L"), ("a.png", "L"), ("a.png", "1"), ("a.png", "P"), ("a.png", "RGBA"), ("a.png", "LA")),
        *(("a.jpg", "CMYK"), ("a.tif", "CMYK"), ("a.webp", "RGBA")),
    ],
)
def test_every_kind_of_image_is_rgb(tmp_path, file, mode):
    image = Image.fromarray(picture()).convert(mode)
    image.save(tmp_path / file)
    frames = read(tmp_path / file)
    assert frames.shape == (1, 40, 60, 3)
    assert np.abs(frames[0] - np.asarray(image.convert("RGB"), int)).mean() < 4


def test_sixteen_bit_gray_keeps_its_levels(tmp_path):
    levels = np.repeat(np.array([0, 128, 255], np.uint16) * 257, 20)[None].repeat(40, axis=0)
    Image.fromarray(levels).save(tmp_path / "deep.png")
    assert read(tmp_path / "deep.png")[0, 20, 10::20].tolist() == [[0] * 3, [128] * 3, [255] * 3]


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("short_side_pixels", [0, 20])
def test_exif_orientation(tmp_path, orientation, short_side_pixels):
    upright = picture(80, 120)
    stored = {  # orientations of the camera; from the EXIF specification: the side of row 0 and of column 0 of the file
        **dict.fromkeys((0, 1, 9), upright),  # 0 and 9 mean nothing
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "a.jpg", exif=exif, quality=95)
    expected = upright
    if short_side_pixels:
        expected = np.asarray(Image.fromarray(upright).resize((30, 20), Image.Resampling.BILINEAR))
    frames = read(tmp_path / "a.jpg", short_side_pixels=short_side_pixels)
    assert frames.shape == (1, *expected.shape)
    assert np.abs(frames[0] - expected).mean() < 5


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<!DOCTYPE html><html>404 Not Found</html>", id="html"),
        pytest.param(b"\xff\xd8\xff\xe0" + bytes(200), id="header-only"),
        pytest.param(b"GIF89a", id="other-magic"),
    ],
)
@pytest.mark.parametrize("file", ["broken.jpg", "broken.png", "broken.webp"])
def test_a_file_that_is_not_an_image_is_refused_by_name(tmp_path, file, content):
    (tmp_path / file).write_bytes(content)
    with pytest.raises(DecodeError) as caught:
        open_video(tmp_path / file, decoder="pyav")
    assert str(caught.value).startswith(f"{tmp_path / file}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_half_an_image_is_refused(tmp_path, suffix):
    whole = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(noise).save(whole, {"jpg": "JPEG", "png": "PNG"}[suffix])
    path = tmp_path / f"half.{suffix}"
    path.write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    with pytest.raises(DecodeError, match="half"):
        open_video(path, decoder="pyav")


def test_an_image_is_a_video_of_one_frame(tmp_path):
    Image.fromarray(picture()).save(tmp_path / "a.png")
    frames = read(tmp_path / "a.png", [i / 8 for i in range(6)] + [-math.inf, math.inf])
    assert np.array_equal(frames, np.broadcast_to(picture(), (8, 40, 60, 3)))
    with open_video(tmp_path / "a.png", decoder="pyav") as opened:
        assert opened.metadata.num_frames == 1
        assert opened.metadata.duration_seconds * opened.metadata.fps == 1


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize(
    ("stored", "short_side_pixels", "scaled"),
    [((501, 1003), 100, (100, 200)), ((1003, 501), 60, (120, 60)), ((50, 70), 60, (50, 70)), ((50, 70), 0, (50, 70))],
)
def test_short_side(tmp_path, suffix, stored, short_side_pixels, scaled):
    """501 x 1003 at an eighth of its size, as a JPEG can be read, is 63 x 126: other proportions."""
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(picture(*stored)).save(path)
    expected = np.asarray(Image.fromarray(picture(*stored)).resize(scaled[::-1], Image.Resampling.BILINEAR), int)
    assert np.abs(read(path, short_side_pixels=short_side_pixels)[0] - expected).mean() < 4
    with open_video(path, decoder="pyav", short_side_pixels=short_side_pixels) as opened:
        assert (opened.metadata.height, opened.metadata.width) == scaled


def test_a_large_jpeg_decoded_at_reduced_size_keeps_its_proportions(tmp_path):
    sizes = set()
    for suffix in ("jpg", "png"):
        Image.new("RGB", (497, 251)).save(tmp_path / f"a.{suffix}")
        with open_video(tmp_path / f"a.{suffix}", decoder="pyav", short_side_pixels=125) as opened:
            sizes.add((opened.metadata.height, opened.metadata.width))
    assert sizes == {(125, 497 * 125 // 251)}


def folder_of(path, levels, names=None, size=(60, 40)):
    """PNGs of one gray level each."""
    path.mkdir(exist_ok=True)
    for index, level in enumerate(levels):
        gray(level, size).save(path / (names[index] if names else f"frame_{index:05d}.png"))
    return path


def levels_in(frames):
    return frames[:, 20, 30, 0].tolist()


def test_a_folder_of_frames(tmp_path):
    folder = folder_of(tmp_path / "frames", range(0, 100, 10))
    with open_video(folder, decoder="pyav", frames_fps=10.0) as opened:
        about = opened.metadata
        assert (about.num_frames, about.fps, about.duration_seconds, about.height, about.width) == (
            10,
            10.0,
            1.0,
            40,
            60,
        )
        begins = [i / 10 for i in range(10)]
        assert levels_in(opened.frames_at(begins).permute(0, 2, 3, 1)) == list(range(0, 100, 10))
        times = [0.99, -1.0, 5.0, 0.35, 0.35, math.inf]
        assert levels_in(opened.frames_at(times).permute(0, 2, 3, 1)) == [90, 0, 90, 30, 30, 90]


def test_the_first_instant_of_a_frame_shows_it(tmp_path):
    """1 / 49 * 49 is less than 1 in floats."""
    folder = folder_of(tmp_path / "frames", range(0, 100, 10))
    assert levels_in(read(folder, [i / 49 for i in range(10)], frames_fps=49.0)) == list(range(0, 100, 10))


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(["1.png", "2.png", "10.png", "100.png"], id="bare"),
        pytest.param(["frame_9.png", "frame_10.png", "frame_11.png", "frame_100.png"], id="no-zeros"),
        pytest.param(["img_00001.jpg", "img_00002.jpg", "img_00003.jpg", "img_00010.jpg"], id="zeros"),
        pytest.param(["v2_f1.png", "v2_f2.png", "v2_f3.png", "v2_f12.png"], id="last-number-counts"),
    ],
)
def test_numbers_in_names_are_the_order(tmp_path, names):
    folder = folder_of(tmp_path / "frames", [10, 20, 30, 40], names)
    (folder / "notes.txt").write_text("not a frame")
    (folder / "audio_5.wav").write_bytes(b"")
    frames = read(folder, [0.5, 1.5, 2.5, 3.5], frames_fps=1.0)
    assert levels_in(frames) == pytest.approx([10, 20, 30, 40], abs=1)


def test_a_pattern_chooses_the_frames(tmp_path):
    """Colour and flow in one folder, as TSN's tools extract them."""
    folder = folder_of(tmp_path / "frames", range(10, 130, 10), [f"img_{i:05d}.png" for i in range(1, 13)])
    folder_of(folder, [200] * 12, [f"flow_x_{i:05d}.png" for i in range(1, 13)])
    with pytest.raises(DecodeError, match=f"^{folder}: images with names of 2 patterns: .*DATA.FRAMES_PATTERN"):
        open_video(folder, decoder="pyav")
    times = [i + 0.5 for i in range(12)]
    frames = read(folder, times, frames_fps=1.0, frames_pattern="img_{:05d}.png")
    assert levels_in(frames) == list(range(10, 130, 10))
    with pytest.raises(DecodeError, match=f"^{folder}: a folder without images named like flow_z"):
        open_video(folder, decoder="pyav", frames_pattern="flow_z_{:05d}.png")


@pytest.mark.parametrize(
    ("case", "pattern"), [("size", ""), ("tsn", "img_{:05d}.jpg"), ("thumb", "{:06d}.jpg")], ids=lambda text: text
)
def test_cases(shared_data, case, pattern):
    cases = shared_data.parent / "cases" / "frames" / case
    if not cases.exists():
        pytest.skip(f"{cases} is not there")
    folder = next(path for path in [cases, *cases.rglob("*")] if any(path.glob("*.jpg")))
    if pattern:
        with pytest.raises(DecodeError, match="images with names of 3 patterns"):
            open_video(folder, decoder="pyav")
    frames = read(folder, [i + 0.5 for i in range(12)], frames_fps=1.0, frames_pattern=pattern)
    assert levels_in(frames) == pytest.approx(range(10, 130, 10), abs=1)


def write_about(folder, **changes):
    about = {"fps": 50.0, "num_frames": 4, "height": 40, "width": 60, **changes}
    (folder / "frames.json").write_text(json.dumps(about))


def test_frames_json_gives_rate_and_size(tmp_path):
    folder = folder_of(tmp_path / "frames", [10, 20, 30, 40])
    write_about(folder, height=80, width=120)
    with open_video(folder, decoder="pyav", frames_fps=1.0) as opened:
        about = opened.metadata
    assert (about.fps, about.duration_seconds, about.height, about.width) == (50.0, 0.08, 80, 120)
    assert read(folder).shape == (1, 80, 120, 3)
    assert read(folder, short_side_pixels=20).shape == (1, 20, 30, 3)


@pytest.mark.parametrize(
    "lie",
    [
        *({"num_frames": 5}, {"num_frames": 3}, {"fps": 0}, {"fps": -1}, {"fps": math.inf}, {"fps": math.nan}),
        *({"height": 0}, {"width": -60}, {"fps": "fast"}, {"fps": None}, {"width": [60]}),
        *(
            {"height": math.inf},
            {"width": math.nan},
            {"height": 1e300},
            {"width": 10**9},
            {"fps": 1e-300},
            {"fps": 1e300},
        ),
    ],
    ids=str,
)
def test_a_frames_json_that_does_not_match_is_refused(tmp_path, lie):
    folder = folder_of(tmp_path / "frames", [10, 20, 30, 40])
    write_about(folder, **lie)
    with pytest.raises(DecodeError, match="frames.json"):
        open_video(folder, decoder="pyav")


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "[]", "null", '{"fps": 25}', "\x00\xff"),
        *('{"fps": 0, "height": 1, "width": 1}', '{"fps": 1, "height": 1, "width": 1}'),
        *("[" * 50_000, '{"a":' * 10_000, '{"fps": %s}' % ("9" * 5000), " " * 10**6),
    ],
    ids=lambda content: repr(content[:20]),
)
def test_an_invalid_frames_json_is_refused(tmp_path, content):
    folder = folder_of(tmp_path / "frames", [10, 20])
    (folder / "frames.json").write_text(content, encoding="latin-1")
    with pytest.raises(DecodeError, match="frames.json"):
        open_video(folder, decoder="pyav")


def test_a_fifo_is_not_waited_for(tmp_path):
    folder = folder_of(tmp_path / "frames", [10, 20, 30])
    (folder / "frame_00001.png").unlink()
    os.mkfifo(folder / "frame_00001.png")
    with (
        open_video(folder, decoder="pyav", frames_fps=1.0) as opened,
        pytest.raises(DecodeError, match=r"frame_00001.png: it is a FIFO, not a file$"),
    ):
        opened.frames_at([1.5])
    os.mkfifo(folder / "frames.json")
    with pytest.raises(DecodeError, match=r"frames.json: it is a FIFO, not a file$"):
        open_video(folder, decoder="pyav")


def test_frames_of_other_sizes_are_scaled_to_the_first(tmp_path):
    folder = folder_of(tmp_path / "frames", [10, 20])
    folder_of(folder, [200], ["frame_00002.png"], size=(31, 97))
    frames = read(folder, [0.0, 1.0, 2.0], frames_fps=1.0)
    assert frames.shape == (3, 40, 60, 3)
    assert levels_in(frames) == [10, 20, 200]


def test_a_broken_frame_is_an_error_only_if_requested(tmp_path):
    folder = folder_of(tmp_path / "frames", [10, 20, 30, 40])
    (folder / "frame_00002.png").write_bytes(b"<html>")
    with open_video(folder, decoder="pyav", frames_fps=1.0) as opened:
        assert levels_in(opened.frames_at([0.5, 1.5, 3.5]).permute(0, 2, 3, 1)) == [10, 20, 40]
        with pytest.raises(DecodeError, match="frame_00002.png"):
            opened.frames_at([0.5, 2.5])
        assert levels_in(opened.frames_at([3.5]).permute(0, 2, 3, 1)) == [40]


def test_a_broken_first_frame_is_refused(tmp_path):
    folder = folder_of(tmp_path / "frames", [10, 20])
    (folder / "frame_00000.png").write_bytes(b"")
    with pytest.raises(DecodeError, match="frame_00000.png"):
        open_video(folder, decoder="pyav")


def test_pixels_in_memory():
    pixels = np.stack([np.full((8, 12, 3), level, np.uint8) for level in (0, 50, 100)])
    with PixelVideo(pixels, fps=2.0) as opened:
        about = opened.metadata
        assert (about.num_frames, about.duration_seconds, about.height, about.width) == (3, 1.5, 8, 12)
        frames = opened.frames_at([1.0, 0.0, 0.49, 0.5, 9.0])
        frames[:] = 7  # must not reach the source
    assert frames.shape == (5, 3, 8, 12)
    with PixelVideo(pixels, fps=2.0, short_side_pixels=4) as opened:
        small = opened.frames_at([1.0, 0.0, 0.49, 0.5, 9.0])
    assert small.shape == (5, 3, 4, 6)
    assert small[:, 0, 0, 0].tolist() == [100, 0, 0, 50, 100]


@pytest.mark.parametrize("times", [[], [0.0, math.nan]])
def test_times_must_be_numbers(tmp_path, times):
    gray(3).save(tmp_path / "a.png")
    with open_video(tmp_path / "a.png", decoder="pyav") as opened, pytest.raises(ValueError, match="times_seconds"):
        opened.frames_at(times)
