"""What the frames look like: upright, in the right colours, in the right size."""

import struct
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from sce_video.clips.decoders import DECODERS, DecodeError, open_video
from tests.clips.decoders.numbered import number_image, numbers_in, write_video

ALL = pytest.mark.parametrize("decoder", list(DECODERS), indirect=True)

# What the corners of the picture show, clockwise from the top left one.
COLORS = {"red": (220, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 220), "white": (235, 235, 235)}


def four_corners(height=128, width=192):
    """(height, width, 3) uint8: red, green, blue and white quarters, clockwise."""
    image = np.zeros((height, width, 3), np.uint8)
    red, green, blue, white = COLORS.values()
    image[: height // 2, : width // 2], image[: height // 2, width // 2 :] = red, green
    image[height // 2 :, width // 2 :], image[height // 2 :, : width // 2] = blue, white
    return image


def corners_of(frame):
    """Names of the nearest colours at the corners of a frame (3, H, W), clockwise."""
    pixels = frame.permute(1, 2, 0).numpy().astype(int)
    height, width, _ = pixels.shape
    y, x = height // 6, width // 6
    at = [pixels[y, x], pixels[y, -x - 1], pixels[-y - 1, -x - 1], pixels[-y - 1, x]]
    return [min(COLORS, key=lambda name: np.abs(pixel - COLORS[name]).sum()) for pixel in at]


def gradient(height, width):
    """A smooth picture: red grows to the right, green downwards, blue in waves."""
    y, x = np.mgrid[:height, :width]
    waves = 128 + 80 * np.sin(x / width * 6) * np.cos(y / height * 5)
    return np.stack([40 + 180 * x / width, 40 + 180 * y / height, waves], axis=2).astype(np.uint8)


def with_matrix(path, matrix):
    """Write a, b, c, d of the display matrix into an mp4's track header."""
    content = bytearray(path.read_bytes())
    offset = content.index(b"tkhd") + 44  # after the version 0 fields
    a, b, c, d = (value * 65536 for value in matrix)
    struct.pack_into(">9i", content, offset, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(bytes(content))


TURNS = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}


@ALL
@pytest.mark.parametrize("short_side_pixels", [0, 64])
@pytest.mark.parametrize("clockwise_degrees", TURNS)
def test_frames_are_turned_upright(tmp_path, decoder, clockwise_degrees, short_side_pixels):
    path = tmp_path / "turned.mp4"
    write_video(path, [four_corners()] * 3)
    with_matrix(path, TURNS[clockwise_degrees])
    with open_video(path, decoder=decoder, short_side_pixels=short_side_pixels) as opened:
        frames = opened.frames_at([0.0, 0.05])
        size = (opened.metadata.height, opened.metadata.width)
    turns = clockwise_degrees // 90
    stored = (64, 96) if short_side_pixels else (128, 192)
    assert frames.shape[2:] == size == (stored if turns % 2 == 0 else stored[::-1])
    names = list(COLORS)
    assert corners_of(frames[1]) == [names[(corner - turns) % 4] for corner in range(4)]


FORMATS = [
    *(
        ("libx264", name)
        for name in ("yuv420p", "yuvj420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "gray")
    ),
    *(("libx264rgb", "rgb24"), ("libx265", "yuv420p12le"), ("libvpx-vp9", "yuv440p"), ("mjpeg", "yuvj444p")),
    *(("prores_ks", "yuv422p10le"), ("ffv1", "gray16le"), ("png", "rgb48be"), ("rawvideo", "yuyv422")),
]


@ALL
@pytest.mark.parametrize(("codec", "pixel_format"), FORMATS, ids=["-".join(pair) for pair in FORMATS])
def test_black_is_black_and_white_is_white(tmp_path, decoder, codec, pixel_format):
    image = np.repeat(np.array([0, 128, 255], np.uint8), 32)[None, :, None] * np.ones((64, 1, 3), np.uint8)
    path = tmp_path / "levels.mov"
    if codec in ("ffv1", "libvpx-vp9"):
        path = tmp_path / "levels.mkv"
    options = {"x265-params": "log-level=none:pools=none"} if codec == "libx265" else {}
    write_video(path, [image] * 3, codec=codec, pixel_format=pixel_format, options=options)
    with open_video(path, decoder=decoder) as opened:
        frame = opened.frames_at([0.0])[0].float()
    middles = frame[:, 8:-8, 16::32].mean(dim=1)  # (3 colours, 3 levels)
    for color in middles.tolist():
        assert color == pytest.approx([0, 128, 255], abs=4)


@ALL
@pytest.mark.parametrize(("height", "width"), [(121, 161), (3, 67)])
def test_odd_sizes(tmp_path, decoder, height, width):
    image = gradient(height, width)
    path = tmp_path / "odd.mp4"
    write_video(path, [image] * 3, pixel_format="yuv444p", options={"crf": "5"})
    with open_video(path, decoder=decoder) as opened:
        frames = opened.frames_at([0.0, 0.09])
        assert (opened.metadata.height, opened.metadata.width) == (height, width)
    assert frames.shape == (2, 3, height, width)
    assert np.abs(frames[1].permute(1, 2, 0).numpy().astype(int) - image).mean() < 4


@ALL
def test_one_pixel(shared_data, decoder):
    path = shared_data / "odd" / "56_video-with-dash-.mp4"
    if decoder == "decord":  # takes the padding of narrow rows for a fourth colour, and trips over it
        with (
            open_video(path, decoder=decoder) as opened,
            pytest.raises(DecodeError, match="size must exactly match"),
        ):
            opened.frames_at([0.0])
        return
    with open_video(path, decoder=decoder, short_side_pixels=16) as opened:
        assert opened.frames_at([0.0, 3.0]).shape == (2, 3, 1, 1)


@ALL
def test_pixels_that_are_not_square_are_left_as_stored(tmp_path, decoder):
    path = tmp_path / "anamorphic.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.height, stream.width, stream.pix_fmt = 128, 192, "yuv420p"
        stream.codec_context.sample_aspect_ratio = 2
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(four_corners(), format="rgb24")))
        container.mux(stream.encode())
    with av.open(str(path)) as container:
        assert container.streams.video[0].display_aspect_ratio == 3
    with open_video(path, decoder=decoder) as opened:
        assert opened.frames_at([0.0]).shape == (1, 3, 128, 192)
        assert (opened.metadata.height, opened.metadata.width) == (128, 192)


@ALL
@pytest.mark.parametrize(
    ("stored", "short_side_pixels", "scaled"),
    [
        pytest.param((120, 160), 60, (60, 80), id="landscape"),
        pytest.param((160, 120), 60, (80, 60), id="portrait"),
        pytest.param((120, 120), 112, (112, 112), id="square"),
        pytest.param((120, 214), 64, (64, 114), id="rounded"),
        pytest.param((120, 160), 119, (119, 158), id="one-less"),
        pytest.param((120, 160), 120, (120, 160), id="equal"),
        pytest.param((120, 160), 256, (120, 160), id="never-enlarged"),
        pytest.param((120, 160), 0, (120, 160), id="as-stored"),
    ],
)
def test_short_side(tmp_path, decoder, stored, short_side_pixels, scaled):
    path = tmp_path / "video.mp4"
    write_video(path, [gradient(*stored)] * 3, options={"crf": "10"})
    with open_video(path, decoder=decoder, short_side_pixels=short_side_pixels) as opened:
        frames = opened.frames_at([0.0, 0.05, 1.0])
        assert (opened.metadata.height, opened.metadata.width) == scaled
    assert frames.shape == (3, 3, *scaled)
    reference = np.array(Image.fromarray(gradient(*stored)).resize(scaled[::-1], Image.Resampling.BILINEAR))
    difference = np.abs(frames[2].permute(1, 2, 0).numpy().astype(int) - reference)
    assert difference.mean() < 2.5
    assert difference.max() < 24


@ALL
@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
def test_audio_is_never_decoded(tmp_path, decoder, suffix):
    """Its packets are noise, and it lasts two seconds longer than the video."""
    path = tmp_path / f"loud.{suffix}"
    noise = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=30, options={"g": "10", "bf": "2"})
        video.height, video.width, video.pix_fmt = 32, 128, "yuv420p"
        audio = container.add_stream("mp2", rate=48000)
        packets = []
        for number in range(60):
            packets += video.encode(av.VideoFrame.from_ndarray(number_image(number), format="rgb24"))
        packets += video.encode()
        for number in range(4 * 48000 // 1152):
            packet = av.Packet(noise.bytes(384))
            packet.stream, packet.time_base = audio, Fraction(1, 48000)
            packet.pts = packet.dts = number * 1152
            packets.append(packet)
        for packet in sorted(packets, key=lambda packet: float(packet.dts * packet.time_base)):
            container.mux(packet)
    with av.open(str(path)) as container, pytest.raises(av.error.FFmpegError):
        list(container.decode(audio=0))
    with open_video(path, decoder=decoder) as opened:
        numbers = [55, 3, 30, 31]
        assert numbers_in(opened.frames_at([(number + 0.5) / 30 for number in numbers])) == numbers
        assert opened.metadata.duration_seconds == pytest.approx(2.0, abs=0.1)


@ALL
def test_a_real_video_with_broken_audio(shared_data, decoder):
    with open_video(shared_data / "odd" / "55_video_with_failing_audio.mp4", decoder=decoder) as opened:
        end = opened.metadata.duration_seconds
        assert opened.frames_at([0.0, end / 2, end]).shape == (3, 3, 360, 640)
