"""tools/prepare_data.py as a user runs it: killed, stopped, hanging, refused, on real files."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
NUM_FRAMES = 60
QUIET = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}


def command(*arguments: object) -> list[str]:
    return [sys.executable, "tools/prepare_data.py", *map(str, arguments)]


def prepare(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), cwd=REPOSITORY, env=QUIET, capture_output=True, text=True, timeout=300)


def start(*arguments: object) -> subprocess.Popen[str]:
    """Start it in its own session, so that all its processes can be killed at once."""
    return subprocess.Popen(
        command(*arguments), cwd=REPOSITORY, env=QUIET, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def write_noise(path: Path, num_frames: int, seed: int) -> None:
    """A video that takes a moment to read and to write."""
    path.parent.mkdir(parents=True, exist_ok=True)
    images = np.random.default_rng(seed).integers(0, 255, (num_frames, 24, 32, 3), dtype=np.uint8)
    with av.open(f"file:{path}", "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(25), options={"preset": "ultrafast", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image.repeat(10, 0).repeat(10, 1), format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for number in range(8):
        write_noise(folder / f"class {number % 2}" / f"-{number} ü.mp4", NUM_FRAMES, number)
    (folder / "class 0" / "broken.mp4").write_bytes(b"404")
    return folder


@pytest.fixture(scope="module")
def undisturbed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed") / "dst"
    outcome = prepare("--workers", 2, "--labels", "folders", "--", source, folder)
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.strip() == (
        f"done: 8 of 9 videos, 1 broken, 0 too short, 0 files skipped; see {folder}/report.txt"
    )
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    """Everything that a user sees of an output folder."""
    files = [path for path in folder.rglob("*") if path.is_file() and ".prepare" not in path.parts]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def manifest(folder: Path) -> list[dict[str, str]]:
    with (folder / "manifest.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def statuses(folder: Path) -> dict[Path, tuple[int, int]]:
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.glob("class*/*.mp4")}


def num_journal_lines(folder: Path) -> int:
    journal = folder / ".prepare" / "shard-0000.jsonl"
    return len(journal.read_bytes().splitlines()) if journal.exists() else 0


def wait_until(condition, program: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert program.poll() is None, program.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.002)


def processes_of_session(session: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == session and fields[0] not in "ZX":
            found.append(int(folder.name))
    return found


def all_ended(session: int) -> bool:
    deadline = time.monotonic() + 20
    while processes_of_session(session) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not processes_of_session(session)


def test_labels_and_facts_of_the_outputs(source: Path, undisturbed: Path) -> None:
    rows = manifest(undisturbed)
    assert [row["path"] for row in rows] == sorted(f"class {i % 2}/-{i} ü.mp4" for i in range(8))
    assert all(row["label"] == row["path"][6] for row in rows)
    assert {(row["fps"], row["height"], row["width"], row["num_frames"]) for row in rows} == {
        ("25.000000", "240", "320", "60")
    }
    assert json.loads((undisturbed / "report.json").read_text())["counts"]["broken"] == 1
    assert (undisturbed / "classes.txt").read_text() == "class 0\nclass 1\n"


def test_stopped_at_any_moment_it_resumes_and_redoes_nothing(source: Path, undisturbed: Path, tmp_path: Path) -> None:
    output = tmp_path / "dst"
    arguments = ("--workers", 2, "--labels", "folders", "--", source, output)
    moments = random.Random(int(time.time()))  # any moment will do
    kept: dict[Path, tuple[int, int]] = {}
    for num_recorded, stop, code in ((1, kill_the_main_process, -9), (2, press_ctrl_c, 130), (3, kill_all, -9)):
        program = start(*arguments)
        (held,) = hold_workers(program, 1)  # so that the run is not over before it is stopped, however fast it is
        wait_until(lambda least=num_recorded: num_journal_lines(output) >= least, program)
        time.sleep(moments.uniform(0, 0.05))
        stop(program)
        with suppress(ProcessLookupError):
            os.kill(held, signal.SIGCONT)
        _, errors = program.communicate(timeout=60)
        assert program.returncode == code
        assert "Traceback" not in errors
        assert all_ended(program.pid)
        done = statuses(output)
        assert all(done[path] == status for path, status in kept.items())
        names = recorded_outputs(output)
        assert len(done) <= len(names) + 2  # outputs that workers finished, without a record
        kept = {path: status for path, status in done.items() if path.relative_to(output).as_posix() in names}
        assert not (output / "manifest.tsv").exists()
        for path in done:  # published outputs are complete
            with av.open(f"file:{path}") as container:
                assert sum(1 for _ in container.decode(video=0)) == NUM_FRAMES
    outcome = prepare(*arguments)
    assert outcome.returncode == 0, outcome.stderr
    assert tree(output) == tree(undisturbed)
    assert all(statuses(output)[path] == status for path, status in kept.items())
    assert not any((output / ".prepare" / "partial").glob("*"))


def kill_the_main_process(program: subprocess.Popen[str]) -> None:
    """Its children must end by themselves."""
    program.kill()


def kill_all(program: subprocess.Popen[str]) -> None:
    os.killpg(program.pid, signal.SIGKILL)


def press_ctrl_c(program: subprocess.Popen[str]) -> None:
    os.killpg(program.pid, signal.SIGINT)  # as a terminal does: to all of them


def busy_workers(program: subprocess.Popen[str]) -> list[int]:
    """Workers that have an output open."""
    busy = []
    for process in processes_of_session(program.pid):
        try:
            opened = [os.readlink(link) for link in Path(f"/proc/{process}/fd").iterdir()]
        except OSError:
            continue
        # The main process has it open too, where it tidies up.
        if process != program.pid and any(".prepare/partial/" in path for path in opened):
            busy.append(process)
    return sorted(busy)


def hold_workers(program: subprocess.Popen[str], number: int) -> list[int]:
    """Stop `number` workers, each in the middle of a video; returns their pids."""
    held: list[int] = []

    def are_stopped() -> bool:
        held[:] = busy_workers(program)[:number]
        for worker in held:
            os.kill(worker, signal.SIGSTOP)
        time.sleep(0.01)  # to come to a stop
        if len(held) == number and set(held) <= set(busy_workers(program)):
            return True
        for worker in held:
            os.kill(worker, signal.SIGCONT)
        return False

    wait_until(are_stopped, program)
    return held


def recorded_outputs(output: Path) -> set[str]:
    names = set()
    for line in (output / ".prepare" / "shard-0000.jsonl").read_text().splitlines():
        with suppress(ValueError):  # torn by the kill
            names.add(json.loads(line)["output"])
    return names


def test_a_killed_worker_is_retried_and_a_hanging_one_loses_its_video(source: Path, tmp_path: Path) -> None:
    output = tmp_path / "dst"
    program = start(source, output, "--workers", 2, "--timeout-seconds", 8)

    _, second = hold_workers(program, 2)  # the first hangs forever
    os.kill(second, signal.SIGKILL)
    _, errors = program.communicate(timeout=120)
    assert program.returncode == 0, errors
    report = json.loads((output / "report.json").read_text())
    reasons = sorted(line["reason"] for line in report["broken"] if line["path"] != "class 0/broken.mp4")
    assert reasons == ["took longer than 8 seconds"]
    assert report["counts"]["done"] == 7  # the killed worker's video was retried
    assert all_ended(program.pid)


def test_mistakes_are_one_line_and_exit_code_2(source: Path, undisturbed: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(source)
    mistakes = [
        ([source, source / "out"], "overlap"),
        ([source, tmp_path / "link"], "overlap"),
        ([source, undisturbed, "--crf", 30], "was begun with crf 23, now it is 30"),
        ([source, tmp_path / "new", "--check", "--gop", 8], "--gop does not apply to check"),
        ([source, tmp_path / "new", "--classes", "names"], "add --labels folders"),
        ([source, tmp_path / "new", "--labels", "folders", "--classes", "no such"], "--classes no such cannot be read"),
        ([tmp_path / "nowhere", tmp_path / "new"], "nowhere is not a folder"),
        ([source, tmp_path / "new", "--slurm"], "srun"),
    ]
    commands = [command(*arguments)[1:] for arguments, _ in mistakes]
    program = (  # one start for all of them
        "import sys; sys.path.insert(0, 'tools'); import prepare_data; "
        f"print([(setattr(sys, 'argv', arguments), prepare_data.main())[1] for arguments in {commands}])"
    )
    outcome = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, env={**QUIET, "PATH": ""}, capture_output=True, text=True
    )
    assert outcome.stdout.strip() == str([2] * len(mistakes))
    lines = outcome.stderr.splitlines()
    assert len(lines) == len(mistakes)
    for line, (_, words) in zip(lines, mistakes, strict=True):
        assert line.startswith("error: ")
        assert words in line
    assert sorted(path.name for path in source.iterdir()) == ["class 0", "class 1"]
