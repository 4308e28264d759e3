"""EVAL: what is evaluated and how. An evaluation on features uses the keys that it has a keyword-only argument for."""

from sce_video.config.sections.bounds import LEAST_SIDE_PIXELS, MOST_PIXELS, MOST_SIDE_PIXELS
from sce_video.config.sections.task import AFTER_PRETRAINING, EXAMINING, MEASURING, ON_ALL_VIEWS, ON_FEATURES
from sce_video.config.settings import (
    Section,
    When,
    choice,
    fixed,
    flag,
    number,
    path,
    pattern,
    positive,
    when,
    when_takes,
)
from sce_video.evaluate.features import POOLS
from sce_video.evaluate.neighbors import SEARCHES
from sce_video.evaluate.table import EVALUATIONS
from sce_video.evaluate.views import CLIPS


def tasks_with(name: str) -> When:
    """The condition that TASK is an evaluation with an argument of this name; that of the floors is a kNN."""
    return when_takes("TASK", {**EVALUATIONS, "floors": EVALUATIONS["knn"]}, name)


# When finetuning or linear is resumed, only the settings on which its training depends are fixed.
EVAL = Section(AFTER_PRETRAINING, is_free=True)
# Weights to evaluate or finetune: a run's folder, a checkpoint (.pt) or a backbone (.safetensors); "" is random
# initialisation.
EVAL.CHECKPOINT = fixed(path(""))
# Splits to evaluate, each in a subfolder of OUTPUT_DIR, with their mean and standard deviation; 0 is only DATA.SPLIT.
EVAL.SPLITS = number([0], MEASURING, least=0, most=3)
# Views of a video, whose features (after finetuning: probabilities) are averaged: each clip in 1 (center) or 3 crops
# along the longer side. Clips: NUM_CLIPS "evenly_spaced", or as many as the video needs, "half_overlapping" or with
# "full_coverage" (the fewest without a gap).
EVAL.CLIPS = choice("evenly_spaced", *CLIPS, conditions=[ON_ALL_VIEWS])
EVAL.NUM_CLIPS = number(10, when("EVAL.CLIPS", "evenly_spaced"), least=1, most=10_000)
EVAL.NUM_CROPS = choice(3, 1, 3, conditions=[ON_ALL_VIEWS])
# Side of the crops, and the short side to which frames are resized before, pixels; 0: to SIZE_PIXELS (ImageNet: 224
# of 256).
EVAL.SIZE_PIXELS = number(128, least=LEAST_SIDE_PIXELS, most=MOST_SIDE_PIXELS)
EVAL.RESIZE_PIXELS = number(0, least=0, most=MOST_PIXELS)
# Videos per forward pass on each rank; a video has clips * NUM_CROPS views.
EVAL.LOCAL_BATCH_SIZE = number(4, least=1, most=2**16)
# Share of the training videos of each class that is used (few-shot: 0.01, 0.1), drawn with RUN.SEED.
EVAL.LABEL_SHARE = fixed(number(1.0, ON_ALL_VIEWS, above=0, most=1))
# Cache folder for the features of knn, retrieval, linear_features, extract, floors and examine; "" is features/ in
# OUTPUT_DIR.
EVAL.FEATURES_DIR = path("", ON_FEATURES)
# Weighted kNN: numbers of neighbours and temperatures of their votes (Wu et al., arXiv:1805.01978: 200, 0.07). The
# first of each give the metrics; results.json has all pairs.
EVAL.KNN_NUM_NEIGHBORS = number([20], tasks_with("knn_num_neighbors"), least=1, most=10_000_000)
EVAL.KNN_TEMPERATURES = positive([0.07], tasks_with("knn_temperatures"), most=1000)
# linear_features: L2 penalty, weight decay / 2 times the squared norm of the weights, added to the mean cross-entropy;
# of several the best on a held-out share of the training videos is used.
EVAL.LINEAR_WEIGHT_DECAYS = positive([1e-5, 1e-4, 1e-3, 1e-2, 1e-1], tasks_with("linear_weight_decays"), most=1_000_000)
EVAL.LINEAR_HELD_OUT_SHARE = number(0.2, tasks_with("linear_held_out_share"), above=0, below=1)
# Retrieval: the k of R@k; whether the means of query and bank features are subtracted first, each its own (SCE: yes);
# whether features are compared per "video" (mean over views; SCE) or "clip" (Xu et al., CVPR 2019).
EVAL.RETRIEVAL_RANKS = number([1, 5, 10, 20, 50], tasks_with("retrieval_ranks"), least=1, most=10_000_000)
EVAL.RETRIEVAL_CENTER_FEATURES = flag(True, tasks_with("retrieval_center_features"))
EVAL.RETRIEVAL_LEVEL = choice("video", *POOLS, conditions=[when("TASK", "retrieval")])
# Exact neighbour search of knn and retrieval: "torch", on the device, or "faiss" (pip install faiss-cpu).
EVAL.SEARCH = choice("torch", *SEARCHES, conditions=[tasks_with("search")])
# Examine: number of videos, drawn with RUN.SEED; and a regular expression that finds the group of a video in its path
# (session, film, uploader) by its one group in parentheses, like session_([0-9]+); "": the column "group" of a list.
EVAL.NUM_EXAMINED = number(200, EXAMINING, least=2, most=10_000)
EVAL.GROUP_PATTERN = pattern("", EXAMINING)
