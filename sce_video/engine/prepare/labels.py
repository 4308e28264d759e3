"""Which number stands for which class folder, in this manifest and in the others of the same classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sce_video.engine.prepare.settings import PrepareError
from sce_video.errors import reason_of
from sce_video.special_files import refuse_special_file


@dataclass(frozen=True)
class Labels:
    """Where labels come from.

    Args:
        kind: "folders" (the first folder of a video is its class) or "none".
        classes_file: a class name per line, in the order of the labels, such as `classes.txt` of the training videos;
            None numbers the folders that there are.
    """

    kind: str = "none"
    classes_file: Path | None = None

    def __post_init__(self) -> None:
        if self.classes_file is not None and self.kind != "folders":
            raise PrepareError(f"--classes {self.classes_file} numbers class folders; add --labels folders")

    def classes_of(self, sources: Sequence[str]) -> list[str] | None:
        """Class names in the order of their labels; None where no labels are wanted.

        Raises:
            PrepareError: a video that lies in no folder or in an unknown one, or a file of names that is none.
        """
        if self.kind == "none":
            return None
        names = sorted({_folder(source) for source in sources})
        classes = names if self.classes_file is None else _read_class_names(self.classes_file)
        unknown = sorted(set(names) - set(classes))
        if unknown:
            raise PrepareError(
                f"folder {unknown[0]!r} is none of the {len(classes)} classes in {self.classes_file}; "
                "add it as the last line there, or move the folder away"
            )
        return classes


def folder_labels(sources: Sequence[str], classes: Sequence[str]) -> dict[str, int]:
    """Source -> index of its first folder in `classes`, which must name it.

    Raises:
        PrepareError: a video that lies in no folder.
    """
    numbers = {name: number for number, name in enumerate(classes)}
    return {source: numbers[_folder(source)] for source in sources}


def class_names_text(classes: Sequence[str]) -> str:
    """One name a line; the n-th, from 0, is label n."""
    return "".join(f"{name}\n" for name in classes)


def _read_class_names(file: Path) -> list[str]:
    try:
        refuse_special_file(file)
        names = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise PrepareError(
            f"--classes {file} cannot be read ({reason_of(error)}); give a text file, one name a line"
        ) from error
    if not names or "" in names or len(set(names)) < len(names):
        raise PrepareError(f"--classes {file} is empty or has an empty line or a name twice; give one name a line")
    return names


def _folder(source: str) -> str:
    folder, slash, _ = source.partition("/")
    if not slash:
        raise PrepareError(f"{source} lies in no class folder; --labels folders needs CLASS/... for every video")
    return folder
