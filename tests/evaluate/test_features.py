import logging
from functools import partial

import pytest
import torch
from torch import nn

from sce_video.data.subsets import balanced_part
from sce_video.data.watched import WatchedVideos
from sce_video.engine.pool.workers import Workers
from sce_video.errors import CheckpointError, ManifestError
from sce_video.evaluate.features import FeatureExtractor, concatenated, labeled, mean_of_crops, mean_of_views
from sce_video.evaluate.linear import linear_metrics
from sce_video.evaluate.views import ResizedClips, ViewProtocol, ViewsDataset, spatial_crops
from tests.deadly import DeadlyVideos


class TinyBackbone(nn.Module):
    """(n, C, T, H, W) -> (n, 2): mean and its square, so that the mean of features is not the feature of means."""

    def forward(self, views):
        mean = views.mean(dim=(1, 2, 3, 4))
        return torch.stack([mean, mean.square()], dim=1)


def as_float(clips):
    """Three crops of every clip."""
    return spatial_crops(clips, num_crops=3).transpose(1, 2).float()


def extract(dataset, labels, *, backbone=None, local_batch_size=2, workers=None, pool=mean_of_views):
    extractor = FeatureExtractor(
        backbone or TinyBackbone(),
        dataset,
        make_views=as_float,
        pool=partial(pool, num_crops=3),
        workers=workers or Workers(0, num_items=len(dataset), timeout_seconds=120.0, name=str),
        device=torch.device("cpu"),
    )
    batches = [range(len(dataset))[i : i + local_batch_size] for i in range(0, len(dataset), local_batch_size)]
    return labeled(concatenated(list(extractor.extract(batches))), labels)


def flat_views(video, *levels):
    """One view of (T, C, H, W) = (2, 3, 4, 4) per level, in that gray."""
    return ResizedClips(video, torch.stack([torch.full((2, 3, 4, 4), x, dtype=torch.uint8) for x in levels]), None)


def failed(video):
    return ResizedClips(video, torch.empty(0, dtype=torch.uint8), f"video{video}.mp4: broken")


PROTOCOL = ViewProtocol(num_clips=2, clip_seconds=1.0, num_frames=4, num_crops=3, size_pixels=16)


@pytest.fixture
def real_dataset(videos):
    return ViewsDataset(videos, protocol=PROTOCOL)


def test_a_video_is_the_mean_of_its_views_features():
    features = extract([flat_views(0, 1, 2, 6), flat_views(1, 10, 10, 10)], [4, 2])
    # mean(1, 2, 6) = 3 and mean(1, 4, 36) = 41 / 3
    torch.testing.assert_close(features.features, torch.tensor([[3.0, 41 / 3], [10.0, 100.0]]))
    assert features.labels.tolist() == [4, 2]
    assert (features.features.dtype, features.labels.dtype) == (torch.float32, torch.int64)
    assert (features.failures, features.num_expected) == ([], 2)


@pytest.mark.parametrize("local_batch_size", [1, 2, 3, 10])
def test_failed_videos_are_left_out_and_counted(local_batch_size):
    dataset = [failed(0), flat_views(1, 10), failed(2), failed(3), flat_views(4, 40), flat_views(5, 50), failed(6)]
    features = extract(dataset, [0, 1, 2, 3, 4, 5, 6], local_batch_size=local_batch_size)
    assert features.features[:, 0].tolist() == [10.0, 40.0, 50.0]
    assert features.labels.tolist() == [1, 4, 5]
    assert features.failures == [f"video{video}.mp4: broken" for video in (0, 2, 3, 6)]
    assert features.num_expected == 7


def test_a_failed_video_is_named_in_the_log(caplog):
    logger = logging.getLogger("sce_video")
    logger.addHandler(caplog.handler)  # whatever other tests made of its propagation
    try:
        extract([flat_views(0, 10), failed(1)], [0, 1])
    finally:
        logger.removeHandler(caplog.handler)
    assert "video1.mp4: broken" in caplog.text


def test_features_of_a_diverged_backbone_are_refused():
    class Diverged(TinyBackbone):
        def forward(self, views):
            return super().forward(views) / 0

    with pytest.raises(CheckpointError, match="not finite"):
        extract([flat_views(0, 10)], [0], backbone=Diverged())


def test_nothing_but_failures_gives_an_empty_set():
    features = extract([failed(0), failed(1)], [0, 1])
    assert len(features.features) == len(features.labels) == 0
    assert features.num_expected == 2


def test_the_backbone_is_in_eval_mode_and_left_as_it_was():
    backbone = nn.Sequential(TinyBackbone(), nn.BatchNorm1d(2), nn.Dropout(0.9))
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    features = extract([flat_views(0, 10), flat_views(1, 20)], [0, 1], backbone=backbone.train())
    # running mean 0 and variance 1: the norm does nothing
    torch.testing.assert_close(features.features, torch.tensor([[10.0, 100.0], [20.0, 400.0]]), rtol=1e-4, atol=0)
    assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())


