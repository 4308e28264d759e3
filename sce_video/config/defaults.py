"""Every config key once: default, unit, source, which values it may have and what uses it.

The defaults are the K400 recipe of SCE (arXiv:2212.11187) on R(2+1)D-18 with 16 frames of 112 pixels.
"""

from copy import deepcopy

from fvcore.common.config import CfgNode

from sce_video.config.settings import (
    Section,
    Setting,
    When,
    choice,
    flag,
    number,
    path,
    positive,
    share,
    text,
    when,
    when_above_zero,
)

TASKS = ("pretrain", "finetune", "linear", "linear_features", "knn", "retrieval", "extract")
TRAINING_TASKS = ("pretrain", "finetune", "linear")
MEASURING_TASKS = ("finetune", "linear", "linear_features", "knn", "retrieval")
# In the name of a list: stands for DATA.SPLIT.
SPLIT_MARK = "{split}"

SOURCES_WITH_TWO_LISTS = (
    *("list", "shards", "kinetics", "kinetics200", "class_folders", "frame_folders", "image_folders"),
)
_OFFICIAL_SPLITS = ("ucf101", "hmdb51")

_PRETRAINING = when("TASK", "pretrain")
_FINETUNING = when("TASK", "finetune")
_TRAINING = when("TASK", *TRAINING_TASKS)
_TWO_LISTS = when("DATA.SOURCE", *SOURCES_WITH_TWO_LISTS)
_OF_A_SPLIT = When(
    ("DATA.SOURCE", "DATA.TRAIN", "DATA.TEST"),
    lambda source, train, test: source in _OFFICIAL_SPLITS or (source == "list" and SPLIT_MARK in train + test),
    f"DATA.SOURCE ucf101, hmdb51, or list with {SPLIT_MARK} in DATA.TRAIN or DATA.TEST,",
)
_JITTERED = when_above_zero("AUG.JITTER_PROBABILITY")
_BLURRED = when_above_zero("AUG.BLUR_PROBABILITIES")
_KNN, _RETRIEVAL, _LINEAR_FEATURES = when("TASK", "knn"), when("TASK", "retrieval"), when("TASK", "linear_features")
_ONE_SPLIT = When(("TASK", "EVAL.SPLITS"), lambda task, splits: splits == [0], "EVAL.SPLITS 0")
# Methods with a target, with a temperature, with a momentum branch.
_SCE = when("METHOD.NAME", "sce")
_TEMPERED = when("METHOD.NAME", "sce", "moco_v3", "simclr")
_FOLLOWED = when("METHOD.NAME", "sce", "moco_v3", "byol")
_UNIFORM = when("CLIP.FRAME_CHOICE", "uniform", "jittered")

_DAY_SECONDS, _MOST_PIXELS, _MOST_SIDE_PIXELS = 86_400, 16_384, 4_096
_MOST_EPOCHS, _MOST_STEPS, _MOST_WIDTH = 1_000_000, 1_000_000_000, 2**20

_COEFF_RAMP, _TEMPERATURE_RAMP, _TARGET_TEMPERATURE_RAMP = (
    when_above_zero(f"METHOD.{name}_WARMUP_EPOCHS") for name in ("COEFF", "TEMPERATURE", "TARGET_TEMPERATURE")
)

_C = Section()

# What to do: pretrain; finetune (all weights, on labels), linear (a classifier on the frozen backbone, on augmented
# clips); linear_features, knn, retrieval (on cached features), extract (these features alone).
_C.TASK = choice("pretrain", *TASKS)

