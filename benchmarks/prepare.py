"""Preparing videos: videos/s and MB/s (of the sources) to verify, to transcode with --gop 4 and to extract frames.

    python benchmarks/prepare.py [--quick] [--json FILE] [--videos FOLDER]

With 1 and 2 worker processes, compared with a plain loop over the files with PyAV in one process and thread, with the
same codec settings and sizes but no hashes, syncs, records or recovery from errors. Ours is a complete run into a new
folder: listing, processes, hashes of source and output, manifest and report.
"""

import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import av
from av.video.frame import PictureType
from av.video.reformatter import VideoReformatter
from harness import Row, alternate, new_parser, publish, speed_ratio, use_cores
from videos import ORIGINALS, find_videos

from sce_video.cli.prepare import prepare_here
from sce_video.engine.prepare.actions import Action, Check, Frames, Transcode
from sce_video.engine.prepare.all_videos import Limits
from sce_video.engine.prepare.labels import Labels

SHORT_SIDE_PIXELS, GOP_FRAMES, CRF, QUALITY = 256, 4, 23, 90
ACTIONS: dict[str, Action] = {
    "verify": Check(),
    "transcode": Transcode(short_side_pixels=SHORT_SIDE_PIXELS, gop_frames=GOP_FRAMES, crf=CRF),
    "frames": Frames(short_side_pixels=SHORT_SIDE_PIXELS, quality=QUALITY),
}
PLAIN = "plain loop"
OUR_WAYS = {"1 process": 1, "2 processes": 2}


def main() -> int:
    parser = new_parser(__doc__)
    parser.add_argument("--videos", type=Path, default=ORIGINALS, metavar="FOLDER", help="%(default)s")
    arguments = parser.parse_args()
    use_cores(2)
    num_videos, num_rounds = (5, 1) if arguments.quick else (None, 3)
    paths = find_videos(arguments.videos, num_videos=num_videos)
    num_bytes = sum(path.stat().st_size for path in paths)
    rows: list[Row] = []
    ratios: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "videos"
        source.mkdir()
        for number, path in enumerate(paths):
            (source / f"{number:04d}{path.suffix}").symlink_to(path)
        run_ours(source, Check(), 2)  # warm-up: starts the fork server, reads the files once
        for name, action in ACTIONS.items():
            ways = {
                f"{count} process{'es' * (count > 1)}": partial(run_ours, source, action, count) for count in (1, 2)
            }
            seconds = alternate({PLAIN: partial(run_plain, source, PLAIN_WAYS[name]), **ways}, num_rounds=num_rounds)
            for way, taken in seconds.items():
                speed = {"videos/s": len(paths) / median(taken), "MB/s": num_bytes / 1e6 / median(taken)}
                rows.append({"task": name, "way": way, **speed, "seconds": taken})
                if way != PLAIN:
                    ratios[f"{name}, {way}"] = speed_ratio(taken, seconds[PLAIN])
    publish(rows=rows, ratios=ratios, json_file=arguments.json)
    return 0


def run_ours(source: Path, action: Action, num_workers: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        limits = Limits(num_workers)
        output = Path(folder) / "out"
        prepare_here(source, output, action, limits=limits, labels=Labels(), follow_outside=True, retry_broken=False)


def run_plain(source: Path, way: Callable[[Path, Path], None]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted(source.iterdir()):
            way(path, Path(folder) / path.stem)


def verify_plainly(path: Path, output: Path) -> None:
    with av.open(str(path)) as container:
        for _ in container.decode(one_thread(container)):
            pass


def transcode_plainly(path: Path, output: Path) -> None:
    options = {"preset": "veryfast", "tune": "fastdecode", "crf": str(CRF), "g": str(GOP_FRAMES), "bf": "0"}
    with av.open(str(path)) as container, av.open(f"{output}.mp4", "w") as written:
        source = one_thread(container)
        rate = source.average_rate
        assert rate is not None
        stream = written.add_stream("libx264", rate=rate, options={**options, "sc_threshold": "0"})
        size = small_size(source)
        stream.width, stream.height = size
        stream.pix_fmt, stream.codec_context.thread_count = "yuv420p", 1
        converter = VideoReformatter()
        for index, frame in enumerate(container.decode(source)):
            small = converter.reformat(frame, *size, "yuv420p", interpolation="BICUBIC", threads=1)
            small.pts, small.time_base, small.pict_type = index, 1 / rate, PictureType.NONE
            written.mux(stream.encode(small))
        written.mux(stream.encode())


def extract_plainly(path: Path, output: Path) -> None:
    output.mkdir()
    with av.open(str(path)) as container:
        source = one_thread(container)
        size, converter = small_size(source), VideoReformatter()
        for index, frame in enumerate(container.decode(source)):
            small = converter.reformat(frame, *size, "rgb24", interpolation="BICUBIC", threads=1)
            small.to_image().save(output / f"{index:06d}.jpg", quality=QUALITY)


PLAIN_WAYS = {"verify": verify_plainly, "transcode": transcode_plainly, "frames": extract_plainly}


def one_thread(container: av.container.InputContainer) -> av.VideoStream:
    stream = container.streams.video[0]
    stream.codec_context.thread_type, stream.codec_context.thread_count = "SLICE", 1
    return stream


def small_size(stream: av.VideoStream) -> tuple[int, int]:
    scale = min(SHORT_SIDE_PIXELS / min(stream.width, stream.height), 1.0)
    return round(stream.width * scale / 2) * 2, round(stream.height * scale / 2) * 2


if __name__ == "__main__":
    sys.exit(main())
