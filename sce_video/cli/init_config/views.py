"""What the network sees of the videos, and the network itself."""

import math

from sce_video.cli.init_config.choice import Choice, power_of_two
from sce_video.cli.init_config.facts import Facts, Machine

_MOST_SECONDS = 2.56  # the paper's clip
_LEAST_PIXELS = 32  # of a view
_IMAGE_SECONDS = 0.04  # any, for one frame
_LONG_RUN_STEPS = 10_000
_SMALL_IMAGE_PIXELS = 40
_SEVERAL_CORES = 8
_MANY_IMAGES = 50_000
# Each frame minus the next: 0 where nothing moves (as in configs/own_motion.yaml).
SEES_MOVEMENT = Choice(
    "MODEL.REPRESENTATION", "difference", "the network sees what moves, not the background; the camera must stand still"
)
_USUAL_FAILED_SHARE = 0.05  # the default of DATA.MAX_FAILED_SHARE


def choose_loading(facts: Facts, machine: Machine) -> list[Choice]:
    chosen = [Choice("DATA.NUM_WORKERS", -1, f"loader processes, one per core: {machine.num_cores} here")]
    if facts.failures:
        share = min(1.0, math.ceil(150 * facts.failed_share) / 100)
        if share > _USUAL_FAILED_SHARE:
            reason = (
                f"{len(facts.failures)} of the {len(facts.failures) + facts.num_seen} files tried cannot be decoded: "
                "a run stops above this share, 0.05 unless set. Better: remove them, then this line"
            )
            chosen.append(Choice("DATA.MAX_FAILED_SHARE", share, reason))
    return chosen


def choose_clip(facts: Facts, machine: Machine, *, sees_movement: bool) -> list[Choice]:
    if facts.is_image:
        one = Choice("CLIP.NUM_FRAMES", 1, "an image is a video of one frame")
        return [Choice("CLIP.SECONDS", _IMAGE_SECONDS), one, _size(facts, machine)]
    seconds, why = _seconds(facts, sees_movement)
    inside = max(seconds * facts.fps.median, 1)
    num_frames = min(16 if machine.gpu_gib else 8, power_of_two(inside))
    spread = f"evenly spread over the about {inside:.0f} in a clip (at {facts.fps.median:.3g} a second)"
    lasting = f"{facts.seconds.least:.3g} to {facts.seconds.most:.3g} s, median {facts.seconds.median:.3g}"
    return [
        Choice("CLIP.SECONDS", seconds, f"your videos last {lasting}; {why}"),
        Choice("CLIP.NUM_FRAMES", num_frames, spread),
        _size(facts, machine),
    ]


def _seconds(facts: Facts, sees_movement: bool) -> tuple[float, str]:
    """Length of a clip, and why."""
    median = facts.seconds.median
    wanted, why = median / 2, "half of that, so that two clips of a video differ"
    if sees_movement:
        wanted, why = 0.8 * median, "most of that, so that both clips of a video show its movement"
    fewest = min(8 / facts.fps.median, 0.9 * median)
    if fewest > wanted:
        wanted, why = fewest, "most of that, so that eight frames of a clip differ"
    if wanted >= _MOST_SECONDS:
        return _MOST_SECONDS, "as in the paper"
    return max(float(f"{wanted:.2g}"), 0.001), why


def _size(facts: Facts, machine: Machine) -> Choice:
    if machine.gpu_gib is not None:
        most, why = (224 if facts.is_image else 112), "as in the paper"
    elif machine.num_cores < _SEVERAL_CORES:
        most, why = 48, "small, for few cores: the time grows with its square"
    else:
        most, why = 64, "small, for a CPU: the time grows with its square"
    side = max(_LEAST_PIXELS, min(most, int(facts.short_side.median) // 16 * 16))
    height, width = facts.size
    why = why if side == most else "no larger than those"
    return Choice("CLIP.SIZE_PIXELS", side, f"yours are mostly {width}x{height}; {why}")


def choose_network(facts: Facts, machine: Machine) -> list[Choice]:
    on_gpu = machine.gpu_gib is not None
    if not facts.is_image:
        if not on_gpu:
            return _small_network("r2plus1d_mini", "0.8 M parameters: there is no GPU")
        return [
            Choice("MODEL.BACKBONE", "r3d18_sce", "the paper's R3D-18, 20 M parameters"),
            Choice("MODEL.PROJECTOR_DIMS", [1024, 1024, 256]),
            Choice("MODEL.PREDICTOR_HIDDEN_DIM", 1024),
        ]
    is_small = facts.short_side.median <= _SMALL_IMAGE_PIXELS
    if on_gpu and facts.num_usable >= _MANY_IMAGES and facts.short_side.median >= 224:
        return [
            Choice("MODEL.BACKBONE", "resnet50", f"{facts.num_videos:,} images are enough for it"),
            Choice("MODEL.PROJECTOR_DIMS", [2048, 2048, 256]),
            Choice("MODEL.PREDICTOR_HIDDEN_DIM", 4096),
        ]
    stem = (
        [Choice("MODEL.SMALL_INPUT_STEM", True, "without the first halvings, for images this small")]
        if is_small
        else []
    )
    return [*_small_network("resnet18", "an image network, 11 M parameters"), *stem]


def _small_network(name: str, reason: str) -> list[Choice]:
    return [
        Choice("MODEL.BACKBONE", name, reason),
        Choice("MODEL.PROJECTOR_DIMS", [256, 256, 64]),
        Choice("MODEL.PREDICTOR_HIDDEN_DIM", 0, "no predictor: a small network learns faster without"),
    ]


def choose_augmentation(facts: Facts, num_steps: int, *, sees_movement: bool) -> list[Choice]:
    chosen = []
    if num_steps < _LONG_RUN_STEPS:
        why = f"mild: the paper's recipe is too strong for {num_steps:,} steps of small batches"
        chosen += [
            Choice("AUG.CROP_AREA", [0.5, 1.0], why),
            *_colors(sees_movement),
            Choice("AUG.TEMPORAL_DIFFERENCE_PROBABILITY", 0.0),
            Choice("AUG.BLUR_PROBABILITIES", [0.0, 0.0]),
            Choice("AUG.SOLARIZE_PROBABILITIES", [0.0, 0.0]),
        ]
    elif facts.is_image or sees_movement:
        why = "an image has none" if facts.is_image else "the network sees nothing else"
        chosen.append(Choice("AUG.TEMPORAL_DIFFERENCE_PROBABILITY", 0.0, why))
    if facts.is_image:
        chosen.append(Choice("AUG.ANTIALIASED_RESIZE", True, "as in the paper, for images"))
    return [*chosen, _flip(facts, sees_movement)]


def _colors(sees_movement: bool) -> list[Choice]:
    if not sees_movement:
        return [Choice("AUG.COLOR_STRENGTH", 0.25)]
    why = "colour and contrast of what moves must not tell the videos apart"
    return [Choice("AUG.COLOR_STRENGTH", 0.5, why), Choice("AUG.GRAYSCALE_PROBABILITY", 0.5)]


def _flip(facts: Facts, sees_movement: bool) -> Choice:
    if facts.sided_names:
        return Choice("AUG.FLIP_PROBABILITY", 0.0, f"a mirror would exchange classes such as {facts.sided_names[0]}")
    if sees_movement:
        return Choice("AUG.FLIP_PROBABILITY", 0.0, "NOT KNOWN: 0.5 if left and right are the same movement")
    return Choice("AUG.FLIP_PROBABILITY", 0.5, "NOT KNOWN: 0.0 if a mirror image has another label (left, right)")
