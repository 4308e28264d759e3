"""The pictures of a page are those that training and evaluation see."""

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from sce_video.augment.apply import plain_view
from sce_video.build.views import build_views
from sce_video.config import load_config
from sce_video.report.run_folder import Neighbor, Query, RunFiles
from sce_video.tasks.pictures import build_pictures, choose_queries_to_show, denormalized

REPOSITORY = Path(__file__).resolve().parents[2]


def config(videos: Path, *overrides: str):
    settings = ["TASK", "pretrain", "DATA.ROOT", str(videos), "DATA.NUM_WORKERS", "0", "RUN.DEVICE", "cpu", *overrides]
    return load_config(REPOSITORY / "configs" / "demo_knn.yaml", shared=settings)


def test_a_view_becomes_the_clip_it_was(motion_videos: Path) -> None:
    recipe = build_views(config(motion_videos))[0].recipe
    clips = torch.randint(256, (1, 2, 3, 4, 5), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    view = plain_view(clips, mean=recipe.mean, std=recipe.std)[0]
    assert torch.equal(denormalized(view, recipe), clips[0])


def test_views_out_of_range_do_not_wrap_round(motion_videos: Path) -> None:
    recipe = build_views(config(motion_videos))[0].recipe
    view = torch.full((3, 1, 1, 1), 9.0)
    assert denormalized(view, recipe).flatten().tolist() == [255] * 3
    assert denormalized(-view, recipe).flatten().tolist() == [0] * 3


def pixels(strip) -> np.ndarray:
    """(T, H, W, C)"""
    with Image.open(io.BytesIO(strip.jpeg)) as image:
        return np.stack(np.split(np.asarray(image).astype(int), strip.num_frames, axis=1))


NO_AUGMENTATION = [
    *("AUG.JITTER_PROBABILITY", "0", "AUG.GRAYSCALE_PROBABILITY", "0", "AUG.FLIP_PROBABILITY", "0"),
    *("AUG.CROP_AREA", "1,1", "AUG.CROP_ASPECT", "1,1", "CLIP.SECONDS", "1"),
]


def test_pretraining_has_two_views_of_four_videos_finetuning_one(motion_videos: Path) -> None:
    pretraining = build_pictures(config(motion_videos), []).previews
    assert [len(preview.views) for preview in pretraining] == [2] * 4
    assert len({preview.path for preview in pretraining}) == 4
    finetuning = build_pictures(config(motion_videos, "TASK", "finetune"), []).previews
    assert [len(preview.views) for preview in finetuning] == [1] * 4
    assert build_pictures(config(motion_videos, "TASK", "knn"), []).previews == []


def test_the_recipes_are_the_runs_own(motion_videos: Path) -> None:
    """Views of a gray recipe are gray; where only view 2 is solarized, nothing bright is left in it."""
    gray = build_pictures(config(motion_videos, *NO_AUGMENTATION, "AUG.GRAYSCALE_PROBABILITY", "1"), []).previews
    for preview in gray:
        channels = pixels(preview.views[0])
        assert np.abs(channels - channels.mean(axis=-1, keepdims=True)).max() <= 2
    solarized = config(motion_videos, *NO_AUGMENTATION, "AUG.SOLARIZE_PROBABILITIES", "0,1")
    for preview in build_pictures(solarized, []).previews:
        plain, inverted = (pixels(view) for view in preview.views)
        assert plain.max() > 150
        assert np.quantile(inverted, 0.98) <= 135  # nothing is above one half, but for what JPEG makes of edges


def test_one_picture_per_video_of_the_gallery(motion_videos: Path) -> None:
    some = sorted(str(path.relative_to(motion_videos)) for path in motion_videos.rglob("*.mp4"))
    test, bank = [path for path in some if path.startswith("test")], [path for path in some if path.startswith("train")]
    asked = [Query(test[0], 0, tuple(Neighbor(path, 0, 0.5) for path in bank[:7])), Query("test/gone.mp4", 0, ())]
    made = build_pictures(config(motion_videos, "TASK", "knn"), asked)
    assert list(made.test) == [test[0], "test/gone.mp4"]
    assert list(made.bank) == bank[:5]
    assert "it is no longer in" in made.test["test/gone.mp4"]
    shown = made.test[test[0]]
    assert (shown.num_frames, shown.seconds) == (8, 1.0)
    frames = pixels(shown)
    assert np.abs(frames[0] - frames[-1]).mean() > 1  # it moves


def run_files(*paths: str, nearest: str) -> RunFiles:
    queries = [Query(path, int(path[0]), (Neighbor(nearest, int(nearest[0]), 0.5),)) for path in paths]
    return RunFiles(Path(), {}, [], [], queries)


def test_all_runs_show_the_queries_of_the_first() -> None:
    first = run_files("0/a", "0/b", "1/c", nearest="0/x")
    second = run_files("1/c", "0/d", nearest="1/x")
    nothing = RunFiles(Path(), {}, [], [], [])
    chosen = choose_queries_to_show([nothing, first, second])
    assert [[query.path for query in of_run] for of_run in chosen] == [[], ["1/c", "0/a", "0/b"], ["1/c"]]
    assert chosen[2][0].neighbors[0].path == "1/x"
    assert choose_queries_to_show([nothing]) == [[]]


def test_more_runs_show_fewer_queries() -> None:
    run = run_files(*(f"{i % 9}/{i}" for i in range(500)), nearest="0/x")
    assert [len(choose_queries_to_show([run] * num)[0]) for num in (1, 2, 3)] == [60, 40, 30]
