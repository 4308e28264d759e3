"""CLIP: which spans of a video are used, and which of their frames."""

from sce_video.clips.frames import FRAME_CHOICES
from sce_video.clips.samplers import PAIRS
from sce_video.config.sections.bounds import DAY_SECONDS, LEAST_SIDE_PIXELS, MOST_SIDE_PIXELS
from sce_video.config.sections.task import PRETRAINING, TRAINING
from sce_video.config.settings import Section, When, choice, number, positive, when, when_above_zero, when_takes
from sce_video.methods.table import METHODS

_TAKES_LOCAL_VIEWS = when("METHOD.NAME", *(name for name, each in METHODS.items() if each.TAKES_LOCAL_VIEWS))
LOCAL_VIEWS = when_above_zero("CLIP.LOCAL_SIZES_PIXELS")
_UNIFORM = when("CLIP.FRAME_CHOICE", "uniform", "jittered")
# Images have no choice of clips. The source is named as it is always used, which ON_DEVICE is not.
_IN_TIME = When(("DATA.SOURCE", "DATA.ON_DEVICE"), lambda _, on_device: not on_device, "DATA.ON_DEVICE False")

CLIP = Section()
# Duration of a clip, seconds (SCE: 1.28 for 16 frames of 112 pixels, 2.56 for 8 or 16 of 224).
CLIP.SECONDS = positive(1.28, most=DAY_SECONDS)
# Frames kept per clip.
CLIP.NUM_FRAMES = number(16, least=1, most=10_000)
# Which frames: "uniform" (evenly spread over the clip), "strided" (every FRAME_STRIDE-th from the start), "jittered" (a
# random one in each of NUM_FRAMES equal parts; evaluation uses "uniform" instead).
CLIP.FRAME_CHOICE = choice("uniform", *FRAME_CHOICES)
CLIP.FRAME_STRIDE = number(1, when_takes("CLIP.FRAME_CHOICE", FRAME_CHOICES, "frame_stride"), least=1, most=100_000)
# Side of the square training views, pixels.
CLIP.SIZE_PIXELS = number(112, TRAINING, least=LEAST_SIDE_PIXELS, most=MOST_SIDE_PIXELS)
# Number of global views, each a clip of its own (rho of arXiv:2104.14558; 2 in all official runs of SCE).
CLIP.NUM_GLOBAL_VIEWS = number(
    2, PRETRAINING, when_takes("METHOD.NAME", METHODS, "num_global_views"), least=2, most=100
)
# Multi-crop: sides of the local views, pixels, one value per view; 0: none (SCE on ImageNet: 192, 160, 128, 96). Each
# has a clip of its own, of LOCAL_SECONDS with LOCAL_NUM_FRAMES; 0: as SECONDS and NUM_FRAMES.
CLIP.LOCAL_SIZES_PIXELS = number([0], PRETRAINING, _TAKES_LOCAL_VIEWS, least=0, most=MOST_SIDE_PIXELS)
CLIP.LOCAL_SECONDS = number(0.0, LOCAL_VIEWS, least=0, most=DAY_SECONDS)
CLIP.LOCAL_NUM_FRAMES = number(0, LOCAL_VIEWS, least=0, most=10_000)
# Further clips of each video, that overlap none of its other views: their keys are negatives of the video's own queries
# (TCLR, arXiv:2101.07974, with positives of one time: PAIR distance, DISTANCE_SECONDS 0,0). A video without room for
# them has none. Each costs a clip to decode and a pass of the momentum encoder.
CLIP.NUM_NEGATIVES = number(
    0, PRETRAINING, _IN_TIME, when_takes("METHOD.NAME", METHODS, "num_negatives"), least=0, most=100
)
# How the start times of the global views are drawn: "independent" (SCE); for two views also "distance" (uniformly among
# pairs whose distance is in the range DISTANCE_SECONDS), "decreasing" (CVRL, arXiv:2008.03800: density of the distance
# t proportional to 1 - (t / T) ** DISTANCE_POWER; power 1 is the same as "independent").
CLIP.PAIR = choice("independent", *PAIRS, conditions=[_IN_TIME, PRETRAINING])
CLIP.DISTANCE_SECONDS = number(
    [0.0, 3600.0], when_takes("CLIP.PAIR", PAIRS, "distance_seconds"), least=0, most=DAY_SECONDS, length=2, rising=True
)
CLIP.DISTANCE_POWER = positive(1.0, when_takes("CLIP.PAIR", PAIRS, "distance_power"), most=1000)
# A clip spans SECONDS times a speed drawn from SPEEDS for each view, times a factor in [1 - jitter, 1 + jitter].
CLIP.SPEEDS = positive([1.0], _IN_TIME, TRAINING, _UNIFORM, most=1000)
CLIP.DURATION_JITTER = number(0.0, _IN_TIME, TRAINING, _UNIFORM, least=0, below=1)
