"""Files that are not configs give a one-line error quickly, without any of their content."""

import os
import socket
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from sce_video.config import load_config
from sce_video.errors import ConfigError

Write = Callable[..., Path]
LISTS = "DATA: {TRAIN: train.txt}\n"


def refusal(path: Path | str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 600
    return message


def laughs(num_levels: int, start: str, wrapped: str) -> str:
    lines = [f"a0: &a0 {start}"]
    lines += [f"a{i}: &a{i} {wrapped.replace('_', f'*a{i - 1}')}" for i in range(1, num_levels)]
    return "\n".join(lines)


def listed_laughs(num_levels: int) -> str:
    """The same as list items; ten levels make 9 ** 10 strings."""
    texts = [",".join([name] * 9) for name in ("l", *(f"*a{i}" for i in range(num_levels - 1)))]
    return "RUN:\n  SEED:\n" + "".join(f"  - &a{i} [{text}]\n" for i, text in enumerate(texts))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (laughs(30, "[lol, lol]", "[_, _, _, _, _, _, _, _, _]"), "with aliases expanded"),
        (listed_laughs(10), "line 7: more than 10,000 values, with aliases expanded"),
        (laughs(30, "{x: lol}", "{a: _, b: _, c: _, d: _}"), "with aliases expanded"),
        (laughs(30, "{x: lol}", "{<<: [_, _, _, _]}"), "with aliases expanded"),
        (f"RUN: {{SEED: {'[' * 5000}{']' * 5000}}}", "deeper than 20 levels"),
        ("RUN: " + "{a: " * 5000, "deeper than 20 levels"),
        ("- " * 5000, "deeper than 20 levels"),
        ("RUN: &a {SEED: *a}", "refers to itself"),
        ("RUN: &a [[*a]]", "refers to itself"),
        (f"RUN: {{SEED: '{'9' * 60_000}'}}", "a whole number was expected"),
        (f"CLIP: {{SECONDS: {'9' * 60_000}}}", "a finite number was expected"),
        (f"AUG: {{MEAN: [{'1,' * 9000}]}}", "must have 3 values"),
        (f"{'k' * 60_000}: 1", ""),
        ("x" * 70_000, "larger than 65536 bytes"),
        ("# " + "x" * 70_000, "larger than 65536 bytes"),
        ("RUN: {SEED: !!int 010}", "tags (!) are not allowed"),
        ("RUN: {SEED: ! 3}", "tags (!) are not allowed"),
        ("RUN: {SEED: !!timestamp 2024-01-01}", "tags (!) are not allowed"),
        ("RUN: !!set {a, b}", "tags (!) are not allowed"),
        ("RUN: !!binary aGVsbG8=", "tags (!) are not allowed"),
        ("%YAML 9.9\n---\nTASK: knn", "is not YAML"),
        ("&a *a", "is not YAML"),
        ("RUN: *nowhere", "is not YAML"),
    ],
)
def test_hostile_contents(config_file: Write, text: str, words: str) -> None:
    tracemalloc.start()
    try:
        message = refusal(config_file(text))
        assert tracemalloc.get_traced_memory()[1] < 100 * 2**20
    finally:
        tracemalloc.stop()
    assert words in message


def test_a_few_aliases_are_fine(config_file: Write) -> None:
    cfg = load_config(config_file(f"{LISTS}AUG: {{MEAN: &half [0.5, 0.5, 0.5], STD: *half}}"))
    assert cfg.AUG.MEAN == cfg.AUG.STD == [0.5, 0.5, 0.5]


def test_special_and_endless_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.yaml")
    assert "it is a FIFO" in refusal(tmp_path / "fifo.yaml")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        assert "it is a socket" in refusal(tmp_path / "socket")
    for device in ("/dev/zero", "/dev/null"):
        assert "it is a device" in refusal(device)
    (tmp_path / "sparse.yaml").touch()
    os.truncate(tmp_path / "sparse.yaml", 2**40)
    assert "larger than 65536 bytes" in refusal(tmp_path / "sparse.yaml")
    for path in (tmp_path / ("x" * 300), tmp_path):
        assert "cannot be read" in refusal(path)


SECRETS = ["hunter2", "s3cret"]


@pytest.mark.parametrize(
    "content",
    [
        "root:hunter2:0:0:s3cret:/root:/bin/bash\ndaemon:x:1:1:hunter2:/:/bin/sh\n",
        "password: hunter2\ntoken: s3cret\n",
        "[default]\naws_secret_access_key = hunter2\n",
        "machine host login me password hunter2",
        "-----BEGIN KEY-----\nhunter2\n@s3cret\n",
        "user: hunter2: s3cret\n",
        "a: 'hunter2\n",
        "a: !s3cret hunter2\n",
        "a: &hunter2 1\nb: *hunter3\n",
        "hunter2\ts3cret\n\t%hunter2: [",
        '{"auth": {"token": "hunter2"}}',
    ],
)
@pytest.mark.parametrize("named", ["base", "config"])
def test_errors_do_not_quote_a_file_that_is_not_a_config(config_file: Write, content: str, named: str) -> None:
    other = config_file(content, "other")
    message = refusal(config_file(f"_BASE_: {other}\n{LISTS}") if named == "base" else other)
    assert str(other) in message
    assert not any(secret in message for secret in SECRETS)


def test_a_base_is_a_path(config_file: Write) -> None:
    for base in ("[a, b]", "{a: b}", "null"):
        message = refusal(config_file(f"_BASE_: {base}\nRUN: 3\n"))
        assert "_BASE_" in message or "RUN" in message


def test_the_name_of_a_config_is_one_line(config_file: Write) -> None:
    assert r"_BASE_ is 'a\nb.yaml'; remove the control character" in refusal(config_file('_BASE_: "a\\nb.yaml"\n'))
    assert r"--cfg is 'a\nb.yaml'; remove the control character" in refusal("a\nb.yaml")
    assert r"--cfg is 'a\x00b.yaml'; remove the control character" in refusal("a\0b.yaml")
    assert "at most 4096 characters" in refusal(config_file(f"_BASE_: {'x' * 5000}\n"))


def test_a_long_chain_of_bases_ends(config_file: Write) -> None:
    for number in range(50):
        config_file(f"_BASE_: {number + 1}.yaml", f"{number}.yaml")
    assert "more than 10 files" in refusal(config_file("_BASE_: 0.yaml", "top.yaml"))
