import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.preprocessing import StandardScaler

from sce_video.data.subsets import balanced_part
from sce_video.errors import ConfigError
from sce_video.evaluate import linear
from sce_video.evaluate.linear import fit_linear
from tests.evaluate.sets import CPU, feature_set

pytestmark = pytest.mark.rounding


def linear_metrics(test, test_labels, train, train_labels, *, weight_decay):
    return measured(test, test_labels, train, train_labels, [weight_decay]).metrics


def measured(test, test_labels, train, train_labels, weight_decays):
    sets = feature_set(test, test_labels), feature_set(train, train_labels)
    settings = {"linear_weight_decays": weight_decays, "linear_held_out_share": 0.2, "seed": 3}
    return linear.linear_metrics(*sets, **settings, balanced_part=balanced_part, device=CPU)


def classes(count, seed, num_classes=4, noise=2.0, dim=6):
    """float32 features around one center per class, and their labels; every class occurs."""
    generator = torch.Generator().manual_seed(seed)
    centers = torch.randn(num_classes, dim, generator=torch.Generator().manual_seed(99))
    labels = torch.randint(0, num_classes, (count,), generator=generator)
    labels[:num_classes] = torch.arange(num_classes)
    return centers[labels] + noise * torch.randn(count, dim, generator=generator), labels


def scikit_learn(features, labels, *, weight_decay):
    """scikit-learn minimises C * (sum of cross-entropies) + |w|^2 / 2."""
    model = LogisticRegression(C=1 / (len(features) * weight_decay), tol=1e-12, max_iter=20_000)
    return model.fit(np.asarray(features, dtype=np.float64), np.asarray(labels))


@pytest.mark.parametrize("weight_decay", [1.0, 1e-2, 1e-4])
def test_the_optimum_is_scikit_learns(weight_decay):
    features, labels = classes(200, 0)
    weights, bias = fit_linear(features, labels, num_classes=4, weight_decay=weight_decay)
    assert (weights.shape, bias.shape, weights.dtype) == ((4, 6), (4,), torch.double)
    expected = scikit_learn(features, labels, weight_decay=weight_decay)
    torch.testing.assert_close(weights, torch.from_numpy(expected.coef_), rtol=1e-4, atol=1e-5)
    # Only differences between biases count.
    expected_bias = torch.from_numpy(expected.intercept_)
    torch.testing.assert_close(bias - bias.mean(), expected_bias - expected_bias.mean(), rtol=1e-4, atol=1e-5)


def test_there_the_gradient_is_zero_and_no_step_goes_down():
    features, labels = classes(100, 1)
    features = features.double()
    weights, bias = fit_linear(features, labels, num_classes=4, weight_decay=1e-2)

    def loss(w, b):
        return F.cross_entropy(F.linear(features, w, b), labels) + 0.5 * 1e-2 * (w * w).sum()

    w, b = weights.clone().requires_grad_(), bias.clone().requires_grad_()
    gradients = torch.autograd.grad(loss(w, b), (w, b))
    assert max(gradient.abs().max() for gradient in gradients) < 1e-6
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        step_w = 0.01 * torch.randn(4, 6, dtype=torch.double, generator=generator)
        step_b = 0.01 * torch.randn(4, dtype=torch.double, generator=generator)
        assert loss(weights + step_w, bias + step_b) > loss(weights, bias)


def test_a_huge_penalty_leaves_the_shares_of_the_classes():
    features, labels = classes(100, 2)
    features = features - features.mean(dim=0)  # then small weights move no share
    weights, bias = fit_linear(features, labels, num_classes=4, weight_decay=100.0)
    assert weights.abs().max() < 0.01
    shares = torch.bincount(labels).double() / 100  # the bias is not penalised
    torch.testing.assert_close(bias.softmax(dim=0), shares, rtol=0, atol=1e-3)


def test_the_order_of_the_videos_does_not_matter():
    features, labels = classes(100, 3)
    mixed = torch.randperm(100, generator=torch.Generator().manual_seed(0))
    one = fit_linear(features, labels, num_classes=4, weight_decay=1e-2)
    other = fit_linear(features[mixed], labels[mixed], num_classes=4, weight_decay=1e-2)
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_arguments_are_left_as_they_are():
    features, labels = classes(50, 4)
    features = features.double()  # then no copy is needed, and none may be missed
    before = features.clone()
    linear_metrics(features, labels, features, labels, weight_decay=1e-2)
    fit_linear(features, labels, num_classes=4, weight_decay=1e-2)
    assert torch.equal(features, before)


def test_metrics_are_those_of_scikit_learn_on_standardised_features():
    scales = torch.tensor([0.001, 1.0, 1000.0, 1.0, 10.0, 1.0])
    train, train_labels = classes(300, 5, num_classes=7, noise=3.0)
    test, test_labels = classes(200, 6, num_classes=7, noise=3.0)
    train, test = train * scales + 5, test * scales + 5
    metrics = linear_metrics(test, test_labels, train, train_labels, weight_decay=1e-2)
    scaler = StandardScaler().fit(train.numpy())
    model = scikit_learn(scaler.transform(train.numpy()), train_labels, weight_decay=1e-2)
    order = np.argsort(-model.predict_log_proba(scaler.transform(test.numpy())), axis=1)
    hits = order == test_labels.numpy()[:, None]
    assert metrics["linear_features_top1"] == pytest.approx(hits[:, 0].mean())
    assert metrics["linear_features_top5"] == pytest.approx(hits[:, :5].any(axis=1).mean())
    assert metrics["linear_features_mean_class"] == pytest.approx(balanced_accuracy_score(test_labels, order[:, 0]))
    assert 0.3 < metrics["linear_features_top1"] < metrics["linear_features_top5"] < 1.0


