"""Section on the origin of a result: command, commit, versions, config."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sce_video.report.markup import Markup, data_table, details, element, joined, section
from sce_video.report.reported import ReportedRun

# Keys that are not compared between runs.
_IGNORED_KEYS = {"RUN.OUTPUT_DIR"}


def origin_section(runs: Sequence[ReportedRun]) -> Markup:
    return section("origin", "How it was made", _differences(runs), *map(_of_run, runs))


def _of_run(run: ReportedRun) -> Markup:
    results, environment = run.files.results, dict(run.environment)
    command = environment.pop("command", "not recorded")
    facts = {"task": run.task, "weights": weights_of(run), **environment}
    tables = {"Origin": facts, "Protocol": results.get("protocol", {}), "Details": results.get("details", {})}
    parts = [
        element("h3", run.name) if run.name else "",
        element("p", "Command"),
        element("pre", element("code", command), class_="wrapped"),
        element("div", *(_table(caption, each) for caption, each in tables.items()), class_="columns"),
        _training_failures(run),
        details("Resolved config", element("pre", element("code", run.config), tabindex=0)),
    ]
    return joined(parts)


def weights_of(run: ReportedRun) -> str:
    """Weights recorded in the results or, before there are any, those that the run starts from."""
    start = (run.task != "pretrain" and run.settings.get("EVAL.CHECKPOINT")) or "random initialisation"
    return str(run.files.results.get("weights", f"{run.settings['MODEL.BACKBONE']}, {start}"))


def _table(caption: str, facts: Mapping[str, Any]) -> Markup:
    if not facts:
        return Markup()
    rows = [[name.replace("_", " "), _text(value)] for name, value in facts.items()]
    return data_table(caption, ["name", "value"], rows, num_text_columns=2)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _training_failures(run: ReportedRun) -> Markup:
    """How many training videos were replaced; run.log names each."""
    logged = run.files.metrics_log[-1].get("failed_videos") if run.files.metrics_log else None
    if logged is None:
        return Markup()
    return element("p", f"Training videos that could not be decoded and were replaced: {logged:.0f}.")


def _differences(runs: Sequence[ReportedRun]) -> Markup:
    """Config keys in which several runs differ, without keys that only one task has."""
    if len(runs) < 2:
        return Markup()
    keys = dict.fromkeys(key for run in runs for key in run.settings if key not in _IGNORED_KEYS)
    values = {key: [run.settings.get(key, "-") for run in runs] for key in keys}
    not_used = {"-"} if len({run.task for run in runs}) > 1 else set()
    rows = [[key, *each] for key, each in values.items() if len(set(each) - not_used) > 1]
    if not rows:
        return element("p", "These runs have the same config.")
    header = ["key", *(run.name for run in runs)]
    return data_table("Config keys that differ", header, rows, num_text_columns=len(header))