_C.DATA = Section()
# How the videos are listed: "list" (lines `path label` or `path,label`, or what tools/prepare_data.py wrote);
# "kinetics" (400, 600, 700), "kinetics200" (Mini-Kinetics), "ucf101", "hmdb51", "ssv2", "moments" (official files);
# "class_folders", "frame_folders", "image_folders" (one folder per class, with videos, folders of frames or still
# images), "folder" (videos without labels); "cifar10", "cifar100", "stl10"; "shards" (tars in WebDataset's layout).
# docs/data.md says what each reads.
_C.DATA.SOURCE = choice(
    "list",
    *("list", "shards", "kinetics", "kinetics200", *_OFFICIAL_SPLITS, "ssv2", "moments"),
    *("class_folders", "frame_folders", "image_folders", "folder", "cifar10", "cifar100", "stl10"),
)
# Folder that video paths are relative to; a URL (s3://, https://, what fsspec knows) where the videos are elsewhere.
_C.DATA.ROOT = path("")
# Training and test videos: a list file (source "list"), an annotation table (sources "kinetics", "kinetics200"), a
# folder below ROOT (sources that end in "folder" or "folders"); for "stl10" TRAIN is train, unlabeled or
# train+unlabeled; for "shards" names below ROOT or URLs, train-{000000..000999}.tar. Lists may be URLs. Pretraining
# reads TRAIN only.
_C.DATA.TRAIN = path("", when("DATA.SOURCE", *SOURCES_WITH_TWO_LISTS, "folder", "stl10"))
_C.DATA.TEST = path("", _TWO_LISTS, when("TASK", *TASKS[1:]))
# What a line of a list holds (source "list"), where the lines do not say it themselves: "path,num_frames,label",
# "path,label,num_frames", "path,num_frames" (no labels), "path,label", "path".
_C.DATA.LIST_COLUMNS = choice(
    "",
    *("", "path", "path,label", "path,num_frames", "path,num_frames,label", "path,label,num_frames"),
    conditions=[when("DATA.SOURCE", "list")],
)
# Folder of the official files (sources "kinetics200", "ucf101", "hmdb51", "ssv2", "moments"), and which of the splits
# 1, 2, 3 ("ucf101" and "hmdb51"; "list" where TRAIN and TEST have {split} in their names).
_C.DATA.SPLITS_DIR = path("", when("DATA.SOURCE", "kinetics200", *_OFFICIAL_SPLITS, "ssv2", "moments"))
_C.DATA.SPLIT = choice(1, 1, 2, 3, conditions=[_OF_A_SPLIT, _ONE_SPLIT])
# Which library decodes video files: "pyav" (right on all of them), "torchcodec", "decord", or "auto": torchcodec if it
# is clearly faster than pyav on this machine and shows the same frames of a few videos; decided once, at the start.
_C.DATA.DECODER = choice("pyav", "auto", "pyav", "torchcodec", "decord")
# Larger frames are scaled down while they are decoded, to so many pixels on their short side; 0: never.
_C.DATA.SHORT_SIDE_PIXELS = number(0, least=0, most=_MOST_PIXELS)
# Frames per second of a folder of images that does not say its own rate.
_C.DATA.FRAMES_FPS = positive(25.0, most=10_000)
# Which images of a folder are its frames, where others lie beside them: img_{:05d}.jpg ("*" stands for anything). "" is
# all of them, in the order of the number that varies in their names.
_C.DATA.FRAMES_PATTERN = text("")
# Share of the list, in [0, 1], that may be missing at the start, or fail to open or decode before training stops.
_C.DATA.MAX_FAILED_SHARE = share(0.05)
# Loader processes; -1 is one per core that this process may run on, 0 loads in the main process.
_C.DATA.NUM_WORKERS = number(-1, least=-1, most=1024)
# Batches that each worker prepares ahead.
_C.DATA.PREFETCH_BATCHES = number(2, least=1, most=1024)
# A loader process that is on one video for longer, in seconds, is ended; the second time the video counts as broken.
_C.DATA.VIDEO_TIMEOUT_SECONDS = positive(120.0, most=_DAY_SECONDS)
# Folder of local copies of remote videos and of those in shards, shared by all processes of a machine; "" is
# sce_video_cache_<user> in the system's folder for temporary files.
_C.DATA.CACHE_DIR = path("")
# Size that it never exceeds, GB (10 ** 9 bytes); the least recently used videos go.
_C.DATA.CACHE_GB = positive(50.0, most=1_000_000)

