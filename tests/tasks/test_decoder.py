import json
from pathlib import Path

import pytest
import torch

from sce_video.clips.decoders import decoder_version
from sce_video.config import load_config
from sce_video.data.manifest import PackedTexts
from sce_video.data.sources import read_folder
from sce_video.data.storage import ImageArray
from sce_video.data.videos import ListedVideos
from sce_video.errors import ConfigError, UserError
from sce_video.tasks.decoder import choose_opener, save_decoder_choice


def config(tmp_path: Path, *overrides: object):
    (tmp_path / "run.yaml").write_text("DATA:\n  TRAIN: list.txt\n")
    return load_config(tmp_path / "run.yaml", [str(value) for value in overrides])


def test_a_named_decoder_is_taken_as_it_is(tmp_path: Path, motion_videos: Path) -> None:
    cfg = config(tmp_path, "DATA.DECODER", "pyav", "DATA.SHORT_SIDE_PIXELS", 16, "DATA.FRAMES_FPS", 12.0)
    opener = choose_opener(cfg, read_folder(motion_videos, "train"), choice_file=tmp_path / "decoder.json")
    assert (opener.decoder, opener.short_side_pixels, opener.frames_fps) == ("pyav", 16, 12.0)
    assert not (tmp_path / "decoder.json").exists()
    assert opener.describe() == {"decoder": "pyav", "decoder_version": decoder_version("pyav")}


def test_a_pattern_of_frames(tmp_path: Path, motion_videos: Path) -> None:
    manifest = read_folder(motion_videos, "train")
    cfg = config(tmp_path, "DATA.FRAMES_PATTERN", "img_{:05d}.jpg")
    assert cfg.DATA.FRAMES_PATTERN == "img_{:05d}.jpg"  # no override eats its braces
    assert choose_opener(cfg, manifest).frames_pattern == "img_{:05d}.jpg"
    with pytest.raises(ConfigError, match="DATA.FRAMES_PATTERN 'img_%05d.jpg' is not a pattern of names; write img_"):
        choose_opener(config(tmp_path, "DATA.FRAMES_PATTERN", "img_%05d.jpg"), manifest)


def test_auto_is_decided_once(tmp_path: Path, motion_videos: Path) -> None:
    cfg = config(tmp_path, "DATA.DECODER", "auto", "DATA.SHORT_SIDE_PIXELS", 16)
    manifest = read_folder(motion_videos, "train")
    choice_file = tmp_path / "decoder.json"
    opener = choose_opener(cfg, manifest, choice_file=choice_file)
    assert not choice_file.exists()  # the start may still be refused
    save_decoder_choice(cfg, opener.decoder, videos=manifest.digest(), choice_file=choice_file)
    decided = json.loads(choice_file.read_text())
    assert decided["decoder"] == opener.decoder
    assert decided["version"] == decoder_version(opener.decoder)
    assert decided["videos"] == manifest.digest()
    choice_file.write_text(json.dumps({**decided, "decoder": "decord"}))  # which auto never chooses
    try:
        decoder_version("decord")
    except UserError:
        pytest.skip("decord is not installed")
    again = choose_opener(cfg, manifest, choice_file=choice_file)
    assert (again.decoder, again.short_side_pixels) == ("decord", 16)
    others = choose_opener(cfg, read_folder(motion_videos, "test"), choice_file=choice_file)
    assert others.decoder != "decord"  # a choice for other videos does not count


@pytest.mark.parametrize("content", ["", "{}", '{"decoder": "vhs"}', "[]", "[" * 100_000, "\udcff"])
def test_an_unreadable_choice_is_one_clear_line(tmp_path: Path, motion_videos: Path, content: str) -> None:
    choice_file = tmp_path / "decoder.json"
    choice_file.write_text(content, errors="surrogateescape")
    cfg = config(tmp_path, "DATA.DECODER", "auto")
    with pytest.raises(ConfigError, match="does not name the run's decoder .*set DATA.DECODER"):
        choose_opener(cfg, read_folder(motion_videos, "train"), choice_file=choice_file)


def test_pixels_in_memory_need_no_race(tmp_path: Path) -> None:
    pixels = torch.zeros(3, 8, 8, 3, dtype=torch.uint8).numpy()
    paths = PackedTexts(f"cifar10/train/{image}" for image in range(3))
    manifest = ListedVideos(paths, None, "cifar", storage=ImageArray(tmp_path, pixels))
    assert choose_opener(config(tmp_path, "DATA.DECODER", "auto"), manifest).decoder == "pyav"
