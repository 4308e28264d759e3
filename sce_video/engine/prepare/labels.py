"""Labels from class folders, numbered alike in all manifests of the same classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sce_video.engine.prepare.actions import PrepareError
from sce_video.errors import reason_of
from sce_video.special_files import refuse_special_file


@dataclass(frozen=True)
class Labels:
    """Where labels come from.

    Args:
        kind: "folders" (the first folder of a video's path is its class) or "none".
        classes_file: one class name per line in the order of the labels, such as `classes.txt` of the training videos;
            None numbers the existing folders in alphabetical order.
    """

    kind: str = "none"
    classes_file: Path | None = None

    def __post_init__(self) -> None:
        if self.classes_file is not None and self.kind != "folders":
            raise PrepareError(f"--classes {self.classes_file} numbers class folders; add --labels folders")

    def classes_of(self, sources: Sequence[str]) -> list[str] | None:
        """Class names in the order of their labels; None for no labels.

        Raises:
            PrepareError: a video outside a folder or in an unknown one, or an invalid file of names.
        """
        if self.kind == "none":
            return None
        names = sorted({_folder(source) for source in sources})
        classes = names if self.classes_file is None else _read_class_names(self.classes_file)
        unknown = sorted(set(names) - set(classes))
        if unknown:
            raise PrepareError(
                f"folder {unknown[0]!r} is not among the {len(classes)} classes in {self.classes_file}; "
                "append it to that file, or move the folder away"
            )
        return classes


def folder_labels(sources: Sequence[str], classes: Sequence[str]) -> dict[str, int]:
    """Source -> index of its first folder in `classes`, which must contain it.

    Raises:
        PrepareError: a video outside a folder.
    """
    numbers = {name: number for number, name in enumerate(classes)}
    return {source: numbers[_folder(source)] for source in sources}


def class_names_text(classes: Sequence[str]) -> str:
    """Content of `classes.txt`: one name per line, line n (from 0) is label n."""
    return "".join(f"{name}\n" for name in classes)


def _read_class_names(file: Path) -> list[str]:
    try:
        refuse_special_file(file)
        names = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise PrepareError(
            f"--classes {file} cannot be read ({reason_of(error)}); give a text file with one name per line"
        ) from error
    if not names or "" in names or len(set(names)) < len(names):
        raise PrepareError(f"--classes {file} is empty, or has an empty line or a duplicate; give one name per line")
    return names


def _folder(source: str) -> str:
    folder, slash, _ = source.partition("/")
    if not slash:
        raise PrepareError(f"{source} is not in a class folder; --labels folders needs every video below SRC/CLASS/")
    return folder
