"""DATA: where the videos are and how they are read."""

from sce_video.clips.decoders import DECODERS
from sce_video.config.sections.bounds import DAY_SECONDS, MOST_PIXELS
from sce_video.config.sections.task import ON_ALL_VIEWS, PRETRAINING, TRAINING
from sce_video.config.settings import (
    Section,
    When,
    choice,
    flag,
    free,
    number,
    path,
    path_or_url,
    positive,
    share,
    text,
    when,
    when_above_zero,
)
from sce_video.data.sources.list_columns import COLUMNS
from sce_video.data.sources.lists import SPLIT_MARK
from sce_video.data.sources.table import SOURCES, sources_where

# For messages.
SOURCES_WITH_SPLITS = ", ".join(sources_where(lambda source: source.has_splits))

_JOINT = when_above_zero("DATA.IMAGE_SHARE")
_IMAGE_SOURCES = sources_where(lambda source: not source.has_official_files)
_TWO_LISTS = when("DATA.SOURCE", *sources_where(lambda source: source.has_test_list))
_OF_A_SPLIT = When(
    ("DATA.SOURCE", "DATA.TRAIN", "DATA.TEST"),
    lambda source, train, test: SOURCES[source].has_splits or (source == "list" and SPLIT_MARK in train + test),
    f"DATA.SOURCE {SOURCES_WITH_SPLITS}, or list with {SPLIT_MARK} in DATA.TRAIN or DATA.TEST,",
)
_ONE_SPLIT = When(("TASK", "EVAL.SPLITS"), lambda task, splits: splits == [0], "EVAL.SPLITS 0")

DATA = Section()
# How the videos are listed: "list" (lines `path label` or `path,label`, or a manifest from tools/prepare_data.py);
# "kinetics" (400, 600, 700), "kinetics200" (Mini-Kinetics), "ucf101", "hmdb51", "ssv2", "diving48", "moments" (official
# files); "class_folders", "frame_folders", "image_folders" (one folder per class, with videos, folders of frames or
# still images), "imagenet100" (its 100 classes among the image folders of ImageNet), "folder" (videos without labels);
# "tiny_imagenet", "cifar10", "cifar100", "stl10"; "jpeg_npz" (JPEG images of one size in a .npz file); "shards" (tar
# files in WebDataset format). docs/data.md describes each.
DATA.SOURCE = choice("list", *SOURCES)
# Folder that video paths are relative to, or the URL of a remote one (s3://, https://, other fsspec protocols).
DATA.ROOT = free(path_or_url(""))
# Training and test videos: a list file (source "list"), an annotation table ("kinetics", "kinetics200"), a .npz file
# ("jpeg_npz"), a folder below ROOT (sources ending in "folder" or "folders", "imagenet100"), names below ROOT or URLs
# like train-{000000..000999}.tar ("shards"), train, unlabeled or train+unlabeled ("stl10", TRAIN only). List files may
# be URLs. Pretraining uses TRAIN only.
DATA.TRAIN = path_or_url("", when("DATA.SOURCE", *sources_where(lambda source: source.train != "")))
DATA.TEST = free(path_or_url("", _TWO_LISTS, ON_ALL_VIEWS))
# Columns of a list (source "list") whose lines are ambiguous: "path,num_frames,label", "path,label,num_frames",
# "path,num_frames" (no labels), "path,label", "path"; "path,group" and "path,label,group" for EVAL.GROUP_PATTERN "".
DATA.LIST_COLUMNS = choice("", "", *COLUMNS, conditions=[when("DATA.SOURCE", "list")])
# Folder of the official files (sources "kinetics200", "ucf101", "hmdb51", "ssv2", "diving48", "moments"), and the split
# to use ("ucf101" and "hmdb51"; "list" if TRAIN or TEST contains {split}).
DATA.SPLITS_DIR = path("", when("DATA.SOURCE", *sources_where(lambda source: source.has_official_files)))
DATA.SPLIT = choice(1, 1, 2, 3, conditions=[_OF_A_SPLIT, _ONE_SPLIT])
# Joint pretraining: the share of optimiser steps whose batch is of images, videos of one frame; 0: none. An epoch has
# all videos once, and these steps in between. Images are listed as by SOURCE, ROOT and TRAIN; they must be local.
DATA.IMAGE_SHARE = number(0.0, PRETRAINING, least=0, below=1)
DATA.IMAGE_SOURCE = choice("image_folders", *_IMAGE_SOURCES, conditions=[_JOINT])
DATA.IMAGE_ROOT = free(path("", _JOINT))
DATA.IMAGE_TRAIN = path(
    "", _JOINT, when("DATA.IMAGE_SOURCE", *(name for name in _IMAGE_SOURCES if SOURCES[name].train != ""))
)
# Library that decodes video files: "pyav" (correct on all of them), "torchcodec", "decord", or "auto": torchcodec if it
# is clearly faster than pyav on this machine with the same frames of a few videos; decided once, at the start.
DATA.DECODER = free(choice("pyav", "auto", *DECODERS))
# Larger frames are scaled down during decoding to this short side, pixels; 0: never.
DATA.SHORT_SIDE_PIXELS = number(0, least=0, most=MOST_PIXELS)
# Frames per second of a folder of images that does not give its own rate.
DATA.FRAMES_FPS = positive(25.0, most=10_000)
# Names of the frames in a folder that has other images too, like img_{:05d}.jpg ("*" matches anything); "": all images.
# Frames are ordered by the number that varies in their names.
DATA.FRAMES_PATTERN = text("")
# Share of the videos that may be missing at the start, or fail to open or decode before training stops.
DATA.MAX_FAILED_SHARE = free(share(0.05))
# Keep all images on the device and make the views there, in batch, without loader processes: for small images. The
# same crops and colours as otherwise, up to rounding.
DATA.ON_DEVICE = flag(False, TRAINING, when("DATA.SOURCE", *sources_where(lambda source: source.is_in_memory)))
# Loader processes; -1 is one per available core, 0 loads in the main process.
DATA.NUM_WORKERS = free(number(-1, least=-1, most=1024))
# Batches that each loader process prepares in advance.
DATA.PREFETCH_BATCHES = free(number(2, least=1, most=1024))
# A loader process that spends longer on one video, in seconds, is killed; the second time the video counts as broken.
DATA.VIDEO_TIMEOUT_SECONDS = free(positive(120.0, most=DAY_SECONDS))
# Folder for local copies of remote videos and of videos in shards, shared by all processes of a machine; "" is
# sce_video_cache_<user> in the system's temporary folder.
DATA.CACHE_DIR = free(path(""))
# Maximum size of the cache, GB (10 ** 9 bytes); the least recently used videos are evicted.
DATA.CACHE_GB = free(positive(50.0, most=1_000_000))
