"""Programs of `tools/` in the test's own process, which has imported torch already: a start costs seconds less."""

import logging
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch, restored_logger: logging.Logger) -> Callable[..., int]:
    """`tool("submit", "--cfg", ...)`: its exit code; what it says is for `capsys`."""
    monkeypatch.chdir(REPOSITORY)

    def run(name: str, *arguments: str | Path) -> int:
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
        exit_code: int = runpy.run_path(f"tools/{name}.py")["main"]()
        return exit_code

    return run