_C.CLIP = Section()
# Length of a clip in the video, seconds (SCE: 1.28 for 16 frames of 112 pixels, 2.56 for 8 or 16 of 224).
_C.CLIP.SECONDS = positive(1.28, most=_DAY_SECONDS)
# Frames kept of it.
_C.CLIP.NUM_FRAMES = number(16, least=1, most=10_000)
# Which: "uniform" (evenly spread over the clip), "strided" (every FRAME_STRIDE-th from its start), "jittered" (one at
# random in each of NUM_FRAMES equal parts; evaluation then takes "uniform").
_C.CLIP.FRAME_CHOICE = choice("uniform", "uniform", "strided", "jittered")
_C.CLIP.FRAME_STRIDE = number(1, when("CLIP.FRAME_CHOICE", "strided"), least=1, most=100_000)
# Side of the square that the network sees in pretraining, pixels, at least 32.
_C.CLIP.SIZE_PIXELS = number(112, _TRAINING, least=32, most=_MOST_SIDE_PIXELS)
# Where the two clips of pretraining lie: "independent" (SCE), "distance" (uniform over the pairs whose starts are
# DISTANCE_SECONDS, least and most, apart), "decreasing" (CVRL, arXiv:2008.03800: density of the distance t between the
# starts 1 - (t / T) ** DISTANCE_POWER; power 1 is the same as "independent").
_C.CLIP.PAIR = choice("independent", "independent", "distance", "decreasing", conditions=[_PRETRAINING])
_C.CLIP.DISTANCE_SECONDS = number(
    [0.0, 3600.0], when("CLIP.PAIR", "distance"), least=0, most=_DAY_SECONDS, length=2, rising=True
)
_C.CLIP.DISTANCE_POWER = positive(1.0, when("CLIP.PAIR", "decreasing"), most=1000)
# A clip spans SECONDS times one of these speeds, drawn for each view, times a factor in 1 - jitter .. 1 + jitter.
_C.CLIP.SPEEDS = positive([1.0], _TRAINING, _UNIFORM, most=1000)
_C.CLIP.DURATION_JITTER = number(0.0, _TRAINING, _UNIFORM, least=0, below=1)

# Views in training (arXiv:2212.11187). Pairs of probabilities are for view 1 and view 2; finetuning sees view 1.
_C.AUG = Section()
# How a crop is drawn: "area" (random resized crop: a share CROP_AREA of the frame, width / height CROP_ASPECT) or
# "short_side" (as in supervised training: the short side is resized to a random length in CROP_SHORT_SIDE_PIXELS, and a
# square of CLIP.SIZE_PIXELS is cut).
_C.AUG.CROP = choice("area", "area", "short_side", conditions=[_TRAINING])
_C.AUG.CROP_AREA = number([0.2, 0.766], when("AUG.CROP", "area"), above=0, most=1, length=2, rising=True)
_C.AUG.CROP_ASPECT = positive([0.75, 1.3333], when("AUG.CROP", "area"), most=100, length=2, rising=True)
_C.AUG.CROP_SHORT_SIDE_PIXELS = positive(
    [256, 320], when("AUG.CROP", "short_side"), most=_MOST_PIXELS, length=2, rising=True
)
# Probability of replacing a clip by its frame differences.
_C.AUG.TEMPORAL_DIFFERENCE_PROBABILITY = share(0.2, _TRAINING)
# Strengths of brightness, contrast, saturation and hue: COLOR_STRENGTH times these; of hue at most 0.5.
_C.AUG.COLOR_STRENGTH = number(1.0, _JITTERED, least=0, most=100)
_C.AUG.JITTER_SHARES = number([0.8, 0.8, 0.4, 0.2], _JITTERED, least=0, most=100, length=4)
_C.AUG.JITTER_PROBABILITY = share(0.8, _TRAINING)
_C.AUG.GRAYSCALE_PROBABILITY = share(0.2, _TRAINING)
_C.AUG.BLUR_PROBABILITIES = share([1.0, 0.1], _TRAINING, length=2)
# Gaussian kernel (odd) and range of its standard deviation, pixels.
_C.AUG.BLUR_KERNEL_PIXELS = positive(23, _BLURRED, most=2 * _MOST_SIDE_PIXELS, odd=True)
_C.AUG.BLUR_SIGMA_PIXELS = positive([0.1, 2.0], _BLURRED, most=_MOST_SIDE_PIXELS, length=2, rising=True)
# Values at or above 0.5 are inverted.
_C.AUG.SOLARIZE_PROBABILITIES = share([0.0, 0.2], _TRAINING, length=2)
_C.AUG.FLIP_PROBABILITY = share(0.5, _TRAINING)
# Per-channel mean and standard deviation of values in [0, 1].
_C.AUG.MEAN = number([0.45, 0.45, 0.45], least=-1000, most=1000, length=3)
_C.AUG.STD = positive([0.225, 0.225, 0.225], most=1000, length=3)

