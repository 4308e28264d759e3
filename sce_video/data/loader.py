"""Batches for optimiser steps, from any step on, whatever the number of workers."""

import os
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import torch
from torch.utils.data import DataLoader, Sampler

from sce_video.augment.batch import PretrainBatch, collate
from sce_video.data.dataset import PretrainDataset, VideoRequest
from sce_video.errors import ManifestError
from sce_video.runtime.seeds import generator_from


def available_cores() -> int:
    """Cores that this process may run on (affinity, as Slurm and containers set it), not those of the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@lru_cache(maxsize=2)  # every step of an epoch asks for it
def epoch_order(num_videos: int, *, seed: int, epoch: int) -> list[int]:
    """The videos of an epoch, shuffled."""
    order: list[int] = torch.randperm(num_videos, generator=generator_from(seed, "order", epoch)).tolist()
    return order


class StepBatches(NamedTuple):
    """What one optimiser step needs: the epoch it is in and its batch, in the parts to accumulate over."""

    epoch: int
    parts: list[PretrainBatch]


class PretrainLoader:
    """Loads the data set epoch after epoch; an incomplete last batch is left out.

    Args:
        global_batch_size: videos per optimiser step.
        accumulation_steps: equal parts that a step's batch comes in.
        num_workers: loader processes; 0 loads in this one.
        prefetch_batches: parts that each worker prepares ahead.
        pin_memory: for copies to a GPU that do not block.
    Raises:
        ManifestError: fewer videos than one batch.
    """

    def __init__(
        self,
        dataset: PretrainDataset,
        *,
        global_batch_size: int,
        accumulation_steps: int,
        num_workers: int,
        prefetch_batches: int,
        pin_memory: bool,
        seed: int,
    ) -> None:
        self.steps_per_epoch = len(dataset) // global_batch_size
        if self.steps_per_epoch == 0:
            raise ManifestError(
                f"there are {len(dataset)} videos, fewer than TRAIN.GLOBAL_BATCH_SIZE {global_batch_size}; lower it"
            )
        self.accumulation_steps = accumulation_steps
        self._dataset = dataset
        self._part_size = global_batch_size // accumulation_steps
        self._num_workers = num_workers
        self._prefetch_batches = prefetch_batches
        self._pin_memory = pin_memory
        self._seed = seed

    def batches_from(self, step: int, *, num_steps: int) -> Iterator[StepBatches]:
        """The batches of steps `step` .. `num_steps` - 1."""
        sampler = _PartSampler(self, part_size=self._part_size, steps=range(step, num_steps))
        loader = DataLoader(
            self._dataset,
            batch_sampler=sampler,
            collate_fn=collate,
            num_workers=self._num_workers,
            prefetch_factor=self._prefetch_batches if self._num_workers else None,
            pin_memory=self._pin_memory,
        )
        parts = iter(loader)
        for current in range(step, num_steps):
            yield StepBatches(current // self.steps_per_epoch, [next(parts) for _ in range(self.accumulation_steps)])

    def requests_of(self, step: int) -> list[VideoRequest]:
        """The videos of one optimiser step, in order."""
        epoch, place = divmod(step, self.steps_per_epoch)
        num_videos = self._part_size * self.accumulation_steps
        order = epoch_order(len(self._dataset), seed=self._seed, epoch=epoch)
        return [VideoRequest(epoch, video) for video in order[place * num_videos : (place + 1) * num_videos]]


class _PartSampler(Sampler[list[VideoRequest]]):
    """Yields the requests of each part of each step."""

    def __init__(self, loader: PretrainLoader, *, part_size: int, steps: range) -> None:
        self._loader = loader
        self._part_size = part_size
        self._steps = steps

    def __iter__(self) -> Iterator[list[VideoRequest]]:
        for step in self._steps:
            requests = self._loader.requests_of(step)
            for start in range(0, len(requests), self._part_size):
                yield requests[start : start + self._part_size]
