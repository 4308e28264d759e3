"""The record of how a result was made."""

import json
import platform
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
import torch

from sce_video.runtime import environment as environment_module
from sce_video.runtime.environment import environment


def test_it_names_command_commit_machine_and_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["tools/run_net.py", "--cfg", "a b.yaml"])
    record = environment()
    assert {"command", "commit", "machine", "python", "torch", "torchvision", "numpy"} <= record.keys()
    assert record["command"].endswith(" tools/run_net.py --cfg 'a b.yaml'")
    assert record["python"] == platform.python_version()
    assert record["torch"] == torch.__version__.split("+")[0] or record["torch"] == torch.__version__
    assert record["numpy"] == numpy.__version__
    assert all(type(value) is str and value for value in record.values())
    assert json.loads(json.dumps(record)) == record


def test_commit_is_that_of_the_checkout() -> None:
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    if head.returncode:
        pytest.skip("not a git checkout")
    commit = environment()["commit"].removesuffix("-dirty").split("-g")[-1]  # v1.0-3-g0123456789ab after a tag
    tagged = subprocess.run(
        ["git", "rev-parse", f"{commit}^{{commit}}"], cwd=Path(__file__).parent, capture_output=True, text=True
    )
    assert tagged.stdout == head.stdout


def test_missing_packages_and_missing_git_are_recorded_not_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_git(*_: object, **__: object) -> None:
        raise FileNotFoundError("git")

    monkeypatch.setattr(environment_module, "_PACKAGES", ("torch", "no-such-package"))
    monkeypatch.setattr(environment_module.subprocess, "run", no_git)
    record = environment()
    assert record["no-such-package"] == "not installed"
    assert record["commit"] == "unknown"