_C.MODEL = Section()
# r2plus1d_18, r3d_18, s3d, slow_r50 (the paper's R3D-50), r2plus1d_mini (demo).
_C.MODEL.BACKBONE = choice("r2plus1d_18", "r2plus1d_18", "r3d_18", "s3d", "slow_r50", "r2plus1d_mini")
# Widths of the projector's linear layers after the backbone's feature; the last is the embedding (SCE R3D-18).
_C.MODEL.PROJECTOR_DIMS = number([1024, 1024, 256], _PRETRAINING, least=1, most=_MOST_WIDTH)
# Width of the predictor's hidden layer; 0 leaves the predictor out.
_C.MODEL.PREDICTOR_HIDDEN_DIM = number(1024, _PRETRAINING, _FOLLOWED, least=0, most=_MOST_WIDTH)

# Finetuning: probability of dropping a feature before the classifier (SCE: 0.8), and how many of the backbone's last
# blocks are trained; -1 is all, 0 the classifier alone. Blocks left out keep weights and batch norm statistics.
_C.MODEL.DROPOUT = number(0.8, _FINETUNING, least=0, below=1)
_C.MODEL.NUM_TRAINED_BLOCKS = number(-1, _FINETUNING, least=-1, most=1000)

_C.METHOD = Section(_PRETRAINING)
# sce, or a baseline: moco_v3 (arXiv:2104.02057), byol (arXiv:2006.07733), simclr (arXiv:2002.05709).
_C.METHOD.NAME = choice("sce", "sce", "moco_v3", "byol", "simclr")
# SCE's lambda: weight of the query's own key in the target, in [0, 1]; 1 is InfoNCE.
_C.METHOD.COEFF = share(0.5, _SCE)
# Sharpness of query similarities (tau) and of key similarities (tau_m).
_C.METHOD.TEMPERATURE = positive(0.1, _TEMPERED, most=100)
_C.METHOD.TARGET_TEMPERATURE = positive(0.05, _SCE, most=100)
# Ramps from a start value over the first epochs, "linear" or "cosine"; 0 epochs is none (every official run).
_C.METHOD.COEFF_START = share(1.0, _COEFF_RAMP)
_C.METHOD.COEFF_WARMUP_EPOCHS = number(0, _SCE, least=0, most=_MOST_EPOCHS)
_C.METHOD.COEFF_WARMUP_SHAPE = choice("linear", "linear", "cosine", conditions=[_COEFF_RAMP])
_C.METHOD.TEMPERATURE_START = positive(0.1, _TEMPERATURE_RAMP, most=100)
_C.METHOD.TEMPERATURE_WARMUP_EPOCHS = number(0, _TEMPERED, least=0, most=_MOST_EPOCHS)
_C.METHOD.TEMPERATURE_WARMUP_SHAPE = choice("linear", "linear", "cosine", conditions=[_TEMPERATURE_RAMP])
_C.METHOD.TARGET_TEMPERATURE_START = positive(0.05, _TARGET_TEMPERATURE_RAMP, most=100)
_C.METHOD.TARGET_TEMPERATURE_WARMUP_EPOCHS = number(0, _SCE, least=0, most=_MOST_EPOCHS)
_C.METHOD.TARGET_TEMPERATURE_WARMUP_SHAPE = choice("cosine", "linear", "cosine", conditions=[_TARGET_TEMPERATURE_RAMP])
# Past keys to contrast with; 0 is no queue (then IN_BATCH_KEYS is needed).
_C.METHOD.QUEUE_LENGTH = number(65536, _SCE, least=0, most=2**24)
# Also contrast with the other keys of the batch (off in every official run).
_C.METHOD.IN_BATCH_KEYS = flag(False, _SCE)
# EMA momentum of the momentum encoder at the first step; rises to 1 by a cosine.
_C.METHOD.EMA_MOMENTUM = share(0.99, _FOLLOWED)

