"""Where features are cached, the record of what they depend on, and that cached ones are used."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from fvcore.common.config import CfgNode
from PIL import Image
from torch import Tensor, nn

from sce_video.build.data import build_test_manifest, build_train_manifest
from sce_video.build.files import build_opener
from sce_video.data.videos import ListedVideos
from sce_video.errors import ManifestError
from sce_video.evaluate.features import FeatureRows
from sce_video.tasks.cached_features import describe_views, features_folder, features_of

CPU = torch.device("cpu")


class MeanColor(nn.Module):
    """A network whose features are known: the mean of each channel of a view, (B, 3)."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm3d(3)  # unused, but weights are told apart by it

    def forward(self, views: Tensor) -> Tensor:
        return views.mean(dim=(2, 3, 4))


def mean_colors(cfg: CfgNode, manifest: ListedVideos, *, network: nn.Module | None = None) -> FeatureRows:
    opener = build_opener(cfg)
    return features_of(cfg, network or MeanColor(), CPU, opener, manifest, num_features=3, name="train")


@pytest.mark.parametrize(
    ("changes", "train", "test"),
    [
        ({}, "train", "test"),
        ({"EVAL__LABEL_SHARE": 0.1, "RUN__SEED": 5}, "train_share_0.1_seed_5", "test"),
        ({"TASK": "retrieval", "EVAL__RETRIEVAL_LEVEL": "clip"}, "train_clips", "test_clips"),
    ],
)
def test_other_rows_have_another_folder(
    config: Callable[..., CfgNode], tmp_path: Path, changes: dict, train: str, test: str
) -> None:
    cfg = config(changes.pop("TASK", "knn"), **changes)
    assert features_folder(cfg, "train") == tmp_path / "run" / "features" / train
    assert features_folder(cfg, "test") == tmp_path / "run" / "features" / test


def test_a_configured_folder(config: Callable[..., CfgNode], tmp_path: Path) -> None:
    cfg = config("knn", EVAL__FEATURES_DIR=tmp_path / "kept")
    assert features_folder(cfg, "test") == tmp_path / "kept" / "test"


def test_features_are_those_of_normalised_views(config: Callable[..., CfgNode], pictures: Path) -> None:
    """By hand: the mean of a picture's channels, less AUG.MEAN, over AUG.STD."""
    cfg = config("knn", AUG__MEAN="0.5,0.4,0.3", AUG__STD="0.5,0.25,0.2")
    rows = mean_colors(cfg, build_train_manifest(cfg))
    for picture, found in enumerate(rows.features.tolist()):
        with Image.open(pictures / f"train{picture}.png") as image:
            means = np.asarray(image).mean(axis=(0, 1)) / 255
        by_hand = [(mean - m) / s for mean, m, s in zip(means, (0.5, 0.4, 0.3), (0.5, 0.25, 0.2), strict=True)]
        assert found == pytest.approx(by_hand, abs=1e-5)


def test_cached_features_are_recomputed_only_for_other_weights(config: Callable[..., CfgNode]) -> None:
    class Counted(MeanColor):
        calls = 0

        def forward(self, views: Tensor) -> Tensor:
            Counted.calls += 1
            return super().forward(views)

    cfg = config("knn")
    manifest = build_train_manifest(cfg)
    first = mean_colors(cfg, manifest, network=Counted())
    num_calls = Counted.calls
    again = mean_colors(cfg, manifest, network=Counted())
    assert Counted.calls == num_calls > 0
    assert torch.equal(again.features, first.features)
    other = Counted()
    nn.init.zeros_(other.norm.weight)
    mean_colors(cfg, manifest, network=other)
    assert Counted.calls == 2 * num_calls


def test_a_list_without_decodable_videos(config: Callable[..., CfgNode], tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    (tmp_path / "list.txt").write_text("a.png 0\n")
    cfg = config("knn", DATA__ROOT=tmp_path, DATA__TRAIN=tmp_path / "list.txt")
    with pytest.raises(ManifestError, match=r"none of the 1 videos of .*list\.txt can be decoded"):
        mean_colors(cfg, build_train_manifest(cfg))


def test_the_protocol_records_videos_and_views(config: Callable[..., CfgNode], pictures: Path) -> None:
    cfg = config("knn", EVAL__NUM_CROPS=3, DATA__SHORT_SIDE_PIXELS=32)
    train, test = build_train_manifest(cfg), build_test_manifest(cfg)
    said = describe_views(cfg, build_opener(cfg), train=train, test=test)
    expected = {"num_clips": 1, "num_crops": 3, "size_pixels": 32, "num_frames": 1, "short_side_pixels": 32}
    assert expected.items() <= said.items()
    assert (said["source"], said["train"], said["test"]) == (
        "list",
        *(f"{pictures}/{part}.txt" for part in ("train", "test")),
    )
    assert (said["train_videos"], said["test_videos"]) == (train.digest(), test.digest())
    assert (said["label_share"], said["seed"]) == (1.0, cfg.RUN.SEED)
    assert "split" not in said  # the list's name has no {split}
    assert "frames_pattern" not in said


def test_an_official_split_is_named_by_its_number(config: Callable[..., CfgNode]) -> None:
    lists = config("knn")
    train, test = build_train_manifest(lists), build_test_manifest(lists)
    cfg = config("knn", DATA__SOURCE="ucf101", DATA__SPLITS_DIR="splits", DATA__SPLIT=2)
    said = describe_views(cfg, build_opener(lists), train=train, test=test)
    assert (said["source"], said["split"]) == ("ucf101", 2)
    assert "train_videos" not in said
