"""Section with what the curves of a pretraining run mean, and these curves beside their chance levels."""

import math
from collections.abc import Callable, Mapping, Sequence

from sce_video.report.charts import Point, line_chart
from sce_video.report.markup import Markup, element, note, section
from sce_video.report.reported import ReportedRun

Line = Mapping[str, float]

# Chart -> unit, and its lines by legend: a scalar of metrics.jsonl, or what is calculated from a line that has it.
_CHARTS: dict[str, tuple[str, dict[str, str | tuple[str, Callable[[Line], float]]]]] = {
    "Loss": ("nats", {"loss": "loss", "all similarities equal": "loss_chance", "keys of others": "loss_mismatched"}),
    "Similarity of a query": ("cosine", {"to its own key": "positive_similarity", "to others": "negative_similarity"}),
    "Directions that the keys use": ("", {"effective rank": "key_rank", "dimensions": "embedding_dim"}),
    "Spread of the keys": (
        "",
        {
            "keys": ("key_std", lambda line: line["key_std"] * math.sqrt(max(0, line.get("embedding_dim", 0)))),
            "spread evenly": ("key_std", lambda line: 1.0),
            "collapsed": ("key_std", lambda line: 0.1),
        },
    ),
    "Share on the own key": ("", {"query": "query_on_positive", "target": "target_on_positive"}),
    "Accuracy while training": ("", {"kNN": "online_knn", "linear": "online_linear", "largest class": "online_chance"}),
    "What the features see (0: other videos, 1: the clip)": (
        "",
        {"frozen": "frozen_similarity", "reversed": "reversed_similarity", "another clip": "other_clip_similarity"},
    ),
    "Entropy of the target": ("nats", {"entropy": "target_entropy"}),
    "Norm of the gradient": ("", {"norm": "gradient_norm"}),
    "Age of the oldest key": ("steps", {"age": "queue_age_steps"}),
}
_EXPLANATION = (
    "Measured while the run trained, on the batches of its steps (docs/learning.md). With a queue the loss rises at "
    "first, while random vectors give way to keys."
)


def learning_section(runs: Sequence[ReportedRun]) -> Markup:
    """A sentence for each run that was judged; the curves if that is only one."""
    judged = [run for run in runs if run.learning is not None]
    if not judged:
        return Markup()
    sentences = []
    for run in judged:
        assert run.learning is not None
        name = f"{run.name}: " if run.name else ""
        kind, _, rest = run.learning.sentence.partition(":")
        mark = element("strong", kind, class_="alarm" if run.learning.is_alarm else None)
        sentences.append(element("p", name, mark, f":{rest}"))
    charts = _charts(judged[0].files.metrics_log) if len(judged) == 1 else []
    drawn = [note(_EXPLANATION), element("div", *charts, class_="charts")] if charts else []
    return section("learning", "Is it learning?", *sentences, *drawn)


def _charts(log: Sequence[Line]) -> list[Markup]:
    charts = []
    for title, (unit, curves) in _CHARTS.items():
        lines = {name: _points(log, curve) for name, curve in curves.items()}
        lines = {name: points for name, points in lines.items() if points}
        has_own = any(curve != "loss" and name in lines for name, curve in curves.items())
        if has_own:  # the loss alone is among the curves of every run
            charts.append(line_chart(title, unit, lines))
    return charts


def _points(log: Sequence[Line], curve: str | tuple[str, Callable[[Line], float]]) -> list[Point]:
    scalar, value_of = curve if isinstance(curve, tuple) else (curve, lambda line: line[curve])
    return [Point(line["step"], value_of(line)) for line in log if scalar in line]
