"""Source: how a list or data set is read, and what is known of it before that."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from sce_video.data.videos import ListedVideos


class Listing(NamedTuple):
    """Where videos are listed, by the keys of DATA; each source uses some of it.

    Paths or URLs, "" if not given. `columns` is DATA.LIST_COLUMNS; the indices of shards are kept in `cache_dir`.
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
    """A source of videos.

    Attributes:
        read_train, read_test: return the videos; `read_test` is None if there are no labels to test with.
        train: what DATA.TRAIN names: a "file" (or URL), a "folder" below DATA.ROOT or a "part" of the data set; "" if
            not used. For a file or folder DATA.TEST names another one; other data sets define their test videos.
        parts: of the data set; only the first has labels.
        needs_root: DATA.ROOT is required.
        has_official_files: reads files in DATA.SPLITS_DIR.
        has_splits: DATA.SPLIT selects an official split.
        is_local: DATA.ROOT, or the files of DATA.TRAIN and DATA.TEST, must be on this machine: folders of many files
            or files that other libraries read.
        is_in_memory: all are images of one size in memory (`ImageArray`).
        is_walked: searches for files below DATA.ROOT, which HTTP cannot list.
    """

    read_train: Read
    read_test: Read | None
    train: Literal["", "file", "folder", "part"] = ""
    parts: tuple[str, ...] = ()
    needs_root: bool = True
    has_official_files: bool = False
    has_splits: bool = False
    is_local: bool = False
    is_in_memory: bool = False
    is_walked: bool = False

    @property
    def has_test_list(self) -> bool:
        """Whether DATA.TEST names the test videos."""
        return self.train in ("file", "folder") and self.read_test is not None

    @property
    def has_own_test(self) -> bool:
        """Whether the data set defines its test videos."""
        return self.train not in ("file", "folder")

    @property
    def needs(self) -> dict[str, str]:
        """Required keys, and what they name."""
        named = {
            "DATA.ROOT": ("the folder of the videos", self.needs_root),
            "DATA.TRAIN": ("the list of training videos", self.train == "file"),
            "DATA.SPLITS_DIR": ("the folder of the official files", self.has_official_files),
        }
        return {key: meaning for key, (meaning, is_needed) in named.items() if is_needed}
