"""Which keys of a config may be URLs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sce_video.config import config_text, load_config
from sce_video.errors import ConfigError

Write = Callable[..., Path]
BASE = "DATA: {SOURCE: list, TRAIN: train.txt}"


def refusal(path: Path, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides)
    return str(caught.value)


@pytest.mark.parametrize(
    "overrides",
    [
        ("DATA.ROOT", "s3://bucket/k400", "DATA.TRAIN", "https://host/train.txt"),
        ("DATA.ROOT", "s3://bucket/k400", "DATA.SOURCE", "folder", "DATA.TRAIN", "train"),
        ("DATA.SOURCE", "shards", "DATA.TRAIN", "s3://bucket/train-{000000..000999}.tar"),
        ("DATA.ROOT", "https://me:${PASSWORD}@host/videos"),
    ],
)
def test_accepted(config_file: Write, overrides: tuple[str, ...]) -> None:
    cfg = load_config(config_file(BASE), overrides)
    for key, value in zip(overrides[::2], overrides[1::2], strict=True):
        assert f"{key.partition('.')[2]}: {value}" in config_text(cfg).replace("'", "")


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (("RUN.OUTPUT_DIR", "s3://bucket/runs"), "local path"),
        (("DATA.CACHE_DIR", "s3://bucket/cache"), "local path"),
        (
            ("DATA.SPLITS_DIR", "https://host/splits", "DATA.SOURCE", "ssv2", "DATA.ROOT", "v", "TASK", "extract"),
            "local path",
        ),
        (("DATA.ROOT", "tar://a::s3://bucket"), "chained"),
        (("DATA.ROOT", "s3://bucket", "DATA.SOURCE", "frame_folders"), "local folders only"),
        (("DATA.ROOT", "s3://bucket", "DATA.SOURCE", "cifar10"), "local folders only"),
        (("DATA.TRAIN", "s3://bucket/train.npz", "DATA.SOURCE", "jpeg_npz"), "local files only"),
        (("DATA.ROOT", "https://host/v", "DATA.SOURCE", "class_folders"), "DATA.SOURCE list"),
        (("DATA.TRAIN", "s3://bucket/v", "DATA.SOURCE", "folder"), "put the URL there"),
        (("DATA.CACHE_GB", "0"), "above 0"),
    ],
)
def test_refused(config_file: Write, overrides: tuple[str, ...], words: str) -> None:
    message = refusal(config_file(BASE), *overrides)
    assert overrides[0] in message
    assert words in message
    assert "\n" not in message


def test_secrets_are_refused_and_not_repeated(config_file: Write) -> None:
    for value in (
        "https://me:hunter2@host/v",
        "https://host/v?X-Amz-Signature=hunter2",
        "https://host/v?version=hunter2",
        "https://me:${A}hunter2@host/v",
        "https://me:a@hunter2@host/v",
        " https://me:hunter2@host/v",
    ):
        message = refusal(config_file(BASE), "DATA.ROOT", value)
        assert "${NAME}" in message
        assert "hunter2" not in message
    for key in ("RUN.OUTPUT_DIR", "EVAL.CHECKPOINT", "DATA.SPLITS_DIR", "MODEL.BACKBONE"):
        message = refusal(config_file(BASE), key, "https://me:hunter2 x@host/v")
        assert key in message
        assert "hunter2" not in message
    message = refusal(config_file(BASE), "DATA.ROOT", "https://me:hunter2@host/v", "DATA.SOURCE", "class_folder")
    assert "hunter2" not in message
