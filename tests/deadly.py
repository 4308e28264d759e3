"""Ways to end or hang the current process, and videos that do so when they are opened."""

import ctypes
import faulthandler
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sce_video.clips.decoders import DecodeError, VideoDecoder, Videos


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def segfault() -> None:
    faulthandler.disable()  # pytest's would print a page about it
    ctypes.string_at(0)


def hang() -> None:
    """In native code with the GIL, so that no thread of this process and no signal handler can run."""
    ctypes.PyDLL(None).pause()


def leave() -> None:
    os._exit(3)


def break_down() -> None:
    raise DecodeError("broken")


WAYS = {"kill": kill, "segfault": segfault, "hang": hang, "leave": leave, "break down": break_down}


@dataclass(frozen=True)
class DeadlyVideos:
    """Videos of which some do something else when opened: index -> name in WAYS."""

    videos: Videos
    deadly: Mapping[int, str]

    def __len__(self) -> int:
        return len(self.videos)

    def open(self, video: int) -> VideoDecoder:
        if video in self.deadly:
            WAYS[self.deadly[video]]()
        return self.videos.open(video)


def processes_begun_here(parent: int | None = None) -> list[int]:
    """Children of a process, zombies included."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except (FileNotFoundError, ProcessLookupError):  # ended just now
            continue
        if int(text.rsplit(")", 1)[1].split()[1]) == (parent or os.getpid()):
            found.append(int(stat.parent.name))
    return found