@pytest.mark.rounding
@pytest.mark.parametrize(("local_batch_size", "num_workers"), [(1, 0), (4, 0), (100, 0), (1, 1), (4, 1)])
def test_real_videos_whatever_the_batches_and_workers(videos, real_dataset, local_batch_size, num_workers):
    workers = Workers(num_workers, num_items=6, timeout_seconds=120.0, name=str, tasks_ahead=2)
    features = extract(real_dataset, [10, 11, 12, 13, 14, 15], local_batch_size=local_batch_size, workers=workers)
    # Clips from 0 and 3 s keep the frames 0, 3, 6, 9 and 30, 33, 36, 39, on average 19.5; columns of squares are 1.5.
    # The short video gives its frames 0, 1, 2, 4 twice, on average 1.75.
    expected = [19.5 * 4 + 30, 30 + 1.75 * 4 + 30, 30 + 19.5 * 4 + 30, 15 + 19.5 * 4 + 30]
    torch.testing.assert_close(features.features[:, 0], torch.tensor(expected), rtol=0, atol=3)
    assert features.labels.tolist() == [10, 12, 14, 15]
    assert [
        str(path) in line for path, line in zip(map(videos.listed.name, (1, 3)), features.failures, strict=True)
    ] == [True] * 2
    assert features.num_expected == 6
    alone = extract(real_dataset, [10, 11, 12, 13, 14, 15], local_batch_size=1)
    torch.testing.assert_close(features.features, alone.features, rtol=1e-5, atol=0)


def test_a_linear_probe_can_be_fitted_on_what_comes_out():
    """Tensors made under `torch.inference_mode` cannot: autograd refuses to save them."""
    dataset = [flat_views(video, 10 * video) for video in range(6)]
    features = extract(dataset, [0, 0, 0, 1, 1, 1])
    assert not features.features.requires_grad
    settings = {"linear_weight_decays": [1e-3], "linear_held_out_share": 0.2, "seed": 0}
    result = linear_metrics(features, features, **settings, balanced_part=balanced_part, device=torch.device("cpu"))
    assert result.metrics["linear_features_top1"] == 1.0


@pytest.mark.parametrize(
    ("way", "cause"), [("segfault", "signal 11"), ("kill", "signal 9"), ("hang", "limit of 1.5 s")]
)
def test_videos_that_end_their_process_are_named_counted_and_never_replaced(videos, real_dataset, way, cause):
    """Of the six videos 1 and 3 are broken, 0 and 4 deadly."""
    labels = [10, 11, 12, 13, 14, 15]
    timeout_seconds = 1.5 if way == "hang" else 120.0
    workers = Workers(2, num_items=6, timeout_seconds=timeout_seconds, name=videos.listed.name, tasks_ahead=2)
    deadly = WatchedVideos(DeadlyVideos(videos, {0: way, 4: way}), workers)
    features = extract(ViewsDataset(deadly, protocol=PROTOCOL), labels, workers=workers)
    healthy = extract(real_dataset, labels)  # those of 0, 2, 4 and 5
    torch.testing.assert_close(features.features, healthy.features[[1, 3]], rtol=1e-5, atol=0)
    assert features.labels.tolist() == [12, 15]
    assert (len(features.features), features.num_expected) == (2, 6)
    named = [videos.listed.name(video) for video in (0, 1, 3, 4)]
    assert [name in line for name, line in zip(named, features.failures, strict=True)] == [True] * 4
    assert [cause in line for line in features.failures] == [True, False, False, True]


@pytest.mark.parametrize("local_batch_size", [1, 4, 10, 100])
def test_ten_failures_before_anything_else_are_a_wrong_path(local_batch_size):
    dataset = [failed(video) for video in range(10)] + [flat_views(10, 5)]
    with pytest.raises(
        ManifestError, match=r"none of the first 10 videos .*for example video0.mp4: broken; check DATA.ROOT"
    ):
        extract(dataset, [0] * 11, local_batch_size=local_batch_size)


@pytest.mark.parametrize("local_batch_size", [1, 4, 10, 100])
def test_many_failures_with_one_video_among_the_first_are_broken_videos(local_batch_size):
    dataset = [failed(video) for video in range(9)] + [flat_views(9, 5)] + [failed(video) for video in range(10, 30)]
    assert extract(dataset, [0] * 30, local_batch_size=local_batch_size).num_expected == 30


def test_clips_apart_are_the_means_of_their_crops(videos, real_dataset):
    features = extract(real_dataset, [10, 11, 12, 13, 14, 15], pool=mean_of_crops)
    # As in `test_real_videos`, but clips from 0 s (frames 0, 3, 6, 9) and from 3 s (30, 33, 36, 39) are two rows.
    first, second = 4.5 * 4 + 30, 34.5 * 4 + 30
    short = 30 + 1.75 * 4 + 30
    expected = [first, second, short, short, 30 + first, 30 + second, 15 + first, 15 + second]
    torch.testing.assert_close(features.features[:, 0], torch.tensor(expected), rtol=0, atol=3)
    assert features.labels.tolist() == [10, 10, 12, 12, 14, 14, 15, 15]
    assert features.videos.tolist() == [0, 0, 2, 2, 4, 4, 5, 5]
    assert (features.num_evaluated, features.num_expected) == (4, 6)
