from pathlib import Path

import pytest
import torch

from sce_video.build.views import build_clip_sampling, build_views
from sce_video.config import load_config
from sce_video.errors import ConfigError


def config(tmp_path: Path, *overrides: object):
    (tmp_path / "run.yaml").write_text("DATA:\n  TRAIN: list.txt\n")
    return load_config(tmp_path / "run.yaml", [str(value) for value in overrides])


def test_two_global_views_that_differ_in_blur_and_solarization(tmp_path: Path) -> None:
    """The paper's: view 1 always blurred and never solarized, view 2 in a tenth and a fifth of the cases."""
    sizes = ("CLIP.SECONDS", 2.56, "CLIP.NUM_FRAMES", 8, "CLIP.SIZE_PIXELS", 224)
    first, second = build_views(config(tmp_path, *sizes))
    assert [(view.seconds, view.num_frames, view.size_pixels) for view in (first, second)] == [(2.56, 8, 224)] * 2
    probabilities = [[op.probability for op in view.recipe.ops] for view in (first, second)]
    # jitter, grayscale, blur, solarize, flip
    assert probabilities == [[0.8, 0.2, 1.0, 0.0, 0.5], [0.8, 0.2, 0.1, 0.2, 0.5]]
    limits = [limit for limits in first.recipe.ops[0].ranges for limit in limits]
    assert limits == pytest.approx([0.2, 1.8, 0.2, 1.8, 0.6, 1.4, -0.2, 0.2])


def starts(cfg, video_seconds: float) -> list[tuple[float, float]]:
    sampling = build_clip_sampling(cfg)
    found = []
    for seed in range(50):
        generators = [torch.Generator().manual_seed(2 * seed + view) for view in range(2)]
        lengths = [cfg.CLIP.SECONDS * sampling.speeds[0]] * 2
        first, second = sampling.spans(video_seconds, lengths, generators=generators)
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
    uniform = build_clip_sampling(config(tmp_path)).positions(generator)
    assert uniform(10, 4) == [0, 3, 6, 9]
    strided = config(tmp_path, "CLIP.FRAME_CHOICE", "strided", "CLIP.FRAME_STRIDE", 2)
    assert build_clip_sampling(strided).positions(generator)(10, 4) == [0, 2, 4, 6]
    jittered = config(tmp_path, "CLIP.FRAME_CHOICE", "jittered")
    draws = {tuple(build_clip_sampling(jittered).positions(generator)(40, 4)) for _ in range(20)}
    assert len(draws) > 10
    assert all(10 * i <= frame < 10 * (i + 1) for draw in draws for i, frame in enumerate(draw))


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
