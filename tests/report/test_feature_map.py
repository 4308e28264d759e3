import numpy as np
import pytest
import torch

from sce_video.report.feature_map import class_colors, color_legend, make_feature_map, principal_components, scatter
from tests.report.runs import NASTY, parse

pytestmark = pytest.mark.rounding


def drawn_features(num: int, width: int) -> torch.Tensor:
    scales = torch.linspace(3, 0.1, width)
    return torch.randn(num, width, generator=torch.Generator().manual_seed(0)) * scales + 7


@pytest.mark.parametrize(("num", "width"), [(50, 8), (10, 40), (2, 3)])
def test_axes_and_shares_are_those_of_numpys_svd(num: int, width: int) -> None:
    features = drawn_features(num, width)
    points, shares = principal_components(features)
    centered = features.double().numpy() - features.double().numpy().mean(axis=0)
    left, singular, _ = np.linalg.svd(centered, full_matrices=False)
    expected = left[:, :2] * singular[:2]
    signs = np.sign((points.numpy() * expected).sum(axis=0))  # free in an SVD
    np.testing.assert_allclose(points.numpy()[:, :1], (expected * signs)[:, :1], atol=1e-8)
    np.testing.assert_allclose(points.abs().numpy(), np.abs(expected), atol=1e-6)
    np.testing.assert_allclose(shares, (singular**2 / (singular**2).sum())[:2], atol=1e-9)


def test_signs_do_not_depend_on_those_of_the_solver() -> None:
    features = drawn_features(50, 8)
    points, _ = principal_components(features)
    torch.testing.assert_close(principal_components(features.flip(0))[0], points.flip(0))
    _, _, axes = np.linalg.svd(features.double().numpy() - features.double().numpy().mean(axis=0))
    largest = np.abs(axes[:2]).argmax(axis=1)
    ours = np.linalg.lstsq(
        features.double().numpy() - features.double().numpy().mean(axis=0), points.numpy(), rcond=None
    )
    assert (ours[0][largest, [0, 1]] > 0).all()


def test_features_that_are_all_the_same() -> None:
    points, shares = principal_components(torch.full((4, 3), 2.0))
    assert points.tolist() == [[0, 0]] * 4
    assert shares == (0, 0)
    made = make_feature_map(torch.full((1, 3), 2.0), labels=[0], paths=["a/1.mp4"])
    assert parse(scatter(made, {}, description="")).one("circle").attributes["cx"] == "139.0"


def test_many_rows_are_thinned_out_evenly() -> None:
    paths = [f"{i}.mp4" for i in range(4500)]
    made = make_feature_map(drawn_features(4500, 4), labels=list(range(4500)), paths=paths)
    assert len(made.points) == len(made.labels) == len(made.paths) == 1500
    assert made.labels[:3] == [0, 3, 6]
    assert made.num_rows == 4500
    whole, _ = principal_components(drawn_features(4500, 4))
    torch.testing.assert_close(made.points, whole[::3])


def test_a_dot_has_its_class_and_video() -> None:
    points = torch.tensor([[0.0, 0.0, 0], [10, 0, 0], [10, 2, 0]])
    made = make_feature_map(points, labels=[1, 0, 1], paths=["a/1.mp4", f"{NASTY}/2.mp4", "a/3.mp4"])
    picture = parse(scatter(made, {0: NASTY, 1: "a"}, description="a map"))
    dots = picture.all("circle")
    assert [dot.one("title").text for dot in dots] == ["a: a/1.mp4", f"{NASTY}: {NASTY}/2.mp4", "a: a/3.mp4"]
    assert [dot.attributes["data-label"] for dot in dots] == ["1", "0", "1"]
    places = np.array([[float(dot.attributes["cx"]), float(dot.attributes["cy"])] for dot in dots])
    assert ((places >= 0) & (places <= 400)).all()
    distances = np.linalg.norm(places[:, None] - places[None], axis=-1)
    true = torch.cdist(points, points).numpy()  # two dimensions hold these points: the picture keeps distances
    np.testing.assert_allclose(distances / distances.max(), true / true.max(), atol=2e-3)


def test_every_class_has_a_colour_of_its_own_before_one_is_picked() -> None:
    colors = class_colors([5, 3, 3, -1, *range(6, 100)])
    assert len(set(colors.values())) == len(colors) == 97
    assert colors == class_colors([*range(6, 100), 3, 5])
    points = torch.tensor([[0.0, 0.0], [10, 0], [10, 2]])
    made = make_feature_map(points, labels=[1, 0, -1], paths=["a/1.mp4", "b/2.mp4", "c/3.mp4"])
    dots = parse(scatter(made, {}, description="")).all("circle")
    of_two = class_colors([0, 1])
    assert [dot.attributes["fill"] for dot in dots] == [of_two[1], of_two[0], "gray"]
    keys = parse(color_legend(of_two, {0: NASTY, 1: "a"})).all("li")
    assert [(key.text.strip(), key.one("circle").attributes["fill"]) for key in keys] == [
        (NASTY, of_two[0]),
        ("a", of_two[1]),
    ]
    assert color_legend(class_colors([4, -1]), {}) == ""


@pytest.mark.parametrize("points", [[[0.0, 0.0], [10, 0.1]], [[0.0, 0.0], [0.1, 10]], [[0.0, 0.0], [10, 10]]])
def test_the_words_along_the_sides_have_room(points: list[list[float]]) -> None:
    """33 letters of 13 units on a phone, about half as wide as high."""
    made = make_feature_map(torch.tensor(points), labels=[0, 1], paths=["a/1.mp4", "b/2.mp4"])
    _, _, width, height = map(
        float, parse(scatter(made, {}, description="")).one("svg").attributes["viewBox".lower()].split()
    )
    longest = len("second axis, 100 % of the variance") * 13 * 0.53
    assert min(width, height) - 24 >= longest
