"""Features on disk: nothing is done twice, nothing stale is taken for new, whatever stops in between."""

import csv
import json
import os
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from sce_video.engine.pool.workers import Workers
from sce_video.errors import CheckpointError
from sce_video.evaluate import feature_files
from sce_video.evaluate.feature_files import export, read_export, read_features, stored_features
from sce_video.evaluate.features import FeatureExtractor, FeatureRows, mean_of_views
from sce_video.evaluate.views import ResizedClips, spatial_crops


class GrayVideos:
    """Video i has two clips of gray i; notes what is read, and some of it is broken."""

    def __init__(self, broken=(), deadly=()):
        self.broken, self.deadly, self.read = set(broken), set(deadly), []

    def __getitem__(self, video):
        self.read.append(video)
        if video in self.deadly:
            raise KeyboardInterrupt
        if video in self.broken:
            return ResizedClips(video, torch.empty(0, dtype=torch.uint8), f'video {video}: broken, "very"')
        return ResizedClips(video, torch.full((2, 1, 3, 4, 6), video, dtype=torch.uint8), None)


class MeanBackbone(nn.Module):
    def forward(self, views):
        return views.mean(dim=(1, 2, 3, 4))[:, None] * torch.tensor([1.0, 0.5])


def store(folder, dataset, *, num_videos=11, about=None, local_batch_size=2):
    extractor = FeatureExtractor(
        MeanBackbone(),
        dataset,
        make_views=lambda clips: spatial_crops(clips, num_crops=3).transpose(1, 2).float(),
        pool=partial(mean_of_views, num_crops=3),
        workers=Workers(0, num_items=num_videos, timeout_seconds=100.0, name=str),
        device=torch.device("cpu"),
    )
    return stored_features(
        folder,
        extractor,
        num_videos=num_videos,
        num_features=2,
        local_batch_size=local_batch_size,
        about=about or {"weights": "a"},
        description="features",
    )


@pytest.fixture(autouse=True)
def parts_of_four(monkeypatch):
    monkeypatch.setattr(feature_files, "_PART_VIDEOS", 4)


def assert_are(rows, videos):
    assert rows.videos.tolist() == videos
    assert rows.features.tolist() == [[video, 0.5 * video] for video in videos]


def test_cached_videos_are_logged(tmp_path, monkeypatch, capsys):
    said = []
    monkeypatch.setattr(feature_files.LOGGER, "info", lambda text, *values: said.append(text % values))
    store(tmp_path, GrayVideos(broken=[5]))
    assert said == []
    store(tmp_path, GrayVideos(broken=[5]))
    capsys.readouterr()
    store(tmp_path, GrayVideos())  # the broken one has been fixed
    assert capsys.readouterr().err != ""
    store(tmp_path, GrayVideos())
    assert said == [f"features: {count} of 11 videos from cache ({tmp_path})" for count in (10, 10, 11)]
    assert capsys.readouterr().err == ""  # nor an empty bar


def test_a_second_start_reads_nothing(tmp_path):
    first, second = GrayVideos(), GrayVideos()
    assert_are(store(tmp_path / "f", first), list(range(11)))
    assert sorted(first.read) == list(range(11))
    assert_are(store(tmp_path / "f", second), list(range(11)))
    assert second.read == []


