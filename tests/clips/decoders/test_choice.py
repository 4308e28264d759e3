import importlib.util

import pytest

from sce_video.clips.decoders import VideoOpener, decoder_version
from sce_video.clips.decoders import choice as choice_module
from sce_video.clips.decoders.choice import choose_decoder, clearly_fastest

needs_decord = pytest.mark.skipif(importlib.util.find_spec("decord") is None, reason="decord is not installed")


def wanted(about):
    return [about.duration_seconds * i / 10 for i in range(10)]


def choose(*paths):
    return choose_decoder(
        [str(path) for path in paths], open_with=lambda decoder, path: VideoOpener(decoder)(path), times=wanted
    )


def test_the_chosen_decoder_loads_and_its_times_are_in_the_reason(numbered_video):
    choice = choose(numbered_video("mp4").path, numbered_video("mp4 b-frames").path)
    assert choice.decoder in choice_module.CANDIDATES
    assert choice.version == decoder_version(choice.decoder)
    assert "pyav" in choice.reason
    assert " ms" in choice.reason


def test_without_a_usable_video_it_is_pyav(tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"<html>")
    assert choose().decoder == "pyav"
    choice = choose(tmp_path / "broken.mp4", tmp_path / "absent.mp4")
    assert choice.decoder == "pyav"
    assert " ms" not in choice.reason


@needs_decord
def test_a_decoder_whose_frames_differ_from_pyavs_is_excluded(numbered_video, monkeypatch):
    monkeypatch.setattr(choice_module, "CANDIDATES", ("pyav", "decord"))
    assert "not decord" not in choose(numbered_video("mp4").path).reason
    path = numbered_video("mp4 open gop").path  # decord is wrong on it
    choice = choose(path)
    assert choice.decoder == "pyav"
    assert f"not decord: {path}: its frames differ from pyav's" in choice.reason


@needs_decord
def test_a_decoder_that_fails_is_excluded(shared_data, monkeypatch):
    monkeypatch.setattr(choice_module, "CANDIDATES", ("pyav", "decord"))
    path = shared_data / "odd" / "38_av1_video.mkv"  # decord 0.6 does not support AV1
    choice = choose(path)
    assert choice.decoder == "pyav"
    assert f"not decord: {path}" in choice.reason


def test_another_decoder_must_be_clearly_faster():
    assert clearly_fastest({"pyav": 1.0, "torchcodec": 0.9}) == "pyav"
    assert clearly_fastest({"pyav": 1.0, "torchcodec": 0.8}) == "torchcodec"
    assert clearly_fastest({"pyav": 1.0, "torchcodec": 0.7, "decord": 0.6}) == "decord"
    assert clearly_fastest({"pyav": 0.5, "torchcodec": 0.9}) == "pyav"
    assert clearly_fastest({"pyav": 0.0, "torchcodec": 0.0}) == "pyav"