def test_scale_and_offset_of_a_feature_do_not_matter():
    train, train_labels = classes(150, 7)
    test, test_labels = classes(100, 8)
    generator = torch.Generator().manual_seed(0)
    scale = torch.rand(6, generator=generator) * 20 + 0.1
    offset = torch.randn(6, generator=generator) * 10
    plain = linear_metrics(test, test_labels, train, train_labels, weight_decay=1e-2)
    moved = linear_metrics(test * scale + offset, test_labels, train * scale + offset, train_labels, weight_decay=1e-2)
    assert moved == pytest.approx(plain, abs=0.011)  # one video of 100 by rounding


def test_well_separated_classes_are_learned_without_error():
    train, train_labels = classes(80, 9, noise=0.05)
    test, test_labels = classes(80, 10, noise=0.05)
    metrics = linear_metrics(test, test_labels, train, train_labels, weight_decay=1e-4)
    assert metrics == {"linear_features_top1": 1.0, "linear_features_top5": 1.0, "linear_features_mean_class": 1.0}


def test_two_classes_on_a_line_by_hand():
    train = torch.tensor([[-3.0], [-1.0], [1.0], [3.0]])
    train_labels = torch.tensor([0, 0, 1, 1])
    test = torch.tensor([[-5.0], [-0.5], [0.5], [-0.2]])
    metrics = linear_metrics(test, torch.tensor([0, 0, 1, 1]), train, train_labels, weight_decay=1e-2)
    assert metrics["linear_features_top1"] == 0.75  # the boundary is at 0
    assert metrics["linear_features_mean_class"] == 0.75


def test_a_feature_that_is_constant_in_training_says_nothing():
    train, train_labels = classes(100, 11)
    test, test_labels = classes(100, 12)
    plain = linear_metrics(test, test_labels, train, train_labels, weight_decay=1e-2)
    constant = torch.zeros(100, 1)
    noisy = torch.randn(100, 1, generator=torch.Generator().manual_seed(0))
    more = linear_metrics(
        torch.cat([test, noisy], dim=1),
        test_labels,
        torch.cat([train, constant], dim=1),
        train_labels,
        weight_decay=1e-2,
    )
    assert more == pytest.approx(plain)


def test_a_class_without_training_videos_is_never_right_and_spoils_nothing():
    train, train_labels = classes(100, 13)
    test, test_labels = classes(100, 14)
    plain = linear_metrics(test, test_labels, train, train_labels, weight_decay=1e-2)
    test_labels = torch.where(test_labels == 3, 9, test_labels)  # the highest label decides how many classes there are
    metrics = linear_metrics(test, test_labels, train, train_labels, weight_decay=1e-2)
    assert metrics["linear_features_top1"] < plain["linear_features_top1"]
    seen = test_labels != 9
    on_seen = linear_metrics(test[seen], test_labels[seen], train, train_labels, weight_decay=1e-2)
    assert metrics["linear_features_top1"] == pytest.approx(
        on_seen["linear_features_top1"] * seen.double().mean().item()
    )


def test_the_weight_decay_is_that_which_is_best_on_held_out_training_videos():
    train, train_labels = classes(90, 13, noise=2.5, dim=30)
    test, test_labels = classes(60, 14, noise=2.5, dim=30)
    decays = [1e-6, 1e-3, 1e-1, 3.0]
    result = measured(test, test_labels, train, train_labels, decays)
    kept = balanced_part(train_labels.tolist(), share=0.8, seed=3)
    held_out = sorted(set(range(90)) - set(kept))
    mean, std = train[kept].mean(dim=0), train[kept].std(dim=0, correction=0)
    shares = {}
    for decay in decays:
        model = scikit_learn((train[kept] - mean) / std, train_labels[kept], weight_decay=decay)
        shares[str(decay)] = model.score(((train - mean) / std)[held_out].double().numpy(), train_labels[held_out])
    assert result.details["held_out_top1"] == pytest.approx(shares)
    best = max(decays, key=lambda decay: shares[str(decay)])
    assert best != decays[0]  # or the sweep would not have mattered
    assert result.details["weight_decay"] == best
    assert result.metrics == linear_metrics(test, test_labels, train, train_labels, weight_decay=best)


def test_test_videos_have_no_say_in_the_weight_decay():
    train, train_labels = classes(90, 13, noise=2.5, dim=30)
    decays = [1e-6, 1e-3, 1e-1, 3.0]
    chosen = {
        measured(*classes(60, seed, dim=30), train, train_labels, decays).details["weight_decay"] for seed in range(5)
    }
    assert len(chosen) == 1


def test_few_videos_of_a_class_still_leave_one_to_choose_by():
    # Of two videos per class, 0.8 * 2 rounds to both.
    train, train_labels = classes(8, 20, noise=0.1)
    train_labels = torch.arange(4).repeat(2)
    result = measured(train, train_labels, train, train_labels, [1e-3, 1e-1])
    assert all(share * 4 == round(share * 4) for share in result.details["held_out_top1"].values())


def test_one_video_per_class_leaves_nothing_to_choose_by():
    train, labels = classes(4, 21)
    labels = torch.arange(4)
    with pytest.raises(ConfigError, match=r"no class has two training videos.*; give one value"):
        measured(train, labels, train, labels, [1e-3, 1e-1])
    assert measured(train, labels, train, labels, [1e-3]).metrics["linear_features_top1"] == 1.0
