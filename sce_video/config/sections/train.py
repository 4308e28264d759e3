"""TRAIN: duration, batches, logging and checkpoints."""

from sce_video.config.sections.bounds import MOST_EPOCHS, MOST_STEPS
from sce_video.config.sections.task import FINETUNING, PRETRAINING, TRAINING
from sce_video.config.settings import Section, choice, flag, free, number, share, when, when_above_zero
from sce_video.models.channels_last import SPEEDS
from sce_video.train.precision import AUTOCAST_DTYPES

TRAIN = Section(TRAINING)
TRAIN.NUM_EPOCHS = number(200, least=1, most=MOST_EPOCHS)
# Resume a run that began with fewer NUM_EPOCHS: learning rate and EMA momentum jump to their values in a run of the new
# length; the log has both values.
TRAIN.EXTENDS_RUN = free(flag(False))
# Videos per optimiser step, over all ranks and accumulated parts.
TRAIN.GLOBAL_BATCH_SIZE = number(512, least=1, most=2**20)
# Number of parts in which a batch is processed (gradient accumulation) to save memory; batch norm sees one part.
TRAIN.ACCUMULATION_STEPS = number(1, least=1, most=2**19)
# Activation checkpointing: keep only the inputs of the backbone's blocks, compute the rest again in the backward pass.
# Less memory, slower, the same numbers.
TRAIN.RECOMPUTES_ACTIVATIONS = free(flag(False, when("TASK", "pretrain", "finetune")))
# fp32, bf16 or fp16 (autocast; fp16 with loss scaling).
TRAIN.PRECISION = choice("fp16", *AUTOCAST_DTYPES)
# How the network is computed; the same numbers but for rounding. channels_last: convolutions in that order of memory,
# which small networks on a CPU gain from (docs/performance.md).
TRAIN.SPEED = choice("plain", *SPEEDS)
# Optimiser steps between log lines; only then does the loop wait for the device.
TRAIN.LOG_EVERY_STEPS = free(number(10, least=1, most=MOST_STEPS))
# Optimiser steps between measurements of whether the run learns (docs/learning.md), which change no number of it; 0:
# none.
TRAIN.PROBE_EVERY_STEPS = free(number(20, PRETRAINING, least=0, most=MOST_STEPS))
# Labelled training videos, the newest, among which an online kNN finds the neighbours of the batch's features; an
# online linear classifier learns of all. 0: the measurements use no labels.
TRAIN.PROBE_LABELLED_VIDEOS = free(
    number(1024, PRETRAINING, when_above_zero("TRAIN.PROBE_EVERY_STEPS"), least=0, most=2**20)
)
# Steps and epochs between checkpoints; 0 is never. The last step is always saved.
TRAIN.CHECKPOINT_EVERY_STEPS = free(number(0, least=0, most=MOST_STEPS))
TRAIN.CHECKPOINT_EVERY_EPOCHS = free(number(1, least=0, most=MOST_EPOCHS))
# Number of checkpoints kept, the newest ones.
TRAIN.NUM_CHECKPOINTS_KEPT = free(number(2, least=1, most=MOST_STEPS))
# Save and exit at this step, to resume later; 0 trains to the end. Schedules do not change.
TRAIN.STOP_AT_STEP = free(number(0, least=0, most=MOST_STEPS))
# Finetuning: label smoothing, and both parameters of mixup's Beta distribution; 0 is off.
TRAIN.LABEL_SMOOTHING = share(0.0, FINETUNING)
TRAIN.MIXUP_ALPHA = number(0.0, FINETUNING, least=0, most=1000)
