from pathlib import Path

import pytest
import torch
from torch.utils.data import default_collate

from sce_video.augment.apply import apply_view
from sce_video.augment.background_erasing import BackgroundErasing
from sce_video.augment.crop import AreaCrop
from sce_video.augment.draw import draw_view
from sce_video.augment.flip import Flip
from sce_video.build.views import build_clip_sampling, build_image_views, build_views
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


def test_local_views_follow_the_global_ones(tmp_path: Path) -> None:
    """SCE's on ImageNet: four sizes, each with its range of areas, half of them blurred, a fifth solarized."""
    areas = [(0.172, 0.86), (0.143, 0.715), (0.114, 0.571), (0.086, 0.429)]
    listed = ",".join(str(value) for area in areas for value in area)
    local = ("CLIP.LOCAL_SIZES_PIXELS", "192,160,128,96", "AUG.LOCAL_CROP_AREAS", listed)
    sizes = ("CLIP.SECONDS", 2.56, "CLIP.NUM_FRAMES", 8, "CLIP.SIZE_PIXELS", 224)
    views = build_views(config(tmp_path, *sizes, *local))
    assert views[:2] == build_views(config(tmp_path, *sizes))
    assert [view.size_pixels for view in views] == [224, 224, 192, 160, 128, 96]
    assert {(view.seconds, view.num_frames) for view in views} == {(2.56, 8)}
    assert [view.recipe.crop for view in views[2:]] == [AreaCrop(area, (0.75, 1.3333)) for area in areas]
    assert [[op.probability for op in view.recipe.ops] for view in views[2:]] == [[0.8, 0.2, 0.5, 0.2, 0.5]] * 4


def test_local_views_of_their_own_length_share_one_range_of_areas(tmp_path: Path) -> None:
    length = ("CLIP.LOCAL_SECONDS", 0.64, "CLIP.LOCAL_NUM_FRAMES", 4)
    views = build_views(
        config(tmp_path, "CLIP.LOCAL_SIZES_PIXELS", "64,96", "AUG.LOCAL_CROP_AREAS", "0.1,0.3", *length)
    )
    local = [(view.seconds, view.num_frames, view.size_pixels, view.recipe.crop.area) for view in views[2:]]
    assert local == [(0.64, 4, 64, (0.1, 0.3)), (0.64, 4, 96, (0.1, 0.3))]


def test_all_views_are_resized_alike(tmp_path: Path) -> None:
    local = ("CLIP.LOCAL_SIZES_PIXELS", "64,96")
    assert not any(view.antialiased_resize for view in build_views(config(tmp_path, *local)))
    views = build_views(config(tmp_path, *local, "AUG.ANTIALIASED_RESIZE", "true"))
    assert [view.antialiased_resize for view in views] == [True] * 4


