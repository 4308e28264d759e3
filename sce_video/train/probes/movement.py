"""A small examination while a network trains: does it see what happens, or only what is there?"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from sce_video.engine.cluster.collectives import is_main_process
from sce_video.runtime.logging import LOGGER
from sce_video.train.probes.base import Probe, Seen

_MOST_VIDEOS, _LEAST_VIDEOS = 32, 4
# Backbone, clips of view 1 and view 2, uint8 (B, T, C, H, W) -> scalars by their names in the log.
Measure = Callable[[nn.Module, Tensor, Tensor], dict[str, float]]


class Movement(Probe):
    """Measures the online backbone in eval mode on clips of the main process's batch, before colours are changed.

    What it means is logged when that changes, and at the last step. Batches of images are passed over.

    Args:
        in_words: what the scalars mean, in a few words and in a sentence.
        every_steps: steps between measurements.
        last_step: is measured too.
    """

    def __init__(
        self,
        measure: Measure,
        in_words: Callable[[Mapping[str, float]], tuple[str, str]],
        *,
        every_steps: int,
        last_step: int,
    ) -> None:
        self._measure = measure
        self._in_words = in_words
        self._every_steps = every_steps
        self._last_step = last_step
        self._scalars: dict[str, float] = {}
        self._said = ""

    def look(self, seen: Seen) -> None:
        is_due = seen.step % self._every_steps == 0 or seen.step == self._last_step
        if not is_due or not is_main_process():
            return
        views = [view.clips[:_MOST_VIDEOS] for view in seen.parts[-1].views[:2]]  # (B, T, C, H, W)
        if len(views) < 2 or views[0].shape[1] == 1 or len(views[0]) < _LEAST_VIDEOS:
            return
        self._scalars = self._measured(seen.method.get_submodule("backbone"), *views)
        brief, sentence = self._in_words(self._scalars)
        if brief != self._said or seen.step == self._last_step:
            LOGGER.info("step %d, what do the features see? %s", seen.step, sentence)
        self._said = brief

    @torch.no_grad()
    def _measured(self, backbone: nn.Module, clips: Tensor, others: Tensor) -> dict[str, float]:
        training = [module for module in backbone.modules() if module.training]
        backbone.eval()
        try:
            return self._measure(backbone, clips, others)
        finally:
            for module in training:
                module.training = True

    def read(self) -> dict[str, float]:
        scalars, self._scalars = self._scalars, {}
        return scalars
