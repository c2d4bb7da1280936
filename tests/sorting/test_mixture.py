from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture

from neuralsorter.sorting import expectation, mixture


def clusters(centres: list[list[float]], n: int, seed: int = 0) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(size=(n, len(c))) + c for c in centres])


def best_of(fitted: list[mixture.Mixture]) -> mixture.Mixture:
    return min(fitted, key=lambda m: m.bic)


def test_bic_finds_the_number_of_gaussians() -> None:
    points = clusters([[0, 0, 0], [6, 0, 0], [0, 6, 0], [0, 0, 7]], 300)
    fitted = mixture.scan(points, 10)
    assert len(best_of(fitted)) == 4
    assert [len(m) for m in fitted] == list(range(1, len(fitted) + 1))


def test_one_gaussian_is_one_component() -> None:
    assert len(best_of(mixture.scan(clusters([[0, 0, 0, 0]], 2000), 8))) == 1


def test_the_density_is_that_of_the_definition() -> None:
    points = clusters([[0, 1]], 50)
    fitted = mixture.Mixture(
        np.array([0.3, 0.7]), np.array([[0.0, 1], [2, 2]]), np.array([np.eye(2), [[2, 1], [1, 3]]])
    )
    expected = np.log(0.7) + multivariate_normal([2, 2], [[2, 1], [1, 3]]).logpdf(points)
    np.testing.assert_allclose(fitted.log_joint(points)[:, 1], expected)
    np.testing.assert_allclose(fitted.posterior(points).sum(axis=1), 1)


def test_it_fits_as_well_as_scikit_learn() -> None:
    points = clusters([[0, 0, 0], [4, 0, 0], [0, 5, 1]], 400)
    ours = mixture.scan(points, 3)[-1]
    theirs = GaussianMixture(3, random_state=0).fit(points)
    order = np.lexsort(np.round(ours.means).T)
    other = np.lexsort(np.round(theirs.means_).T)
    np.testing.assert_allclose(ours.means[order], theirs.means_[other], atol=0.1)
    np.testing.assert_allclose(ours.covariances[order], theirs.covariances_[other], atol=0.2)


def test_a_stray_event_makes_no_component_and_moves_no_mean() -> None:
    points = clusters([[0, 0], [8, 0]], 500)
    with_strays = np.vstack([points, np.array([[60, 60], [-70, 30], [40, -90.0]])])
    best = best_of(mixture.scan(with_strays, 6))
    big = best.weights > 0.1
    assert big.sum() == 2
    assert np.sort(best.means[big][:, 0]) == pytest.approx([0, 8], abs=0.3)


def test_forty_events_apart_from_a_large_group_are_a_component() -> None:
    points = np.vstack([clusters([[0, 0, 0, 0]], 2000), clusters([[9, 0, 0, 0]], 40, seed=3)])
    best = best_of(mixture.scan(points, 6))
    assert len(best) == 2
    assert best.weights.min() == pytest.approx(40 / 2040, rel=0.2)


def test_two_equal_lumps_are_split_although_another_axis_has_far_events() -> None:
    rng = np.random.default_rng(4)
    points = clusters([[-3, 0, 0, 0, 0], [3, 0, 0, 0, 0]], 400)
    points[:, 3] = 0.8 * rng.standard_t(2.5, len(points))  # far events on an axis that tells nothing
    labels = mixture.scan(points, 2)[-1].assign(points)
    assert min((labels[:400] == labels[0]).mean(), (labels[400:] != labels[0]).mean()) > 0.95


def test_the_fast_exponential_is_exact_enough() -> None:
    values = np.linspace(-29.9, 0, 3001)
    fast = values.copy()
    expectation._exponential(fast)
    np.testing.assert_allclose(fast, np.exp(values), rtol=1e-9)


def test_equal_points_do_not_break_it() -> None:
    assert len(mixture.scan(np.zeros((40, 2)), 5)[0]) >= 1