_C.OPTIM = Section(_TRAINING)
# lars, sgd or adamw.
_C.OPTIM.NAME = choice("lars", "lars", "sgd", "adamw")
# Peak learning rate for 256 videos; the rate used is BASE_LR * GLOBAL_BATCH_SIZE / 256.
_C.OPTIM.BASE_LR = number(2.4, least=0, most=1e38)
# Epochs of linear warm-up; then a cosine to FINAL_LR, for 256 videos too (SCE: 0; supervised on K200: 0.01, of 0.4).
_C.OPTIM.WARMUP_EPOCHS = number(35, least=0, most=_MOST_EPOCHS)
_C.OPTIM.FINAL_LR = number(0.0, least=0, most=1_000_000)
# Momentum of LARS and SGD.
_C.OPTIM.SGD_MOMENTUM = share(0.9, when("OPTIM.NAME", "lars", "sgd"))
# LARS never applies it to norms and biases; sgd and adamw do if DECAYS_NORMS_AND_BIASES (SCE's code on labels: yes).
_C.OPTIM.WEIGHT_DECAY = number(1e-6, least=0, most=1000)
_C.OPTIM.DECAYS_NORMS_AND_BIASES = flag(False, when("OPTIM.NAME", "sgd", "adamw"))
# Finetuning: a block's learning rate is that of the one after it times this; 1 is the same for all.
_C.OPTIM.LAYER_DECAY = number(1.0, _FINETUNING, above=0, most=1)

_C.TRAIN = Section(_TRAINING)
_C.TRAIN.NUM_EPOCHS = number(200, least=1, most=_MOST_EPOCHS)
# A run that began with fewer NUM_EPOCHS goes on to these: learning rate and EMA momentum leap to where they are in a
# run of so many epochs, and end with it; the log says from what to what.
_C.TRAIN.EXTENDS_RUN = flag(False)
# Videos per optimiser step, over all ranks and accumulated parts.
_C.TRAIN.GLOBAL_BATCH_SIZE = number(512, least=1, most=2**20)
# Parts that a batch is computed in, one after the other, to save memory; batch norm sees one part.
_C.TRAIN.ACCUMULATION_STEPS = number(1, least=1, most=2**19)
# fp32, bf16 or fp16 (autocast; fp16 scales the loss).
_C.TRAIN.PRECISION = choice("fp16", "fp32", "bf16", "fp16")
# Optimiser steps between log lines; the only time the loop waits for the device.
_C.TRAIN.LOG_EVERY_STEPS = number(10, least=1, most=_MOST_STEPS)
# A checkpoint every so many steps, and every so many epochs; 0 is never. The last step always has one.
_C.TRAIN.CHECKPOINT_EVERY_STEPS = number(0, least=0, most=_MOST_STEPS)
_C.TRAIN.CHECKPOINT_EVERY_EPOCHS = number(1, least=0, most=_MOST_EPOCHS)
# Newest checkpoints kept.
_C.TRAIN.NUM_CHECKPOINTS_KEPT = number(2, least=1, most=_MOST_STEPS)
# End the run where a checkpoint cannot be written (a full disk); else it goes on until the next one, or the last.
_C.TRAIN.STOPS_IF_NOT_SAVED = flag(False)
# Save and end the program at this step, to go on later; 0 is to train to the end. Schedules do not change.
_C.TRAIN.STOP_AT_STEP = number(0, least=0, most=_MOST_STEPS)
# Finetuning: share of the target spread over all classes, and both parameters of mixup's Beta distribution; 0 is none.
_C.TRAIN.LABEL_SMOOTHING = share(0.0, _FINETUNING)
_C.TRAIN.MIXUP_ALPHA = number(0.0, _FINETUNING, least=0, most=1000)

