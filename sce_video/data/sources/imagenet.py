"""Subsets of ImageNet: ImageNet-100, which is 100 of its class folders, and Tiny-ImageNet as unzipped."""

from sce_video.data.sources.folders import class_folders, read_chosen_classes, read_image_folders
from sce_video.data.sources.source import Source
from sce_video.data.sources.text import path_below, read_lines
from sce_video.data.videos import ListedVideos, videos_from_paths
from sce_video.engine.remote import Location, location
from sce_video.errors import ManifestError

# Of CMC (arXiv:1906.05849), as in solo-learn's `imagenet100_classes.txt`; sorted.
_IMAGENET_100 = """
n01558993 n01692333 n01729322 n01735189 n01749939 n01773797 n01820546 n01855672 n01978455 n01980166
n01983481 n02009229 n02018207 n02085620 n02086240 n02086910 n02087046 n02089867 n02089973 n02090622
n02091831 n02093428 n02099849 n02100583 n02104029 n02105505 n02106550 n02107142 n02108089 n02109047
n02113799 n02113978 n02114855 n02116738 n02119022 n02123045 n02138441 n02172182 n02231487 n02259212
n02326432 n02396427 n02483362 n02488291 n02701002 n02788148 n02804414 n02859443 n02869837 n02877765
n02974003 n03017168 n03032252 n03062245 n03085013 n03259280 n03379051 n03424325 n03492542 n03494278
n03530642 n03584829 n03594734 n03637318 n03642806 n03764736 n03775546 n03777754 n03785016 n03787032
n03794056 n03837869 n03891251 n03903868 n03930630 n03947888 n04026417 n04067472 n04099969 n04111531
n04127249 n04136333 n04229816 n04238763 n04336792 n04418357 n04429376 n04435653 n04485082 n04493381
n04517823 n04589890 n04592741 n07714571 n07715103 n07753275 n07831146 n07836838 n13037406 n13040303
"""
IMAGENET_100_CLASSES = tuple(_IMAGENET_100.split())


def read_imagenet100(root: Location | str, folder: str) -> ListedVideos:
    """Images of the 100 classes below `root/folder/<wnid>/`; folders of other classes are not entered.

    Raises:
        ManifestError: one of the 100 folders is missing.
    """
    return read_chosen_classes(root, folder, IMAGENET_100_CLASSES)


def read_tiny_imagenet(root: Location | str, part: str) -> ListedVideos:
    """Images of `train/<wnid>/images/`, or of `val/images/` with the labels in `val/val_annotations.txt`.

    Classes are the sorted folders of `train`.

    Args:
        part: train or val; the test images have no labels.
    Raises:
        ManifestError: a missing folder, or a line without the image and its class.
    """
    root = location(root)
    if part == "train":
        return read_image_folders(root, "train")
    label_of = {name: label for label, name in enumerate(class_folders(root, "train"))}
    file = root / "val" / "val_annotations.txt"
    paths, labels, lines = [], [], []
    for number, line in read_lines(file):
        image, _, others = line.partition("\t")
        label = label_of.get(others.split("\t")[0])
        if label is None:
            raise ManifestError(
                f"{file}, line {number}: {line[:200]!r}; `image<tab>class` of {root}/train was expected"
            )
        paths.append(path_below(root, f"val/images/{image}", file=file, line=number))
        labels.append(label)
        lines.append(number)
    return videos_from_paths(root, paths, labels, str(file), lines=lines, class_names=dict(enumerate(label_of)))


IMAGENET_100 = Source(
    lambda listing: read_imagenet100(listing.root, listing.train),
    lambda listing: read_imagenet100(listing.root, listing.test),
    train="folder",
    needs_root=False,
    is_walked=True,
)
TINY_IMAGENET = Source(
    lambda listing: read_tiny_imagenet(listing.root, "train"),
    lambda listing: read_tiny_imagenet(listing.root, "val"),
    is_walked=True,
)
