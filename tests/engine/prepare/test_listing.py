"""Videos found below a folder."""

import os
from pathlib import Path

from sce_video.engine.prepare.listing import Found, list_videos


def listed(source: Path, output: Path, *, follow_outside: bool = False) -> tuple[list[str], dict[str, str]]:
    found, skipped = list_videos(source, output, follow_outside=follow_outside)
    return [video.source for video in found], {left.source: left.reason for left in skipped}


def put(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_videos_of_any_depth_suffix_and_name(tmp_path: Path) -> None:
    names = ["b/-dash.AVI", "b/c/d/two words.mkv", "a.mp4", "b/čeština 日本.webm", "z.mp4/inside.mov"]
    for name in [*names, "notes.txt", "b/mp4", ".hidden.mp4", ".prepare/partial/x.mp4", "b/._a.mp4"]:
        put(tmp_path / "src" / name)
    assert listed(tmp_path / "src", tmp_path / "dst") == (sorted(names), {})


def test_size_and_time_are_those_of_the_file(tmp_path: Path) -> None:
    path = put(tmp_path / "src" / "a.mp4", b"12345")
    os.utime(path, ns=(0, 1_234_567_890_123_456_789))
    assert list_videos(tmp_path / "src", tmp_path, follow_outside=False)[0] == [
        Found("a.mp4", 5, 1_234_567_890_123_456_789)
    ]


def test_links_are_followed_inside_the_source(tmp_path: Path) -> None:
    source = tmp_path / "src"
    put(source / "real" / "a.mp4")
    put(tmp_path / "elsewhere" / "b.mp4")
    (source / "link.mp4").symlink_to("real/a.mp4")
    (source / "out.mp4").symlink_to(tmp_path / "elsewhere" / "b.mp4")
    (source / "outer").symlink_to(tmp_path / "elsewhere")
    (source / "gone.mp4").symlink_to("nowhere")
    (source / "loop.mp4").symlink_to("loop.mp4")
    (source / "real" / "back").symlink_to(source)
    (source / "again").symlink_to("real")
    inside = ["link.mp4", "real/a.mp4"]  # a folder is entered once
    found, skipped = listed(source, tmp_path / "dst")
    assert found == inside
    assert skipped.keys() == {"out.mp4", "outer", "gone.mp4", "loop.mp4"}
    assert "--follow-outside" in skipped["out.mp4"]
    assert "--follow-outside" in skipped["outer"]
    assert skipped["gone.mp4"] == skipped["loop.mp4"] == "is a broken link"
    found, skipped = listed(source, tmp_path / "dst", follow_outside=True)
    assert found == ["link.mp4", "out.mp4", "outer/b.mp4", "real/a.mp4"]
    assert skipped.keys() == {"gone.mp4", "loop.mp4"}


def test_a_source_that_is_itself_a_link(tmp_path: Path) -> None:
    put(tmp_path / "real" / "a.mp4")
    (tmp_path / "real" / "b.mp4").symlink_to(tmp_path / "real" / "a.mp4")
    (tmp_path / "src").symlink_to("real")
    assert listed(tmp_path / "src", tmp_path / "dst") == (["a.mp4", "b.mp4"], {})


def test_the_output_folder_is_never_a_source(tmp_path: Path) -> None:
    put(tmp_path / "dst" / "a.mp4")
    put(tmp_path / "src" / "b.mp4")
    (tmp_path / "src" / "dst").symlink_to(tmp_path / "dst")
    found, skipped = listed(tmp_path / "src", tmp_path / "dst", follow_outside=True)
    assert found == ["b.mp4"]
    assert skipped == {"dst": "is a link into the output folder"}


def test_unreadable_files_and_unwritable_names_are_reported(tmp_path: Path) -> None:
    source = tmp_path / "src"
    put(source / "good.mp4")
    put(source / "tab\there.mp4")
    put(source / "line\nbreak.mp4")
    put(source / "escape\x1b[2J" / "a.mp4")
    put(Path(os.fsdecode(os.fsencode(source) + b"/bytes\xff.mp4")))
    os.mkfifo(source / "pipe.mp4")
    found, skipped = listed(source, tmp_path / "dst")
    assert found == ["good.mp4"]
    assert skipped.pop("pipe.mp4") == "is not a regular file"
    assert len(skipped) == 4
    assert all("cannot be written in a manifest" in reason for reason in skipped.values())
