import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sce_video.engine.doctor.finding import Finding
from sce_video.engine.doctor.slurm_findings import (
    SignalState,
    cluster,
    cluster_config,
    job,
    parse_config,
    signal_states,
    signals,
    slurm_programs,
)
from sce_video.engine.machine import Cores

# As Slurm 23.11 prints it, shortened.
SHOWN = """Configuration data as of 2025-03-04T10:11:12
JobRequeue              = 1
KillWait                = 30 sec
PreemptMode             = REQUEUE
PreemptType             = preempt/partition_prio
PreemptExemptTime       = 00:00:00
SlurmctldParameters     = enable_configless,preempt_send_user_signal
SlurmctldPort           = 6817
Prolog                  =

Cgroup Support Configuration:
AllowedRAMSpace         = 100.0%
"""


def levels(findings: list[Finding]) -> dict[str, str]:
    assert all((finding.fix == "") == (finding.level == "ok") for finding in findings)
    return {finding.topic: finding.level for finding in findings}


def changed(**changes: str) -> dict[str, str]:
    return parse_config(SHOWN) | changes


def test_parse_config() -> None:
    config = parse_config(SHOWN)
    assert config["KillWait"] == "30 sec"
    assert config["SlurmctldParameters"] == "enable_configless,preempt_send_user_signal"
    assert config["Prolog"] == ""
    assert config["AllowedRAMSpace"] == "100.0%"
    assert "Configuration" not in config


def test_a_cluster_that_signals_and_requeues() -> None:
    assert levels(cluster(changed())) == {"preemption": "ok", "requeue": "ok", "time to save": "ok"}


@pytest.mark.parametrize(
    ("changes", "topic", "words"),
    [
        ({"SlurmctldParameters": "(null)"}, "preemption", "only SIGTERM"),
        ({"PreemptMode": "CANCEL"}, "preemption", "not requeued"),
        ({"PreemptMode": "GANG,SUSPEND"}, "preemption", "GANG,SUSPEND"),
        ({"JobRequeue": "0"}, "requeue", "not requeued by default"),
        ({"KillWait": "5 sec"}, "time to save", "5 s"),
    ],
)
def test_missing_features_of_a_cluster(changes: dict[str, str], topic: str, words: str) -> None:
    findings = cluster(changed(**changes))
    assert [name for name, level in levels(findings).items() if level != "ok"] == [topic]
    (found,) = [finding for finding in findings if finding.topic == topic]
    assert words in found.fact


@pytest.mark.parametrize("changes", [{"PreemptMode": "OFF"}, {"PreemptType": "preempt/none"}])
def test_without_preemption_no_signal_is_needed(changes: dict[str, str]) -> None:
    assert levels(cluster(changed(SlurmctldParameters="(null)", **changes)))["preemption"] == "ok"


def test_a_cluster_that_does_not_answer_is_a_note() -> None:
    assert levels(cluster({})) == {"cluster": "note"}


def test_outside_a_job() -> None:
    here = Cores(8, 8, None, None)
    assert job({}, here, [])[0].fact == "none here"
    assert job({}, here, ["srun", "sbatch"])[0].fact == "not inside a job; srun, sbatch found"


@pytest.mark.parametrize(("affinity", "problems"), [(64, 0), (8, 0), (1, 1)])
def test_cores_that_srun_did_not_pass_on(affinity: int, problems: int) -> None:
    environ = {"SLURM_JOB_ID": "17", "SLURM_CPUS_PER_TASK": "8", "SLURM_RESTART_COUNT": "2", "SLURM_CONF": "/x"}
    findings = job(environ, Cores(64, affinity, None, 8), ["srun"])
    assert findings[0].fact == "SLURM_JOB_ID 17, SLURM_CPUS_PER_TASK 8, SLURM_RESTART_COUNT 2"
    assert len(findings) == 1 + problems
    for found in findings[1:]:
        assert found.level == "problem"
        assert found.fact == "SLURM_CPUS_PER_TASK is 8, but this process may use 1 core"
        assert "--cpus-per-task" in found.fix


def test_signals() -> None:
    free = SignalState("SIGTERM", is_ignored=False, is_blocked=False)
    assert [finding.level for finding in signals([free])] == ["ok"]
    for state, word in [
        (SignalState("SIGUSR2", is_ignored=True, is_blocked=False), "ignored"),
        (SignalState("SIGUSR2", is_ignored=False, is_blocked=True), "blocked"),
    ]:
        (found,) = signals([free, state])
        assert found.level == "problem"
        assert f"SIGUSR2 is {word}" in found.fact


def test_the_state_of_signals_is_that_of_this_process() -> None:
    names = ["SIGUSR2", "SIGTERM"]
    assert [tuple(state) for state in signal_states()] == [(name, False, False) for name in names]
    old = signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        assert [tuple(state) for state in signal_states()] == [("SIGUSR2", True, False), ("SIGTERM", False, True)]
    finally:
        signal.signal(signal.SIGUSR2, old)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])


def program(folder: Path, name: str, text: str) -> None:
    file = folder / name
    file.write_text(f"#!{sys.executable}\n{text}")
    file.chmod(0o755)


def test_programs_are_found_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert slurm_programs() == []
    assert cluster_config() == {}
    program(tmp_path, "srun", "")
    program(tmp_path, "scontrol", f"import sys\nassert sys.argv[1:] == ['show', 'config']\nprint({SHOWN!r})")
    assert slurm_programs() == ["srun", "scontrol"]
    assert cluster_config() == parse_config(SHOWN)
    program(tmp_path, "scontrol", "raise SystemExit('slurm_load_ctl_conf error: Unable to contact controller')")
    assert cluster_config() == {}


def test_an_ignored_signal_is_inherited_by_programs() -> None:
    """Why the doctor checks it: the program's parent decides."""
    code = "import signal; print(signal.getsignal(signal.SIGUSR2) == signal.SIG_IGN)"
    shown = subprocess.run(
        ["sh", "-c", f'trap "" USR2; exec {sys.executable} -c "{code}"'], capture_output=True, text=True
    )
    assert shown.stdout == "True\n"
