"""OPTIM: optimiser and learning rate."""

from sce_video.arguments import keyword_names
from sce_video.config.sections.bounds import MOST_EPOCHS
from sce_video.config.sections.task import FINETUNING, TRAINING
from sce_video.config.settings import Section, choice, flag, number, when, when_takes
from sce_video.optim.table import OPTIMIZERS

_DECAYS_IN_GROUPS = when(
    "OPTIM.NAME", *(name for name, each in OPTIMIZERS.items() if "weight_decay" not in keyword_names(each))
)

OPTIM = Section(TRAINING)
OPTIM.NAME = choice("lars", *OPTIMIZERS)
# Peak learning rate per 256 videos; the rate used is BASE_LR * GLOBAL_BATCH_SIZE / 256.
OPTIM.BASE_LR = number(2.4, least=0, most=1e38)
# Epochs of linear warm-up, then a cosine to FINAL_LR, also per 256 videos (SCE: 0; supervised on K200: 0.01, of 0.4).
OPTIM.WARMUP_EPOCHS = number(35, least=0, most=MOST_EPOCHS)
OPTIM.FINAL_LR = number(0.0, when("OPTIM.DROP_EPOCHS", [0]), least=0, most=1_000_000)
# Instead of the cosine, the learning rate is divided by 10 after each of these epochs; 0: cosine (MoCo's linear probe:
# 60, 80).
OPTIM.DROP_EPOCHS = number([0], least=0, most=MOST_EPOCHS)
# Momentum of LARS and SGD.
OPTIM.SGD_MOMENTUM = number(0.9, when_takes("OPTIM.NAME", OPTIMIZERS, "sgd_momentum"), least=0, below=1)
# lars never decays norms and biases; sgd and adamw do if DECAYS_NORMS_AND_BIASES (SCE's supervised code: yes).
OPTIM.WEIGHT_DECAY = number(1e-6, least=0, most=1000)
OPTIM.DECAYS_NORMS_AND_BIASES = flag(False, _DECAYS_IN_GROUPS)
# Finetuning: the learning rate of a block is that of the next one times this; 1 is the same for all.
OPTIM.LAYER_DECAY = number(1.0, FINETUNING, above=0, most=1)