def test_a_weak_view_is_a_cropped_and_perhaps_mirrored_clip(tmp_path: Path) -> None:
    weak, strong = build_views(config(tmp_path, "AUG.VIEW_1_IS_WEAK", "true", "AUG.BLUR_PROBABILITIES", "0,1"))
    assert [type(op) for op in weak.recipe.ops] == [Flip]
    assert weak.recipe.temporal_difference_probability == 0
    assert len(strong.recipe.ops) == 5
    clips = torch.randint(256, (16, 2, 3, 4, 5), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(1)
    drawn = [draw_view(weak.recipe, generator=generator) for _ in clips]
    views = apply_view(clips, clips[:0], default_collate(drawn), weak.recipe)
    plain = (clips.transpose(1, 2) / 255 - 0.45) / 0.225
    is_same = [torch.allclose(view, clip, atol=1e-6) for view, clip in zip(views, plain, strict=True)]
    is_mirrored = [torch.allclose(view, clip.flip(-1), atol=1e-6) for view, clip in zip(views, plain, strict=True)]
    assert all(one != other for one, other in zip(is_same, is_mirrored, strict=True))
    assert 3 <= sum(is_mirrored) <= 13


def test_a_weak_view_may_be_of_frame_differences_too(tmp_path: Path) -> None:
    weak = ("AUG.VIEW_1_IS_WEAK", "true", "AUG.BLUR_PROBABILITIES", "0,1", "AUG.TEMPORAL_DIFFERENCE_PROBABILITY", 0.5)
    one, other = build_views(config(tmp_path, *weak, "AUG.WEAK_TEMPORAL_DIFFERENCE_PROBABILITY", 0.25))
    assert [view.recipe.temporal_difference_probability for view in (one, other)] == [0.25, 0.5]


def test_backgrounds_are_erased_first_in_all_strong_views(tmp_path: Path) -> None:
    erasing = ("AUG.BACKGROUND_ERASING", "other", "AUG.ERASING_MOST_WEIGHT", 0.5)
    views = ("AUG.BLUR_PROBABILITIES", "0,1", "CLIP.LOCAL_SIZES_PIXELS", 64)
    for weak, erased in ((("AUG.VIEW_1_IS_WEAK", "true"), [False, True, True]), ((), [True, True, True])):
        cfg = config(tmp_path, *views, *erasing, *weak)
        plain = build_views(config(tmp_path, *views, *weak))
        for view, without, is_erased in zip(build_views(cfg), plain, erased, strict=True):
            first = (BackgroundErasing(1.0, 0.5, 1),) if is_erased else ()
            assert view.recipe.ops == first + without.recipe.ops
        assert [view.recipe.ops for view in build_image_views(cfg)] == [view.recipe.ops for view in plain]


@pytest.mark.parametrize("other", [("CLIP.NUM_FRAMES", 1), ("MODEL.REPRESENTATION", "difference")])
def test_backgrounds_of_what_has_none_are_not_erased(tmp_path: Path, other: tuple[str, object]) -> None:
    still = ("AUG.TEMPORAL_DIFFERENCE_PROBABILITY", 0, *other)
    with pytest.raises(ConfigError, match=r"^AUG.BACKGROUND_ERASING is 'own'; only .* uses it"):
        config(tmp_path, *still, "AUG.BACKGROUND_ERASING", "own")


def test_recipes_of_more_global_views_take_turns_and_only_the_first_is_weak(tmp_path: Path) -> None:
    two, four = (build_views(config(tmp_path, "CLIP.NUM_GLOBAL_VIEWS", number)) for number in (2, 4))
    assert four == two + two
    weak = ("AUG.VIEW_1_IS_WEAK", "true", "AUG.BLUR_PROBABILITIES", "0,1")
    first, *others = build_views(config(tmp_path, *weak, "CLIP.NUM_GLOBAL_VIEWS", 4))
    assert [first, *others[:1]] == build_views(config(tmp_path, *weak))
    assert others == others[:1] * 3


def test_views_of_other_times_are_last_and_have_the_first_ones_recipe(tmp_path: Path) -> None:
    others = ("AUG.BLUR_PROBABILITIES", "0,1", "CLIP.LOCAL_SIZES_PIXELS", 64)
    views = build_views(config(tmp_path, *others))
    cfg = config(tmp_path, *others, "CLIP.NUM_NEGATIVES", 2)
    assert build_views(cfg) == [*views, views[0], views[0]]
    assert build_clip_sampling(cfg).num_negatives == 2


def test_views_of_an_image_are_those_of_a_video_with_one_frame(tmp_path: Path) -> None:
    local = ("CLIP.LOCAL_SIZES_PIXELS", "64,96", "CLIP.LOCAL_NUM_FRAMES", 4)
    cfg = config(tmp_path, *local)
    for view, of_video in zip(build_image_views(cfg), build_views(cfg), strict=True):
        assert view.num_frames == 1
        assert view.recipe.temporal_difference_probability == 0
        assert (view.size_pixels, view.recipe.crop, view.recipe.ops) == (
            of_video.size_pixels,
            of_video.recipe.crop,
            of_video.recipe.ops,
        )


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
