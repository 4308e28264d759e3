"""Config files and command lines of any content give a config that round-trips, or a one-line error."""

import random
import shutil
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from sce_video.config import changed_keys, config_text, load_config
from sce_video.config.defaults import SETTINGS
from sce_video.errors import ConfigError

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
SPICE = (
    *" \n\t:,-#&*!|>%@`'\"[]{}<?~$.=\\/\0\x1b\x85\u2028\ufeff\u202eé0123456789",
    *("<<: *a", "&a ", "*a", "!!int ", "- - ", "? ", "---\n", "...\n", "{a: ", "[[", "\n  ", "1e9", "9" * 400, "null"),
)
SCALARS = (
    *("", "~", "null", "true", "no", "010", "0x10", "1:30", "1e-6", "-1", "0", "1", "2", "64", "0.5", "1_000", "nan"),
    *(".inf", "-.inf", "1e999", "9" * 50, "'", '"x"', "|\n  x", "*a", "&a 1", "!!python/object:os.system {}"),
    *("[1, 2]", "[]", "[[1]]", "{}", "{a: 1}", "[0.1, 0.2, 0.3]", "1,5", "é", "a\x85b", "\\u0000", "$NOWHERE/x"),
    *("s3://k:secret@b/x", "https://u:${P}@h/x?t=1", "train{split}.txt", "x" * 5000, "~no/x", "list", "adamw", "knn"),
)
BASES = ("k400_sce.yaml", "any.yaml", "nowhere.yaml", "", ".", "/dev/zero", "~", "$NOWHERE", "[a]", "{a: b}", "a\0b")


def random_structure(dice: random.Random) -> str:
    """Sections and keys, most of them real, with values that are mostly wrong; some nested, dotted, repeated."""
    lines = [f"_BASE_: {dice.choice(BASES)}"] if dice.random() < 0.3 else []
    for _ in range(dice.randrange(6)):
        key, value = dice.choice([*SETTINGS]), random_value(dice, depth=dice.choice([0, 0, 0, 1, 3, 30]))
        section, _, name = key.rpartition(".")
        nested = f"{section}:\n  {name}: {value}" if section else f"{name}: {value}"
        lines.append(dice.choice([nested, nested, f"{key}: {value}", f"{key.lower()}: {value}", f"{section}: {value}"]))
    return "\n".join(lines)


def random_value(dice: random.Random, *, depth: int) -> str:
    if depth == 0:
        return dice.choice(SCALARS) if dice.random() < 0.8 else str(dice.choice([*SETTINGS.values()]).default)
    inner = ", ".join(random_value(dice, depth=depth - 1) for _ in range(1 if depth > 3 else dice.randrange(1, 3)))
    return dice.choice([f"[{inner}]", f"{{a: {inner}}}", f"&a [{inner}, *a]"])


def laughs(dice: random.Random) -> str:
    width, lines = dice.randrange(2, 10), [f"a0: &a0 {dice.choice(['x', '[x, x]', '{x: x}'])}"]
    for level in range(1, dice.randrange(2, 40)):
        before = f"*a{level - 1}"
        inner = ", ".join(dice.choice([before, f"{{k: {before}}}"]) for _ in range(width))
        lines.append(f"a{level}: &a{level} [{inner}]")
    return "\n".join(lines)


def mutated(text: str, dice: random.Random) -> str:
    lines = text.splitlines()
    for _ in range(dice.randrange(4)):
        index, other = dice.randrange(len(lines)), dice.randrange(len(lines))
        if dice.random() < 0.5:
            lines[index], lines[other] = lines[other], lines[index]
        elif ":" in lines[index]:
            lines[index] = f"{lines[index].partition(':')[0]}: {dice.choice(SCALARS)}"
    text = "\n".join(lines)
    for _ in range(dice.randrange(4)):
        offset = dice.randrange(len(text) + 1)
        text = text[:offset] + dice.choice(SPICE) + text[offset + dice.choice([0, 1, 1, 20]) :]
    return text


def random_content(shipped: list[str], dice: random.Random) -> bytes:
    kind = dice.random()
    if kind < 0.05:
        return dice.randbytes(dice.randrange(300))
    if kind < 0.1:
        return (dice.choice(["[", "{a: ", "- ", "? ", "&a ", "a: &a [*a, "]) * dice.choice([10, 1000, 9000])).encode()
    if kind < 0.15:
        return laughs(dice).encode()
    text = random_structure(dice) if kind < 0.5 else mutated(dice.choice(shipped), dice)
    return text.encode(dice.choice(["utf-8", "utf-8", "utf-8", "utf-8", "utf-16", "latin-1"]), "replace")


def random_words(dice: random.Random) -> list[str]:
    if dice.random() < 0.6:
        return []
    words = [word for _ in range(dice.randrange(4)) for word in (dice.choice([*SETTINGS]), dice.choice(SCALARS))]
    return words if dice.random() < 0.95 else [*words, dice.choice(SPICE)]


def is_read(file: Path, words: list[str]) -> bool:
    """Whether it is a config; if so, its text must load as the same config."""
    try:
        cfg = load_config(file, words)
    except ConfigError as error:
        message = str(error)
        assert 0 < len(message) < 1000, message
        assert not any(unicodedata.category(each) in ("Cc", "Zl", "Zp") for each in message), repr(message)
        return False
    again = file.with_name("again.yaml")
    again.write_text(config_text(cfg), encoding="utf-8")
    assert changed_keys(cfg, load_config(again)) == []
    return True


def test_configs(tmp_path: Path, seeds: Iterator[int]) -> None:
    shutil.copytree(CONFIGS, tmp_path / "configs")
    file, shipped = tmp_path / "configs" / "any.yaml", [path.read_text() for path in sorted(CONFIGS.glob("*.yaml"))]
    num_read = 0
    for seed in seeds:
        dice = random.Random(seed)
        content, words = random_content(shipped, dice), random_words(dice)
        file.write_bytes(content)
        try:
            num_read += is_read(file, words)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {content[:200]!r} {words}") from error
    assert num_read > 0
