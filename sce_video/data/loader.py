"""Batches of optimiser steps, from any step on, the same for any number of workers and ranks."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Generic, NamedTuple, TypeVar

from sce_video.augment.batch import TrainBatch, collate
from sce_video.data.dataset import Clips, VideoRequest
from sce_video.data.device_images import DeviceImages
from sce_video.data.order import Order
from sce_video.engine.pool.workers import Workers
from sce_video.errors import ConfigError

Data = TypeVar("Data")


class StepBatches(NamedTuple):
    """Epoch of an optimiser step, and this rank's batch in the parts to accumulate over."""

    epoch: int
    parts: list[TrainBatch]


class BatchLoader(ABC, Generic[Data]):
    """Loads the batches of an order.

    The order of the videos depends neither on the workers nor on the ranks: each rank has an equal slice of every part,
    and the slices of all ranks together are the part of a run with one rank.

    Args:
        order: of the videos of each optimiser step, over all ranks.
        accumulation_steps: number of equal parts of a step's batch.
    Raises:
        ConfigError: the batch cannot be divided equally among parts and ranks.
    """

    def __init__(
        self,
        dataset: Data,
        *,
        workers: Workers,
        order: Order,
        accumulation_steps: int,
        rank: int = 0,
        num_ranks: int = 1,
    ) -> None:
        if order.batch_size % (accumulation_steps * num_ranks):
            raise ConfigError(
                f"TRAIN.GLOBAL_BATCH_SIZE is {order.batch_size}; it must be a multiple of "
                f"TRAIN.ACCUMULATION_STEPS {accumulation_steps} times {num_ranks} ranks"
            )
        self.workers = workers
        self.order = order
        self._dataset = dataset
        self._accumulation_steps = accumulation_steps
        self._rank = rank
        self._num_ranks = num_ranks

    @property
    def steps_per_epoch(self) -> int:
        return self.order.steps_per_epoch

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
        epoch, batch = self.order.batch(step)
        mine = batch.view(self._accumulation_steps, self._num_ranks, -1)[:, self._rank]  # (parts, videos)
        return [[VideoRequest(epoch, video) for video in part] for part in mine.tolist()]

    @abstractmethod
    def _load(self, requests: Sequence[VideoRequest]) -> TrainBatch: ...


class TrainLoader(BatchLoader[Clips]):
    """Loads videos in the worker processes."""

    def _load(self, requests: Sequence[VideoRequest]) -> TrainBatch:
        videos = self._dataset.load_all(requests)
        self.workers.working_on(None)  # a death from here on is not the last video's fault
        return collate(videos)


class DeviceLoader(BatchLoader[DeviceImages]):
    """Makes the batches of images that are on the device in this process."""

    def _load(self, requests: Sequence[VideoRequest]) -> TrainBatch:
        return self._dataset.batch(requests)
