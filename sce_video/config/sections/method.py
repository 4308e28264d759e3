"""METHOD: the pretraining method. A key is used by the methods with an argument or scheduled scalar of its name."""

from sce_video.arguments import keyword_names
from sce_video.config.sections.bounds import MOST_EPOCHS
from sce_video.config.sections.task import PRETRAINING
from sce_video.config.settings import Section, When, choice, flag, number, positive, share, when, when_above_zero
from sce_video.methods.table import METHODS
from sce_video.optim.schedules import EMA_SHAPES, RAMP_SHAPES


def methods_with(name: str) -> When:
    """The condition that METHOD.NAME has an argument or scheduled scalar of this name."""
    taken = {each: keyword_names(method) + method.SCALARS for each, method in METHODS.items()}
    return when("METHOD.NAME", *(each for each, names in taken.items() if name in names))


_COEFF_RAMP, _TEMPERATURE_RAMP, _TARGET_TEMPERATURE_RAMP = (
    when_above_zero(f"METHOD.{name}_WARMUP_EPOCHS") for name in ("COEFF", "TEMPERATURE", "TARGET_TEMPERATURE")
)

METHOD = Section(PRETRAINING)
# SCE or a baseline; each file in methods/ cites its paper.
METHOD.NAME = choice("sce", *METHODS)
# SCE's lambda: weight of the query's own key in the target; 1 is InfoNCE.
METHOD.COEFF = share(0.5, methods_with("coeff"))
# Softmax temperatures of query similarities (tau) and key similarities (tau_m).
METHOD.TEMPERATURE = positive(0.1, methods_with("temperature"), most=100)
METHOD.TARGET_TEMPERATURE = positive(0.05, methods_with("target_temperature"), most=100)
# Ramps from a start value over the first epochs, "linear" or "cosine"; 0 epochs: no ramp (all official runs).
METHOD.COEFF_START = share(1.0, _COEFF_RAMP)
METHOD.COEFF_WARMUP_EPOCHS = number(0, methods_with("coeff"), least=0, most=MOST_EPOCHS)
METHOD.COEFF_WARMUP_SHAPE = choice("linear", *RAMP_SHAPES, conditions=[_COEFF_RAMP])
# After its ramp the coefficient is constant or moves to COEFF_FINAL, which the last step has (constant in all official
# runs).
METHOD.COEFF_FINAL_SHAPE = choice("constant", "constant", *RAMP_SHAPES, conditions=[methods_with("coeff")])
METHOD.COEFF_FINAL = share(0.0, when("METHOD.COEFF_FINAL_SHAPE", *RAMP_SHAPES))
METHOD.TEMPERATURE_START = positive(0.1, _TEMPERATURE_RAMP, most=100)
METHOD.TEMPERATURE_WARMUP_EPOCHS = number(0, methods_with("temperature"), least=0, most=MOST_EPOCHS)
METHOD.TEMPERATURE_WARMUP_SHAPE = choice("linear", *RAMP_SHAPES, conditions=[_TEMPERATURE_RAMP])
METHOD.TARGET_TEMPERATURE_START = positive(0.05, _TARGET_TEMPERATURE_RAMP, most=100)
METHOD.TARGET_TEMPERATURE_WARMUP_EPOCHS = number(0, methods_with("target_temperature"), least=0, most=MOST_EPOCHS)
METHOD.TARGET_TEMPERATURE_WARMUP_SHAPE = choice("cosine", *RAMP_SHAPES, conditions=[_TARGET_TEMPERATURE_RAMP])
# Number of past keys to contrast with; 0 is no queue (IN_BATCH_KEYS is then required).
METHOD.QUEUE_LENGTH = number(65536, methods_with("queue_length"), least=0, most=2**24)
# Also contrast with the other keys of the batch (off in all official runs).
METHOD.IN_BATCH_KEYS = flag(False, methods_with("in_batch_keys"))
# All global views give keys, each for the queries of all other views; otherwise only view 1 gives keys, for the queries
# of the others (MoCo v2, ReSSL, SCE on CIFAR).
METHOD.SYMMETRIC = flag(True, methods_with("symmetric"))
# Views of one size go through an encoder in one batch, so that batch norm sees all of them; otherwise one after another
# (all official runs).
METHOD.VIEWS_TOGETHER = flag(False, methods_with("views_together"))
# EMA momentum of the momentum encoder at the first step. Then it rises to 1 on a "cosine" or is "constant" (SCE's CIFAR
# recipe: 0.99).
METHOD.EMA_MOMENTUM = share(0.99, methods_with("ema_momentum"))
METHOD.EMA_SHAPE = choice("cosine", *EMA_SHAPES, conditions=[methods_with("ema_momentum")])
