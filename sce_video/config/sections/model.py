"""MODEL: the networks."""

from sce_video.config.sections.bounds import MOST_WIDTH
from sce_video.config.sections.method import methods_with
from sce_video.config.sections.task import FINETUNING, PRETRAINING
from sce_video.config.settings import Section, choice, flag, number, path, when, when_takes
from sce_video.models.backbones import BACKBONES
from sce_video.models.inflation import INFLATED, INFLATIONS
from sce_video.models.representation import REPRESENTATIONS, RGB
from sce_video.models.timm_network import TIMM_PREFIX

MODEL = Section()
# slow_r50 is the paper's R3D-50, r3d18_sce its R3D-18; r2plus1d_mini is a small network for CPUs (the demo).
# timm/NAME: an image network of timm, on every frame.
MODEL.BACKBONE = choice("r2plus1d_18", *BACKBONES, prefix=TIMM_PREFIX)
# What the network sees of a clip's frames: themselves, each one minus the next (also without sign), or both, as six
# channels. Weight files record it, and evaluation must have the same.
MODEL.REPRESENTATION = choice(RGB, *REPRESENTATIONS)
# First convolution 3x3 with stride 1, no max pooling: for images of 32 pixels (SCE's CIFAR recipe).
MODEL.SMALL_INPUT_STEM = flag(False, when_takes("MODEL.BACKBONE", BACKBONES, "small_input_stem"))
# Weights that pretraining starts from, as EVAL.CHECKPOINT; "" is random initialisation.
MODEL.WEIGHTS = path("", PRETRAINING)
# The weights are those of the image network with the same layers (resnet50, resnet18): each kernel at the "center" of a
# temporal one, with zeros elsewhere, or divided by its length at all frames ("mean"). "none": weights of BACKBONE.
MODEL.INFLATION = choice("none", "none", *INFLATIONS, conditions=[when("MODEL.BACKBONE", *INFLATED)])
# Output widths of the projector's linear layers; the last is the embedding's dimension (default: SCE's R3D-18).
MODEL.PROJECTOR_DIMS = number([1024, 1024, 256], PRETRAINING, least=1, most=MOST_WIDTH)
# The projector ends with a batch norm without weight and bias; False: its last layer has a bias instead (SCE, CIFAR).
MODEL.PROJECTOR_ENDS_WITH_NORM = flag(True, PRETRAINING)
# Width of the predictor's hidden layer; 0: no predictor.
MODEL.PREDICTOR_HIDDEN_DIM = number(1024, PRETRAINING, methods_with("predictor"), least=0, most=MOST_WIDTH)
# The batch norms of the momentum backbone see each of this many equal parts of a batch by itself; 1: the whole batch,
# like all others (SCE's CIFAR recipe: 8, as with shuffled batch norm on 8 devices).
MODEL.MOMENTUM_NORM_GROUPS = number(1, PRETRAINING, methods_with("ema_momentum"), least=1, most=2**16)

# Finetuning: dropout probability before the classifier (SCE: 0.8), and how many of the backbone's last blocks are
# trained; -1 is all, 0 only the classifier. Frozen blocks keep their weights and batch norm statistics.
MODEL.DROPOUT = number(0.8, FINETUNING, least=0, below=1)
MODEL.NUM_TRAINED_BLOCKS = number(-1, FINETUNING, least=-1, most=1000)
