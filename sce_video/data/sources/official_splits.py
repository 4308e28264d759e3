"""The three official splits of UCF101 and of HMDB51."""

from pathlib import Path

from sce_video.data.sources.list_lines import parse_line
from sce_video.data.sources.source import Source
from sce_video.data.sources.text import path_below, read_lines
from sce_video.data.videos import ListedVideos, videos_from_paths
from sce_video.engine.remote import Location, location
from sce_video.errors import ManifestError
from sce_video.plain_text import whole_number

_PARTS = ("train", "test")
_HMDB51_TRAIN, _HMDB51_TEST = "1", "2"  # 0 is a video outside the split


def read_ucf101(root: Location | str, splits_dir: Path | str, split: int) -> tuple[ListedVideos, ListedVideos]:
    """Train and test videos of an official split: `classInd.txt`, `{train,test}list0N.txt` over `root/Class/*.avi`.

    Raises:
        ManifestError: a missing or malformed file, a class without a number.
    """
    root, splits_dir = location(root), Path(splits_dir)
    classes = {}
    for number, line in read_lines(splits_dir / "classInd.txt"):
        text, _, name = line.partition(" ")
        index = whole_number(text)
        if not index or not name:
            raise ManifestError(
                f"{splits_dir / 'classInd.txt'}, line {number}: {line[:200]!r}; `1 ClassName` was expected"
            )
        classes[name] = index - 1
    train, test = (_read_ucf101_list(root, splits_dir / f"{part}list0{split}.txt", classes) for part in _PARTS)
    return train, test


def _read_ucf101_list(root: Location, list_file: Path, classes: dict[str, int]) -> ListedVideos:
    paths, labels, lines = [], [], []
    for number, line in read_lines(list_file):
        path = parse_line(line).path
        name = path.split("/")[0]
        if name not in classes:
            raise ManifestError(f"{list_file}, line {number}: class {name!r} is not in classInd.txt")
        paths.append(path_below(root, path, file=list_file, line=number))
        labels.append(classes[name])
        lines.append(number)
    class_names = {label: name for name, label in classes.items()}
    return videos_from_paths(root, paths, labels, str(list_file), lines=lines, class_names=class_names)


def read_hmdb51(root: Location | str, splits_dir: Path | str, split: int) -> tuple[ListedVideos, ListedVideos]:
    """Train and test videos of an official split: `<class>_test_splitN.txt` over `root/<class>/*.avi`.

    Raises:
        ManifestError: no such files, or a malformed line.
    """
    root, splits_dir = location(root), Path(splits_dir)
    ending = f"_test_split{split}.txt"
    files = sorted(splits_dir.glob(f"*{ending}"))
    if not files:
        raise ManifestError(f"{splits_dir} holds no file *{ending}; give the folder of HMDB51's official split files")
    listed: dict[str, tuple[list[str], list[int]]] = {_HMDB51_TRAIN: ([], []), _HMDB51_TEST: ([], [])}
    for label, file in enumerate(files):
        name = file.name.removesuffix(ending)
        for number, line in read_lines(file):
            video, _, part = line.rpartition(" ")
            if part not in ("0", _HMDB51_TRAIN, _HMDB51_TEST) or not video:
                raise ManifestError(f"{file}, line {number}: {line!r}; `video.avi 0|1|2` was expected")
            if part in listed:
                listed[part][0].append(path_below(root, f"{name}/{video}", file=file, line=number))
                listed[part][1].append(label)
    class_names = dict(enumerate(file.name.removesuffix(ending) for file in files))
    train, test = (
        videos_from_paths(root, paths, labels, f"{splits_dir}/*{ending} ({part})", class_names=class_names)
        for part, (paths, labels) in zip(_PARTS, listed.values(), strict=True)
    )
    return train, test


UCF101 = Source(
    lambda listing: read_ucf101(listing.root, listing.splits_dir, listing.split)[0],
    lambda listing: read_ucf101(listing.root, listing.splits_dir, listing.split)[1],
    has_official_files=True,
    has_splits=True,
)
HMDB51 = Source(
    lambda listing: read_hmdb51(listing.root, listing.splits_dir, listing.split)[0],
    lambda listing: read_hmdb51(listing.root, listing.splits_dir, listing.split)[1],
    has_official_files=True,
    has_splits=True,
)
