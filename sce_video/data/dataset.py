"""Videos -> cropped uint8 clips with drawn parameters, as a function of (seed, epoch, video, view)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as TF

from sce_video.augment.batch import ClipForView, Failure, VideoClips
from sce_video.augment.draw import CropBox, draw_crop, draw_view
from sce_video.augment.recipes import ViewRecipe
from sce_video.clips.decoders import DecodeError, VideoDecoder, open_video
from sce_video.clips.frames import difference_pairs, frame_indices, frame_times
from sce_video.clips.samplers import one_random_span
from sce_video.data.manifest import Manifest
from sce_video.runtime.seeds import generator_from

_REPLACEMENT_TRIES = 10


class VideoRequest(NamedTuple):
    """What the sampler asks of the data set; carrying the epoch lets workers persist over epochs."""

    epoch: int
    video: int


@dataclass(frozen=True)
class ClipFormat:
    """Length of a clip in the video, frames kept of it, side of the square it is resized to."""

    seconds: float
    num_frames: int
    size_pixels: int


class PretrainDataset(Dataset[VideoClips]):
    """One independent random clip per recipe from each video.

    A video that cannot be decoded is replaced by another, chosen by (seed, epoch, video), and reported. When the ten
    chosen in its place fail too, the reports are all there is: an error raised in a loader process would reach the
    user as a traceback.
    """

    def __init__(
        self, manifest: Manifest, *, recipes: Sequence[ViewRecipe], clip_format: ClipFormat, decoder: str, seed: int
    ) -> None:
        self._manifest = manifest
        self._recipes = tuple(recipes)
        self._format = clip_format
        self._decoder = decoder
        self._seed = seed

    def __len__(self) -> int:
        return len(self._manifest)

    def __getitem__(self, request: VideoRequest) -> VideoClips:
        failures: list[Failure] = []
        video = request.video
        for attempt in range(_REPLACEMENT_TRIES + 1):
            try:
                return VideoClips(video, self._clips(video, request), failures)
            except DecodeError as error:
                failures.append(Failure(video, str(error)))
                video = self._replacement(request, attempt)
        return VideoClips(request.video, (), failures)

    def _replacement(self, request: VideoRequest, attempt: int) -> int:
        generator = generator_from(self._seed, "replacement", request.epoch, request.video, attempt)
        return int(torch.randint(len(self), (), generator=generator).item())

    def _clips(self, video: int, request: VideoRequest) -> tuple[ClipForView, ...]:
        with open_video(self._manifest.path(video), decoder=self._decoder) as opened:
            return tuple(
                self._clip(opened, recipe, generator_from(self._seed, request.epoch, request.video, view))
                for view, recipe in enumerate(self._recipes)
            )

    def _clip(self, video: VideoDecoder, recipe: ViewRecipe, generator: torch.Generator) -> ClipForView:
        about = video.metadata
        span = one_random_span(about.duration_seconds, self._format.seconds, generator=generator)
        parameters = draw_view(recipe, generator=generator)
        box = draw_crop(
            about.height, about.width, area=recipe.crop_area, aspect=recipe.crop_aspect, generator=generator
        )
        fps, num_video_frames, num_frames = about.fps, about.num_frames, self._format.num_frames
        following: list[int] = []
        if parameters.temporal_difference:
            kept, following = difference_pairs(span, fps=fps, num_video_frames=num_video_frames, num_frames=num_frames)
        else:
            kept = frame_indices(span, fps=fps, num_video_frames=num_video_frames, num_frames=num_frames)
        frames = video.frames_at(frame_times(kept + following, fps=fps))
        cropped = _crop(frames, box, self._format.size_pixels)
        return ClipForView(cropped[: len(kept)], cropped[len(kept) :] if following else None, parameters)


def _crop(frames: Tensor, box: CropBox, size_pixels: int) -> Tensor:
    """Cut the box out of every frame and resize it, bilinear without antialiasing as SCE does for videos."""
    return TF.resized_crop(
        frames, *box, size=[size_pixels, size_pixels], interpolation=InterpolationMode.BILINEAR, antialias=False
    )
