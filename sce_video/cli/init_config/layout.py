"""How a folder is laid out: as videos, still images or folders of frames, with or without folders of classes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import mean

from torch import Tensor

from sce_video.cli.init_config.look import gray_maps, mean_difference
from sce_video.clips.decoders import DecodeError, open_video
from sce_video.data.sources import read_list
from sce_video.data.sources.folders import read_class_folders, read_folder, read_frame_folders, read_image_folders
from sce_video.data.sources.tree import IMAGE_SUFFIXES, VIDEO_SUFFIXES, Folder, folders_below
from sce_video.data.videos import ListedVideos
from sce_video.errors import UserError

_READERS = {
    "folder": read_folder,
    "class_folders": read_class_folders,
    "image_folders": read_image_folders,
    "frame_folders": read_frame_folders,
}
_TRAIN_NAMES, _TEST_NAMES = ("train", "training"), ("test", "testing", "val", "valid", "validation")
# A few pictures beside videos are thumbnails; a few videos beside very many pictures are strays.
_IMAGES_PER_STRAY_VIDEO = 20
_NUM_FOLDERS_TRIED = 6
_NUM_NAMED = 6
# Successive frames of a video differ less than pictures of different folders.
_MOST_OF_FRAMES = 0.5


@dataclass(frozen=True)
class Layout:
    """The listed videos, and the settings of DATA that list them; `test` is a folder of test videos, or ""."""

    source: str
    root: Path
    train: str
    test: str
    listed: ListedVideos
    is_image: bool
    notes: Sequence[str] = ()

    @property
    def class_names(self) -> tuple[str, ...]:
        labels = self.listed.labels
        names = self.listed.class_names or {}
        return tuple(names.get(label, str(label)) for label in sorted(set(labels))) if labels else ()


def find_layout(path: Path, *, list_root: Path | None) -> Layout:
    """
    Args:
        path: folder, or list as for DATA.SOURCE list.
        list_root: that the lines of a list are relative to; None: its folder.
    Raises:
        UserError: it does not exist, or has neither videos nor images.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist; give a folder of videos or images, or a list of them")
    if path.is_dir():
        return _of_folder(path.resolve())
    root = (list_root or path.parent).resolve()
    listed = read_list(path, root)
    num_images = sum(each.lower().endswith(IMAGE_SUFFIXES) for each in listed.paths)
    return Layout("list", root, str(path.resolve()), "", listed, 2 * num_images > len(listed))


def _of_folder(top: Path) -> Layout:
    folders = list(folders_below(top))
    videos, images = (
        [name for folder in folders for name in folder.files_with(suffixes)]
        for suffixes in (VIDEO_SUFFIXES, IMAGE_SUFFIXES)
    )
    if not videos and not images:
        raise UserError(
            f"{top} has neither videos ({' '.join(VIDEO_SUFFIXES)}) nor images ({' '.join(IMAGE_SUFFIXES)}); give the "
            "folder that has them"
        )
    are_images = len(images) > _IMAGES_PER_STRAY_VIDEO * len(videos)
    files, others = (images, videos) if are_images else (videos, images)
    train, test, notes = _parts(files)
    inside = [folder for folder in folders if f"{folder.path}/".startswith(f"{train}/")] if train else folders
    below = [file.removeprefix(f"{train}/") for file in files if not train or file.startswith(f"{train}/")]
    if others:
        notes.append(f"{len(others):,} {'videos' if are_images else 'images'} beside them are not used")
    source = _source(top, below, inside, are_images=are_images)
    listed = _READERS[source](top, train)
    return Layout(source, top, train, test, listed, are_images and source == "image_folders", notes)


def _parts(files: Sequence[str]) -> tuple[str, str, list[str]]:
    """Names of the folders of training and of test videos, and which are pretrained on, in words.

    "" and no words if the files are not divided into such folders; a class may be named `train`.
    """
    sizes = Counter(file.split("/")[0] if "/" in file else "" for file in files)
    of = {name.lower(): name for name in sorted(sizes)}
    train = next((of[name] for name in _TRAIN_NAMES if name in of), "")
    test = next((of[name] for name in _TEST_NAMES if name in of), "")
    if not train or not (test or set(of) <= set(_TRAIN_NAMES)):
        return "", "", []
    others = [f"{name or 'files beside the folders'} ({sizes[name]:,})" for name in sorted(sizes) if name != train]
    apart = f"; not on {', '.join(others[:_NUM_NAMED])}{', ...' * (len(others) > _NUM_NAMED)}" if others else ""
    return train, test, [f"pretrained on: {train} ({sizes[train]:,} files){apart}"]


def _source(top: Path, files: Sequence[str], folders: Sequence[Folder], *, are_images: bool) -> str:
    if are_images:
        return "frame_folders" if _are_frames(top, folders) else "image_folders"
    classes = {file.split("/")[0] for file in files}
    # A folder for each video names no class.
    is_classed = all("/" in file for file in files) and 1 < len(classes) <= len(files) / 2
    return "class_folders" if is_classed else "folder"


def _are_frames(top: Path, folders: Sequence[Folder]) -> bool:
    """Whether each folder of images is a video: numbered, and successive images alike."""
    with_images = [folder for folder in folders if folder.files_with(IMAGE_SUFFIXES)]
    if len(with_images) < 2 or any(folder.folders for folder in with_images):
        return False
    tried = with_images[:: max(1, len(with_images) // _NUM_FOLDERS_TRIED)]
    pairs = []
    for folder in tried:
        try:
            pairs.append(_two_frames(top / folder.path))
        except DecodeError:
            return False
    of_frames = mean(mean_difference(*pair) for pair in pairs)
    return of_frames < _MOST_OF_FRAMES * mean(mean_difference(a[0], b[0]) for a, b in pairwise(pairs))


def _two_frames(folder: Path) -> Tensor:
    """Gray maps of two successive images in the middle of a folder, of one twice if there is only one."""
    with open_video(folder, decoder="pyav") as video:
        half = max(video.metadata.num_frames // 2, 1)
        return gray_maps(video.frames_at([(half + each) / video.metadata.fps for each in (-0.5, 0.5)]))
