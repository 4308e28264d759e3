"""Expansion of `~` and variables in paths."""

import pytest

from sce_video.paths import expanded


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"HOME": "/home/ada", "DATA_DIR": "/mnt/data", "TILDE": "~/x"}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("~", "/home/ada"),
        ("~/runs/x", "/home/ada/runs/x"),
        ("$DATA_DIR", "/mnt/data"),
        ("${DATA_DIR}/k400", "/mnt/data/k400"),
        ("/a/$DATA_DIR/b", "/a//mnt/data/b"),
        ("$TILDE", "/home/ada/x"),
        ("./~/x", "./~/x"),
        ("a~", "a~"),
        ("100$", "100$"),
        ("$5", "$5"),
        ("train{split}.txt", "train{split}.txt"),
        ("", ""),
        ("https://me:${DATA_DIR}@host/~x", "https://me:${DATA_DIR}@host/~x"),
    ],
)
def test_expanded(text: str, path: str) -> None:
    assert expanded(text) == path
