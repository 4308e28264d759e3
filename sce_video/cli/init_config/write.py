"""The whole program: look, choose, time, write."""

import re
import sys
import textwrap
from collections.abc import Sequence
from datetime import date
from functools import partial
from pathlib import Path

from sce_video.cli.init_config.choice import Choice, settings_of, warnings_of
from sce_video.cli.init_config.document import opening_text, settings_text
from sce_video.cli.init_config.facts import Facts, Machine, facts_of, this_machine
from sce_video.cli.init_config.layout import Layout, find_layout
from sce_video.cli.init_config.look import look_at
from sce_video.cli.init_config.memory import most_videos, overrides_of
from sce_video.cli.init_config.settings import choose
from sce_video.cli.init_config.timing import StepTime, time_steps
from sce_video.cli.init_config.words import (
    commands,
    duration,
    missing_commands,
    numbered,
    short_try,
    what_is_not_known,
    what_was_seen,
)
from sce_video.config import load_config
from sce_video.errors import UserError
from sce_video.paths import names_variable
from sce_video.plain_text import escaped, masked
from sce_video.runtime.files import write_text

_WIDTH = 100


def write_config(
    path: Path,
    *,
    output: Path | None,
    list_root: Path | None,
    gpu_gib: float | None,
    sees_movement: bool,
    overwrites: bool,
) -> None:
    """Write a config for a folder or list, and print what was seen and what is not known.

    Args:
        output: None: FOLDER_sce.yaml in the working directory.
        list_root: see `find_layout`.
        sees_movement: the network sees frame differences.
        gpu_gib: memory of the GPU of the planned run, GiB; None: this machine's, if it has one.
    Raises:
        UserError: the folder cannot be used, or the file exists and `overwrites` is False.
    """
    output = output or Path(f"{_name_of(path)}_sce.yaml")
    if output.exists() and not overwrites:
        raise UserError(f"{output} exists; give another --output, or --overwrite to replace it")
    layout = find_layout(path, list_root=list_root)
    _refuse_variables(layout)
    facts, machine = facts_of(layout, look_at(layout.listed)), this_machine(gpu_gib)
    if facts.num_usable < 2:
        raise UserError(f"{path} has {facts.num_usable} video that can be decoded; pretraining needs at least 2")
    if sees_movement and facts.is_image:
        raise UserError(f"{path} has images, which do not move; leave out --motion")
    memory = partial(most_videos, gpu_gib=machine.gpu_gib or 0.0)
    choices = _with_places(choose(facts, machine, most_videos=memory, sees_movement=sees_movement), layout, output)
    timed = _time(choices, machine)
    text = _text(choices, layout, facts, machine, timed, output)
    write_text(output, text)
    load_config(output)
    _print(facts, layout, choices, output, duration(_num_steps(choices, facts), timed, machine))


def _refuse_variables(layout: Layout) -> None:
    """
    Raises:
        UserError: a path of the config would be read back as another one.
    """
    for path in (str(layout.root), layout.train):
        if names_variable(path):
            raise UserError(f"{path} has a $ in its name, which configs take for a variable; rename it")


def _with_places(choices: Sequence[Choice], layout: Layout, output: Path) -> list[Choice]:
    """The choices with those that list the videos before them, and the output folder behind them."""
    train = [Choice("DATA.TRAIN", layout.train)] if layout.train else []
    listing = [Choice("DATA.SOURCE", layout.source), Choice("DATA.ROOT", str(layout.root)), *train]
    folder = Choice("RUN.OUTPUT_DIR", f"runs/{output.stem}", "the same command resumes an interrupted run")
    return [*listing, *choices, folder]


def _time(choices: Sequence[Choice], machine: Machine) -> StepTime | None:
    """Of a few real steps; None if the GPU of the run is not here."""
    cfg = load_config(None, overrides_of(settings_of(choices)))
    if machine.gpu_gib is not None and not machine.is_here:
        return None
    print("taking a few steps, for the time that they need", file=sys.stderr)
    return time_steps(cfg)


def _num_steps(choices: Sequence[Choice], facts: Facts) -> int:
    settings = settings_of(choices)
    num_steps: int = settings["TRAIN.NUM_EPOCHS"] * (facts.num_videos // settings["TRAIN.GLOBAL_BATCH_SIZE"])
    return num_steps


def _text(
    choices: Sequence[Choice],
    layout: Layout,
    facts: Facts,
    machine: Machine,
    timed: StepTime | None,
    output: Path,
) -> str:
    settings = settings_of(choices)
    title = (
        f"SCE pretraining on {layout.root}, written by tools/init_config.py on {date.today()} from what it saw there."
    )
    hardware = f"{machine.num_cores} CPU cores" if machine.gpu_gib is None else f"one GPU of {machine.gpu_gib:.3g} GiB"
    opening = opening_text(
        title,
        {
            "Command": [commands(facts, layout, settings, output)["Pretrain:"]],
            "Data": what_was_seen(facts, layout),
            "Hardware": [f"{hardware}.", *warnings_of(choices)],
            "Duration": [duration(_num_steps(choices, facts), timed, machine), *short_try(settings)],
            "Result": ["none yet. docs/own_data.md is the way from here to a number."],
            "NOT KNOWN": numbered(what_is_not_known(facts, layout, settings)),
        },
    )
    return f"{opening}\n{settings_text('pretrain', choices)}"


def _print(facts: Facts, layout: Layout, choices: Sequence[Choice], output: Path, takes: str) -> None:
    settings = settings_of(choices)
    lines = [f"What was seen in {layout.root}:", *what_was_seen(facts, layout), ""]
    lines += ["What is not known; please decide:", *numbered(what_is_not_known(facts, layout, settings)), ""]
    lines += [*warnings_of(choices), f"Wrote {output}. Duration: {takes}"]
    for line in lines:
        print("\n".join(_wrapped(line)))
    for title, command in commands(facts, layout, settings, output).items():
        print(f"{title}\n    {escaped(masked(command))}")
    for line in missing_commands(layout):
        print("\n".join(_wrapped(line)))


def _wrapped(line: str) -> list[str]:
    indent = "   " if re.match(r"\d+\. ", line) else ""
    return textwrap.wrap(
        escaped(masked(line)), _WIDTH, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
    ) or [""]


def _name_of(path: Path) -> str:
    """Of the folder or list, for names of files."""
    resolved = path.resolve()
    stem = resolved.name if resolved.is_dir() else resolved.stem
    return re.sub(r"[^A-Za-z0-9_-]+", "_", stem).strip("_") or "own"
