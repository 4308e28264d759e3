"""CLIP: which part of a video is looked at, and which of its frames."""

from sce_video.clips.frames import FRAME_CHOICES
from sce_video.clips.samplers import PAIRS
from sce_video.config.sections.bounds import DAY_SECONDS, MOST_SIDE_PIXELS
from sce_video.config.sections.task import PRETRAINING, TRAINING
from sce_video.config.settings import Section, choice, number, positive, when, when_accepts

_UNIFORM = when("CLIP.FRAME_CHOICE", "uniform", "jittered")

CLIP = Section()
# Length of a clip in the video, seconds (SCE: 1.28 for 16 frames of 112 pixels, 2.56 for 8 or 16 of 224).
CLIP.SECONDS = positive(1.28, most=DAY_SECONDS)
# Frames kept of it.
CLIP.NUM_FRAMES = number(16, least=1, most=10_000)
# Which: "uniform" (evenly spread over the clip), "strided" (every FRAME_STRIDE-th from its start), "jittered" (one at
# random in each of NUM_FRAMES equal parts; evaluation then takes "uniform").
CLIP.FRAME_CHOICE = choice("uniform", *FRAME_CHOICES)
CLIP.FRAME_STRIDE = number(1, when_accepts("CLIP.FRAME_CHOICE", FRAME_CHOICES, "frame_stride"), least=1, most=100_000)
# Side of the square that the network sees in pretraining, pixels, at least 32.
CLIP.SIZE_PIXELS = number(112, TRAINING, least=32, most=MOST_SIDE_PIXELS)
# Where the two clips of pretraining lie: "independent" (SCE), "distance" (uniform over the pairs whose starts are
# DISTANCE_SECONDS, least and most, apart), "decreasing" (CVRL, arXiv:2008.03800: density of the distance t between the
# starts 1 - (t / T) ** DISTANCE_POWER; power 1 is the same as "independent").
CLIP.PAIR = choice("independent", *PAIRS, conditions=[PRETRAINING])
CLIP.DISTANCE_SECONDS = number(
    [0.0, 3600.0], when_accepts("CLIP.PAIR", PAIRS, "distance_seconds"), least=0, most=DAY_SECONDS, length=2, rising=True
)
CLIP.DISTANCE_POWER = positive(1.0, when_accepts("CLIP.PAIR", PAIRS, "distance_power"), most=1000)
# A clip spans SECONDS times one of these speeds, drawn for each view, times a factor in 1 - jitter .. 1 + jitter.
CLIP.SPEEDS = positive([1.0], TRAINING, _UNIFORM, most=1000)
CLIP.DURATION_JITTER = number(0.0, TRAINING, _UNIFORM, least=0, below=1)
