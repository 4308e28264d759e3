"""Ways in which videos are listed: text lists, UCF101's and HMDB51's official splits, folders."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from sce_video.data.manifest import Manifest
from sce_video.errors import ManifestError

# Matched in lower case.
VIDEO_SUFFIXES = frozenset(
    [".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm", ".wmv"]
)
_PARTS = ("train", "test")
_LABEL = re.compile(r"(?P<path>.*\S)(?:\s*,\s*|\s+)(?P<label>-?[0-9]+)")
_HMDB51_TRAIN, _HMDB51_TEST = "1", "2"  # 0 is a video that the split leaves out


def read_list(list_file: Path, root: Path) -> Manifest:
    """Lines `path label`, `path,label` (Kinetics style), either with a third column, or, all of them, `path`.

    Paths may hold blanks and commas. A third column (number of frames) is not used.

    Raises:
        ManifestError: unreadable file, some lines with a label and some without, a label that is no number.
    """
    paths: list[str] = []
    labels: list[int | None] = []
    for number, line in _lines(list_file):
        path, label = _split_label(line)
        if labels and (label is None) != (labels[-1] is None):
            raise ManifestError(f"{list_file}, line {number}: {line!r}; either every line has a label or none has")
        paths.append(path)
        labels.append(label)
    known = [label for label in labels if label is not None]
    return Manifest(root=root, paths=paths, labels=known or None, origin=str(list_file))


def read_ucf101(root: Path, splits_dir: Path, split: int) -> tuple[Manifest, Manifest]:
    """Train and test videos of an official split: `classInd.txt`, `{train,test}list0N.txt` over `root/Class/*.avi`."""
    classes = {}
    for number, line in _lines(splits_dir / "classInd.txt"):
        index, _, name = line.partition(" ")
        if not index.isdigit() or not name:
            raise ManifestError(f"{splits_dir / 'classInd.txt'}, line {number}: {line!r}; `1 ClassName` was expected")
        classes[name] = int(index) - 1
    train, test = (_read_ucf101_list(root, splits_dir / f"{part}list0{split}.txt", classes) for part in _PARTS)
    return train, test


def _read_ucf101_list(root: Path, list_file: Path, classes: dict[str, int]) -> Manifest:
    paths, labels = [], []
    for number, line in _lines(list_file):
        path, _ = _split_label(line)
        name = path.split("/")[0]
        if name not in classes:
            raise ManifestError(f"{list_file}, line {number}: class {name!r} is not in classInd.txt")
        paths.append(path)
        labels.append(classes[name])
    return Manifest(root=root, paths=paths, labels=labels, origin=str(list_file))


def read_hmdb51(root: Path, splits_dir: Path, split: int) -> tuple[Manifest, Manifest]:
    """Train and test videos of an official split: `<class>_test_splitN.txt` over `root/<class>/*.avi`."""
    ending = f"_test_split{split}.txt"
    files = sorted(splits_dir.glob(f"*{ending}"))
    if not files:
        raise ManifestError(f"{splits_dir} holds no file *{ending}; give the folder of HMDB51's official split files")
    listed: dict[str, tuple[list[str], list[int]]] = {_HMDB51_TRAIN: ([], []), _HMDB51_TEST: ([], [])}
    for label, file in enumerate(files):
        name = file.name.removesuffix(ending)
        for number, line in _lines(file):
            video, _, part = line.rpartition(" ")
            if part not in ("0", _HMDB51_TRAIN, _HMDB51_TEST) or not video:
                raise ManifestError(f"{file}, line {number}: {line!r}; `video.avi 0|1|2` was expected")
            if part in listed:
                listed[part][0].append(f"{name}/{video}")
                listed[part][1].append(label)
    train, test = (
        Manifest(root=root, paths=paths, labels=labels, origin=f"{splits_dir}/*{ending} ({part})")
        for part, (paths, labels) in zip(_PARTS, listed.values(), strict=True)
    )
    return train, test


def read_class_folders(root: Path, folder: str, *, class_names: Sequence[str] | None = None) -> Manifest:
    """Videos below `root/folder/<class>/`, labelled by the sorted class names.

    Args:
        class_names: of the training folder, so that a test folder that lacks a class is labelled alike.
    Raises:
        ManifestError: no class folders, or one that is not among `class_names`.
    """
    top = root / folder
    found = class_folders(root, folder)
    names = list(class_names or found)
    unknown = [name for name in found if name not in names]
    if unknown:
        raise ManifestError(f"{top}: class {unknown[0]!r} is not among the {len(names)} training classes")
    paths, labels = [], []
    for name in found:
        for path in _videos_below(top / name):
            paths.append(path.relative_to(root).as_posix())
            labels.append(names.index(name))
    return Manifest(root=root, paths=paths, labels=labels, origin=str(top))


def class_folders(root: Path, folder: str) -> list[str]:
    """Names of the folders in `root/folder`, sorted."""
    top = root / folder
    names = sorted(path.name for path in top.iterdir() if path.is_dir()) if top.is_dir() else []
    if not names:
        raise ManifestError(f"{top} holds no class folders")
    return names


def read_folder(root: Path, folder: str) -> Manifest:
    """Every video below `root/folder`, without labels, sorted by path."""
    top = root / folder
    if not top.is_dir():
        raise ManifestError(f"{top} is not a folder")
    paths = [path.relative_to(root).as_posix() for path in _videos_below(top)]
    return Manifest(root=root, paths=paths, labels=None, origin=str(top))


def _videos_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file())


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """Line numbers from 1 and the lines that are not empty."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{file} cannot be read ({error})") from error
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield number, line.strip()


def _split_label(line: str) -> tuple[str, int | None]:
    """The number behind the last comma or blank is the label; a line that does not end so is all path.

    A third column, `path label num_frames`, is left out; it is told from a path with a blank by the path's ending.
    """
    found = _LABEL.fullmatch(line)
    if found is None:
        return line, None
    inner = _LABEL.fullmatch(found["path"])
    if inner is not None and Path(inner["path"]).suffix.lower() in VIDEO_SUFFIXES:
        found = inner
    return found["path"], int(found["label"])
