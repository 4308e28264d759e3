"""Ctrl-C before a program has imported all that it needs."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("program", ["run_net", "doctor"])
def test_no_traceback_while_torch_is_imported(program: str) -> None:
    command = [sys.executable, "-X", "importtime", f"tools/{program}.py", "--help"]
    with subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "torch." in line:
                break
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode == -signal.SIGINT
    assert "Traceback" not in rest
