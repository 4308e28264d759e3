"""A way in which videos are listed: how it is read, and what is true of it before anything is read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from sce_video.data.videos import ListedVideos


class Listing(NamedTuple):
    """Where videos are listed; each source takes what it needs of it.

    Texts are paths or URLs, "" where nothing is given. `columns` are those of a list; `cache_dir` is for what is in
    shards, too.
    """

    root: str
    train: str
    test: str
    splits_dir: str
    split: int
    columns: str
    cache_dir: str


Read = Callable[[Listing], ListedVideos]


@dataclass(frozen=True)
class Source:
    """All that the rest knows of a source.

    Attributes:
        read_train, read_test: the videos; None is that there are no test videos, for want of labels.
        train: what DATA.TRAIN names: a "file" (or URL), a "folder" below DATA.ROOT, a "part" of the data set; "" is
            that nothing reads it. Where it is a file or a folder, DATA.TEST names another one; else the data set itself
            says which are its test videos.
        parts: those of a data set; only the first has labels.
        needs_root: DATA.ROOT must be given.
        has_official_files: reads these from DATA.SPLITS_DIR.
        has_splits: DATA.SPLIT is one of its official splits.
        is_local: DATA.ROOT must be of this machine: it has folders of many files, or other libraries read them.
        is_walked: looks for files below DATA.ROOT, which HTTP cannot list.
    """

    read_train: Read
    read_test: Read | None
    train: Literal["", "file", "folder", "part"] = ""
    parts: tuple[str, ...] = ()
    needs_root: bool = True
    has_official_files: bool = False
    has_splits: bool = False
    is_local: bool = False
    is_walked: bool = False

    @property
    def has_test_list(self) -> bool:
        """DATA.TEST names the test videos."""
        return self.train in ("file", "folder") and self.read_test is not None

    @property
    def has_own_test(self) -> bool:
        """The data set itself says which are its test videos."""
        return self.train not in ("file", "folder")

    @property
    def needs(self) -> dict[str, str]:
        """Keys without which there is nothing to read, and what they name."""
        named = {
            "DATA.ROOT": ("the folder of the videos", self.needs_root),
            "DATA.TRAIN": ("the list of training videos", self.train == "file"),
            "DATA.SPLITS_DIR": ("the folder of the official files", self.has_official_files),
        }
        return {key: meaning for key, (meaning, is_needed) in named.items() if is_needed}
