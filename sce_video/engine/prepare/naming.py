"""Names of outputs: unique, short enough for the file system, and not taken by foreign files."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import PurePosixPath

WORK_FOLDER = ".prepare"
REPORTS = ("classes.txt", "manifest.tsv", "report.json", "report.txt")
_TAKEN = frozenset({WORK_FOLDER, *REPORTS})
# File systems of Windows and macOS ignore case.
_TAKEN_IN_ANY_CASE = frozenset(name.casefold() for name in _TAKEN)


def name_outputs(
    sources: Iterable[str],
    *,
    suffix: str,
    earlier: Mapping[str, str],
    max_name_bytes: int = 255,
    is_free: Callable[[str], bool] = lambda name: True,
) -> dict[str, str]:
    """Source -> output, both relative paths: the source's suffix is replaced, and outputs are unique.

    Of `a.avi` and `a.mkv` the first becomes `a.mp4`, the second `a.mkv.mp4`. A source that already ends in `suffix`
    comes first and keeps its name. A name that is too long is truncated and gets a digest; a top-level folder that is
    named like a report gets a number.

    Args:
        suffix: ".mp4", or "" where outputs are folders.
        earlier: names given in an earlier run, kept where possible.
        max_name_bytes: of the last part; the others are not shortened.
        is_free: whether no foreign file in the output folder has a name.
    """
    in_order = sorted(sources, key=lambda source: (PurePosixPath(source).suffix != suffix, source))
    paths = _in_free_folders(in_order)
    taken = set(_TAKEN)
    for path in paths.values():  # names of folders are taken too
        taken.update(map(str, PurePosixPath(path).parents))

    def fits(name: str) -> bool:
        return name not in taken and num_bytes(PurePosixPath(name).name) <= max_name_bytes and is_free(name)

    outputs: dict[str, str] = {}
    for source in in_order:
        name = earlier.get(source, "")
        if name and PurePosixPath(name).parent == PurePosixPath(paths[source]).parent and fits(name):
            outputs[source] = name
            taken.add(name)
    for source in in_order:
        if source not in outputs:
            outputs[source] = next(filter(fits, _candidates(paths[source], suffix, max_name_bytes)))
            taken.add(outputs[source])
    return outputs


def num_bytes(name: str) -> int:
    """Length of a file name as the file system counts it."""
    return len(name.encode("utf-8", "surrogateescape"))


def _in_free_folders(sources: Iterable[str]) -> dict[str, str]:
    """Source -> the same path, with a top-level folder renamed that is named like a file of this program."""
    tops = {source.partition("/")[0] for source in sources if "/" in source}
    free = {top: _free_top(top, tops) for top in tops}
    return {
        source: free[source.partition("/")[0]] + source[source.index("/") :] if "/" in source else source
        for source in sources
    }


def _free_top(top: str, tops: set[str]) -> str:
    number, name = 2, top
    while name.casefold() in _TAKEN_IN_ANY_CASE or (name != top and name in tops):
        name, number = f"{top}.{number}", number + 1
    return name


def _candidates(source: str, suffix: str, max_name_bytes: int) -> Iterator[str]:
    path = PurePosixPath(source)
    yield str(path.with_suffix(suffix))
    yield f"{source}{suffix}"
    number = 2
    digest = hashlib.sha256(source.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    while True:
        yield f"{source}.{number}{suffix}"
        if num_bytes(f"{path.name}.{number}{suffix}") > max_name_bytes:
            end = f".{digest}{suffix}" if number == 2 else f".{digest}.{number}{suffix}"
            yield str(path.with_name(_cut(path.stem, max_name_bytes - len(end)) + end))
        number += 1


def _cut(name: str, most_bytes: int) -> str:
    """The beginning of a name, at most so long, without splitting a character."""
    return name.encode("utf-8", "surrogateescape")[: max(most_bytes, 1)].decode("utf-8", "ignore") or "_"
