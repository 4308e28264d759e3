"""Evaluation: videos per second of the 10 x 3 protocol on one core, and exact retrieval in a large bank.

    python benchmarks/evaluate.py [FOLDER] [--quick] [--json FILE] [--cache DIR]

10 evenly spaced clips of 8 frames over 2.56 s, short side 256, 3 crops, opening included. Ours decodes all clips in
one pass; compared with pytorchvideo's `LabeledVideoDataset` with its sampler for 10 clips and 3 crops, and torchcodec,
clip by clip. Retrieval: 20,000 queries in a bank of 650,000 features of dimension 512, on all cores; compared, with
fewer queries, with faiss, full rows of similarities in torch, and scikit-learn.
"""

import argparse
import math
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle
from pathlib import Path
from statistics import median

import torch
import torch.nn.functional as F
from harness import Row, alternate, new_parser, publish, speed_ratio, use_cores
from pytorchvideo.data import LabeledVideoDataset, make_clip_sampler
from sklearn.neighbors import NearestNeighbors
from torch import Tensor
from torch.utils.data import SequentialSampler
from videos import CLIP_SECONDS, NUM_FRAMES, ORIGINAL, ORIGINALS, encode_all, find_videos

from sce_video.clips.decoders import VideoOpener, open_video
from sce_video.clips.frames import frame_indices, frame_times
from sce_video.clips.samplers import evenly_spaced_spans
from sce_video.data.videos import videos_from_paths
from sce_video.engine.pool.workers import keep_freed_memory
from sce_video.evaluate.neighbors import load_faiss_search, nearest
from sce_video.evaluate.views import ViewProtocol, ViewsDataset, resize_short_side, spatial_crops
from sce_video.launch.program import exit_code_of

NUM_CLIPS, NUM_CROPS, SIZE_PIXELS = 10, 3, 256
PROTOCOL = ViewProtocol(NUM_CLIPS, CLIP_SECONDS, NUM_FRAMES, NUM_CROPS, SIZE_PIXELS)
ENCODINGS = (ORIGINAL, "256p", "256p_gop4")
FEATURE_DIM, NUM_NEAREST = 512, 50
OURS, PEER = "ours", "pytorchvideo"
# Video -> all its views, uint8 (30, T, C, S, S).
ViewsOf = Callable[[Path], Tensor]


def main() -> int:
    parser = new_parser(__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=ORIGINALS, help="videos, searched recursively")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep the re-encoded files there for the next run")
    arguments = parser.parse_args()
    return exit_code_of(partial(run, arguments))


def run(arguments: argparse.Namespace) -> None:
    quick = arguments.quick
    sizes = (200, 20_000) if quick else (20_000, 650_000)
    originals = find_videos(arguments.folder, num_videos=1 if quick else None)
    rows, ratios = measure_retrieval(*sizes, num_compared=100 if quick else 1000, num_rounds=1 if quick else 3)
    with tempfile.TemporaryDirectory() as temporary:
        cache = arguments.cache or Path(temporary)
        files = {name: encode_all(originals, cache, name=name) for name in ENCODINGS}
        use_cores(1)
        keep_freed_memory()
        for name, videos in files.items():
            more_rows, ratio = measure_views(name, videos, num_rounds=2 if quick else 5)
            rows += more_rows
            ratios |= ratio
    publish(rows=rows, ratios=ratios, json_file=arguments.json)


def measure_views(name: str, videos: Sequence[Path], *, num_rounds: int) -> tuple[list[Row], dict[str, float]]:
    readers: dict[str, ViewsOf] = {OURS: ours(videos), PEER: pytorchvideo, "torchcodec": torchcodec}
    for reader in list(readers):
        try:
            shape = tuple(readers[reader](videos[0]).shape)
        except (ImportError, OSError, RuntimeError) as error:
            print(f"left out: {reader}: {' '.join(str(error).split())[:200]}", flush=True)
            del readers[reader]
            continue
        assert shape == (NUM_CLIPS * NUM_CROPS, NUM_FRAMES, 3, SIZE_PIXELS, SIZE_PIXELS), (reader, shape)
    turns = {reader: one_video(views_of, videos) for reader, views_of in readers.items()}
    seconds = {
        reader: [sum(taken[i : i + len(videos)]) for i in range(0, len(taken), len(videos))]
        for reader, taken in alternate(turns, num_rounds=num_rounds * len(videos)).items()
    }
    rows: list[Row] = [
        {
            "what": f"{reader}, {name}",
            "videos_per_s": len(videos) / median(taken),
            "seconds_per_video": median(taken) / len(videos),
        }
        for reader, taken in seconds.items()
    ]
    ratios = {f"views_{name}_vs_{peer}": speed_ratio(seconds[OURS], seconds[peer]) for peer in readers if peer != OURS}
    print(f"{name}: done", file=sys.stderr)
    return rows, ratios


def one_video(views_of: ViewsOf, videos: Sequence[Path]) -> Callable[[], float]:
    """A function that reads the next video, cyclically, and returns seconds."""
    remaining = cycle(videos)

    def read() -> float:
        video = next(remaining)
        before = time.perf_counter()
        views_of(video)
        return time.perf_counter() - before

    return read


def ours(videos: Sequence[Path]) -> ViewsOf:
    manifest = videos_from_paths(Path("/"), [str(video) for video in videos], None, "benchmark")
    dataset = ViewsDataset(manifest.opened_by(VideoOpener("pyav")), protocol=PROTOCOL)
    numbers = {video: number for number, video in enumerate(videos)}
    return lambda video: spatial_crops(dataset[numbers[video]].clips, num_crops=NUM_CROPS)


