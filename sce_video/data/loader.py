"""Batches of optimiser steps, from any step on, the same for any number of workers and ranks."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from sce_video.augment.batch import TrainBatch, collate
from sce_video.data.dataset import TrainDataset, VideoRequest
from sce_video.engine.pool.workers import Workers
from sce_video.errors import ConfigError, ManifestError
from sce_video.runtime.seeds import generator_from


@lru_cache(maxsize=2)  # every step of an epoch uses it
def epoch_order(num_videos: int, *, seed: int, epoch: int) -> Tensor:
    """Shuffled indices of the videos of an epoch, int64 (num_videos,)."""
    return torch.randperm(num_videos, generator=generator_from(seed, "order", epoch))


class StepBatches(NamedTuple):
    """Epoch of an optimiser step, and this rank's batch in the parts to accumulate over."""

    epoch: int
    parts: list[TrainBatch]


class TrainLoader:
    """Loads the data set epoch after epoch; an incomplete last batch is left out.

    The order of the videos depends neither on the workers nor on the ranks: each rank has an equal slice of every part,
    and the slices of all ranks together are the part of a run with one rank.

    Args:
        global_batch_size: videos per optimiser step, over all ranks.
        accumulation_steps: number of equal parts of a step's batch.
    Raises:
        ConfigError: the batch cannot be divided equally among parts and ranks.
        ManifestError: fewer videos than one batch.
    """

    def __init__(
        self,
        dataset: TrainDataset,
        *,
        workers: Workers,
        global_batch_size: int,
        accumulation_steps: int,
        seed: int,
        rank: int = 0,
        num_ranks: int = 1,
    ) -> None:
        if global_batch_size % (accumulation_steps * num_ranks):
            raise ConfigError(
                f"TRAIN.GLOBAL_BATCH_SIZE is {global_batch_size}; it must be a multiple of "
                f"TRAIN.ACCUMULATION_STEPS {accumulation_steps} times {num_ranks} ranks"
            )
        self.steps_per_epoch = len(dataset) // global_batch_size
        if self.steps_per_epoch == 0:
            raise ManifestError(
                f"there are {len(dataset)} videos, fewer than TRAIN.GLOBAL_BATCH_SIZE {global_batch_size}; lower it"
            )
        self.workers = workers
        self._dataset = dataset
        self._global_batch_size = global_batch_size
        self._accumulation_steps = accumulation_steps
        self._seed = seed
        self._rank = rank
        self._num_ranks = num_ranks

    def batches_from(self, step: int, *, num_steps: int) -> Iterator[StepBatches]:
        """The batches of steps `step` .. `num_steps` - 1; the loader processes live until the last, over all epochs."""
        steps = range(step, num_steps)
        requests = (part for current in steps for part in self.requests_of(current))
        parts = self.workers.results(self._load, requests)
        for current in steps:
            epoch = current // self.steps_per_epoch
            yield StepBatches(epoch, [next(parts) for _ in range(self._accumulation_steps)])

    def requests_of(self, step: int) -> list[list[VideoRequest]]:
        """The videos of one optimiser step on this rank, part by part."""
        epoch, index = divmod(step, self.steps_per_epoch)
        order = epoch_order(len(self._dataset), seed=self._seed, epoch=epoch)
        batch = order[index * self._global_batch_size : (index + 1) * self._global_batch_size]
        mine = batch.view(self._accumulation_steps, self._num_ranks, -1)[:, self._rank]  # (parts, videos)
        return [[VideoRequest(epoch, video) for video in part] for part in mine.tolist()]

    def _load(self, requests: Sequence[VideoRequest]) -> TrainBatch:
        videos = list(map(self._dataset.load, requests, self._dataset.memory_for(len(requests))))
        self.workers.working_on(None)  # a death from here on is not the last video's fault
        return collate(videos)