def test_a_stopped_extraction_resumes_with_its_unfinished_part(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        store(tmp_path, GrayVideos(deadly=[9]))
    again = GrayVideos()
    assert_are(store(tmp_path, again), list(range(11)))
    assert sorted(again.read) == [8, 9, 10]


def test_a_partial_file_is_ignored(tmp_path):
    store(tmp_path, GrayVideos())
    (tmp_path / "part_000001.npz").rename(tmp_path / ".part_000001.npz.partial")
    again = GrayVideos()
    assert_are(store(tmp_path, again), list(range(11)))
    assert sorted(again.read) == [4, 5, 6, 7]


def test_broken_videos_are_named_and_they_alone_are_tried_again(tmp_path):
    rows = store(tmp_path, GrayVideos(broken=[2, 4, 5, 6, 7]))
    assert_are(rows, [0, 1, 3, 8, 9, 10])
    assert rows.failures == [(video, f'video {video}: broken, "very"') for video in (2, 4, 5, 6, 7)]
    again = GrayVideos(broken=[6])
    rows = store(tmp_path, again)
    assert_are(rows, [0, 1, 2, 3, 4, 5, 7, 8, 9, 10])
    assert rows.failures == [(6, 'video 6: broken, "very"')]
    assert sorted(again.read) == [2, 4, 5, 6, 7]


def test_a_stop_while_broken_videos_are_tried_again_loses_nothing(tmp_path):
    store(tmp_path, GrayVideos(broken=[2, 5]))
    with pytest.raises(KeyboardInterrupt):
        store(tmp_path, GrayVideos(deadly=[5]))
    again = GrayVideos()
    assert_are(store(tmp_path, again), list(range(11)))
    assert again.read == [5]


def test_the_size_of_a_part_is_part_of_the_record(tmp_path, monkeypatch):
    store(tmp_path, GrayVideos())
    monkeypatch.setattr(feature_files, "_PART_VIDEOS", 6)
    assert_are(store(tmp_path, GrayVideos()), list(range(11)))


@pytest.mark.parametrize("about", [{"weights": "b"}, {"weights": "a", "videos": "x"}])
def test_features_of_something_else_are_extracted_again(tmp_path, about):
    store(tmp_path, GrayVideos())
    again = GrayVideos()
    store(tmp_path, again, about=about)
    assert sorted(again.read) == list(range(11))


def test_a_shorter_list_leaves_no_rows_of_the_longer_one(tmp_path):
    store(tmp_path, GrayVideos(), about={"videos": "long"})
    assert_are(store(tmp_path, GrayVideos(), num_videos=3, about={"videos": "short"}), [0, 1, 2])


def test_a_folder_of_the_users_is_left_alone(tmp_path):
    (tmp_path / "part_000000.npz").write_text("precious")
    with pytest.raises(CheckpointError, match=r"has files that are not features; choose another EVAL\.FEATURES_DIR"):
        store(tmp_path, GrayVideos())
    assert (tmp_path / "part_000000.npz").read_text() == "precious"


def test_a_damaged_file_is_named(tmp_path):
    store(tmp_path, GrayVideos())
    file = tmp_path / "part_000001.npz"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(CheckpointError, match=r"part_000001\.npz cannot be read .*; delete it and rerun"):
        store(tmp_path, GrayVideos())


def test_a_part_that_is_a_fifo_is_named(tmp_path):
    store(tmp_path, GrayVideos())
    os.mkfifo(tmp_path / "part_000009.npz")
    with pytest.raises(CheckpointError, match=r"part_000009\.npz cannot be read .*it is a FIFO"):
        read_features(tmp_path)


def changed(file, **changes):
    with np.load(file) as content:
        np.savez(file, **{**content, **changes})


STRANGE = {
    "too few rows": {"features": np.zeros((3, 2), np.float32)},
    "rows of other videos": {"videos": np.arange(4)},
    "too few videos": {"features": np.zeros((3, 2), np.float32), "videos": np.arange(4, 7)},
    "a video twice": {"failures": np.array(json.dumps([[4, "broken"]]))},
    "out of order": {"videos": np.array([5, 4, 6, 7])},
    "wider": {"features": np.zeros((4, 3), np.float32)},
    "not a number": {"features": np.full((4, 2), np.nan, np.float32)},
    "complex": {"features": np.zeros((4, 2), np.complex64)},
    "whole": {"features": np.zeros((4, 2), np.int64)},
    "flat": {"features": np.zeros(4, np.float32)},
    "texts": {"videos": np.array(["4", "5", "6", "7"])},
    "no json": {"failures": np.array("[" * 100_000)},
    "other weights": {"about": np.array("0" * 64)},
}


@pytest.mark.parametrize("strange", STRANGE)
def test_cached_features_are_checked(tmp_path, strange):
    store(tmp_path, GrayVideos())
    changed(tmp_path / "part_000001.npz", **STRANGE[strange])
    with pytest.raises(CheckpointError, match=r"part_000001\.npz cannot be read .*; delete it and rerun") as caught:
        store(tmp_path, GrayVideos())
    assert "\n" not in str(caught.value)


def test_parts_without_a_digest_are_accepted(tmp_path):
    store(tmp_path, GrayVideos())
    file = tmp_path / "part_000001.npz"
    with np.load(file) as content:
        np.savez(file, **{name: content[name] for name in ("features", "videos", "failures")})
    dataset = GrayVideos()
    assert_are(store(tmp_path, dataset), list(range(11)))
    assert dataset.read == []


def test_a_part_that_would_unpack_to_any_size_is_refused(tmp_path):
    store(tmp_path, GrayVideos())
    file = tmp_path / "part_000001.npz"
    with np.load(file) as content:
        np.savez_compressed(file, **{**content, "features": np.zeros((4, 2**22), np.float32)})
    assert file.stat().st_size < 2**18
    with pytest.raises(CheckpointError, match=r"cannot be read \(features\.npy is compressed\)"):
        store(tmp_path, GrayVideos())


def test_exported_files(tmp_path):
    rows = FeatureRows(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([0, 2]), [(1, "broken")])
    paths = ["a, b.mp4", "c.mp4", 'ü "d".mp4']
    arrays, table = export(rows, tmp_path / "train", paths=paths, labels=[7, 8, 9])
    with np.load(arrays) as content:
        assert content["features"].tolist() == [[1, 2], [3, 4]]
        assert (content["labels"].tolist(), content["videos"].tolist()) == ([7, 9], [0, 2])
        assert content["paths"].tolist() == ["a, b.mp4", 'ü "d".mp4']
        assert (content["features"].dtype, content["labels"].dtype) == (np.float32, np.int64)
    with table.open(encoding="utf-8", newline="") as opened:
        lines = list(csv.DictReader(opened))
    assert lines == [
        {"row": "0", "video": "0", "path": "a, b.mp4", "label": "7"},
        {"row": "1", "video": "2", "path": 'ü "d".mp4', "label": "9"},
    ]


def test_an_export_is_read_back(tmp_path):
    rows = FeatureRows(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([0, 2]), [(1, "broken")])
    paths = ["a, b.mp4", "c.mp4", 'ü "d".mp4']
    export(rows, tmp_path / "train", paths=paths, labels=[7, 8, 9])
    features, labels, read = read_export(tmp_path / "train")
    assert torch.equal(features, rows.features)
    assert (labels, read) == ([7, 9], ["a, b.mp4", 'ü "d".mp4'])
    assert read_export(tmp_path / "test") is None
    with np.load(tmp_path / "train.npz") as content:
        good = dict(content)
    for strange in ({"labels": np.zeros(2)}, {"features": np.array([[1.0, np.nan], [3, 4]], np.float32)}, {}):
        np.savez(tmp_path / "train.npz", **{**good, **strange} if strange else {"labels": good["labels"]})
        with pytest.raises(CheckpointError, match=r"train\.npz and \.csv cannot be read"):
            read_export(tmp_path / "train")
    np.savez(tmp_path / "train.npz", **good)
    (tmp_path / "train.csv").write_text("row,video\n0,0\n1,1\n")
    with pytest.raises(CheckpointError, match=r"train\.npz and \.csv cannot be read \('path'\)"):
        read_export(tmp_path / "train")
    (tmp_path / "train.npz").write_bytes(b"PK torn")
    with pytest.raises(CheckpointError, match=r"train\.npz and \.csv cannot be read .*; extract the features again"):
        read_export(tmp_path / "train")


def test_videos_without_labels_are_written_too(tmp_path):
    rows = FeatureRows(torch.tensor([[1.0]]), torch.tensor([0]), [])
    arrays, table = export(rows, tmp_path / "train", paths=["a.mp4"], labels=None)
    with np.load(arrays) as content:
        assert content["labels"].tolist() == [-1]
    assert table.read_text().splitlines()[1] == "0,0,a.mp4,"
