"""AUG: augmentation of the training views (arXiv:2212.11187)."""

from sce_video.augment.background_erasing import STILL_FRAMES
from sce_video.augment.crop import CROPS
from sce_video.config.sections.bounds import MOST_PIXELS, MOST_SIDE_PIXELS
from sce_video.config.sections.clip import LOCAL_VIEWS
from sce_video.config.sections.task import PRETRAINING, TRAINING
from sce_video.config.settings import Section, When, choice, flag, number, positive, share, when, when_above_zero

_JITTERED = when_above_zero("AUG.JITTER_PROBABILITY")
_BLURRED = When(
    ("AUG.BLUR_PROBABILITIES", "CLIP.LOCAL_SIZES_PIXELS", "AUG.LOCAL_BLUR_PROBABILITY"),
    lambda of_global, sizes, of_local: max(of_global) > 0 or (max(sizes) > 0 and of_local > 0),
    "AUG.BLUR_PROBABILITIES above 0",
)
_SEEN_BACKGROUND = when("MODEL.REPRESENTATION", "rgb", "rgb_and_difference")  # differences have none
_MOVES = When(("CLIP.NUM_FRAMES",), lambda frames: frames > 1, "CLIP.NUM_FRAMES above 1")

# Pairs of probabilities are for view 1 and view 2, and for further global views in turn; finetuning uses view 1.
AUG = Section()
# How a crop is drawn: "area" (random resized crop: share CROP_AREA of the frame, width / height CROP_ASPECT) or
# "short_side" (as in supervised training: the short side is resized to a random length in CROP_SHORT_SIDE_PIXELS, then
# a square of CLIP.SIZE_PIXELS is cropped).
AUG.CROP = choice("area", *CROPS, conditions=[TRAINING])
AUG.CROP_AREA = number([0.2, 0.766], when("AUG.CROP", "area"), above=0, most=1, length=2, rising=True)
AUG.CROP_ASPECT = positive([0.75, 1.3333], when("AUG.CROP", "area"), most=100, length=2, rising=True)
AUG.CROP_SHORT_SIDE_PIXELS = positive(
    [256, 320], when("AUG.CROP", "short_side"), most=MOST_PIXELS, length=2, rising=True
)
# Probability of replacing a clip by its frame differences; of a weak view WEAK_TEMPORAL_DIFFERENCE_PROBABILITY.
AUG.TEMPORAL_DIFFERENCE_PROBABILITY = share(0.2, TRAINING)
# Background erasing (arXiv:2009.05769): a still frame is mixed into all frames of a view, with a weight that is drawn
# from 0 to ERASING_MOST_WEIGHT. "own": of the same clip; "other": of another video. A weak view is left as it is.
AUG.BACKGROUND_ERASING = choice("none", "none", *STILL_FRAMES, conditions=[TRAINING, _SEEN_BACKGROUND, _MOVES])
AUG.ERASING_MOST_WEIGHT = share(0.3, when("AUG.BACKGROUND_ERASING", *STILL_FRAMES))
# Strengths of brightness, contrast, saturation and hue jitter are COLOR_STRENGTH times JITTER_SHARES; hue at most 0.5.
AUG.COLOR_STRENGTH = number(1.0, _JITTERED, least=0, most=100)
AUG.JITTER_SHARES = number([0.8, 0.8, 0.4, 0.2], _JITTERED, least=0, most=100, length=4)
AUG.JITTER_PROBABILITY = share(0.8, TRAINING)
AUG.GRAYSCALE_PROBABILITY = share(0.2, TRAINING)
AUG.BLUR_PROBABILITIES = share([1.0, 0.1], TRAINING, length=2)
# Width of the Gaussian kernel (odd) and range of its standard deviation, pixels.
AUG.BLUR_KERNEL_PIXELS = positive(23, _BLURRED, most=2 * MOST_SIDE_PIXELS, odd=True)
AUG.BLUR_SIGMA_PIXELS = positive([0.1, 2.0], _BLURRED, most=MOST_SIDE_PIXELS, length=2, rising=True)
# Values at or above 0.5 are inverted.
AUG.SOLARIZE_PROBABILITIES = share([0.0, 0.2], TRAINING, length=2)
AUG.FLIP_PROBABILITY = share(0.5, TRAINING)
# View 1 is only cropped and flipped, all other views are as view 2 (ReSSL, SCE on CIFAR).
AUG.VIEW_1_IS_WEAK = flag(False, PRETRAINING)
AUG.WEAK_TEMPORAL_DIFFERENCE_PROBABILITY = share(0.0, when("AUG.VIEW_1_IS_WEAK", True))
# Local views: range of the share of the frame, [least, most] for all views or for each in turn (SCE on ImageNet: 0.172,
# 0.86, 0.143, 0.715, 0.114, 0.571, 0.086, 0.429); blur and solarization. All else is as for view 2.
AUG.LOCAL_CROP_AREAS = number([0.05, 0.4], LOCAL_VIEWS, above=0, most=1)
AUG.LOCAL_BLUR_PROBABILITY = share(0.5, LOCAL_VIEWS)
AUG.LOCAL_SOLARIZE_PROBABILITY = share(0.2, LOCAL_VIEWS)
# Frames are resized with antialiasing, in training and evaluation (SCE on images: yes; on videos: no).
AUG.ANTIALIASED_RESIZE = flag(False)
# Mean and standard deviation per channel for normalisation, of values in [0, 1].
AUG.MEAN = number([0.45, 0.45, 0.45], least=-1000, most=1000, length=3)
AUG.STD = positive([0.225, 0.225, 0.225], most=1000, length=3)
