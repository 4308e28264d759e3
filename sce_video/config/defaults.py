"""Every config key once: default, unit, source.

The defaults are the K400 recipe of SCE (arXiv:2212.11187) on R(2+1)D-18 with 16 frames of 112 pixels.
"""

from fvcore.common.config import CfgNode

_C = CfgNode()

# What to do: pretrain; finetune (all weights, on labels), linear (a classifier on the frozen backbone, on augmented
# clips); linear_features, knn, retrieval (on cached features), extract (these features alone).
_C.TASK = "pretrain"

_C.DATA = CfgNode()
# How the videos are listed: "list" (lines `path label` or `path,label`, or what tools/prepare_data.py wrote);
# "kinetics" (400, 600, 700), "kinetics200" (Mini-Kinetics), "ucf101", "hmdb51", "ssv2", "moments" (official files);
# "class_folders", "frame_folders", "image_folders" (one folder per class, with videos, folders of frames or still
# images), "folder" (videos without labels); "cifar10", "cifar100", "stl10"; "shards" (tars in WebDataset's layout).
# docs/data.md says what each reads.
_C.DATA.SOURCE = "list"
# Folder that video paths are relative to; a URL (s3://, https://, what fsspec knows) where the videos are elsewhere.
_C.DATA.ROOT = ""
# Training and test videos: a list file (source "list"), an annotation table (sources "kinetics", "kinetics200"), a
# folder below ROOT (sources that end in "folder" or "folders"); for "stl10" TRAIN is train, unlabeled or
# train+unlabeled; for "shards" names below ROOT or URLs, train-{000000..000999}.tar. Lists may be URLs. Pretraining
# reads TRAIN only.
_C.DATA.TRAIN = ""
_C.DATA.TEST = ""
# What a line of a list holds (source "list"), where the lines do not say it themselves: "path,num_frames,label",
# "path,label,num_frames", "path,num_frames" (no labels), "path,label", "path".
_C.DATA.LIST_COLUMNS = ""
# Folder of the official files (sources "kinetics200", "ucf101", "hmdb51", "ssv2", "moments"), and which of the splits
# 1, 2, 3 ("ucf101" and "hmdb51"; "list" where TRAIN and TEST have {split} in their names).
_C.DATA.SPLITS_DIR = ""
_C.DATA.SPLIT = 1
# Which library decodes video files: "pyav" (right on all of them), "torchcodec", "decord", or "auto": torchcodec if it
# is clearly faster than pyav on this machine and shows the same frames of a few videos; decided once, at the start.
_C.DATA.DECODER = "pyav"
# Larger frames are scaled down while they are decoded, to so many pixels on their short side; 0: never.
_C.DATA.SHORT_SIDE_PIXELS = 0
# Frames per second of a folder of images that does not say its own rate.
_C.DATA.FRAMES_FPS = 25.0
# Which images of a folder are its frames, where others lie beside them: img_{:05d}.jpg ("*" stands for anything). "" is
# all of them, in the order of the number that varies in their names.
_C.DATA.FRAMES_PATTERN = ""
# Share of the list, in [0, 1], that may be missing at the start, or fail to open or decode before training stops.
_C.DATA.MAX_FAILED_SHARE = 0.05
# Loader processes; -1 is one per core that this process may run on, 0 loads in the main process.
_C.DATA.NUM_WORKERS = -1
# Batches that each worker prepares ahead.
_C.DATA.PREFETCH_BATCHES = 2
# A loader process that is on one video for longer, in seconds, is ended; the second time the video counts as broken.
_C.DATA.VIDEO_TIMEOUT_SECONDS = 120.0
# Folder of local copies of remote videos and of those in shards, shared by all processes of a machine; "" is
# sce_video_cache_<user> in the system's folder for temporary files.
_C.DATA.CACHE_DIR = ""
# Size that it never exceeds, GB (10 ** 9 bytes); the least recently used videos go.
_C.DATA.CACHE_GB = 50.0

