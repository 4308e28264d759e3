"""Numbered videos of all kinds: container x codec x group of pictures x rate x damage."""

import itertools
import random
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from tests.clips.decoders.numbered import (
    NumberedVideo,
    all_said_to_be_key_frames,
    cut_without_reencoding,
    packed,
    truncated,
    with_edit_list,
    with_invisible_frames,
    write_numbered,
)

Recipe = Callable[[Path], NumberedVideo]  # a folder to write into -> the video

_MILLISECOND = Fraction(1, 1000)
_PLAIN = {"bf": "0", "g": "24", "sc_threshold": "0"}
_MPEG2 = {"bf": "2", "g": "12", "sc_threshold": "1000000000"}
_VPX = {"g": "24", "deadline": "realtime", "cpu-used": "8"}
_VP9_ALT_REF = {"g": "30", "deadline": "good", "cpu-used": "5", "auto-alt-ref": "1", "lag-in-frames": "16"}
_AV1 = {"preset": "10", "crf": "30", "svtav1-params": "lp=1:keyint=20"}
_FRAGMENTS = {"movflags": "frag_keyframe+empty_moov"}
_INDEX_IN_FRONT = {"movflags": "faststart"}

_LONG_GAPS = [i + i // 5 + 300 * (i >= 20) + 1000 * (i >= 41) for i in range(60)]
_WILD = list(itertools.accumulate(random.Random(1).choices([1, 2, 3, 7, 40, 200], k=60)))
_LATE = range(100, 160)


def _x264(parameters: str) -> dict[str, str]:
    return {"x264-params": f"scenecut=0:b-adapt=0:{parameters}"}


_B = _x264("bframes=3:keyint=24:min-keyint=24")
_OPEN = _x264("open-gop=1:bframes=3:keyint=20:min-keyint=20")


def _video(file: str, options: dict[str, str] | None = None, **how) -> Recipe:
    suffix = file.rpartition(".")[2]
    if suffix in ("mkv", "webm", "flv"):
        how = {"stored_tick": _MILLISECOND, **how}
    return lambda folder: write_numbered(folder / file, options=_B if options is None else options, **how)


def _hevc(file: str, parameters: str, **how) -> Recipe:
    quiet = "log-level=none:pools=none:frame-threads=1:scenecut=0:b-adapt=0:keyint=20:min-keyint=20"
    return _video(file, {"preset": "ultrafast", "x265-params": f"{quiet}:{parameters}"}, codec="libx265", **how)


def _made(change: Callable[..., NumberedVideo], source: Recipe, file: str, *arguments, **named) -> Recipe:
    """A video that is changed after it was encoded."""

    def make(folder: Path) -> NumberedVideo:
        (folder / "sources").mkdir(exist_ok=True)
        return change(source(folder / "sources"), folder / file, *arguments, **named)

    return make


_H264 = _video("b.mp4")
_NO_B = _video("no_b.mp4", _PLAIN)
_IN_FRONT = _video("in_front.mp4", container_options=_INDEX_IN_FRONT)
_CLIP_OF_MPEG4 = {"bf": "1", "g": "250", "sc_threshold": "1000000000", "b_strategy": "0"}

RECIPES: dict[str, Recipe] = {
    # Groups of pictures
    "mp4": _video("plain.mp4", {"bf": "0", "g": "250"}, num_frames=150),
    "mp4 b-frames": _video("b.mp4", {"bf": "3", "g": "24", "x264-params": "scenecut=0"}, num_frames=150),
    "mp4 gop 1": _video("gop1.mp4", _x264("bframes=0:keyint=1")),
    "mp4 gop 4": _video("gop4.mp4", _x264("bframes=0:keyint=4:min-keyint=4")),
    "mp4 gop 4 b-frames": _video("gop4b.mp4", _x264("bframes=3:keyint=4:min-keyint=1")),
    "mp4 gop 8 b-frames": _video("gop8b.mp4", _x264("bframes=3:keyint=8:min-keyint=1")),
    "mp4 gop 250 b-frames": _video("gop250b.mp4", _x264("bframes=3:keyint=250")),
    "mp4 b-pyramid": _video("pyramid.mp4", _x264("bframes=7:b-pyramid=normal:ref=5:keyint=24")),
    "mp4 16 b-frames": _video("b16.mp4", _x264("bframes=16:b-pyramid=normal:ref=16:keyint=40")),
    "mp4 8 references": _video("refs.mp4", _x264("bframes=0:ref=8:keyint=24")),
    "mp4 open gop": _video("open.mp4", _OPEN),
    "mp4 open gop b-pyramid": _video("open7.mp4", _x264("open-gop=1:bframes=7:b-pyramid=normal:ref=4:keyint=20")),
    "mp4 intra refresh": _video("refresh.mp4", _x264("intra-refresh=1:keyint=20:bframes=0")),
    "mp4 intra refresh b-frames": _video("refresh_b.mp4", _x264("intra-refresh=1:keyint=20:bframes=2")),
    "mp4 interlaced": _video("interlaced.mp4", _x264("interlaced=1:tff=1:bframes=2:keyint=24")),
    "mp4 yuv444p": _video("444.mp4", pixel_format="yuv444p"),
    "mp4 yuv422p10": _video("422p10.mp4", pixel_format="yuv422p10le"),
    # Containers
    "mp4 faststart": _IN_FRONT,
    "mp4 without edit list": _video("no_edits.mp4", container_options={"use_editlist": "0"}),
    "mp4 negative offsets": _video("negative.mp4", container_options={"movflags": "negative_cts_offsets"}),
    "mp4 fragmented": _video("fragments.mp4", container_options=_FRAGMENTS),
    "mp4 one fragment a frame": _video("frames.mp4", container_options={"movflags": "frag_every_frame+empty_moov"}),
    "mp4 fragmented dash": _video("dash.mp4", container_options={"movflags": "dash+frag_keyframe"}),
    "mp4 fragmented late start": _video("late_fragments.mp4", ticks=_LATE, container_options=_FRAGMENTS),
    "mov": _video("b.mov"),
    "mkv": _video("b.mkv"),
    "mkv without index": _video("live.mkv", container_options={"live": "1"}),
    "3gp": _video("b.3gp"),
    "flv": _video("b.flv"),
    "ts": _video("b.ts"),
    "avi h264": _video("h264.avi", _PLAIN),
    "avi h264 b-frames": _video("h264_b.avi"),
    # Codecs
    "hevc": _hevc("hevc.mp4", "open-gop=0:bframes=3"),
    "hevc mkv": _hevc("hevc.mkv", "open-gop=0:bframes=3"),
    "hevc ts": _hevc("hevc.ts", "open-gop=0:bframes=3"),
    "hevc open gop": _hevc("hevc_open.mp4", "open-gop=1:bframes=3"),
    "hevc open gop b-pyramid mkv": _hevc("hevc_open.mkv", "open-gop=1:bframes=4:b-pyramid=1"),
    "hevc radl": _hevc("hevc_radl.mp4", "open-gop=0:radl=2:bframes=3"),
    "webm vp8": _video("vp8.webm", _VPX, codec="libvpx"),
    "vp8 avi": _video("vp8.avi", _VPX, codec="libvpx"),
    "webm vp9 alt-ref": _video("vp9.webm", _VP9_ALT_REF, codec="libvpx-vp9"),
    "vp9 mp4": _video("vp9.mp4", _VPX, codec="libvpx-vp9"),
    "av1 mp4": _video("av1.mp4", _AV1, codec="libsvtav1"),
    "av1 webm": _video("av1.webm", _AV1, codec="libsvtav1"),
    "avi b-frames": _video("b.avi", {"bf": "2", "g": "24"}, codec="mpeg4"),
    "mpeg4 mp4 b-frames": _video("mpeg4.mp4", {"bf": "2", "g": "24"}, codec="mpeg4"),
    "mpeg4 mkv b-frames": _video("mpeg4.mkv", {"bf": "2", "g": "24"}, codec="mpeg4"),
    "avi packed b-frames": _made(packed, _video("unpacked.avi", _CLIP_OF_MPEG4, codec="mpeg4"), "packed.avi"),
    "mjpeg avi": _video("mjpeg.avi", {}, codec="mjpeg", pixel_format="yuvj420p"),
    "mjpeg mov": _video("mjpeg.mov", {}, codec="mjpeg", pixel_format="yuvj420p"),
    "prores": _video("prores.mov", {}, codec="prores_ks", pixel_format="yuv422p10le"),
    "mpeg2 ts": _video("mpeg2.ts", _MPEG2, codec="mpeg2video"),
    "mpeg2 mp4": _video("mpeg2.mp4", _MPEG2, codec="mpeg2video"),
    "mpeg2 mpg": _video("mpeg2.mpg", _MPEG2, codec="mpeg2video"),
    "flv1": _video("flv1.flv", {}, codec="flv"),
    "wmv": _video("wmv2.wmv", {}, codec="wmv2", stored_tick=_MILLISECOND),
    # Time
    "mp4 ntsc": _video("ntsc.mp4", fps=Fraction(30000, 1001)),
    "mkv 120 fps": _video("fast.mkv", fps=Fraction(120)),
    "mp4 10 s a frame": _video("slow.mp4", fps=Fraction(1, 10)),
    "mkv late start": _video("late.mkv", ticks=range(50, 110), fps=Fraction(25)),
    "mov late start": _video("late.mov", ticks=_LATE),
    "ts late start": _video("late.ts", ticks=_LATE),
    "mp4 variable rate": _video("gaps.mp4", ticks=_LONG_GAPS),
    "mkv variable rate": _video("gaps.mkv", ticks=_LONG_GAPS),
    "avi variable rate": _video("gaps.avi", _PLAIN, ticks=_LONG_GAPS),
    "mp4 wildly variable rate": _video("wild.mp4", ticks=_WILD, fps=Fraction(600)),
    "webm wildly variable rate": _video("wild.webm", _VPX, codec="libvpx-vp9", ticks=_WILD, fps=Fraction(100)),
    "ts wildly variable rate": _video("wild.ts", ticks=_WILD, fps=Fraction(100)),
    # Edit lists
    "mp4 cut in a group": _made(cut_without_reencoding, _H264, "cut.mp4", first=31),
    "mp4 cut at a key frame": _made(cut_without_reencoding, _H264, "cut_key.mp4", first=24),
    "mov cut without b-frames": _made(cut_without_reencoding, _NO_B, "cut.mov", first=30),
    "mp4 cut in an open gop": _made(cut_without_reencoding, _video("open_whole.mp4", _OPEN), "cut_open.mp4", first=30),
    "hevc cut in an open gop": _made(
        cut_without_reencoding, _hevc("whole.mp4", "open-gop=1:bframes=3"), "cut_hevc.mp4", first=30
    ),
    "mp4 edit list, middle": _made(with_edit_list, _NO_B, "middle.mp4", [(10, 40)]),
    "mp4 edit list, middle, b-frames": _made(with_edit_list, _H264, "middle_b.mp4", [(10, 40)], first_pts=1024),
    "mp4 edit list, two parts": _made(with_edit_list, _NO_B, "parts.mp4", [(10, 20), (40, 50)]),
    "mp4 edit list, backwards": _made(with_edit_list, _NO_B, "backwards.mp4", [(40, 50), (10, 20)]),
    "mp4 edit list, one part twice": _made(with_edit_list, _NO_B, "twice.mp4", [(30, 45), (30, 45)]),
    # Damage and wrong headers
    "mp4 truncated": _made(truncated, _IN_FRONT, "truncated.mp4", share=0.6),
    "mp4 fragmented truncated": _made(
        truncated, _video("whole_fragments.mp4", container_options=_FRAGMENTS), "truncated_fragments.mp4", share=0.6
    ),
    "mkv truncated": _made(truncated, _video("whole.mkv"), "truncated.mkv", share=0.6),
    "ts truncated": _made(truncated, _video("whole.ts"), "truncated.ts", share=0.6),
    "flv truncated": _made(truncated, _video("whole.flv"), "truncated.flv", share=0.6),
    "avi truncated": _made(truncated, _video("whole.avi", _PLAIN, codec="mpeg4"), "truncated.avi", share=0.6),
    "mp4 all key": _made(all_said_to_be_key_frames, _H264, "all_key.mp4"),
    "hevc all key": _made(all_said_to_be_key_frames, _hevc("whole.mp4", "bframes=3"), "all_key_hevc.mp4"),
    "vp8 all key": _made(all_said_to_be_key_frames, _video("vp8.mkv", _VPX, codec="libvpx"), "all_key.mkv"),
    "vp9 all key": _made(all_said_to_be_key_frames, _video("vp9.mp4", _VPX, codec="libvpx-vp9"), "all_key_9.mp4"),
    "vp8 invisible frames": _made(
        with_invisible_frames, _video("vp8_shown.mkv", _VPX, codec="libvpx"), "invisible.mkv", which={10, 11, 30, 50}
    ),
}

# Not mp4, mov, mkv or webm: read by PyAV whatever the decoder.
ONLY_PYAV = {name for name in RECIPES if {"avi", "flv", "flv1", "ts", "mpg", "wmv"} & set(name.split())}

# Videos of which each decoder, in these versions, returns wrong frames, or which it refuses.
MEASURED_WITH = {"torchcodec": r"0\.17\..*FFmpeg 5", "decord": r"0\.6\.0"}
KNOWN_WRONG = {
    "torchcodec": [
        *("mp4 intra refresh", "mp4 intra refresh b-frames", "mp4 cut in an open gop", "hevc cut in an open gop"),
        *("mp4 edit list, two parts", "mp4 edit list, backwards", "mp4 edit list, one part twice"),
        *("hevc all key", "vp8 invisible frames"),
    ],
    "decord": [
        *("mp4 open gop", "mp4 open gop b-pyramid", "hevc open gop", "hevc open gop b-pyramid mkv"),
        *("mp4 intra refresh", "mp4 intra refresh b-frames"),
        *("mpeg4 mp4 b-frames", "mpeg4 mkv b-frames", "mpeg2 mp4"),
        *("mp4 cut in a group", "mov cut without b-frames", "mp4 cut in an open gop", "hevc cut in an open gop"),
        *("mp4 edit list, middle", "mp4 edit list, middle, b-frames", "mp4 edit list, two parts"),
        *("mp4 edit list, backwards", "mp4 edit list, one part twice"),
        *("mp4 all key", "hevc all key", "vp8 invisible frames"),
        *("mkv without index", "av1 mp4", "av1 webm"),  # refused
    ],
}
