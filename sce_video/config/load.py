"""Loading a config: a YAML file, its `_BASE_` and overrides give one frozen config, or a one-line error."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from fvcore.common.config import CfgNode

from sce_video.config.check import check_config
from sce_video.config.defaults import SETTINGS, default_config
from sce_video.config.settings import refused_text
from sce_video.config.uses import get, put, reset_unused, used_keys, why_unused
from sce_video.config.values import masked_repr, read_value
from sce_video.config.yaml_file import flattened, read_yaml
from sce_video.errors import ConfigError
from sce_video.paths import expanded

_BASE_KEY = "_BASE_"
_MOST_BASES = 10
_COMMAND_LINE = "command line"
# First line of the config.yaml of versions that saved every key, even those that the task does not use.
_SAVED_EVERY_KEY = b"# Resolved config of a run. "


def load_config(path: Path | str | None, overrides: Sequence[str] = (), *, shared: Sequence[str] = ()) -> CfgNode:
    """Apply a config file and then the overrides to the defaults, check the result and freeze it.

    A key that the task does not use is refused on the command line, and in the file itself unless the file without the
    command line would use it (with another TASK, say). Unused keys of a base are reset to their defaults.

    Args:
        path: YAML file, applied after its `_BASE_` (a path relative to it). None: only the defaults.
        overrides: KEY VALUE KEY VALUE ..., as on the command line.
        shared: overrides for several configs, applied last; keys that this config does not use are ignored.
    Raises:
        ConfigError: unknown, repeated or unused key, wrong type, contradiction, unreadable file.
    """
    cfg, unused = default_config(), list[str]()
    if path is not None:
        path = Path(_expanded(str(path), named="--cfg"))
        own = _set_all(cfg, _file_settings(path, seen=()), origin_of_own=str(path))
        unused = [] if _names_every_key(path) else [key for key in own if why_unused(cfg, key)]
    given = _set_all(cfg, _pairs(overrides), origin_of_own=_COMMAND_LINE)
    _set_all(cfg, _pairs(shared))
    _refuse_unused(cfg, given, origin="")
    _refuse_unused(cfg, [key for key in unused if key not in given], origin=f"{path}: ")
    return _finished(cfg)


def saved_config(path: Path | str) -> CfgNode:
    """The config that a run has saved; unused keys, which earlier versions saved too, are ignored.

    Raises:
        ConfigError: see `load_config`.
    """
    cfg = default_config()
    _set_all(cfg, ((key, value, str(path)) for key, value in flattened(read_yaml(Path(path)))))
    return _finished(cfg)


def config_text(cfg: CfgNode) -> str:
    """The keys that a config uses, as YAML that `load_config` reads back."""
    content: dict[str, Any] = {}
    for key in used_keys(cfg):
        section, _, name = key.rpartition(".")
        (content.setdefault(section, {}) if section else content)[name] = get(cfg, key)
    text: str = yaml.safe_dump(content, sort_keys=True)
    return text


def flat_config(cfg: CfgNode) -> dict[str, Any]:
    """All values by SECTION.NAME."""
    return {key: get(cfg, key) for key in SETTINGS}


def changed_config(cfg: CfgNode, changes: Mapping[str, Any]) -> CfgNode:
    """A checked and frozen copy of a config with some values changed."""
    copy = cfg.clone()
    copy.defrost()
    _set_all(copy, ((key, value, "program") for key, value in changes.items()))
    return _finished(copy)


def changed_keys(before: CfgNode, after: CfgNode) -> list[str]:
    """Keys whose values differ between two configs."""
    return [key for key in SETTINGS if get(before, key) != get(after, key)]


def _names_every_key(path: Path) -> bool:
    with path.open("rb") as file:
        return file.readline(len(_SAVED_EVERY_KEY)) == _SAVED_EVERY_KEY


def _finished(cfg: CfgNode) -> CfgNode:
    reset_unused(cfg)
    check_config(cfg)
    cfg.freeze()
    return cfg


def _pairs(words: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    for word in words[::2]:
        key, equals, value = word.partition("=")
        if equals:
            pair = masked_repr(f"{key} {value}")[1:-1]
            raise ConfigError(f"overrides are KEY VALUE pairs; write {pair}, without '='")
    if len(words) % 2:
        raise ConfigError(f"overrides are KEY VALUE pairs; {masked_repr(words[-1])[1:-1]} has no value")
    return ((key, text, _COMMAND_LINE) for key, text in zip(words[::2], words[1::2], strict=True))


def _refuse_unused(cfg: CfgNode, keys: Sequence[str], *, origin: str) -> None:
    for key in keys:
        if reason := why_unused(cfg, key):
            raise ConfigError(f"{origin}{key} is {masked_repr(get(cfg, key))}; {reason}")


def _file_settings(path: Path, *, seen: tuple[Path, ...]) -> Iterator[tuple[str, Any, str]]:
    """(dotted key, value, file) of `path`, after those of its base."""
    content = read_yaml(path)
    resolved = path.resolve()
    if resolved in seen:
        raise ConfigError(f"{path}: its {_BASE_KEY} leads back to itself")
    if len(seen) > _MOST_BASES:
        raise ConfigError(f"{path}: the chain of {_BASE_KEY} has more than {_MOST_BASES} files")
    base = content.pop(_BASE_KEY, None)
    if seen and not any(str(key).split(".")[0] in default_config() for key in content) and base is None and content:
        raise ConfigError(f"{path} is not a config file: it has none of the sections")
    if base is not None:
        if not isinstance(base, str):
            raise ConfigError(f"{path}: {_BASE_KEY} is {masked_repr(base)}; the path of a config was expected")
        base_path = path.parent / _expanded(base, named=f"{path}: {_BASE_KEY}")
        yield from _file_settings(base_path, seen=(*seen, resolved))
    written: set[str] = set()
    for key, value in flattened(content):
        if key in written:
            raise ConfigError(f"{path}: key {key} is given twice, nested and dotted; keep one")
        written.add(key)
        yield key, value, str(path)


def _expanded(text: str, *, named: str) -> str:
    if refusal := refused_text(text):
        raise ConfigError(f"{named} is {masked_repr(text)}; {refusal}")
    try:
        return expanded(text)
    except ConfigError as error:
        raise ConfigError(f"{named} is {masked_repr(text)}; {error}") from error


def _set_all(cfg: CfgNode, settings: Iterator[tuple[str, Any, str]], *, origin_of_own: str = "") -> list[str]:
    """Set every (key, value, origin) and return the keys whose origin is `origin_of_own`."""
    own = []
    for key, value, origin in settings:
        if key not in SETTINGS:
            raise ConfigError(f"{origin}: unknown key {masked_repr(key)[1:-1]}{_suggestion(key)}")
        put(cfg, key, read_value(value, SETTINGS[key], key=key, origin=origin))
        if origin == origin_of_own:
            own.append(key)
    return own


def _suggestion(key: str) -> str:
    if any(name.startswith(f"{key}.") for name in SETTINGS):
        return ": it is a section; give keys in it, or leave it out"
    wanted = key.upper()[:100]
    namesakes = [name for name in SETTINGS if name.split(".")[-1] == wanted.split(".")[-1]]  # section wrong or missing
    closest = difflib.get_close_matches(wanted, namesakes or SETTINGS, n=1, cutoff=0.0 if namesakes else 0.5)
    return f"; did you mean {closest[0]}?" if closest else "; sce_video/config/sections/ lists all keys"
