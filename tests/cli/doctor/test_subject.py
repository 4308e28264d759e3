from pathlib import Path

import pytest

from sce_video.cli.doctor.subject import read_subject
from sce_video.errors import UserError

REPOSITORY = Path(__file__).resolve().parents[3]


def test_lists_are_relative_to_their_folder_or_to_the_configs_root(motion_videos: Path, tmp_path: Path) -> None:
    inside = motion_videos / "doctor.txt"
    inside.write_text("".join(f"{path.relative_to(motion_videos)} 0\n" for path in motion_videos.glob("test/*/*.mp4")))
    subject = read_subject(inside, config_file=None, run_dir=None)
    assert subject.videos is not None
    assert len(subject.videos) == 8
    elsewhere = tmp_path / "list.txt"
    elsewhere.write_text(inside.read_text())
    config = tmp_path / "config.yaml"
    config.write_text(f"DATA: {{ROOT: {motion_videos}, TRAIN: {elsewhere}}}\n")
    for path in (elsewhere, None):
        subject = read_subject(path, config_file=config, run_dir=None)
        assert subject.videos is not None
        assert len(subject.videos) == 8
    inside.unlink()
    with pytest.raises(UserError, match="none of the 8 videos exists"):
        read_subject(elsewhere, config_file=None, run_dir=None)


def test_the_sample_is_always_the_same(tmp_path: Path) -> None:
    for number in range(60):
        (tmp_path / f"{number}.mp4").touch()
    first, second = (read_subject(tmp_path, config_file=None, run_dir=None).videos for _ in range(2))
    assert first is not None
    assert second is not None
    assert len(set(first.paths)) == 24
    assert list(first.paths) == list(second.paths)
    assert list(first.paths) != sorted(first.paths)
    assert first.origin.startswith("24 of 60 videos of ")


def test_videos_that_only_the_config_names_may_be_missing() -> None:
    subject = read_subject(None, config_file=REPOSITORY / "configs" / "k400_sce.yaml", run_dir=None)
    assert subject.videos is None
    assert subject.missing is not None
    assert subject.missing.level == "problem"
    assert "data/k400/train.csv" in subject.missing.fact
    subject = read_subject(None, config_file=None, run_dir=None)
    assert subject.missing is not None
    assert subject.missing.level == "note"


def test_a_missing_path_or_config_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere does not exist"):
        read_subject(tmp_path / "nowhere", config_file=None, run_dir=None)
    with pytest.raises(UserError, match="holds no videos"):
        read_subject(tmp_path, config_file=None, run_dir=None)
    with pytest.raises(UserError, match="does not exist"):
        read_subject(None, config_file=tmp_path / "no.yaml", run_dir=None)
