"""TRAIN: how long, in what parts, and what is kept."""

from sce_video.config.sections.bounds import MOST_EPOCHS, MOST_STEPS
from sce_video.config.sections.task import FINETUNING, TRAINING
from sce_video.config.settings import Section, choice, flag, free, number, share
from sce_video.train.precision import AUTOCAST_DTYPES

TRAIN = Section(TRAINING)
TRAIN.NUM_EPOCHS = number(200, least=1, most=MOST_EPOCHS)
# A run that began with fewer NUM_EPOCHS goes on to these: learning rate and EMA momentum leap to where they are in a
# run of so many epochs, and end with it; the log says from what to what.
TRAIN.EXTENDS_RUN = free(flag(False))
# Videos per optimiser step, over all ranks and accumulated parts.
TRAIN.GLOBAL_BATCH_SIZE = number(512, least=1, most=2**20)
# Parts that a batch is computed in, one after the other, to save memory; batch norm sees one part.
TRAIN.ACCUMULATION_STEPS = number(1, least=1, most=2**19)
# fp32, bf16 or fp16 (autocast; fp16 scales the loss).
TRAIN.PRECISION = choice("fp16", *AUTOCAST_DTYPES)
# Optimiser steps between log lines; the only time the loop waits for the device.
TRAIN.LOG_EVERY_STEPS = free(number(10, least=1, most=MOST_STEPS))
# A checkpoint every so many steps, and every so many epochs; 0 is never. The last step always has one.
TRAIN.CHECKPOINT_EVERY_STEPS = free(number(0, least=0, most=MOST_STEPS))
TRAIN.CHECKPOINT_EVERY_EPOCHS = free(number(1, least=0, most=MOST_EPOCHS))
# Newest checkpoints kept.
TRAIN.NUM_CHECKPOINTS_KEPT = free(number(2, least=1, most=MOST_STEPS))
# End the run where a checkpoint cannot be written (a full disk); else it goes on until the next one, or the last.
TRAIN.STOPS_IF_NOT_SAVED = free(flag(False))
# Save and end the program at this step, to go on later; 0 is to train to the end. Schedules do not change.
TRAIN.STOP_AT_STEP = free(number(0, least=0, most=MOST_STEPS))
# Finetuning: share of the target spread over all classes, and both parameters of mixup's Beta distribution; 0 is none.
TRAIN.LABEL_SMOOTHING = share(0.0, FINETUNING)
TRAIN.MIXUP_ALPHA = number(0.0, FINETUNING, least=0, most=1000)
