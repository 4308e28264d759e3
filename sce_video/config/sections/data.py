"""DATA: where the videos are, and how they are read."""

from sce_video.clips.decoders import DECODERS
from sce_video.config.sections.bounds import DAY_SECONDS, MOST_PIXELS
from sce_video.config.sections.task import AFTER_PRETRAINING
from sce_video.config.settings import (
    Section,
    When,
    choice,
    free,
    number,
    path,
    path_or_url,
    positive,
    share,
    text,
    when,
)
from sce_video.data.sources.lists import SPLIT_MARK
from sce_video.data.sources.table import SOURCES, sources_where

# In messages.
SOURCES_WITH_SPLITS = ", ".join(sources_where(lambda source: source.has_splits))

_TWO_LISTS = when("DATA.SOURCE", *sources_where(lambda source: source.has_test_list))
_OF_A_SPLIT = When(
    ("DATA.SOURCE", "DATA.TRAIN", "DATA.TEST"),
    lambda source, train, test: SOURCES[source].has_splits or (source == "list" and SPLIT_MARK in train + test),
    f"DATA.SOURCE {SOURCES_WITH_SPLITS}, or list with {SPLIT_MARK} in DATA.TRAIN or DATA.TEST,",
)
_ONE_SPLIT = When(("TASK", "EVAL.SPLITS"), lambda task, splits: splits == [0], "EVAL.SPLITS 0")

DATA = Section()
# How the videos are listed: "list" (lines `path label` or `path,label`, or what tools/prepare_data.py wrote);
# "kinetics" (400, 600, 700), "kinetics200" (Mini-Kinetics), "ucf101", "hmdb51", "ssv2", "moments" (official files);
# "class_folders", "frame_folders", "image_folders" (one folder per class, with videos, folders of frames or still
# images), "folder" (videos without labels); "cifar10", "cifar100", "stl10"; "shards" (tars in WebDataset's layout).
# docs/data.md says what each reads.
DATA.SOURCE = choice("list", *SOURCES)
# Folder that video paths are relative to; a URL (s3://, https://, what fsspec knows) where the videos are elsewhere.
DATA.ROOT = free(path_or_url(""))
# Training and test videos: a list file (source "list"), an annotation table (sources "kinetics", "kinetics200"), a
# folder below ROOT (sources that end in "folder" or "folders"); for "stl10" TRAIN is train, unlabeled or
# train+unlabeled; for "shards" names below ROOT or URLs, train-{000000..000999}.tar. Lists may be URLs. Pretraining
# reads TRAIN only.
DATA.TRAIN = path_or_url("", when("DATA.SOURCE", *sources_where(lambda source: source.train != "")))
DATA.TEST = free(path_or_url("", _TWO_LISTS, AFTER_PRETRAINING))
# What a line of a list holds (source "list"), where the lines do not say it themselves: "path,num_frames,label",
# "path,label,num_frames", "path,num_frames" (no labels), "path,label", "path".
DATA.LIST_COLUMNS = choice(
    "",
    *("", "path", "path,label", "path,num_frames", "path,num_frames,label", "path,label,num_frames"),
    conditions=[when("DATA.SOURCE", "list")],
)
# Folder of the official files (sources "kinetics200", "ucf101", "hmdb51", "ssv2", "moments"), and which of the splits
# 1, 2, 3 ("ucf101" and "hmdb51"; "list" where TRAIN and TEST have {split} in their names).
DATA.SPLITS_DIR = path("", when("DATA.SOURCE", *sources_where(lambda source: source.has_official_files)))
DATA.SPLIT = choice(1, 1, 2, 3, conditions=[_OF_A_SPLIT, _ONE_SPLIT])
# Which library decodes video files: "pyav" (right on all of them), "torchcodec", "decord", or "auto": torchcodec if it
# is clearly faster than pyav on this machine and shows the same frames of a few videos; decided once, at the start.
DATA.DECODER = free(choice("pyav", "auto", *DECODERS))
# Larger frames are scaled down while they are decoded, to so many pixels on their short side; 0: never.
DATA.SHORT_SIDE_PIXELS = number(0, least=0, most=MOST_PIXELS)
# Frames per second of a folder of images that does not say its own rate.
DATA.FRAMES_FPS = positive(25.0, most=10_000)
# Which images of a folder are its frames, where others lie beside them: img_{:05d}.jpg ("*" stands for anything). "" is
# all of them, in the order of the number that varies in their names.
DATA.FRAMES_PATTERN = text("")
# Share of the list, in [0, 1], that may be missing at the start, or fail to open or decode before training stops.
DATA.MAX_FAILED_SHARE = free(share(0.05))
# Loader processes; -1 is one per core that this process may run on, 0 loads in the main process.
DATA.NUM_WORKERS = free(number(-1, least=-1, most=1024))
# Batches that each worker prepares ahead.
DATA.PREFETCH_BATCHES = free(number(2, least=1, most=1024))
# A loader process that is on one video for longer, in seconds, is ended; the second time the video counts as broken.
DATA.VIDEO_TIMEOUT_SECONDS = free(positive(120.0, most=DAY_SECONDS))
# Folder of local copies of remote videos and of those in shards, shared by all processes of a machine; "" is
# sce_video_cache_<user> in the system's folder for temporary files.
DATA.CACHE_DIR = free(path(""))
# Size that it never exceeds, GB (10 ** 9 bytes); the least recently used videos go.
DATA.CACHE_GB = free(positive(50.0, most=1_000_000))
