"""Findings on Slurm: this process's allocation, and whether jobs get a signal before their end and are requeued."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sce_video.engine.doctor.amounts import in_cores
from sce_video.engine.doctor.finding import Finding
from sce_video.engine.machine import Cores

# Signals on which a run saves: submitit's, and the one that Slurm sends without it.
_SIGNALS = (signal.SIGUSR2, signal.SIGTERM)
_SHORTEST_KILL_WAIT_SECONDS = 30


class SignalState(NamedTuple):
    name: str
    is_ignored: bool
    is_blocked: bool


def signal_states() -> list[SignalState]:
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    return [SignalState(one.name, signal.getsignal(one) == signal.SIG_IGN, one in blocked) for one in _SIGNALS]


def slurm_programs() -> list[str]:
    return [name for name in ("srun", "sbatch", "scontrol") if shutil.which(name)]


def cluster_config() -> dict[str, str]:
    """`scontrol show config` as a dict; empty if it does not answer within ten seconds."""
    try:
        shown = subprocess.run(["scontrol", "show", "config"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return parse_config(shown.stdout)


def parse_config(text: str) -> dict[str, str]:
    """Parse lines `Key   = value`."""
    return {found[1]: found[2] for found in re.finditer(r"^(\w+)[ \t]*= *(.*?)[ \t]*$", text, re.MULTILINE)}


def job(environ: Mapping[str, str], cores: Cores, programs: Sequence[str]) -> list[Finding]:
    """Whether this is a Slurm job, and whether it may use all cores of its allocation."""
    if "SLURM_JOB_ID" not in environ:
        seen = f"not inside a job; {', '.join(programs)} found" if programs else "none here"
        return [Finding("ok", "Slurm", seen)]
    wanted = ("JOB_ID", "STEP_ID", "NNODES", "NTASKS", "PROCID", "CPUS_PER_TASK", "GPUS_ON_NODE", "RESTART_COUNT")
    names = [f"SLURM_{name}" for name in wanted if f"SLURM_{name}" in environ]
    findings = [Finding("ok", "Slurm job", ", ".join(f"{name} {environ[name]}" for name in names))]
    if cores.slurm_task and cores.affinity < cores.slurm_task:
        fact = f"SLURM_CPUS_PER_TASK is {cores.slurm_task}, but this process may use {in_cores(cores.affinity)}"
        fix = "srun --cpus-per-task=$SLURM_CPUS_PER_TASK (srun no longer inherits it), or export SRUN_CPUS_PER_TASK"
        findings.append(Finding("problem", "cores of the task", fact, fix))
    return findings


def signals(states: Sequence[SignalState]) -> list[Finding]:
    """Whether a signal that announces the end of a job can reach this process."""
    findings = []
    for state in states:
        if state.is_ignored or state.is_blocked:
            how = "ignored" if state.is_ignored else "blocked"
            fact = f"{state.name} is {how} in this process (inherited): a run would not see that its job ends soon"
            fix = f"find what starts the program with {state.name} {how}: trap '' in a script, a wrapper, a daemon"
            findings.append(Finding("problem", "signals", fact, fix))
    if not findings:
        names = " and ".join(state.name for state in states)
        findings.append(Finding("ok", "signals", f"{names} neither ignored nor blocked"))
    return findings


def cluster(config: Mapping[str, str]) -> list[Finding]:
    """Findings on preemption, requeue and the time to save, from `scontrol show config`."""
    if "PreemptMode" not in config:
        fact = "scontrol show config does not answer: preemption and requeue are unknown"
        return [Finding("note", "cluster", fact, "ask the administrators, or run this on a login node")]
    return [*_preemption(config), *_requeue(config), *_kill_wait(config)]


def _preemption(config: Mapping[str, str]) -> list[Finding]:
    mode = config["PreemptMode"].upper()
    if mode == "OFF" or config.get("PreemptType", "").lower() in ("preempt/none", "(null)"):
        return [Finding("ok", "preemption", f"off (PreemptMode {mode})")]
    if "REQUEUE" not in mode:
        fact = f"PreemptMode is {mode}: a preempted job is not requeued"
        return [Finding("note", "preemption", fact, "save often (TRAIN.CHECKPOINT_EVERY_STEPS) and resubmit")]
    if "preempt_send_user_signal" not in config.get("SlurmctldParameters", "").lower():
        fact = f"PreemptMode is {mode} without preempt_send_user_signal: only SIGTERM announces it, no SIGUSR2"
        fix = "save often (TRAIN.CHECKPOINT_EVERY_STEPS); admins: SlurmctldParameters=preempt_send_user_signal"
        return [Finding("note", "preemption", fact, fix)]
    return [Finding("ok", "preemption", f"PreemptMode {mode}, announced by the job's own signal")]


def _requeue(config: Mapping[str, str]) -> list[Finding]:
    if config.get("JobRequeue") != "0":
        return [Finding("ok", "requeue", f"jobs may be requeued (JobRequeue {config.get('JobRequeue')})")]
    return [Finding("note", "requeue", "JobRequeue is 0: jobs are not requeued by default", "sbatch --requeue")]


def _kill_wait(config: Mapping[str, str]) -> list[Finding]:
    found = re.match(r"\d+", config.get("KillWait", ""))
    if found is None:
        return []
    fact = f"{found[0]} s from SIGTERM to SIGKILL (KillWait)"
    if int(found[0]) >= _SHORTEST_KILL_WAIT_SECONDS:
        return [Finding("ok", "time to save", fact)]
    fix = "request an earlier signal, by more than the longest step and a save: sbatch --signal=USR2@120"
    return [Finding("note", "time to save", fact, fix)]


def slurm_findings(cores: Cores) -> list[Finding]:
    """All findings on Slurm, for this process."""
    programs = slurm_programs()
    findings = [*job(os.environ, cores, programs), *signals(signal_states())]
    return [*findings, *cluster(cluster_config())] if "scontrol" in programs else findings
