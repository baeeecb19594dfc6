"""Nodes moved along the slope of their joint density: what is found, its identity, and that the posterior stays as it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sympy as sp

from deriver.algebra.heads import shape_of
from deriver.derivation.slopes_check import check_slopes
from deriver.emission.module import emit
from deriver.errors import InternalError
from deriver.language import parse_model
from deriver.pipeline import derive, plan
from deriver.show import render
from tests.emitted import load_source
from tests.unit.weighted_draws import DATA, EFFECTS, TEXTS, farthest, posterior, source

# Answers to items: products of nodes, one of them positive.
ITEMS = """model items
plates
  i = 1..I
  j = 1..J
data
  y[i,j] ~ Bernoulli(logit=a[i] * (theta[j] - b[i]))
process
  theta[j] ~ Normal(0, sd=s)
  a[i] ~ LogNormal(meanlog=0, sdlog=1)
  b[i] ~ Normal(mu, var=1)
parameters
  s ~ HalfCauchy(scale=2)
  mu ~ Normal(0, var=4)
"""
# Thresholds in the entries of a vector of probabilities.
ORDERED = """model ordered
plates
  i = 1..N
  t = 1..T
given
  x[i,t]
data
  y[i,t] ~ Categorical([expit(c1 + m[i,t]); expit(c2 + m[i,t]) - expit(c1 + m[i,t]); 1 - expit(c2 + m[i,t])])
  order ~ Bernoulli(is_positive(c2 - c1))
process
  m[i,t] = beta * x[i,t] + b[i]
  b[i] ~ Normal(0, prec=tau)
parameters
  c1 ~ Normal(0, var=4)
  c2 ~ Normal(0, var=4)
  beta ~ Normal(0, var=4)
  tau ~ Gamma(shape=1, rate=1)
"""
# Effects of which the predictor holds the sum.
CENTRED = """model centred
plates
  i = 1..N
data
  y[i] ~ Binomial(size=9, logit=alpha + b[i])
process
  b[i] = c[i] - sum(i: c[i]) / N
  c[i] ~ Normal(0, prec=tau)
parameters
  alpha ~ Normal(0, var=4)
  tau ~ Gamma(shape=1, rate=1)
"""
# Categories of which the first has no coefficients: shares of the exponents of all.
CHOICES = """model choices
plates
  i = 1..I
  k = 1..K
  k2 = 1..K
  f = 1..F
given
  x[i]
  n[i] : integer >= 0
  is_free[k] : integer in 0..1
  place : k -> f
data
  y[i] ~ Multinomial(n[i], p[i,:])
process
  level_free[f] ~ Normal(0, var=4)
  slope_free[f] ~ Normal(0, var=4)
  level[k] = is_free[k] * level_free[place[k]]
  slope[k] = is_free[k] * slope_free[place[k]]
  p[i,k] = share[i,k] / sum(k2: share[i,k2])
  log(share[i,k]) = level[k] + slope[k] * x[i]
"""
# A density with a corner, beside a response without a conjugate prior.
CORNER = """model corner
plates
  i = 1..N
  j = 1..2
given
  x[i,j]
data
  y[i] ~ Poisson(log_rate=a + sum(j: x[i,j] * b[j]))
parameters
  a ~ Normal(0, var=4)
  b[j] ~ Laplace(location=0, scale=s)
  s ~ HalfNormal(sd=1)
