"""Folders of videos, images or frames, labelled by their class folder or not at all."""

import os
from collections.abc import Callable, Mapping, Sequence

from sce_video.data.sources.source import Source
from sce_video.data.sources.tree import IMAGE_SUFFIXES, VIDEO_SUFFIXES, files_below, folders_below
from sce_video.data.videos import ListedVideos, videos_from_paths
from sce_video.engine.remote import Location, location, relative_folder
from sce_video.errors import ManifestError


def read_folder(root: Location | str, folder: str) -> ListedVideos:
    """Every video below `root/folder`, without labels, sorted by path."""
    root = location(root)
    return _manifest(root, folder, files_below(root / folder, VIDEO_SUFFIXES), labels=None)


def read_class_folders(root: Location | str, folder: str, *, class_names: Sequence[str] | None = None) -> ListedVideos:
    """Videos below `root/folder/<class>/`, labelled by the sorted class names.

    Args:
        class_names: of the training folder, for the same labels in a test folder that lacks a class.
    Raises:
        ManifestError: no class folders, or one that is not among `class_names`.
    """
    root = location(root)
    return _labelled(root, folder, files_below(root / folder, VIDEO_SUFFIXES), class_names)


def read_image_folders(root: Location | str, folder: str, *, class_names: Sequence[str] | None = None) -> ListedVideos:
    """As `read_class_folders` for still images (ImageNet's layout): each is a video of one frame.

    Without labels if all are in `root/folder` itself.
    """
    root = location(root)
    images = files_below(root / folder, IMAGE_SUFFIXES)
    if images and not any("/" in image for image in images):
        return _manifest(root, folder, images, labels=None)
    return _labelled(root, folder, images, class_names)


def read_chosen_classes(root: Location | str, folder: str, class_names: Sequence[str]) -> ListedVideos:
    """Still images of only these class folders in `root/folder`, labelled in this order.

    Raises:
        ManifestError: one of the folders is missing, or there are no images.
    """
    root = location(root)
    of_class = [files_below(root / folder / name, IMAGE_SUFFIXES) for name in class_names]
    images = [os.path.join(name, path) for name, paths in zip(class_names, of_class, strict=True) for path in paths]
    labels = [label for label, paths in enumerate(of_class) for _ in paths]
    return _manifest(root, folder, images, labels=labels, class_names=dict(enumerate(class_names)))


def read_frame_folders(root: Location | str, folder: str, *, class_names: Sequence[str] | None = None) -> ListedVideos:
    """Videos that are folders of images: a folder with images directly in it is one video.

    Labelled as by `read_class_folders` if they are in class folders; without labels if all are in `root/folder` itself.

    Raises:
        ManifestError: as `read_class_folders`; a folder of both images and folders; videos beside class folders.
    """
    root = location(root)
    top = root / folder
    videos = []
    for found in folders_below(top):
        if found.files_with(IMAGE_SUFFIXES):
            if found.folders or not found.path:
                raise ManifestError(
                    f"{top / found.path} holds images, but is not the folder of one video's frames, "
                    "which has no folders in it"
                )
            videos.append(found.path)
    unlabelled = [video for video in videos if "/" not in video]
    if unlabelled and len(unlabelled) < len(videos):
        raise ManifestError(f"{top / unlabelled[0]} is a folder of frames beside class folders; put it into one")
    return _manifest(root, folder, videos, labels=None) if unlabelled else _labelled(root, folder, videos, class_names)


def class_folders(root: Location, folder: str) -> list[str]:
    """Names of the folders in `root/folder`, sorted.

    Raises:
        ManifestError: there are none.
    """
    names = next(folders_below(root / folder)).folders
    if not names:
        raise ManifestError(f"{root / folder} holds no class folders")
    return names


def _labelled(root: Location, folder: str, videos: list[str], class_names: Sequence[str] | None) -> ListedVideos:
    found = class_folders(root, folder)
    label_of = {name: label for label, name in enumerate(class_names or found)}
    unknown = [name for name in found if name not in label_of]
    if unknown:
        raise ManifestError(f"{root / folder}: class {unknown[0]!r} is not among the {len(label_of)} training classes")
    classed = [video for video in videos if "/" in video]  # one beside the class folders has no label
    labels = [label_of[video.split("/")[0]] for video in classed]
    return _manifest(root, folder, classed, labels=labels, class_names=dict(enumerate(label_of)))


def _manifest(
    root: Location,
    folder: str,
    videos: list[str],
    *,
    labels: list[int] | None,
    class_names: Mapping[int, str] | None = None,
) -> ListedVideos:
    top = root / folder
    if not videos:
        raise ManifestError(
            f"{top} holds no videos; DATA.SOURCE folder and class_folders look for {' '.join(VIDEO_SUFFIXES)}, "
            f"image_folders and frame_folders for {' '.join(IMAGE_SUFFIXES)}"
        )
    prefix = relative_folder(top, root)
    paths = videos if prefix == "." else [os.path.join(prefix, video) for video in videos]
    return videos_from_paths(root, paths, labels, str(top), class_names=class_names)


def _classes_source(read: Callable[..., ListedVideos], *, is_walked: bool) -> Source:
    """A source with one folder per class; test classes are numbered as the training folder's. Not walked: local."""
    return Source(
        lambda listing: read(listing.root, listing.train),
        lambda listing: read(
            listing.root, listing.test, class_names=class_folders(location(listing.root), listing.train)
        ),
        train="folder",
        needs_root=False,
        is_walked=is_walked,
        is_local=not is_walked,
    )


CLASS_FOLDERS = _classes_source(read_class_folders, is_walked=True)
FRAME_FOLDERS = _classes_source(read_frame_folders, is_walked=False)
IMAGE_FOLDERS = _classes_source(read_image_folders, is_walked=True)
FOLDER = Source(
    lambda listing: read_folder(listing.root, listing.train), None, train="folder", needs_root=False, is_walked=True
)
