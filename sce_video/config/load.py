"""A YAML file, its `_BASE_` and overrides -> one frozen config, or one clear line about what is wrong."""

import difflib
import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from fvcore.common.config import CfgNode

from sce_video.config.check import check_config
from sce_video.config.defaults import default_config
from sce_video.errors import ConfigError

_BASE_KEY = "_BASE_"


class _UniqueKeyLoader(yaml.SafeLoader):
    """Safe YAML that refuses a key written twice (YAML would silently take the last)."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: dict[str, int] = {}
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            line = key_node.start_mark.line + 1
            if not isinstance(key, str):
                raise ConfigError(f"line {line}: {key!r} is not the name of a key")
            if key in seen:
                raise ConfigError(f"key {key} is written twice, in lines {seen[key]} and {line}; keep one")
            seen[key] = line
        return super().construct_mapping(node, deep)


def load_config(path: Path | str, overrides: Sequence[str] = ()) -> CfgNode:
    """Read a config file over the defaults, then the overrides, check it and freeze it.

    Args:
        path: YAML file; its `_BASE_` (a path relative to it) is read first.
        overrides: KEY VALUE KEY VALUE ..., as on the command line.
    Raises:
        ConfigError: unknown key, wrong type, key written twice, contradiction, unreadable file.
    """
    cfg = default_config()
    for key, value, origin in _file_settings(Path(path), seen=()):
        _set(cfg, key, value, origin=origin)
    if len(overrides) % 2:
        raise ConfigError(f"overrides come as KEY VALUE pairs; {overrides[-1]} has no value")
    for key, text in zip(overrides[::2], overrides[1::2], strict=True):
        _set(cfg, key, text, origin="command line")
    check_config(cfg)
    cfg.freeze()
    return cfg


def config_text(cfg: CfgNode) -> str:
    """The whole resolved config as YAML; `load_config` of a file that holds it gives the same config back."""
    text: str = cfg.dump()
    return text


def flat_config(cfg: CfgNode) -> dict[str, Any]:
    """Every key as SECTION.NAME, and its value."""
    return dict(_flatten(cfg))


def changed_config(cfg: CfgNode, changes: Mapping[str, Any]) -> CfgNode:
    """A checked and frozen copy of a config with other values of some keys."""
    copy = cfg.clone()
    copy.defrost()
    for key, value in changes.items():
        _set(copy, key, value, origin="program")
    check_config(copy)
    copy.freeze()
    return copy


def changed_keys(before: CfgNode, after: CfgNode) -> list[str]:
    """Keys whose values differ between two configs."""
    old, new = dict(_flatten(before)), dict(_flatten(after))
    return [key for key in new if old.get(key) != new[key]]


def _file_settings(path: Path, *, seen: tuple[Path, ...]) -> Iterator[tuple[str, Any, str]]:
    """(dotted key, value, file) of `path`, those of its base first."""
    if path.resolve() in seen:
        raise ConfigError(f"{path}: its {_BASE_KEY} leads back to itself")
    content = _read_yaml(path)
    base = content.pop(_BASE_KEY, None)
    if base is not None:
        yield from _file_settings(path.parent / str(base), seen=(*seen, path.resolve()))
    written: set[str] = set()
    for key, value in _flatten(content):
        if key in written:
            raise ConfigError(f"{path}: key {key} is written twice, nested and dotted; keep one")
        written.add(key)
        yield key, value, str(path)


def _read_yaml(path: Path) -> dict[Any, Any]:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)
    except FileNotFoundError as error:
        raise ConfigError(f"config {path} does not exist") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"config {path} cannot be read ({error})") from error
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: the 31st of February
        raise ConfigError(f"config {path} is not YAML: {' '.join(str(error).split())}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"config {path} holds a {type(content).__name__}; SECTION: and keys were expected")
    return content


def _flatten(content: dict[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _keys(node: CfgNode, prefix: str = "") -> Iterator[str]:
    for key, _ in _flatten(node, prefix):
        yield key


def _set(cfg: CfgNode, key: str, value: Any, *, origin: str) -> None:
    known = list(_keys(cfg))
    if key not in known:
        raise ConfigError(f"{origin}: unknown key {key}{_suggestion(key, known)}")
    *sections, name = key.split(".")
    node = cfg
    for section in sections:
        node = node[section]
    node[name] = _coerce(value, node[name], key=key, origin=origin)


def _suggestion(key: str, known: list[str]) -> str:
    if any(name.startswith(f"{key}.") for name in known):
        return ": it is a section; write keys below it, or leave it out"
    wanted = key.upper()
    namesakes = [name for name in known if name.split(".")[-1] == wanted.split(".")[-1]]  # section wrong or missing
    near = difflib.get_close_matches(wanted, namesakes or known, n=1, cutoff=0.0 if namesakes else 0.5)
    return f"; did you mean {near[0]}?" if near else "; sce_video/config/defaults.py lists all keys"


def _coerce(value: Any, default: Any, *, key: str, origin: str) -> Any:
    """`value` as the type of `default`; ints pass as floats, text is parsed, nothing else is bent."""
    if isinstance(default, str):
        if isinstance(value, str):
            return value
    elif isinstance(default, list):
        items = value.strip("[]() ").split(",") if isinstance(value, str) else value
        if isinstance(items, list | tuple) and items:
            return [_coerce(item, default[0], key=key, origin=origin) for item in items]
    else:
        parsed = _parse(value, default) if isinstance(value, str) else value
        if isinstance(default, float) and type(parsed) is int:
            parsed = float(parsed)
        if type(parsed) is type(default) and abs(parsed) < math.inf:
            return parsed
    raise ConfigError(f"{origin}: {key} is {value!r}; {_expected(default)} was expected (for example {default!r})")


def _parse(text: str, default: Any) -> Any:
    if isinstance(default, float):  # YAML 1.1 reads 1e-6 as text
        try:
            return float(text)
        except ValueError:
            return text
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return text


def _expected(default: Any) -> str:
    names = {bool: "true or false", int: "a whole number", float: "a finite number", str: "a text", list: "a list"}
    return names[type(default)]
