"""Pretraining data set of small images that are all on the device, where their crops are made in batch."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sce_video.augment.batch import ClipBatch, TrainBatch
from sce_video.augment.crop import MOST_NUMBERS
from sce_video.augment.crop_batch import crop_and_resize
from sce_video.augment.draw import draw_views, num_words_of_view
from sce_video.augment.op import send
from sce_video.augment.recipes import ViewSpec
from sce_video.augment.words import Words
from sce_video.data.dataset import VideoRequest
from sce_video.runtime.seeds import seed_from

_WORDS_OF_SPAN = 2  # of the generator of a view: where its clip begins, which images have no use for


class DeviceImages:
    """Views of images with the same random numbers as those of `TrainDataset`, so the same crops and colours.

    The crops differ by at most 1/255, as both kinds of resizing round. Spans must be independent, of one length.

    Args:
        pixels: of all images, uint8 (images, H, W, 3).
        images: that of each video of the list, an index into `pixels`.
        views: of one frame each.
    """

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        images: Sequence[int],
        *,
        views: Sequence[ViewSpec],
        seed: int,
        device: torch.device,
    ) -> None:
        if any(view.num_frames != 1 for view in views):
            raise ValueError("an image has one frame, so must its views")
        self._pixels = torch.from_numpy(pixels).to(device)
        self._images = torch.tensor(images)
        self._views = tuple(views)
        self._seed = seed

    def __len__(self) -> int:
        return len(self._images)

    def batch(self, requests: Sequence[VideoRequest]) -> TrainBatch:
        """The views of these images, on the device."""
        videos = [request.video for request in requests]
        images = self._pixels[send(self._images[videos], self._pixels.device)]  # (B, H, W, C)
        return TrainBatch(videos, [self._view(images, requests, view) for view in range(len(self._views))], [])

    def _view(self, images: Tensor, requests: Sequence[VideoRequest], view: int) -> ClipBatch:
        spec = self._views[view]
        words = Words(
            [seed_from(self._seed, request.epoch, request.video, view) for request in requests],
            num_words=_WORDS_OF_SPAN + num_words_of_view(spec.recipe) + MOST_NUMBERS,
        )
        words.skip(_WORDS_OF_SPAN)
        parameters = draw_views(spec.recipe, words)
        height, width = images.shape[1:3]
        boxes = torch.tensor([spec.recipe.crop.draw_from(numbers, height, width) for numbers in words.rest()])
        boxes = send(boxes, images.device)
        size, antialiased = spec.size_pixels, spec.antialiased_resize
        clips = crop_and_resize(images, boxes, size_pixels=size, antialiased=antialiased)[:, None]
        # The frame after an image is the image.
        successors = clips[send(parameters.temporal_difference.nonzero().flatten(), images.device)]
        return ClipBatch(clips, successors, parameters)