_C.EVAL = Section(when("TASK", *TASKS[1:]))
# Weights to evaluate or to finetune from: a run's folder, a checkpoint (.pt) or a backbone (.safetensors); "" is random
# initialisation.
_C.EVAL.CHECKPOINT = path("")
# Evaluate each of these splits, below OUTPUT_DIR, and give their mean and standard deviation; 0 is DATA.SPLIT alone.
_C.EVAL.SPLITS = number([0], when("TASK", *MEASURING_TASKS), least=0, most=3)
# Views of a video, features (after finetuning: probabilities) averaged: clips times 1 (center) or 3 crops along the
# longer side. Clips are NUM_CLIPS that are "evenly_spaced", or as many as a video needs: "half_overlapping",
# "full_coverage" (the fewest without a gap).
_C.EVAL.CLIPS = choice("evenly_spaced", "evenly_spaced", "half_overlapping", "full_coverage")
_C.EVAL.NUM_CLIPS = number(10, when("EVAL.CLIPS", "evenly_spaced"), least=1, most=10_000)
_C.EVAL.NUM_CROPS = choice(3, 1, 3)
# Shorter side after resizing and side of the crops, pixels.
_C.EVAL.SIZE_PIXELS = number(128, least=32, most=_MOST_SIDE_PIXELS)
# Videos per forward pass on this rank; each has clips * NUM_CROPS views.
_C.EVAL.LOCAL_BATCH_SIZE = number(4, least=1, most=2**16)
# Share, in (0, 1], of the training videos of each class whose labels are used (few-shot: 0.01, 0.1); RUN.SEED chooses.
_C.EVAL.LABEL_SHARE = number(1.0, above=0, most=1)
# Folder that keeps the features of knn, retrieval, linear_features and extract; "" is features/ in OUTPUT_DIR.
_C.EVAL.FEATURES_DIR = path("", when("TASK", "linear_features", "knn", "retrieval", "extract"))
# Weighted kNN: neighbours and temperatures of their votes (Wu et al., arXiv:1805.01978: 200, 0.07). Of several the
# first ones give the metrics; results.json has all pairs.
_C.EVAL.KNN_NUM_NEIGHBORS = number([20], _KNN, least=1, most=10_000_000)
_C.EVAL.KNN_TEMPERATURES = positive([0.07], _KNN, most=1000)
# linear_features: L2 penalty on the weights, times 1/2 their squared norm, beside the mean cross-entropy; of several
# the one that is best on a share of the training videos held out.
_C.EVAL.LINEAR_WEIGHT_DECAYS = positive([1e-5, 1e-4, 1e-3, 1e-2, 1e-1], _LINEAR_FEATURES, most=1_000_000)
_C.EVAL.LINEAR_HELD_OUT_SHARE = number(0.2, _LINEAR_FEATURES, above=0, below=1)
# Retrieval: the ranks k of R@k; whether query and bank each lose their mean first (SCE: yes); "video" (the mean over
# its views asks and answers; SCE) or "clip" (each clip does; Xu et al., CVPR 2019).
_C.EVAL.RETRIEVAL_RANKS = number([1, 5, 10, 20, 50], _RETRIEVAL, least=1, most=10_000_000)
_C.EVAL.RETRIEVAL_CENTER_FEATURES = flag(True, _RETRIEVAL)
_C.EVAL.RETRIEVAL_LEVEL = choice("video", "video", "clip", conditions=[_RETRIEVAL])
# What finds the nearest of knn and retrieval, exactly: "torch", on the device, or "faiss" (pip install faiss-cpu).
_C.EVAL.SEARCH = choice("torch", "torch", "faiss", conditions=[when("TASK", "knn", "retrieval")])

_C.RUN = Section()
# Everything that a run writes goes here; a second start goes on from the newest checkpoint in it.
_C.RUN.OUTPUT_DIR = path("runs/unnamed")
_C.RUN.SEED = number(42, least=-(2**63), most=2**63 - 1)
# auto (the GPU if there is one), cpu or cuda.
_C.RUN.DEVICE = choice("auto", "auto", "cpu", "cuda")


def _declared(section: Section) -> dict[str, Setting]:
    found = dict(section.settings())
    for name, inner in vars(section).items():
        if isinstance(inner, Section):
            found |= {f"{name}.{key}": setting for key, setting in inner.settings().items()}
    return found


# Dotted key -> its declaration.
SETTINGS = _declared(_C)


def default_config() -> CfgNode:
    """A fresh config of the defaults."""
    cfg = CfgNode()
    for key, setting in SETTINGS.items():
        section, _, name = key.rpartition(".")
        node = cfg.setdefault(section, CfgNode()) if section else cfg
        node[name] = deepcopy(setting.default)
    return cfg
