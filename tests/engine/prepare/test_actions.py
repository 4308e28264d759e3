"""Settings out of range are errors that name the option."""

import pytest

from sce_video.engine.prepare.actions import ACTIONS, Check, Frames, PrepareError, Transcode, action_name


@pytest.mark.parametrize(
    ("kind", "values", "option"),
    [
        (Transcode, {"gop_frames": 0}, "--gop"),
        (Transcode, {"crf": 52}, "--crf"),
        (Transcode, {"short_side_pixels": -256}, "--short-side"),
        (Transcode, {"max_fps": 0.0}, "--max-fps"),
        (Transcode, {"max_fps": float("nan")}, "--max-fps"),
        (Frames, {"quality": 0}, "--quality"),
        (Frames, {"short_side_pixels": 1}, "--short-side"),
        (Check, {"min_frames": 0}, "--min-frames"),
    ],
)
def test_values_out_of_range(kind: type, values: dict[str, float], option: str) -> None:
    with pytest.raises(PrepareError, match=f"{option} is {next(iter(values.values()))}; it must be from"):
        kind(**values)


def test_bounds_are_allowed() -> None:
    Transcode(gop_frames=1, crf=0, short_side_pixels=0)
    Transcode(crf=51, short_side_pixels=2)
    Frames(quality=95)


def test_every_action_has_its_name() -> None:
    assert {name: action_name(kind()) for name, kind in ACTIONS.items()} == {name: name for name in ACTIONS}
