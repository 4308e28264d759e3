"""Facts -> settings: always a valid config, with a young queue and a batch that the videos fill."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sce_video.cli.init_config.choice import power_of_two, settings_of, warnings_of
from sce_video.cli.init_config.facts import Facts, Machine, Movement, Spread
from sce_video.cli.init_config.memory import overrides_of
from sce_video.cli.init_config.settings import choose
from sce_video.config import load_config

GESTURES = Facts(
    num_videos=170,
    num_seen=170,
    failures=[],
    is_image=False,
    seconds=Spread(1.2, 2.1, 4.0),
    fps=Spread(30.0, 30.0, 30.0),
    short_side=Spread(240.0, 240.0, 480.0),
    size=(240, 320),
    movement=Movement(Spread(0.2, 0.2, 0.2), difference=3.0, still_share=0.9),
    between=60.0,
    class_names=["nod", "wave"],
    sided_names=[],
    groups=None,
)
TWO_CORES = Machine(2, None)


def chosen(
    facts: Facts, machine: Machine = TWO_CORES, *, most_videos: int = 1000, sees_movement: bool = False
) -> dict[str, object]:
    return settings_of(choose(facts, machine, most_videos=lambda _: most_videos, sees_movement=sees_movement))


def spreads(least: float, most: float) -> st.SearchStrategy[Spread]:
    values = st.lists(st.floats(least, most), min_size=3, max_size=3).map(sorted)
    return values.map(lambda three: Spread(*three))


FACTS = st.builds(
    replace,
    st.just(GESTURES),
    num_videos=st.integers(2, 2_000_000),
    failures=st.lists(st.just("a.mp4: no"), max_size=60),
    is_image=st.booleans(),
    seconds=spreads(0.04, 5000.0),
    fps=spreads(0.1, 240.0),
    short_side=spreads(1, 4000),
    sided_names=st.sampled_from([[], ["turn_left"]]),
).filter(lambda facts: facts.num_usable >= 2)
MACHINES = st.builds(Machine, st.integers(1, 256), st.none() | st.floats(4.0, 200.0))


@settings(max_examples=60)
@given(FACTS, MACHINES, st.integers(0, 5000), st.booleans())
def test_the_settings_are_a_config_that_these_videos_can_run(
    facts: Facts, machine: Machine, fits: int, moves: bool
) -> None:
    moves = (
        moves and chosen(facts, machine, sees_movement=True)["CLIP.NUM_FRAMES"] != 1
    )  # the config refuses differences of one frame
    values = chosen(facts, machine, most_videos=fits, sees_movement=moves)
    cfg = load_config(None, overrides_of({"DATA.SOURCE": "folder", "DATA.ROOT": "/data/mine", **values}))
    batch, queue = cfg.TRAIN.GLOBAL_BATCH_SIZE, cfg.METHOD.QUEUE_LENGTH
    assert 2 <= batch <= max(2, facts.num_usable / 2)
    if machine.gpu_gib:
        assert batch <= max(2, fits)
    else:
        assert cfg.TRAIN.PRECISION == "fp32"
        assert (cfg.TRAIN.SPEED == "channels_last") == (cfg.MODEL.BACKBONE == "r2plus1d_mini")
    assert queue <= facts.num_usable  # half of the keys of an epoch
    assert queue % (2 * batch) == 0
    assert (queue == 0) == cfg.METHOD.IN_BATCH_KEYS
    assert 0.9 <= cfg.METHOD.EMA_MOMENTUM <= 0.99
    assert cfg.OPTIM.BASE_LR * batch / 256 <= 0.002 * 1.01
    assert max(2.56, 0.04, facts.seconds.median) >= cfg.CLIP.SECONDS
    if not facts.is_image:
        assert max(facts.seconds.median, 0.001) >= cfg.CLIP.SECONDS  # the loader refuses clips longer than all videos
        assert max(1, cfg.CLIP.SECONDS * facts.fps.median) >= cfg.CLIP.NUM_FRAMES
    assert facts.failed_share <= cfg.DATA.MAX_FAILED_SHARE
    assert (cfg.AUG.FLIP_PROBABILITY == 0) == (moves or bool(facts.sided_names))
    assert (cfg.MODEL.REPRESENTATION == "difference") == moves
    assert values == chosen(facts, machine, most_videos=fits, sees_movement=moves)


def test_the_gestures_of_the_docs() -> None:
    """By hand: half of 2.1 s; 170 / 2 holds a batch of 64, a CPU takes 32; 128 keys are two steps."""
    values = chosen(GESTURES)
    wanted = {
        "CLIP.SECONDS": 1.1,
        "CLIP.NUM_FRAMES": 8,
        "TRAIN.GLOBAL_BATCH_SIZE": 32,
        "METHOD.QUEUE_LENGTH": 128,
        "TRAIN.NUM_EPOCHS": 400,  # of 5 steps
        "METHOD.EMA_MOMENTUM": 0.975,  # 1 - 50 / 2000
        "OPTIM.BASE_LR": 0.016,
        "AUG.FLIP_PROBABILITY": 0.5,
        "MODEL.BACKBONE": "r2plus1d_mini",
    }
    assert {key: values[key] for key in wanted} == wanted


def test_movements_are_seen_whole_and_without_their_colours() -> None:
    """As in configs/own_motion.yaml; four fifths of 2.1 s."""
    values = chosen(GESTURES, sees_movement=True)
    wanted = {
        "MODEL.REPRESENTATION": "difference",
        "CLIP.SECONDS": 1.7,
        "AUG.COLOR_STRENGTH": 0.5,
        "AUG.GRAYSCALE_PROBABILITY": 0.5,
        "AUG.FLIP_PROBABILITY": 0.0,
    }
    assert {key: values[key] for key in wanted} == wanted


def test_a_large_set_on_a_gpu_has_the_papers_views() -> None:
    kinetics = replace(GESTURES, num_videos=240_000, seconds=Spread(1.0, 10.0, 10.0))
    values = chosen(kinetics, Machine(16, 80.0))
    wanted = {
        "MODEL.BACKBONE": "r3d18_sce",
        "CLIP.SECONDS": 2.56,
        "CLIP.NUM_FRAMES": 16,
        "CLIP.SIZE_PIXELS": 112,
        "TRAIN.GLOBAL_BATCH_SIZE": 256,
        "METHOD.QUEUE_LENGTH": 32_768,  # 64 steps, as 65,536 keys at batch 512
        "METHOD.EMA_MOMENTUM": 0.99,
        "TRAIN.PRECISION": "fp16",
    }
    assert {key: values[key] for key in wanted} == wanted
    assert "AUG.CROP_AREA" not in values  # the full recipe


def test_the_reasons_quote_what_was_measured() -> None:
    reasons = {each.key: each.reason for each in choose(GESTURES, TWO_CORES, most_videos=lambda _: 0)}
    assert "1.2 to 4 s, median 2.1" in reasons["CLIP.SECONDS"]
    assert "320x240" in reasons["CLIP.SIZE_PIXELS"]
    assert "log(1 + 128) = 4.86" in reasons["METHOD.QUEUE_LENGTH"]
    assert "last 2 steps, at most 0.38 epochs" in reasons["METHOD.QUEUE_LENGTH"]
    assert "32 / 256: 0.002" in reasons["OPTIM.BASE_LR"]
    few = {
        each.key: each.reason for each in choose(replace(GESTURES, num_videos=20), TWO_CORES, most_videos=lambda _: 0)
    }
    assert "log(8) = 2.08" in few["METHOD.IN_BATCH_KEYS"]


FORTY = replace(GESTURES, num_videos=40, num_seen=40)
ONE_GIB = Machine(2, 1.0)


@pytest.mark.parametrize(
    ("facts", "fit", "batch", "why"),
    [
        (FORTY, 0, 2, "the least there is, though more than 1 GiB hold"),
        (FORTY, 1, 2, "the least there is, though more than 1 GiB hold"),
        (FORTY, 7, 4, "the most that 1 GiB hold"),
        (FORTY, 8, 8, "the most that 1 GiB hold"),
        (FORTY, 300, 16, "at most half of the videos, so that batches differ"),
        (replace(GESTURES, num_videos=1000), 300, 256, "a larger one gains little here"),
        (replace(GESTURES, num_videos=3, num_seen=3), 300, 2, "the least there is"),
    ],
)
def test_what_limits_the_batch(facts: Facts, fit: int, batch: int, why: str) -> None:
    choices = choose(facts, ONE_GIB, most_videos=lambda _: fit)
    (found,) = [each for each in choices if each.key == "TRAIN.GLOBAL_BATCH_SIZE"]
    assert found.value == batch
    assert found.reason.split("; ")[1].removesuffix(", as estimated by tools/describe.py") == why
    # A batch of few videos is warned of only if it is the memory that limits it.
    warnings = [f"WARNING: 1 GiB hold {fit} video{'s' * (fit != 1)} of a training step"] if fit < 8 else []
    assert [warning.partition(",")[0] for warning in warnings_of(choices)] == warnings


@pytest.mark.parametrize(("most", "power"), [(0.5, 1), (1, 1), (2, 2), (3.99, 2), (4, 4), (65_537, 65_536)])
def test_powers_of_two(most: float, power: int) -> None:
    assert power_of_two(most) == power
