"""Programs of `tools/`, run in the test's process, which has already imported torch: that saves seconds."""

import logging
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch, restored_logger: logging.Logger) -> Callable[..., int]:
    """`tool("submit", "--cfg", ...)` runs a program and returns its exit code; `capsys` has its output."""
    monkeypatch.chdir(REPOSITORY)

    def run(name: str, *arguments: str | Path) -> int:
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
        exit_code: int = runpy.run_path(f"tools/{name}.py")["main"]()
        return exit_code

    return run
