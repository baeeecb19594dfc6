"""Linked nodes proposed from a normal approximation: what is found, its identity, and that the posterior stays as it is."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from deriver.derivation.predictors import find_predictors
from deriver.derivation.predictors_check import check_predictors
from deriver.emission.module import emit
from deriver.errors import InternalError
from deriver.language import parse_model
from deriver.pipeline import derive, plan
from deriver.show import render
from tests.emitted import load_source

EFFECTS = """model effects
plates
  i = 1..N
given
  x[i]
data
  y[i] ~ Poisson(log_rate=alpha + beta * x[i] + b[i])
process
  b[i] ~ Normal(0, sd=sigma)
parameters
  alpha ~ Normal(0, var=1)
  beta ~ Uniform(-2, 2)
  sigma ~ Uniform(0, 2)
"""
# A random walk whose elements depend on each other, beside effects of which the first is fixed.
WALK = """model walk
plates
  t = 1..T
  k = 1..K
given
  g : t -> k
data
  y[t] ~ Poisson(log_rate=h[t] + a[g[t]])
process
  h[1] ~ Normal(0, var=1)
  h[t] ~ Normal(h[t-1], var=v) for t in 2..T
  a[1] = 0
  a[k] ~ Normal(0, var=1) for k in 2..K
parameters
  v ~ InverseGamma(shape=3, scale=1)
"""
# Vectors, whose mean is one of the nodes.
SLOPES = """model slopes
plates
  i = 1..N
  j = 1..J
given
  x[i,j] : vector(2)