def pytorchvideo(video: Path) -> Tensor:
    """pytorchvideo's sampler of evenly spaced clips decodes each clip once and returns it once per crop."""
    dataset = LabeledVideoDataset(
        [(str(video), {})],
        make_clip_sampler("constant_clips_per_video", CLIP_SECONDS, NUM_CLIPS, NUM_CROPS),
        video_sampler=SequentialSampler,
        transform=view_of,
        decode_audio=False,
        decoder="pyav",
    )
    return torch.stack(list(dataset)).byte()


def view_of(loaded: dict[str, object]) -> Tensor:
    """pytorchvideo's UniformTemporalSubsample, ShortSideScale and UniformCrop, which current torchvision cannot import.

    (C, T, H, W) float -> (T, C, S, S) float.
    """
    clip, crop = loaded["video"], loaded["aug_index"]
    assert isinstance(clip, Tensor)
    assert isinstance(crop, int)
    kept = torch.linspace(0, clip.shape[1] - 1, NUM_FRAMES).long()
    frames = clip.index_select(1, kept).transpose(0, 1)
    size = [side * SIZE_PIXELS // min(frames.shape[-2:]) for side in frames.shape[-2:]]
    frames = F.interpolate(frames, size=size, mode="bilinear", align_corners=False)
    top, left = ((0, math.ceil((side - SIZE_PIXELS) / 2), side - SIZE_PIXELS)[crop] for side in size)
    return frames[..., top : top + SIZE_PIXELS, left : left + SIZE_PIXELS]


def torchcodec(video: Path) -> Tensor:
    from torchcodec.decoders import VideoDecoder

    with open_video(video, decoder="pyav") as opened:
        about = opened.metadata
    decoder = VideoDecoder(str(video), seek_mode="approximate", num_ffmpeg_threads=1)
    clips = []
    for span in evenly_spaced_spans(about.duration_seconds, CLIP_SECONDS, num_clips=NUM_CLIPS):
        indices = frame_indices(span, fps=about.fps, num_video_frames=about.num_frames, num_frames=NUM_FRAMES)
        frames = decoder.get_frames_played_at(frame_times(indices, fps=about.fps)).data
        clips.append(resize_short_side(frames, size_pixels=SIZE_PIXELS))
    return spatial_crops(torch.stack(clips), num_crops=NUM_CROPS)


def measure_retrieval(
    num_queries: int, num_bank: int, *, num_compared: int, num_rounds: int
) -> tuple[list[Row], dict[str, float]]:
    """All queries once with ours; some with every search in turn, each in its own process to measure peak memory."""
    rows: list[Row] = []
    seconds: dict[str, list[float]] = {name: [] for name in SEARCHES}
    peaks: dict[str, list[float]] = {name: [] for name in SEARCHES}
    for _ in range(num_rounds):
        for name in SEARCHES:
            taken, peak = in_a_process(name, num_compared, num_bank)
            seconds[name].append(taken)
            peaks[name].append(peak)
    for name, taken_each in seconds.items():
        what = f"{name}, {num_compared} queries in {num_bank}"
        rows.append({"what": what, "seconds": median(taken_each), "peak_gib": median(peaks[name])})
    taken, peak = in_a_process(OURS, num_queries, num_bank)
    rows.append({"what": f"{OURS}, {num_queries} queries in {num_bank}", "seconds": taken, "peak_gib": peak})
    print("retrieval: done", file=sys.stderr)
    return rows, {
        f"retrieval_vs_{name.replace(' ', '_')}": speed_ratio(seconds[OURS], seconds[name])
        for name in SEARCHES
        if name != OURS
    }


def in_a_process(name: str, num_queries: int, num_bank: int) -> tuple[float, float]:
    """Seconds of a search, and its peak memory beyond the features, GiB."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(timed_search, (name, num_queries, num_bank))


def timed_search(name: str, num_queries: int, num_bank: int) -> tuple[float, float]:
    generator = torch.Generator().manual_seed(0)
    query, bank = (torch.randn(count, FEATURE_DIM, generator=generator) for count in (num_queries, num_bank))
    SEARCHES[name](query[:2], bank[:100])  # warm-up: starts threads, loads libraries
    before, peak_before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    SEARCHES[name](query, bank)
    return time.perf_counter() - before, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak_before) / 2**20


def whole_rows(query: Tensor, bank: Tensor) -> object:
    """The usual implementation: 1024 queries at a time against the whole bank."""
    bank = F.normalize(bank, dim=1)
    k = min(NUM_NEAREST, len(bank))
    return [(F.normalize(chunk, dim=1) @ bank.T).topk(k, dim=1) for chunk in query.split(1024)]


def scikit_learn(query: Tensor, bank: Tensor) -> object:
    search = NearestNeighbors(n_neighbors=min(NUM_NEAREST, len(bank)), metric="cosine", algorithm="brute")
    return search.fit(bank.numpy()).kneighbors(query.numpy())


def by_faiss(query: Tensor, bank: Tensor) -> object:
    return nearest(query, bank, k=NUM_NEAREST, search=load_faiss_search())


SEARCHES: dict[str, Callable[[Tensor, Tensor], object]] = {
    OURS: partial(nearest, k=NUM_NEAREST),
    "faiss": by_faiss,
    "torch whole rows": whole_rows,
    "scikit-learn": scikit_learn,
}


if __name__ == "__main__":
    sys.exit(main())
