import json
from pathlib import Path

import pytest
import torch

from sce_video.build.clips import build_clip_format, build_opener, build_protocol, describe_decoder, remember_decoder
from sce_video.clips.decoders import decoder_version
from sce_video.config import load_config
from sce_video.data.manifest import Manifest
from sce_video.data.sources import read_folder
from sce_video.errors import ConfigError, UserError


def config(tmp_path: Path, *overrides: object):
    (tmp_path / "run.yaml").write_text("DATA:\n  TRAIN: list.txt\n")
    return load_config(tmp_path / "run.yaml", [str(value) for value in overrides])


def test_a_named_decoder_is_taken_as_it_is(tmp_path: Path, motion_videos: Path) -> None:
    cfg = config(tmp_path, "DATA.DECODER", "pyav", "DATA.SHORT_SIDE_PIXELS", 16, "DATA.FRAMES_FPS", 12.0)
    opener = build_opener(cfg, read_folder(motion_videos, "train"), memory=tmp_path / "decoder.json")
    assert (opener.decoder, opener.short_side_pixels, opener.frames_fps) == ("pyav", 16, 12.0)
    assert not (tmp_path / "decoder.json").exists()
    assert describe_decoder(opener) == {"decoder": "pyav", "decoder_version": decoder_version("pyav")}


def test_a_pattern_of_frames(tmp_path: Path, motion_videos: Path) -> None:
    manifest = read_folder(motion_videos, "train")
    cfg = config(tmp_path, "DATA.FRAMES_PATTERN", "img_{:05d}.jpg")
    assert cfg.DATA.FRAMES_PATTERN == "img_{:05d}.jpg"  # no override eats its braces
    assert build_opener(cfg, manifest).frames_pattern == "img_{:05d}.jpg"
    with pytest.raises(ConfigError, match="DATA.FRAMES_PATTERN 'img_%05d.jpg' is no pattern of names; write img_"):
        build_opener(config(tmp_path, "DATA.FRAMES_PATTERN", "img_%05d.jpg"), manifest)


def test_auto_is_decided_once(tmp_path: Path, motion_videos: Path) -> None:
    cfg = config(tmp_path, "DATA.DECODER", "auto", "DATA.SHORT_SIDE_PIXELS", 16)
    manifest = read_folder(motion_videos, "train")
    memory = tmp_path / "decoder.json"
    opener = build_opener(cfg, manifest, memory=memory)
    assert not memory.exists()  # the start may still be refused
    remember_decoder(cfg, opener.decoder, videos=manifest.digest(), memory=memory)
    decided = json.loads(memory.read_text())
    assert decided["decoder"] == opener.decoder
    assert decided["version"] == decoder_version(opener.decoder)
    assert decided["videos"] == manifest.digest()
    memory.write_text(json.dumps({**decided, "decoder": "decord"}))  # which auto never chooses
    try:
        decoder_version("decord")
    except UserError:
        pytest.skip("decord is not installed")
    again = build_opener(cfg, manifest, memory=memory)
    assert (again.decoder, again.short_side_pixels) == ("decord", 16)
    others = build_opener(cfg, read_folder(motion_videos, "test"), memory=memory)
    assert others.decoder != "decord"  # what was decided for other videos says nothing


@pytest.mark.parametrize("content", ["", "{}", '{"decoder": "vhs"}', "[]", "[" * 100_000, "\udcff"])
def test_a_memory_that_cannot_be_read_is_one_clear_line(tmp_path: Path, motion_videos: Path, content: str) -> None:
    memory = tmp_path / "decoder.json"
    memory.write_text(content, errors="surrogateescape")
    cfg = config(tmp_path, "DATA.DECODER", "auto")
    with pytest.raises(ConfigError, match="does not say which decoder the run uses.*set DATA.DECODER"):
        build_opener(cfg, read_folder(motion_videos, "train"), memory=memory)


def test_pixels_in_memory_need_no_race(tmp_path: Path) -> None:
    pixels = torch.zeros(3, 8, 8, 3, dtype=torch.uint8).numpy()
    manifest = Manifest(root=tmp_path, paths=["a", "b", "c"], labels=None, origin="cifar", pixels=pixels)
    assert build_opener(config(tmp_path, "DATA.DECODER", "auto"), manifest).decoder == "pyav"


def starts(cfg, video_seconds: float) -> list[tuple[float, float]]:
    clip_format = build_clip_format(cfg)
    found = []
    for seed in range(50):
        generators = [torch.Generator().manual_seed(2 * seed + view) for view in range(2)]
        lengths = [clip_format.seconds * clip_format.speeds[0]] * 2
        first, second = clip_format.spans(video_seconds, lengths, generators=generators)
        found.append((first.start_seconds, second.start_seconds))
    return found


def test_pairs_of_clips(tmp_path: Path) -> None:
    far = config(tmp_path, "CLIP.PAIR", "distance", "CLIP.DISTANCE_SECONDS", "[3.0, 4.0]", "CLIP.SECONDS", 1.0)
    assert all(3 <= abs(a - b) <= 4 for a, b in starts(far, 10.0))
    free = starts(config(tmp_path, "CLIP.SECONDS", 1.0), 10.0)
    assert any(abs(a - b) < 3 for a, b in free)
    assert any(abs(a - b) > 4 for a, b in free)
    near = config(tmp_path, "CLIP.PAIR", "decreasing", "CLIP.DISTANCE_POWER", 0.1, "CLIP.SECONDS", 1.0)
    mean = sum(abs(a - b) for a, b in starts(near, 10.0)) / 50
    assert mean < sum(abs(a - b) for a, b in free) / 50


def test_which_frames_are_kept(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    uniform = build_clip_format(config(tmp_path)).positions(generator)
    assert uniform(10, 4) == [0, 3, 6, 9]
    strided = config(tmp_path, "CLIP.FRAME_CHOICE", "strided", "CLIP.FRAME_STRIDE", 2)
    assert build_clip_format(strided).positions(generator)(10, 4) == [0, 2, 4, 6]
    assert build_protocol(strided).frame_stride == 2
    jittered = config(tmp_path, "CLIP.FRAME_CHOICE", "jittered")
    draws = {tuple(build_clip_format(jittered).positions(generator)(40, 4)) for _ in range(20)}
    assert len(draws) > 10
    assert all(10 * i <= frame < 10 * (i + 1) for draw in draws for i, frame in enumerate(draw))
    assert build_protocol(jittered).frame_stride == 0  # nothing random in evaluation


@pytest.mark.parametrize(
    ("overrides", "complaint"),
    [
        (("CLIP.FRAME_STRIDE", 2), "CLIP.FRAME_STRIDE is 2; only CLIP.FRAME_CHOICE strided uses it"),
        (("CLIP.DISTANCE_SECONDS", "[1.0, 2.0]"), "only CLIP.PAIR distance uses it"),
        (("CLIP.DURATION_JITTER", 1.0), "CLIP.DURATION_JITTER is 1.0; it must be below 1"),
        (("CLIP.PAIR", "distance", "CLIP.DISTANCE_SECONDS", "[2.0, 1.0]"), "first value must not exceed the second"),
    ],
)
def test_keys_that_contradict_each_other(tmp_path: Path, overrides: tuple, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        config(tmp_path, *overrides)
