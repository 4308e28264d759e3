"""What was seen, what is not known, and what to do next, in words."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sce_video.cli.init_config.facts import Facts, Machine, Movement, Spread
from sce_video.cli.init_config.layout import Layout
from sce_video.cli.init_config.memory import overrides_of
from sce_video.cli.init_config.timing import StepTime

_RUN = "python tools/run_net.py --cfg"
# Settings of a run that its evaluations need too.
_OF_EVALUATION = (
    *("DATA.SOURCE", "DATA.ROOT", "DATA.TRAIN", "CLIP.SECONDS", "CLIP.NUM_FRAMES"),
    *("MODEL.BACKBONE", "MODEL.REPRESENTATION", "MODEL.SMALL_INPUT_STEM", "AUG.ANTIALIASED_RESIZE"),
)
_FAILURES_NAMED, _CLASSES_NAMED = 5, 4
_FAILURE_WIDTH = 98
_MOSTLY_STILL = 0.5
_BUSY = 1.2  # load per core
_FEW_VIDEOS, _LONG_SECONDS = 500, 30.0
_FEW_EPOCHS = 3
_FEW_OF_A_CLASS, _FEW_NEIGHBORS = 20, 5  # 20 is kNN's default number of neighbours


def what_was_seen(facts: Facts, layout: Layout) -> list[str]:
    """One fact a line."""
    noun = f"{facts.noun}s"
    tried = facts.num_seen + len(facts.failures)
    lines = [f"{facts.num_videos:,} {noun}, {tried:,} of them looked at, read as DATA.SOURCE {layout.source}"]
    height, width = facts.size
    lines.append(f"size mostly {width}x{height}, short side {_spread(facts.short_side)} pixels")
    if not facts.is_image:
        lines.append(f"length {_spread(facts.seconds)} s, at {_spread(facts.fps)} frames a second")
        if facts.movement:
            lines.append(movement(facts.movement, between=facts.between))
    if facts.class_names:
        named = ", ".join(facts.class_names[:_CLASSES_NAMED]) + ", ..." * (len(facts.class_names) > _CLASSES_NAMED)
        es = "es" * (len(facts.class_names) > 1)
        lines.append(f"{len(facts.class_names)} class{es} by folder or label: {named} (used to measure, not to train)")
    if facts.failures:
        lines += _failures(facts, tried)
    return [*lines, *layout.notes]


def _failures(facts: Facts, tried: int) -> list[str]:
    num_more = len(facts.failures) - _FAILURES_NAMED
    shown = [f"- {failure}"[:_FAILURE_WIDTH] for failure in facts.failures[:_FAILURES_NAMED]]
    more = [f"- and {num_more} more"] if num_more > 0 else []
    return [f"{len(facts.failures)} of the {tried:,} cannot be decoded:", *shown, *more]


def movement(seen: Movement, *, between: float) -> str:
    return (
        f"frames {_spread(seen.spacing)} s apart differ by {seen.difference:.1f} gray levels of 255, those of any two "
        f"videos by {between:.0f}; {_still(seen)}"
    )


def _still(seen: Movement) -> str:
    return f"in {seen.still_share:.0%} of the videos the camera stands still"


def what_is_not_known(facts: Facts, layout: Layout, settings: Mapping[str, Any]) -> list[str]:
    """Questions that only the user can answer, each with what to do."""
    asked = [_mirror(facts, settings)]
    if not facts.is_image:
        seconds = settings["CLIP.SECONDS"]
        asked.append(f"Does a clip of {seconds:g} s show what makes a class? If not, raise CLIP.SECONDS.")
        asked.append(_movement_or_scene(facts, "MODEL.REPRESENTATION" in settings))
    asked.append(_sessions(facts))
    if not layout.test:
        asked.append(
            f"Which {facts.noun}s are for testing? None are set apart: move whole sessions to a folder or list of "
            "their own before you pretrain (docs/own_data.md)."
        )
    if not facts.is_image and facts.num_videos < _FEW_VIDEOS and facts.seconds.median > _LONG_SECONDS:
        asked.append(
            f"Can these {facts.num_videos} long videos be cut into shorter ones? An epoch sees two clips of each file."
        )
    return asked


def _mirror(facts: Facts, settings: Mapping[str, Any]) -> str:
    if facts.sided_names:
        return (
            f"Does a mirror image change the class? Names such as {facts.sided_names[0]} say so: views are not "
            "mirrored. If it does not, AUG.FLIP_PROBABILITY 0.5."
        )
    asked = "Does a mirror image change the class (turn left, writing)?"
    is_mirrored = settings["AUG.FLIP_PROBABILITY"] > 0
    return f"{asked} Then AUG.FLIP_PROBABILITY 0.0." if is_mirrored else f"{asked} If not, AUG.FLIP_PROBABILITY 0.5."


def _movement_or_scene(facts: Facts, sees_movement: bool) -> str:
    asked = "Is the class a movement, rather than a scene or an object?"
    seen = facts.movement
    if sees_movement:
        still = f"; {_still(seen)}" if seen else ""
        return f"{asked} The network sees only what moves{still}. If not, leave out --motion."
    if seen is None or seen.still_share <= _MOSTLY_STILL:
        return f"{asked} Then check that it is what is learned (docs/own_data.md)."
    return (
        f"{asked} As {_still(seen)}, two clips of a video share the background: it is the easiest to learn. For "
        "movements --motion (frame differences) is probably right (docs/own_data.md)."
    )


def _sessions(facts: Facts) -> str:
    groups = facts.groups
    if groups is None:
        return (
            f"What do the {facts.noun}s share besides the class: place, person, day, film? Their names do not tell. "
            "Those that share it must not be in both training and test."
        )
    return (
        f"Are the {groups.num_groups:,} groups by {groups.words}, such as {groups.example}, sessions? Each looks like "
        f"one place: middle frames differ by {groups.within:.0f} gray levels in a group, by {groups.between:.0f} "
        "between groups. Then no group may be in both training and test."
    )


def duration(num_steps: int, timed: StepTime | None, machine: Machine) -> str:
    if timed is None:
        return f"not known: no GPU of {machine.gpu_gib:.3g} GiB here. tools/doctor.py --cfg FILE measures it there."
    where = "this GPU" if timed.device == "cuda" else f"the CPU, {machine.num_cores} cores"
    steps = "the first real step" if timed.is_first else f"{timed.num_steps} real step{'s' * (timed.num_steps > 1)}"
    measured = f"{steps} on {where}, loading included"
    if timed.is_first:
        measured += ", with all that only the first needs"
    if timed.load > _BUSY * machine.num_cores + 1:
        measured += f"; other programs kept the machine busy, load {timed.load:.1f}: less without them"
    about = "at most" if timed.is_first else "about"
    return f"{about} {in_time(num_steps * timed.seconds)}: {num_steps:,} steps of {timed.seconds:.2g} s ({measured})."


def in_time(seconds: float) -> str:
    for unit, length in (("days", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.2g} {unit}"
    return f"{max(seconds, 1):.0f} s"


def commands(facts: Facts, layout: Layout, settings: Mapping[str, Any], config: Path) -> dict[str, str]:
    """Title -> command of each step: pretraining, then evaluations of the same views."""
    found = {"Pretrain:": f"{_RUN} {shlex.quote(str(config))}"}
    if not facts.is_image:
        groups = {"EVAL.GROUP_PATTERN": facts.groups.pattern} if facts.groups else {}
        found["What do the features see (docs/examine.md)?"] = _evaluation("examine", settings, groups)
    if layout.test and layout.class_names:
        of_test = {"DATA.TEST": layout.test, **_neighbors(facts)}
        floors = {"TASK": "floors", "EVAL.CHECKPOINT": "", "RUN.OUTPUT_DIR": f"{settings['RUN.OUTPUT_DIR']}_floors"}
        found["The floors, which a number has to beat (docs/evaluation.md):"] = _evaluation(
            "knn", settings, {**of_test, **floors}
        )
        found["kNN:"] = _evaluation("knn", settings, of_test)
    found["Features for other programs:"] = _evaluation("extract", settings, {})
    return found


def missing_commands(layout: Layout) -> list[str]:
    """Why commands of a number are missing, if the folder has classes."""
    if layout.test or not layout.class_names:
        return []
    return [
        "The floors and kNN: set test videos apart first (docs/own_data.md); with folders train/CLASS and test/CLASS, "
        "this prints their commands."
    ]


def short_try(settings: Mapping[str, Any]) -> list[str]:
    """Overrides for a run of a few epochs, which needs a shorter warm-up and, as another run, another folder."""
    if settings["TRAIN.NUM_EPOCHS"] <= _FEW_EPOCHS:
        return []
    warmup = min(settings["OPTIM.WARMUP_EPOCHS"], 1)
    folder = shlex.quote(f"{settings['RUN.OUTPUT_DIR']}_try")
    return [f"A short try: TRAIN.NUM_EPOCHS {_FEW_EPOCHS} OPTIM.WARMUP_EPOCHS {warmup} RUN.OUTPUT_DIR {folder}"]


def _neighbors(facts: Facts) -> dict[str, int]:
    """Setting of kNN for few training videos of a class, as in docs/own_data.md; {} for its default."""
    is_few = facts.num_usable < _FEW_OF_A_CLASS * len(facts.class_names)
    return {"EVAL.KNN_NUM_NEIGHBORS": _FEW_NEIGHBORS} if is_few else {}


def _evaluation(name: str, settings: Mapping[str, Any], more: Mapping[str, Any]) -> str:
    wanted = {"EVAL.CHECKPOINT": settings["RUN.OUTPUT_DIR"], "RUN.OUTPUT_DIR": f"{settings['RUN.OUTPUT_DIR']}_{name}"}
    wanted |= {key: settings[key] for key in _OF_EVALUATION if key in settings}
    wanted |= {"EVAL.SIZE_PIXELS": settings["CLIP.SIZE_PIXELS"], **more}
    return f"{_RUN} configs/folder_{name}.yaml {' '.join(map(shlex.quote, overrides_of(wanted)))}"


def _spread(spread: Spread) -> str:
    least, median, most = map(_amount, (spread.least, spread.median, spread.most))
    return median if least == most else f"{least} to {most}, median {median}"


def _amount(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def numbered(questions: Sequence[str]) -> list[str]:
    return [f"{number}. {question}" for number, question in enumerate(questions, start=1)]