_C.CLIP = CfgNode()
# Length of a clip in the video, seconds (SCE: 1.28 for 16 frames of 112 pixels, 2.56 for 8 or 16 of 224).
_C.CLIP.SECONDS = 1.28
# Frames kept of it.
_C.CLIP.NUM_FRAMES = 16
# Which: "uniform" (evenly spread over the clip), "strided" (every FRAME_STRIDE-th from its start), "jittered" (one at
# random in each of NUM_FRAMES equal parts; evaluation then takes "uniform").
_C.CLIP.FRAME_CHOICE = "uniform"
_C.CLIP.FRAME_STRIDE = 1
# Side of the square that the network sees in pretraining, pixels, at least 32.
_C.CLIP.SIZE_PIXELS = 112
# Where the two clips of pretraining lie: "independent" (SCE), "distance" (uniform over the pairs whose starts are
# DISTANCE_SECONDS, least and most, apart), "decreasing" (CVRL, arXiv:2008.03800: density of the distance t between the
# starts 1 - (t / T) ** DISTANCE_POWER; power 1 is the same as "independent").
_C.CLIP.PAIR = "independent"
_C.CLIP.DISTANCE_SECONDS = [0.0, 3600.0]
_C.CLIP.DISTANCE_POWER = 1.0
# A clip spans SECONDS times one of these speeds, drawn for each view, times a factor in 1 - jitter .. 1 + jitter.
_C.CLIP.SPEEDS = [1.0]
_C.CLIP.DURATION_JITTER = 0.0

# Views in training (arXiv:2212.11187). Pairs of probabilities are for view 1 and view 2; finetuning sees view 1.
_C.AUG = CfgNode()
# How a crop is drawn: "area" (random resized crop: a share CROP_AREA of the frame, width / height CROP_ASPECT) or
# "short_side" (as in supervised training: the short side is resized to a random length in CROP_SHORT_SIDE_PIXELS, and a
# square of CLIP.SIZE_PIXELS is cut).
_C.AUG.CROP = "area"
_C.AUG.CROP_AREA = [0.2, 0.766]
_C.AUG.CROP_ASPECT = [0.75, 1.3333]
_C.AUG.CROP_SHORT_SIDE_PIXELS = [256, 320]
# Probability of replacing a clip by its frame differences.
_C.AUG.TEMPORAL_DIFFERENCE_PROBABILITY = 0.2
# Strengths of brightness, contrast, saturation and hue: COLOR_STRENGTH times these; of hue at most 0.5.
_C.AUG.COLOR_STRENGTH = 1.0
_C.AUG.JITTER_SHARES = [0.8, 0.8, 0.4, 0.2]
_C.AUG.JITTER_PROBABILITY = 0.8
_C.AUG.GRAYSCALE_PROBABILITY = 0.2
_C.AUG.BLUR_PROBABILITIES = [1.0, 0.1]
# Gaussian kernel (odd) and range of its standard deviation, pixels.
_C.AUG.BLUR_KERNEL_PIXELS = 23
_C.AUG.BLUR_SIGMA_PIXELS = [0.1, 2.0]
# Values at or above 0.5 are inverted.
_C.AUG.SOLARIZE_PROBABILITIES = [0.0, 0.2]
_C.AUG.FLIP_PROBABILITY = 0.5
# Per-channel mean and standard deviation of values in [0, 1].
_C.AUG.MEAN = [0.45, 0.45, 0.45]
_C.AUG.STD = [0.225, 0.225, 0.225]

_C.MODEL = CfgNode()
# r2plus1d_18, r3d_18, s3d, slow_r50 (the paper's R3D-50), r2plus1d_mini (demo).
_C.MODEL.BACKBONE = "r2plus1d_18"
# Widths of the projector's linear layers after the backbone's feature; the last is the embedding (SCE R3D-18).
_C.MODEL.PROJECTOR_DIMS = [1024, 1024, 256]
# Width of the predictor's hidden layer; 0 leaves the predictor out.
_C.MODEL.PREDICTOR_HIDDEN_DIM = 1024

