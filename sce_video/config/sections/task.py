"""TASK, and the conditions on it that other settings use."""

from sce_video.config.settings import choice, when
from sce_video.evaluate.table import EVALUATIONS

TRAINING_TASKS = ("pretrain", "finetune", "linear")
# Tasks whose result is a metric; they need labels.
MEASURING_TASKS = ("finetune", "linear", *EVALUATIONS, "floors")
_TASKS = (*TRAINING_TASKS, *EVALUATIONS, "extract", "floors", "examine")

# pretrain; finetune (all weights, supervised), linear (a classifier on the frozen backbone, on augmented clips);
# linear_features, knn, retrieval (on cached features), extract (only these features); floors (what crude classifiers
# reach on the same videos, with kNN on random weights); examine (what features see, of some training videos without
# labels: docs/examine.md).
TASK = choice("pretrain", *_TASKS)

PRETRAINING = when("TASK", "pretrain")
FINETUNING = when("TASK", "finetune")
TRAINING = when("TASK", *TRAINING_TASKS)
MEASURING = when("TASK", *MEASURING_TASKS)
AFTER_PRETRAINING = when("TASK", *_TASKS[1:])
ON_FEATURES = when("TASK", *EVALUATIONS, "extract", "floors", "examine")
EXAMINING = when("TASK", "examine")
ON_ALL_VIEWS = when("TASK", *(task for task in _TASKS[1:] if task != "examine"))
