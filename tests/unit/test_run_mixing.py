"""R-hat, effective sample sizes and Monte Carlo errors against ArviZ, number by number."""

from __future__ import annotations

import logging

import arviz
import numpy as np
import pytest

from deriver.running.mixing import measure, shortest_interval


def autoregression(rng: np.random.Generator, phi: float, shape: tuple[int, int]) -> np.ndarray:
    """Return chains of an autoregression of unit variance."""
    chains, length = shape
    values = np.empty(shape)
    values[:, 0] = rng.standard_normal(chains)
    for t in range(1, length):
        values[:, t] = phi * values[:, t - 1] + np.sqrt(1 - phi**2) * rng.standard_normal(chains)
    return values


def assorted(shape: tuple[int, int], seed: int) -> dict[str, np.ndarray]:
    """Return draws of many kinds: ties, constants, jumps, heavy tails, slow and antithetic chains."""
    rng = np.random.default_rng(seed)
    plain = rng.standard_normal(shape)
    apart = plain + np.arange(shape[0])[:, None]
    stuck = plain.copy()
    stuck[0] = 1.5
    drifting = plain + np.linspace(0, 3, shape[1])
    gone, far = plain.copy(), plain.copy()
    gone[0, 1] = np.nan
    far[0, -1] = np.inf
    return {
        "independent": plain, "slow": autoregression(rng, 0.95, shape), "antithetic": autoregression(rng, -0.6, shape),
        "ties": rng.integers(0, 4, shape).astype(float), "two values": rng.integers(0, 2, shape).astype(float),
        "constant": np.full(shape, 2.0), "heavy": rng.standard_cauchy(shape), "apart": apart, "stuck": stuck,
        "drifting": drifting, "not a number": gone, "infinite": far, "tiny": plain * 1e-9,
        "large": plain + 1e3,
    }  # fmt: skip


SHAPES = [(4, 100), (4, 101), (1, 50), (2, 4), (3, 5), (2, 7), (4, 1000), (1, 4)]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_measure_is_that_of_arviz(shape: tuple[int, int]) -> None:
    logging.getLogger("arviz").setLevel(logging.ERROR)
    draws = assorted(shape, seed=sum(shape))
    found = measure(np.stack(list(draws.values()), axis=-1))
    with np.errstate(all="ignore"):
        for k, (kind, values) in enumerate(draws.items()):
            expected = {
                "ess_bulk": arviz.ess(values, method="bulk"), "ess_tail": arviz.ess(values, method="tail"),
                "mcse": arviz.mcse(values, method="mean"),
                "r_hat": arviz.rhat(values) if shape[0] > 1 else np.nan,
            }  # fmt: skip
            for name, number in expected.items():
                tolerance = 1e-6 if kind == "large" else 1e-10  # ArviZ loses digits there
                np.testing.assert_allclose(
                    found[name][k], np.ravel(number)[0], rtol=tolerance, err_msg=f"{name}, {kind}"
                )


def test_many_numbers_in_parts_are_those_of_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = np.random.default_rng(2).standard_normal((4, 50, 23)).cumsum(axis=1)
    whole = measure(draws)
    monkeypatch.setattr("deriver.running.mixing.PART", 1000)
    for name, values in measure(draws).items():
        np.testing.assert_allclose(values, whole[name], rtol=1e-12)


@pytest.mark.parametrize("shape", [(4, 3), (2, 1), (1, 2)])
def test_too_few_draws_have_no_measure(shape: tuple[int, int]) -> None:
    found = measure(np.zeros((*shape, 2)))
    assert all(np.isnan(values).all() for values in found.values())


def test_shortest_interval_is_that_of_arviz() -> None:
    draws = np.random.default_rng(3).gamma(2.0, size=(4, 250))
    np.testing.assert_allclose(shortest_interval(draws), arviz.hdi(draws.ravel(), hdi_prob=0.95))