# Finetuning: probability of dropping a feature before the classifier (SCE: 0.8), and how many of the backbone's last
# blocks are trained; -1 is all, 0 the classifier alone. Blocks left out keep weights and batch norm statistics.
_C.MODEL.DROPOUT = 0.8
_C.MODEL.NUM_TRAINED_BLOCKS = -1

_C.METHOD = CfgNode()
# SCE's lambda: weight of the query's own key in the target, in [0, 1]; 1 is InfoNCE.
_C.METHOD.COEFF = 0.5
# Sharpness of query similarities (tau) and of key similarities (tau_m).
_C.METHOD.TEMPERATURE = 0.1
_C.METHOD.TARGET_TEMPERATURE = 0.05
# Ramps from a start value over the first epochs, "linear" or "cosine"; 0 epochs is none (every official run).
_C.METHOD.COEFF_START = 1.0
_C.METHOD.COEFF_WARMUP_EPOCHS = 0
_C.METHOD.COEFF_WARMUP_SHAPE = "linear"
_C.METHOD.TEMPERATURE_START = 0.1
_C.METHOD.TEMPERATURE_WARMUP_EPOCHS = 0
_C.METHOD.TEMPERATURE_WARMUP_SHAPE = "linear"
_C.METHOD.TARGET_TEMPERATURE_START = 0.05
_C.METHOD.TARGET_TEMPERATURE_WARMUP_EPOCHS = 0
_C.METHOD.TARGET_TEMPERATURE_WARMUP_SHAPE = "cosine"
# Past keys to contrast with; 0 is no queue (then IN_BATCH_KEYS is needed).
_C.METHOD.QUEUE_LENGTH = 65536
# Also contrast with the other keys of the batch (off in every official run).
_C.METHOD.IN_BATCH_KEYS = False
# EMA momentum of the momentum encoder at the first step; rises to 1 by a cosine.
_C.METHOD.EMA_MOMENTUM = 0.99

_C.OPTIM = CfgNode()
# lars, sgd or adamw.
_C.OPTIM.NAME = "lars"
# Peak learning rate for 256 videos; the rate used is BASE_LR * GLOBAL_BATCH_SIZE / 256.
_C.OPTIM.BASE_LR = 2.4
# Epochs of linear warm-up; then a cosine to FINAL_LR, for 256 videos too (SCE: 0; supervised on K200: 0.01, of 0.4).
_C.OPTIM.WARMUP_EPOCHS = 35
_C.OPTIM.FINAL_LR = 0.0
# Momentum of LARS and SGD.
_C.OPTIM.SGD_MOMENTUM = 0.9
# LARS never applies it to norms and biases; sgd and adamw do if DECAYS_NORMS_AND_BIASES (SCE's code on labels: yes).
_C.OPTIM.WEIGHT_DECAY = 1e-6
_C.OPTIM.DECAYS_NORMS_AND_BIASES = False
# Finetuning: a block's learning rate is that of the one after it times this; 1 is the same for all.
_C.OPTIM.LAYER_DECAY = 1.0