data
  y[i,j] ~ Poisson(log_rate=x[i,j]' * b[i])
process
  b[i] ~ Normal(mu, cov=s2 * eye(2))
parameters
  mu ~ Normal(0, cov=eye(2))
  s2 ~ InverseGamma(shape=3, scale=1)
"""
X = np.array([-1.0, -0.5, 0.5, 1.5])
G = np.array([0, 1, 1, 0])
PAIRS = np.array([[[1.0, -1.0], [1.0, 0.5]], [[1.0, 1.0], [0.5, 0.0]]])
Y = np.array([0.0, 2.0, 1.0, 4.0])
DATA = {
    EFFECTS: {"x": X, "y": Y}, WALK: {"g": G, "y": Y, "K": 2, "a_observed": np.array([0.0, np.nan])}, SLOPES: {"x": PAIRS, "y": Y.reshape(2, 2)}
}  # fmt: skip
CHAINS = 8_000
TEXTS = {"effects": EFFECTS, "walk": WALK, "slopes": SLOPES}
BROKEN = {
    "no_way_back": ("effects", "now, then = np.split(weights, 2)",
                    "now, then = np.split(weights + log_proposal * (np.arange(len(weights)) < len(u)), 2)"),
    "no_density_of_the_proposal": ("walk", "log_density(both, data) - log_proposal", "log_density(both, data)"),
    "no_determinant": ("effects", "log_density = -log_integral", "log_density = 0 * log_integral"),
    "no_jacobian": ("effects", "+ log_jacobian - place(u)[1]", ""),
    "a_density_left_out": ("slopes", "total += np.sum(log_poisson(", "total += 0 * np.sum(log_poisson("),
}  # fmt: skip


def prior_of_effects(rng, size: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    alpha, beta, sigma = rng.standard_normal(size), rng.uniform(-2, 2, size), rng.uniform(0, 2, size)
    b = sigma[:, None] * rng.standard_normal((size, 4))
    return {"alpha": alpha, "beta": beta, "sigma": sigma, "b": b}, alpha[:, None] + beta[:, None] * X + b


def prior_of_walk(rng, size: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    v = 1 / rng.gamma(3, 1, size)
    steps = rng.standard_normal((size, 4)) * np.column_stack([np.ones(size), *[np.sqrt(v)] * 3])
    a = np.column_stack([np.zeros(size), rng.standard_normal(size)])
    h = np.cumsum(steps, axis=1)
    return {"v": v, "h": h, "a": a}, h + a[:, G]


def prior_of_slopes(rng, size: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    s2, mu = 1 / rng.gamma(3, 1, size), rng.standard_normal((size, 2))
    b = mu[:, None, :] + np.sqrt(s2)[:, None, None] * rng.standard_normal((size, 2, 2))
    return {"s2": s2, "mu": mu, "b": b}, np.einsum("ijp,xip->xij", PAIRS, b).reshape(size, -1)


PRIORS = {EFFECTS: prior_of_effects, WALK: prior_of_walk, SLOPES: prior_of_slopes}


@cache
def posterior(model: str) -> tuple[dict[str, np.ndarray], float]:
    """Return draws from the posterior by weighting draws from the prior, and how many they are worth."""
    rng, size = np.random.default_rng(1), 300_000
    draws, eta = PRIORS[model](rng, size)
    logs = (Y * eta - np.exp(eta)).sum(axis=1)
    weight = np.exp(logs - logs.max())
    weight /= weight.sum()
    chosen = rng.choice(size, CHAINS, p=weight)
    return {name: values[chosen] for name, values in draws.items()}, 1 / float(np.sum(weight**2))


@cache
def source(model: str) -> str:
    return emit(derive(parse_model(model)), plan(derive(parse_model(model)), blocks="on"))


def numbers(state) -> np.ndarray:
    """Return all numbers of a state, and their squares and products with the first, (chains, k)."""
    flat = np.column_stack([value.reshape(len(value), -1) for value in vars(state).values()])
    flat = flat[:, np.ptp(flat, axis=0) > 0]  # what is fixed
    return np.column_stack([flat, flat[:, 1:] - flat[:, :1], flat * flat[:, :1]])


def farthest(module, model: str) -> tuple[float, float]:
    """Return by how many standard errors a quantile is off after moves, and how far a move is from reversible."""
    draws, worth = posterior(model)
    rng, data = np.random.default_rng(2), module.prepare(DATA[model])
    start = state = module.State(**draws)
    steps = module.first_steps(state)["approximation"]
    steps.root, steps.inverse = 0.7 * np.eye(1), np.eye(1) / 0.7
    moved, worst = 0.0, 0.0
    for number in range(4):
        steps.walks = float(number % 2)  # independent proposals, then random walks
        before = numbers(state)
        state, accepted = module.update_approximation(rng, state, data, steps)
        moved += accepted.mean() / 4
        after = numbers(state)
        swapped = before[:, :, None] * after[:, None, :] - after[:, :, None] * before[:, None, :]
        spread = np.maximum(swapped.std(axis=0), 1e-12)
        worst = max(worst, float(np.max(np.abs(swapped.mean(axis=0)) / spread)) * np.sqrt(len(before)))
    assert moved > 0
    first, last = numbers(start), numbers(state)
    errors = []
    for share in (0.05, 0.25, 0.5, 0.75, 0.95):
        below = (last <= np.quantile(first, share, axis=0)).mean(axis=0)
        error = np.sqrt(share * (1 - share) * (2 / len(first) + 2 / worth))
        errors.append(float(np.max(np.abs(below - share))) / error)
    return max(errors), worst


@pytest.mark.parametrize("name", TEXTS)
def test_the_move_keeps_the_posterior_and_is_reversible(name: str, tmp_path) -> None:
    off, irreversible = farthest(load_source(source(TEXTS[name]), tmp_path, name), TEXTS[name])
    assert off < 4.5 and irreversible < 5.5


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_move_is_seen(fault: str, tmp_path) -> None:
    name, old, new = BROKEN[fault]
    text = source(TEXTS[name])
    before, own, after = text.partition("def expand_approximation(")
    assert own and old in after
    off, irreversible = farthest(
        load_source(before + own + after.replace(old, new, 1), tmp_path, name), TEXTS[name]
    )
    assert max(off, irreversible) > 7


def dense_system(module, state, data) -> tuple[np.ndarray, np.ndarray]:
    """Return the precision (D, D) and the gradient of one chain, put together row by row."""
    nodes, rows = module.expand_approximation(state, data)
    starts = np.cumsum([0, *(node.places.size * node.size for node in nodes)])
    precision, gradient = np.zeros((starts[-1],) * 2), np.zeros(starts[-1])
    for row in rows:
        for n in range(row.slope.shape[1]):
            design = np.zeros((row.slope.shape[2], starts[-1]))
            for e, at, coefficient in row.terms:
                place = starts[e] + at[n] * nodes[e].size
                design[:, place : place + nodes[e].size] += coefficient[0, n]
            precision += design.T @ row.weight[0, n] @ design
            gradient += design.T @ row.slope[0, n]
    free = np.concatenate([np.repeat(node.free, node.size) for node in nodes])
    return precision[np.ix_(free, free)], gradient[free]


@pytest.mark.parametrize("name", TEXTS)
def test_the_density_of_the_proposal_is_that_of_the_dense_normal(name: str, tmp_path) -> None:
    """One Newton step from the start, then the normal density there, without block-sparse elimination."""
    module = load_source(source(TEXTS[name]), tmp_path, name)
    data = module.prepare(DATA[TEXTS[name]])
    draws = {node: values[:2] for node, values in posterior(TEXTS[name])[0].items()}
    both = module.State(**draws)
    steps = module.first_steps(both)["approximation"]
    steps.settle(data, *module.expand_approximation(both, data))
    drawn, log_density = module.approximate(
        np.random.default_rng(4), both, data, module.expand_approximation, steps
    )
    for chain in range(2):
        one = replace(both, **{node: value[chain : chain + 1] for node, value in vars(both).items()})
        point = replace(one, **{node: 0 * getattr(one, node) + value for node, value in steps.start.items()})
        sizes = [getattr(point, node).size for node in steps.names]
        free = [np.ones(size, bool) for size in sizes]
        free = np.concatenate(
            [node.free.repeat(node.size) for node in module.expand_approximation(one, data)[0]]
        )
        flat = np.concatenate([getattr(point, node).ravel() for node in steps.names])
        precision, gradient = dense_system(module, point, data)
        flat[free] += np.linalg.solve(precision, gradient)
        pieces = np.split(flat, np.cumsum(sizes)[:-1])
        shapes = {node: getattr(point, node).shape for node in steps.names}
        point = replace(
            point,
            **{node: piece.reshape(shapes[node]) for node, piece in zip(steps.names, pieces, strict=True)},
        )
        precision, gradient = dense_system(module, point, data)
        mean = flat[free] + np.linalg.solve(precision, gradient)
        value = np.concatenate([getattr(drawn, node)[chain].ravel() for node in steps.names])[free]
        exact = multivariate_normal(mean, np.linalg.inv(precision)).logpdf(value)
        exact += len(mean) / 2 * np.log(2 * np.pi)
        assert log_density[chain] == pytest.approx(exact, rel=1e-8, abs=1e-8)


# --- what is found, and its identity ------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["slope", "weight"])
def test_a_wrong_derivative_is_refused(part: str) -> None:
    derivation = derive(parse_model(EFFECTS))
    found = find_predictors(derivation)
    assert found is not None
    check_predictors(derivation, found)
    for place, density in enumerate(found.densities):
        wrong = replace(density, **{part: 1.01 * getattr(density, part)})
        densities = (*found.densities[:place], wrong, *found.densities[place + 1 :])
        with pytest.raises(InternalError, match="fault of deriver"):
            check_predictors(derivation, replace(found, densities=densities))


def members_of(text: str, **options) -> tuple[list[str], list[str]]:
    move = plan(derive(parse_model(text)), **({"blocks": "auto"} | options)).approximation
    return ([], []) if move is None else ([s.node for s in move.members], [s.node for s in move.numbers])


def test_what_is_proposed_together_follows_from_the_model() -> None:
    assert members_of(EFFECTS) == (["b", "alpha", "beta"], ["sigma"])
    assert members_of(WALK) == (["h", "a"], ["v"])
    assert members_of(SLOPES) == (["b", "mu"], ["s2"])
    logit = EFFECTS.replace("Poisson(log_rate=", "Binomial(size=9, logit=")
    assert members_of(logit) == (["b", "alpha", "beta"], ["sigma"])


def test_blocks_off_and_chosen_methods_leave_nodes_out() -> None:
    assert members_of(EFFECTS, blocks="off") == ([], [])
    assert members_of(EFFECTS, methods={"beta": "slice"}) == (["b", "alpha"], ["sigma"])
    assert members_of(EFFECTS, methods={"sigma": "slice"}) == (["b", "alpha", "beta"], [])


@pytest.mark.parametrize(
    "old, new",
    [
        ("Poisson(log_rate=alpha + beta * x[i] + b[i])", "Normal(alpha + beta * x[i] + b[i], var=1)"),
        ("b[i])", "b[i]) T(1, inf)"),
    ],
)
def test_other_models_have_no_such_move(old: str, new: str) -> None:
    assert members_of(EFFECTS.replace(old, new)) == ([], [])


def test_the_move_is_given_up_where_it_does_not_pay(tmp_path) -> None:
    """Draws that follow one another slowly before the move, and with it fast or slowly."""
    for pays in (False, True):
        module = load_source(source(EFFECTS).replace("1, True)", "1, False)"), tmp_path, f"effects_{pays}")
        rng = np.random.default_rng(3)
        values = {
            "b": rng.standard_normal((8, 4)),
            "alpha": rng.standard_normal(8),
            "beta": rng.standard_normal(8),
        }
        steps = module.first_laplace_steps(
            module.State(sigma=np.ones(8), **values), 1, tuple(values), 8, False
        )
        steps.settle(None, *module.expand_approximation(
            module.State(sigma=np.ones(8), **values), module.prepare(DATA[EFFECTS])))  # fmt: skip
        for number in range(400):
            keep = 0.0 if pays and number >= 200 else 0.98
            values = {
                k: keep * v + np.sqrt(1 - keep**2) * rng.standard_normal(v.shape) for k, v in values.items()
            }
            steps.place = keep * steps.place + np.sqrt(1 - keep**2) * rng.standard_normal((8, 1))
            steps.values = values
            steps.adapt(np.ones(8))
        assert steps.used is pays


def test_the_derivation_says_what_is_proposed_together() -> None:
    text = " ".join(render(derive(parse_model(EFFECTS))).split())
    assert "Proposed together, where it pays (NumPy backend): b, alpha, beta" in text
    assert "new values of sigma come first" in text and "weight(y_i) = exp(η_i)" in text
