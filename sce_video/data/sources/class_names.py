"""Class names of labels: `classes.txt` beside a list, one name a line in the order of the labels."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sce_video.data.manifest import LabelKind
from sce_video.data.sources.text import read_text
from sce_video.errors import ManifestError

CLASSES_FILE = "classes.txt"

ClassNames = Callable[[], Mapping[int, str] | None]


class NumberedLabels(NamedTuple):
    """Labels as numbers, and their class names if known."""

    numbers: Sequence[int]
    names: Mapping[int, str] | None
    kind: LabelKind = "stated"


def read_class_names(folder: Path | str) -> Mapping[int, str] | None:
    """The names in `folder/classes.txt` by their labels, which count from 0; None if there is no such file.

    Raises:
        ManifestError: it cannot be read.
    """
    folder = Path(folder)
    file = folder / CLASSES_FILE
    if not file.exists():
        return None
    names = enumerate(line.strip(" \t\r") for line in read_text(file).split("\n"))
    return {label: name for label, name in names if name}


def numbered_labels(
    labels: Sequence[int | str],
    own_names: Mapping[int, str] | None,
    class_names: ClassNames,
    *,
    origin: str,
    where: Callable[[int], str] | None = None,
) -> NumberedLabels:
    """Number the labels that are class names: by `own_names`, else by `class_names`, else in sorted order.

    Args:
        where: list and line of the label at an index, for messages.
    Raises:
        ManifestError: numbers and names, an unknown name, two classes with the same name.
    """
    numbers = [label for label in labels if isinstance(label, int)]
    if len(numbers) == len(labels):
        return NumberedLabels(numbers, own_names)
    at = where or (lambda _: origin)
    if numbers:
        index = next(index for index, label in enumerate(labels) if type(label) is not type(labels[0]))
        raise ManifestError(
            f"{at(index)} has the label {_shown(labels[index])}, but {at(0)} has {_shown(labels[0])}; labels must be "
            "all numbers or all names"
        )
    given = own_names or class_names()
    names = given or dict(enumerate(sorted({str(label) for label in labels})))
    label_of = {name: label for label, name in names.items()}
    if len(label_of) < len(names):
        raise ManifestError(f"{origin} has names as labels, but two of its classes have the same name")
    for index, label in enumerate(labels):
        if label not in label_of:
            known = f"the {len(names)} classes of {CLASSES_FILE} beside it or of the training videos"
            raise ManifestError(f"{at(index)} has the label {_shown(label)}, which is not one of {known}")
    return NumberedLabels([label_of[str(label)] for label in labels], names, "stated" if given else "named")


def _shown(label: int | str) -> str:
    return repr(label)[:100]