_C.TRAIN = CfgNode()
_C.TRAIN.NUM_EPOCHS = 200
# Videos per optimiser step, over all ranks and accumulated parts.
_C.TRAIN.GLOBAL_BATCH_SIZE = 512
# Parts that a batch is computed in, one after the other, to save memory; batch norm sees one part.
_C.TRAIN.ACCUMULATION_STEPS = 1
# fp32, bf16 or fp16 (autocast; fp16 scales the loss).
_C.TRAIN.PRECISION = "fp16"
# Optimiser steps between log lines; the only time the loop waits for the device.
_C.TRAIN.LOG_EVERY_STEPS = 10
# A checkpoint every so many steps, and every so many epochs; 0 is never. The last step always has one.
_C.TRAIN.CHECKPOINT_EVERY_STEPS = 0
_C.TRAIN.CHECKPOINT_EVERY_EPOCHS = 1
# Newest checkpoints kept.
_C.TRAIN.NUM_CHECKPOINTS_KEPT = 2
# End the run where a checkpoint cannot be written (a full disk); else it goes on until the next one, or the last.
_C.TRAIN.STOPS_IF_NOT_SAVED = False
# Save and end the program at this step, to go on later; 0 is to train to the end. Schedules do not change.
_C.TRAIN.STOP_AT_STEP = 0
# Finetuning: share of the target spread over all classes, and both parameters of mixup's Beta distribution; 0 is none.
_C.TRAIN.LABEL_SMOOTHING = 0.0
_C.TRAIN.MIXUP_ALPHA = 0.0

_C.EVAL = CfgNode()
# Weights to evaluate or to finetune from: a run's folder, a checkpoint (.pt) or a backbone (.safetensors); "" is random
# initialisation.
_C.EVAL.CHECKPOINT = ""
# Evaluate each of these splits, below OUTPUT_DIR, and give their mean and standard deviation; 0 is DATA.SPLIT alone.
_C.EVAL.SPLITS = [0]
# Views of a video, features (after finetuning: probabilities) averaged: clips times 1 (center) or 3 crops along the
# longer side. Clips are NUM_CLIPS that are "evenly_spaced", or as many as a video needs: "half_overlapping",
# "full_coverage" (the fewest without a gap).
_C.EVAL.CLIPS = "evenly_spaced"
_C.EVAL.NUM_CLIPS = 10
_C.EVAL.NUM_CROPS = 3
# Shorter side after resizing and side of the crops, pixels.
_C.EVAL.SIZE_PIXELS = 128
# Videos per forward pass on this rank; each has clips * NUM_CROPS views.
_C.EVAL.LOCAL_BATCH_SIZE = 4
# Share, in (0, 1], of the training videos of each class whose labels are used (few-shot: 0.01, 0.1); RUN.SEED chooses.
_C.EVAL.LABEL_SHARE = 1.0
# Folder that keeps the features of knn, retrieval, linear_features and extract; "" is features/ in OUTPUT_DIR.
_C.EVAL.FEATURES_DIR = ""
# Weighted kNN: neighbours and temperatures of their votes (Wu et al., arXiv:1805.01978: 200, 0.07). Of several the
# first ones give the metrics; results.json has all pairs.
_C.EVAL.KNN_NUM_NEIGHBORS = [20]
_C.EVAL.KNN_TEMPERATURES = [0.07]
# linear_features: L2 penalty on the weights, times 1/2 their squared norm, beside the mean cross-entropy; of several
# the one that is best on a share of the training videos held out.
_C.EVAL.LINEAR_WEIGHT_DECAYS = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1]
_C.EVAL.LINEAR_HELD_OUT_SHARE = 0.2
# Retrieval: the ranks k of R@k; whether query and bank each lose their mean first (SCE: yes); "video" (the mean over
# its views asks and answers; SCE) or "clip" (each clip does; Xu et al., CVPR 2019).
_C.EVAL.RETRIEVAL_RANKS = [1, 5, 10, 20, 50]
_C.EVAL.RETRIEVAL_CENTER_FEATURES = True
_C.EVAL.RETRIEVAL_LEVEL = "video"
# What finds the nearest of knn and retrieval, exactly: "torch", on the device, or "faiss" (pip install faiss-cpu).
_C.EVAL.SEARCH = "torch"

_C.RUN = CfgNode()
# Everything that a run writes goes here; a second start goes on from the newest checkpoint in it.
_C.RUN.OUTPUT_DIR = "runs/unnamed"
_C.RUN.SEED = 42
# auto (the GPU if there is one), cpu or cuda.
_C.RUN.DEVICE = "auto"


def default_config() -> CfgNode:
    """A fresh copy of the schema with its defaults."""
    return _C.clone()
