import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from sce_video.data.sources import read_annotations, read_ids, read_kinetics
from sce_video.data.videos import ListedVideos
from sce_video.errors import ManifestError

Write = Callable[..., Path]
HEADER = "label,youtube_id,time_start,time_end,split\n"


def train_manifest(table: Path, root: Path) -> ListedVideos:
    annotations = read_annotations(table)
    return read_kinetics(annotations, root, class_names=annotations.class_names)


def videos(manifest: ListedVideos) -> list[tuple[str, int]]:
    return list(zip(manifest.paths, manifest.require_labels(), strict=True))


@pytest.mark.parametrize("folder", ["", "train/air drumming/", "air_drumming/", "k400/train/part_3/"])
def test_files_are_found_in_any_layout(write: Write, tmp_path: Path, folder: str) -> None:
    table = write("train.csv", HEADER + 'zumba,-0AxFkvw5BM,27,37,train\n"air drumming",a_-b,0,10,train\n')
    write(f"videos/{folder}a_-b_000000_000010.mp4")
    write("videos/zumba/-0AxFkvw5BM_000027_000037.mkv")
    assert videos(train_manifest(table, tmp_path / "videos")) == [
        ("zumba/-0AxFkvw5BM_000027_000037.mkv", 1),
        (f"{folder}a_-b_000000_000010.mp4", 0),
    ]


def test_missing_files_are_counted_and_do_not_move_labels(
    write: Write, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = "abseiling,gone,1,11,train\nzumba,here,2,12,train\nbowling,also,3,13,train\n"
    table = write("train.csv", HEADER + rows)
    write("videos/here_000002_000012.mp4")
    write("videos/here_000003_000013.mp4")  # other seconds of the same video
    with caplog.at_level(logging.INFO, logger="sce_video"):
        assert videos(train_manifest(table, tmp_path / "videos")) == [("here_000002_000012.mp4", 2)]
    assert caplog.messages == [f"{table}: 3 videos annotated, 1 present"]


def test_published_counts_are_logged_beside_ours(
    write: Write, tmp_path: Path, caplog: pytest.LogCaptureFixture, shared_data: Path
) -> None:
    names = (shared_data / "kinetics_labels" / "label_map_k400.txt").read_text().splitlines()
    rows = "".join(f'"{name}",id{number},0,10,validate\n' for number, name in enumerate(names))
    write("videos/id7_000000_000010.mp4")
    with caplog.at_level(logging.INFO, logger="sce_video"):
        train_manifest(write("val.csv", HEADER + rows), tmp_path / "videos")
    assert caplog.messages[0].endswith("400 videos annotated, 1 present (cvdf's copy: 19907, 19881)")


@pytest.mark.parametrize("num_classes", [400, 600, 700])
def test_labels_are_in_the_official_order(write: Write, tmp_path: Path, shared_data: Path, num_classes: int) -> None:
    names = (shared_data / "kinetics_labels" / f"label_map_k{num_classes}.txt").read_text().splitlines()
    assert len(names) == num_classes
    rows = [(f'"{name}",id{number},0,10,train\n', f"id{number}_000000_000010.mp4") for number, name in enumerate(names)]
    for _, file in rows:
        write(f"videos/{file}")
    table = write("train.csv", HEADER + "".join(row for row, _ in reversed(rows)))
    official = {file: number for number, (_, file) in enumerate(rows)}
    assert dict(videos(train_manifest(table, tmp_path / "videos"))) == official


def test_a_test_table_is_labelled_as_the_training_table(write: Write, tmp_path: Path) -> None:
    table = write("val.csv", HEADER + "zumba,a,0,10,val\n")
    write("videos/a_000000_000010.mp4")
    test = read_kinetics(read_annotations(table), tmp_path / "videos", class_names=["abseiling", "bowling", "zumba"])
    assert list(test.require_labels()) == [2]
    with pytest.raises(ManifestError, match="val.csv: class 'zumba' is not among the 1 training classes"):
        read_kinetics(read_annotations(table), tmp_path / "videos", class_names=["bowling"])


def test_a_repaired_file_is_taken_instead_of_the_broken_one(write: Write, tmp_path: Path) -> None:
    table = write("train.csv", HEADER + "zumba,a,0,10,train\nzumba,b,0,10,train\n")
    for name in ("a_train/a_000000_000010.mp4", "replacement/x/a_000000_000010.mp4", "z/b_000000_000010.mp4"):
        write(f"videos/{name}")
    write("videos/y/b_000000_000010.mp4")
    found = train_manifest(table, tmp_path / "videos")
    assert list(found.paths) == ["replacement/x/a_000000_000010.mp4", "y/b_000000_000010.mp4"]


def test_folders_of_frames_are_found(write: Write, tmp_path: Path) -> None:
    """As tools/prepare_data.py writes them; a folder of videos with an annotated name is not one."""
    rows = "zumba,a,0,10,train\nzumba,b,0,10,train\nzumba,c,0,10,train\n"
    for name in ("zumba/a_000000_000010/000001.jpg", "b_000000_000010/frames.json", "b_000000_000010/000001.jpg"):
        write(f"videos/{name}")
    write("videos/part/c_000000_000010/c_000000_000010.mp4")
    found = train_manifest(write("train.csv", HEADER + rows), tmp_path / "videos")
    assert list(found.paths) == [
        "zumba/a_000000_000010",
        "b_000000_000010",
        "part/c_000000_000010/c_000000_000010.mp4",
    ]


def test_mini_kinetics_is_a_list_of_ids(write: Write, tmp_path: Path) -> None:
    rows = "abseiling,a,0,10,train\nzumba,b,0,10,train\nbowling,c,0,10,train\n"
    table, ids = write("train.csv", HEADER + rows), read_ids(write("train_ytid_list.txt", "c\n-id\nb\n"))
    assert ids == {"c", "-id", "b"}
    annotations = read_annotations(table, only_ids=ids)
    assert annotations.names == ["b_000000_000010", "c_000000_000010"]
    assert annotations.class_names == ["bowling", "zumba"]
    with pytest.raises(ManifestError, match="train.csv has none of the 1 requested ids"):
        read_annotations(table, only_ids={"d"})


def test_a_table_without_labels_is_for_pretraining(write: Write, tmp_path: Path) -> None:
    table = write("test.csv", "youtube_id,time_start,time_end\na,0.0,10.0\n")
    write("videos/a_000000_000010.mp4")
    assert train_manifest(table, tmp_path / "videos").labels is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column 'youtube_id'"),
        ("a.mp4 3\n", "no column 'youtube_id'"),
        ("label,youtube_id,time_start\n", "no column 'time_end'"),
        (HEADER + "zumba,a,0,10\n", "line 2: 4 values, but the first line names 5"),
        (HEADER + "zumba,a,0,10,train\nzumba,b,soon,10,train\n", "line 3: .*two times in seconds"),
        (HEADER + "zumba,b,nan,inf,train\n", "line 2: .*two times in seconds"),
        (HEADER + "zumba,a,0,10,train\n", "none of its 1 videos is below .*such as a_000000_000010.mp4"),
        (HEADER, "lists no videos"),
    ],
)
def test_tables_that_cannot_be_used(write: Write, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "videos").mkdir()
    with pytest.raises(ManifestError, match=message):
        train_manifest(write("train.csv", text), tmp_path / "videos")
