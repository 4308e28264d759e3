"""The synthetic data set: readable, reproducible, and without the class in any single frame."""

from pathlib import Path

import av
import numpy as np
import pytest

from sce_video.launch.demo.motion import MOTIONS, MotionVideos, render_video, write_motion_dataset

SHORT = MotionVideos(num_shots=2, shot_seconds=0.5, fps=16, size_pixels=32)


def frames_of(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("motion")
    write_motion_dataset(root, num_train_videos_per_class=2, num_test_videos_per_class=1, seed=3, videos=SHORT)
    return root


def test_tree_has_one_folder_per_class_and_numbered_files(tree: Path) -> None:
    found = {str(path.relative_to(tree)) for path in tree.rglob("*.mp4")}
    train = {f"train/{name}/000{i}.mp4" for name in MOTIONS for i in (0, 1)}
    assert found == train | {f"test/{name}/0000.mp4" for name in MOTIONS}


def test_file_is_h264_with_the_requested_frames_and_rate(tree: Path) -> None:
    path = tree / "train/spin/0000.mp4"
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.average_rate == 16
        assert (stream.width, stream.height) == (32, 32)
    assert frames_of(path).shape == (16, 32, 32, 3)


def test_file_shows_what_was_rendered(tree: Path) -> None:
    draw = np.random.default_rng([3, 0, list(MOTIONS).index("orbit"), 1])
    rendered = render_video(MOTIONS["orbit"], draw, SHORT)
    difference = np.abs(frames_of(tree / "train/orbit/0001.mp4").astype(float) - rendered)
    assert difference.mean() < 12  # the codec halves the resolution of colour


def test_a_larger_set_begins_with_the_smaller_one_to_the_byte(tree: Path, tmp_path: Path) -> None:
    paths = write_motion_dataset(
        tmp_path, num_train_videos_per_class=3, num_test_videos_per_class=1, seed=3, videos=SHORT, num_threads=1
    )
    assert len(paths) == 4 * len(MOTIONS)
    for path in tree.rglob("*.mp4"):
        assert path.read_bytes() == (tmp_path / path.relative_to(tree)).read_bytes()


def test_splits_seeds_and_numbers_give_different_videos(tree: Path, tmp_path: Path) -> None:
    write_motion_dataset(tmp_path, num_train_videos_per_class=1, num_test_videos_per_class=0, seed=4, videos=SHORT)
    names = ("train/fall/0000.mp4", "train/fall/0001.mp4", "test/fall/0000.mp4")
    contents = {(tree / name).read_bytes() for name in names} | {(tmp_path / names[0]).read_bytes()}
    assert len(contents) == 4


def one_frame_of(name: str, number: int) -> np.ndarray:
    """A frame from the middle of a shot, as a coarse picture in which neighbours can be found."""
    draw = np.random.default_rng([5, list(MOTIONS).index(name), number])
    frame = render_video(MOTIONS[name], draw, MotionVideos(num_shots=1, shot_seconds=0.75, size_pixels=32))[6]
    return frame.reshape(8, 4, 8, 4, 3).mean((1, 3)).ravel()


def test_one_frame_does_not_tell_the_class() -> None:
    # 1-nearest-neighbour over 40 + 40 frames a class. Chance is 1/8; with 320 trials its standard deviation is
    # 0.0185, so 0.125 + 4 * 0.0185 = 0.199 bounds it.
    pictures = np.array([[one_frame_of(name, i) for i in range(80)] for name in MOTIONS])
    bank, queries = pictures[:, :40].reshape(320, -1), pictures[:, 40:].reshape(320, -1)
    distances = np.square(queries[:, None] - bank[None]).sum(-1)
    right = distances.argmin(1) // 40 == np.arange(320) // 40
    assert right.mean() < 0.199


def test_a_mirrored_slide_is_a_slide() -> None:
    right, left = (MOTIONS["slide"](np.array([0.0, 0.1]), sense).x for sense in (1, -1))
    np.testing.assert_array_equal(right, -np.asarray(left))


def test_rising_sprites_move_up_and_falling_ones_down() -> None:
    for name, direction in (("rise", -1), ("fall", 1)):
        frames = render_video(MOTIONS[name], np.random.default_rng(0), MotionVideos(num_shots=1)).astype(float)
        error = {d: np.abs(np.roll(frames[:-1], 3 * d, axis=1) - frames[1:]).mean() for d in (-1, 1)}
        assert error[direction] < error[-direction] / 2  # about 3 pixels a frame, around the edges as well


@pytest.mark.parametrize(("wrong", "says"), [({"size_pixels": 33}, "33"), ({"num_shots": 0}, "0 shots")])
def test_sizes_that_cannot_be_encoded_are_refused(wrong: dict[str, int], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        MotionVideos(**wrong)
