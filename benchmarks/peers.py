"""Readers of clips: our decoders, and other libraries used as documented."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any, Literal

import torch
from pytorchvideo.data import LabeledVideoDataset
from pytorchvideo.data.clip_sampling import ClipInfoList, ClipSampler
from torch import Tensor
from torch.utils.data import SequentialSampler
from videos import NUM_FRAMES, Wanted

from sce_video.clips.decoders import DECODERS, open_video
from sce_video.errors import UserError

# Videos -> the frames of both clips of each, (2 T, C, H, W), opening included.
Reader = Callable[[Sequence[Wanted]], Iterator[Tensor]]
# Raised for an unreadable file or a missing library.
FAILURES = (UserError, ImportError, OSError, RuntimeError, LookupError, ValueError)


def ours(decoder: str) -> Reader:
    """All clips of a video in one call."""

    def read(wanted: Sequence[Wanted]) -> Iterator[Tensor]:
        for video in wanted:
            with open_video(video.path, decoder=decoder) as opened:
                yield opened.frames_at(video.times_seconds)

    return read


class GivenSpans(ClipSampler):
    """A sampler that makes pytorchvideo read the same clips as all other readers."""

    def __call__(self, last_clip_time: float, video_duration: float, annotation: dict[str, Any]) -> ClipInfoList:
        spans = annotation["spans"]
        starts = [Fraction(span.start_seconds) for span in spans]
        ends = [Fraction(span.end_seconds) for span in spans]
        none = [0] * len(spans)
        return ClipInfoList(starts, ends, none, none, [True] * len(spans))


def subsample(clip: Tensor) -> Tensor:
    """pytorchvideo's UniformTemporalSubsample, (C, T, H, W), which cannot be imported with current torchvision."""
    kept = torch.linspace(0, clip.shape[1] - 1, NUM_FRAMES).long()
    return clip.index_select(1, kept)


def pytorchvideo(wanted: Sequence[Wanted]) -> Iterator[Tensor]:
    """As in the official SCE pipeline: `LabeledVideoDataset` decodes all frames of a clip, then keeps some."""
    dataset = LabeledVideoDataset(
        [(video.path, {"spans": video.spans}) for video in wanted],
        GivenSpans(clip_duration=1),
        video_sampler=SequentialSampler,
        transform=lambda loaded: torch.cat([subsample(clip) for clip in loaded["video"]], dim=1),
        decode_audio=False,
        decoder="pyav",
    )
    for frames in dataset:
        yield frames.transpose(0, 1)


def plain_torchcodec(seek_mode: Literal["exact", "approximate"]) -> Reader:
    def read(wanted: Sequence[Wanted]) -> Iterator[Tensor]:
        from torchcodec.decoders import VideoDecoder

        for video in wanted:
            decoder = VideoDecoder(video.path, seek_mode=seek_mode, num_ffmpeg_threads=1)
            yield decoder.get_frames_played_at(video.times_seconds).data

    return read


def plain_decord(wanted: Sequence[Wanted]) -> Iterator[Tensor]:
    import decord

    for video in wanted:
        frames = decord.VideoReader(video.path, ctx=decord.cpu(0), num_threads=1).get_batch(video.indices)
        yield torch.from_numpy(frames.asnumpy()).permute(0, 3, 1, 2)


def all_readers() -> dict[str, Reader]:
    """Our decoders (`DECODERS`) and the peers, including those that cannot be loaded."""
    return {f"ours {name}": ours(name) for name in DECODERS} | {
        "pytorchvideo": pytorchvideo,
        "torchcodec approximate": plain_torchcodec("approximate"),
        "torchcodec exact": plain_torchcodec("exact"),
        "decord": plain_decord,
    }


def readers_that_load(probe: Sequence[Wanted], *, names: Iterable[str] | None = None) -> dict[str, Reader]:
    """The readers (of these names) that can read the probe; prints a line for each that cannot."""
    candidates = all_readers()
    readers = {}
    for name in candidates if names is None else names:
        try:
            for _ in candidates[name](probe):
                pass
        except FAILURES as error:
            print(f"left out: {name}: {' '.join(str(error).split())[:200]}", flush=True)
        else:
            readers[name] = candidates[name]
    return readers