"""
BROKEN = {
    "no_jacobian": ("effects", "log_density(moved, data) + log_jacobian", "log_density(moved, data)"),
    "no_momentum": ("effects", "- np.sum(momentum**2, axis=1) / 2", "- 0 * np.sum(momentum, axis=1)"),
    "no_volume_kept": ("effects", "end = end + size", "end = 0.9 * end + size"),
    "a_density_left_out": ("walk", "total += np.sum(log_poisson(", "total += 0 * np.sum(log_poisson("),
}  # fmt: skip


def farthest_of(text: str, name: str, folder) -> tuple[float, float]:
    """Return how far the draws are off after the moves of a source, and how far a move is from reversible."""
    model = TEXTS[name]
    module = load_source(text, folder, name)
    data, start = module.prepare(DATA[model]), module.State(**posterior(model)[0])
    steps = module.first_steps(start)["path"]
    steps.size, steps.scales = 0.4, np.ones_like(steps.scales)

    def move(rng, state, number: int):
        del number
        return module.update_path(rng, state, data, steps)

    return farthest(model, move, start)


@pytest.mark.parametrize("name", TEXTS)
def test_the_move_keeps_the_posterior_and_is_reversible(name: str, tmp_path) -> None:
    off, irreversible = farthest_of(source(TEXTS[name]), name, tmp_path)
    assert off < 4.5 and irreversible < 5.5


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_move_is_seen(fault: str, tmp_path) -> None:
    name, old, new = BROKEN[fault]
    text = source(TEXTS[name])
    places = [text.index(mark) for mark in ("def to_coordinates_path(", "def path_move(")]
    before, after = text[: min(places)], text[min(places) :]
    assert old in after
    off, irreversible = farthest_of(before + after.replace(old, new, 1), name, tmp_path)
    assert max(off, irreversible) > 7


def test_emitted_slopes_are_those_of_the_emitted_density(tmp_path) -> None:
    """By differences, element by element; terms that only some elements have are long here, and have names."""
    module = load_source(source(CHOICES), tmp_path, "choices")
    counts = np.array([[3, 1, 0, 2], [0, 4, 1, 1], [2, 2, 5, 0]])
    free = {"is_free": np.array([0, 1, 1, 1]), "place": np.array([0, 0, 1, 2])}
    x = np.array([-0.5, 0.3, 1.2])
    data = module.prepare({"y": counts, "n": counts.sum(axis=1), "x": x, "I": 3, "K": 4, "F": 3, **free})
    rng = np.random.default_rng(4)
    state = module.State(**{name: rng.standard_normal((2, 3)) for name in ("level_free", "slope_free")})
    for name in ("level_free", "slope_free"):
        ends = [
            [
                module.log_density_path(replace(state, **{name: getattr(state, name) + h * unit}), data)
                for unit in np.eye(3)
            ]
            for h in (-1e-5, 1e-5)
        ]
        numeric = (np.array(ends[1]) - np.array(ends[0])).T / 2e-5
        np.testing.assert_allclose(getattr(module, f"slope_path_{name}")(state, data), numeric, atol=1e-6)


# --- what is found, and its identity ------------------------------------------------------------------------


def members_of(text: str, **options) -> list[str]:
    move = plan(derive(parse_model(text)), **({"blocks": "auto"} | options)).hamiltonian
    return [] if move is None else [step.node for step in move.members]


@pytest.mark.parametrize("text", [*TEXTS.values(), ITEMS, ORDERED, CENTRED, CHOICES, CORNER])
def test_a_wrong_slope_is_refused(text: str) -> None:
    derivation = derive(parse_model(text))
    move = plan(derivation, blocks="auto").hamiltonian
    assert move is not None
    slopes = [(step.conditional, slope) for step, slope in zip(move.members, move.slopes, strict=True)]
    assert check_slopes(derivation, slopes)
    for place, (conditional, slope) in enumerate(slopes):
        assert shape_of(slope)[1] is None
        wrong = [*slopes[:place], (conditional, sp.Rational(101, 100) * slope), *slopes[place + 1 :]]
        with pytest.raises(InternalError, match="fault of deriver"):
            check_slopes(derivation, wrong)


def test_what_moves_follows_from_the_model() -> None:
    assert members_of(CORNER) == ["a", "s", "b"]
    assert members_of(ITEMS) == ["s", "mu", "theta", "a", "b"]
    assert members_of(ORDERED) == ["c1", "c2", "beta", "tau", "b"]
    assert members_of(CENTRED) == ["alpha", "tau", "c"]
    assert members_of(EFFECTS, blocks="off") == []
    assert members_of(EFFECTS, methods={"beta": "slice"}) == ["alpha", "sigma", "b"]
    assert (
        members_of(EFFECTS.replace("Poisson(log_rate=alpha + beta * x[i] + b[i])", "Normal(b[i], var=1)"))
        == []
    )


def test_the_move_is_given_up_where_it_does_not_pay(tmp_path) -> None:
    """Draws that follow one another slowly before the move, and with it fast or slowly."""
    module = load_source(source(EFFECTS), tmp_path, "effects")
    for pays in (False, True):
        rng = np.random.default_rng(3)
        steps = module.first_path_steps([np.zeros(8)], [np.zeros((8, 4))], 4, 0, False)
        for number in range(400):
            keep = 0.0 if pays and number >= 200 else 0.98
            steps.place = keep * steps.place + np.sqrt(1 - keep**2) * rng.standard_normal((8, 5))
            steps.adapt()
        assert steps.used is pays


def test_nodes_in_order_start_in_order(tmp_path) -> None:
    """Elsewhere the density is zero, and no walk finds its way back."""
    module = load_source(emit(derive(parse_model(ORDERED))), tmp_path, "ordered")
    x, y = np.zeros((3, 2)), np.array([[1, 2], [2, 3], [1, 3]])
    data = module.prepare({"x": x, "y": y, "order": 1.0, "N": 3, "T": 2})
    state = module.starting_values(np.random.default_rng(5), data, 50)
    assert np.all(state.c1 < state.c2)
    assert np.all(np.isfinite(module.log_joint(state, data)))


def test_the_derivation_says_what_moves() -> None:
    text = " ".join(render(derive(parse_model(ITEMS))).split())
    assert "Moved besides, where it pays (NumPy backend): s, mu, theta, a, b, along a path" in text
