"""Static measures of the package: lines, imports, how many files contain a setting or name, repeated lines."""

import ast
import keyword
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path

PACKAGE = "sce_video"
REPEATED_LINES = 6  # this many lines in a row that differ only in local names count as repeated
_NAME = re.compile(r"(?<![.\w])[a-z_]\w*")


def parsed_files(root: Path) -> dict[Path, ast.Module]:
    return {file: ast.parse(file.read_text()) for file in sorted((root / PACKAGE).rglob("*.py"))}


def lines_per_room(root: Path) -> dict[str, int]:
    rooms: Counter[str] = Counter()
    for file in sorted((root / PACKAGE).rglob("*.py")):
        parts = file.relative_to(root / PACKAGE).parts
        room = "/".join(parts[: 2 if parts[0] == "engine" and len(parts) > 2 else 1]) if len(parts) > 1 else "(ground)"
        rooms[room] += len(file.read_text().splitlines())
    return {**rooms, "all": rooms.total()}


def import_closure(root: Path, entry: Path) -> set[Path]:
    """The package's files that importing `entry` executes, by imports at module level, with parent packages."""
    found: set[Path] = set()
    pending = {entry}
    while pending:
        file = pending.pop()
        found.add(file)
        pending |= set(_imported(root, ast.parse(file.read_text()))) - found
    return {file for file in found if file.is_relative_to(root / PACKAGE)}


def _imported(root: Path, tree: ast.Module) -> Iterator[Path]:
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            parts = name.split(".")
            for end in range(1, len(parts) + 1) if parts[0] == PACKAGE else ():
                path = root.joinpath(*parts[:end])
                yield from (file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file())


def num_files_that_write(word: str, trees: Mapping[Path, ast.Module]) -> int:
    """Number of files with the attribute `x.SECTION.NAME` or with a string literal that is exactly `word`."""
    return sum(any(_writes(node, word) for node in ast.walk(tree)) for tree in trees.values())


def _writes(node: ast.AST, word: str) -> bool:
    section, _, name = word.rpartition(".")
    if isinstance(node, ast.Attribute) and node.attr == name and section:
        return getattr(node.value, "attr", getattr(node.value, "id", "")) == section
    return isinstance(node, ast.Constant) and node.value == word


def longest_function(trees: Mapping[Path, ast.Module]) -> tuple[int, str]:
    return max(
        ((node.end_lineno or node.lineno) - node.lineno + 1, f"{file.stem}.{node.name}")
        for file, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    )


def longest_file(trees: Mapping[Path, ast.Module]) -> tuple[int, str]:
    return max((len(file.read_text().splitlines()), file.name) for file in trees)


def num_repeated_lines(trees: Mapping[Path, ast.Module]) -> int:
    """Number of lines, after `ast.unparse`, in blocks of `REPEATED_LINES` that occur more than once."""
    blocks: dict[tuple[str, ...], list[tuple[Path, int]]] = defaultdict(list)
    for file, tree in trees.items():
        lines = _plain_lines(tree)
        for start in range(len(lines) - REPEATED_LINES + 1):
            blocks[tuple(lines[start : start + REPEATED_LINES])].append((file, start))
    starts = [start for occurrences in blocks.values() if len(occurrences) > 1 for start in occurrences]
    return len({(file, start + offset) for file, start in starts for offset in range(REPEATED_LINES)})


def _plain_lines(tree: ast.Module) -> list[str]:
    """Indented lines without comments, docstrings and imports, and with all names but attributes replaced by `_`."""
    bare = ast.unparse(_WithoutDocstrings().visit(deepcopy(tree)))
    lines = [line for line in bare.splitlines() if line.strip() not in ("", "pass")]
    return [_NAME.sub(_anonymous, line) for line in lines if not line.startswith(("import ", "from "))]


class _WithoutDocstrings(ast.NodeTransformer):
    """Replaces docstrings by `pass`, so that no body becomes empty."""

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        return ast.Pass() if isinstance(node.value, ast.Constant) else node


def _anonymous(name: re.Match[str]) -> str:
    return name.group() if keyword.iskeyword(name.group()) else "_"
