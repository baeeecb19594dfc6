"""Partly observed nodes: what is missing is drawn given all the rest, against exact posteriors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats
from scipy.special import beta

import deriver
from deriver.errors import DataError, ModelError, UsageError
from deriver.language import parse_model, print_model
from deriver.language.distributions import N
from deriver.running.sampling import load_sampler

COVARIATE = """model covariate
plates
  i = 1..n
data
  y[i] ~ N(a + b * x[i], 0.5)
  x[i] ~ N(mx, 2)
parameters
  a ~ N(0, 10)
  b ~ N(0, 4)
  mx ~ N(0, 10)
"""
LAGGED = """model lagged
plates
  t = 1..T
data
  y[1] ~ N(0, 2)
  y[t] ~ N(phi * y[t-1], 0.7) for t in 2..T
parameters
  phi ~ N(0, 1)
"""
COUNTS = """model counts
plates
  t = 1..T
data
  x[1] ~ N(0, 1)
  x[t] ~ N(0.8 * x[t-1], 0.5) for t in 2..T
  c[t] ~ Pois(exp(x[t]))
"""
GATED = """model gated
plates
  i = 1..n
data
  z[i] ~ Bernoulli(q)
  y[i] ~ N(2 * z[i], 1)
parameters
  q ~ Beta(2, 2)
"""
POSITIVE = """model positive
plates
  i = 1..n
data
  x[i] ~ Gamma(shape=2, rate=1)
  c[i] ~ Pois(3 * x[i] / (1 + x[i]))
"""
VECTORS = """model vectors
plates
  i = 1..n
given
  S : matrix(2,2)
data
  y[i] ~ N(x[i]' * b, 0.5)
  x[i] ~ N(mu, S)
parameters
  b ~ N([1; -1], 0.0001 * eye(2))
  mu ~ N([0; 0], 10 * eye(2))
"""


def posterior_of(text: str, data: dict, draws: int = 4000, **options: object):
    """Return the draws by name."""
    options = {"seed": 1, "draws": draws, "warmup": 500, "progress": False, **options}
    return deriver.run(parse_model(text), data, **options).idata.posterior


def check(draws: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> None:
    """Check means and standard deviations, over (chain, draw), against exact ones, each to 0.08 standard deviations."""
    flat = np.asarray(draws).reshape(-1, np.size(mean))
    np.testing.assert_allclose((flat.mean(axis=0) - mean) / sd, 0, atol=0.08)
    np.testing.assert_allclose(flat.std(axis=0) / sd, 1, atol=0.08)


def mix(grid: np.ndarray, slope_of: Callable[[float], tuple[float, np.ndarray, np.ndarray]]):
    """Return mean and sd of (slope, rest), the rest normal given the slope: (log weight, mean, covariance)."""
    parts = [slope_of(value) for value in grid]
    logs = np.array([part[0] for part in parts])
    weights = np.exp(logs - logs.max()) / np.exp(logs - logs.max()).sum()
    means = np.array([[value, *part[1]] for value, part in zip(grid, parts, strict=True)])
    squares = np.array([[0.0, *np.diag(part[2])] for part in parts]) + means**2
    mean = weights @ means
    return mean, np.sqrt(weights @ squares - mean**2)


def test_a_missing_covariate() -> None:
    """Given the slope, the missing covariates, the intercept and their mean are jointly normal."""
    rng, n = np.random.default_rng(1), 12
    x = rng.normal(1, 1.4, n)
    y = 1 + 0.7 * x + rng.normal(0, 0.7, n)
    gone, quiet = [2, 5, 7], 5
    x[gone], y[quiet] = np.nan, np.nan

    def given_slope(b: float) -> tuple[float, np.ndarray, np.ndarray]:
        # unknowns: the three x, a, mx
        rows, values, noise = [], [], []
        for i in range(n):
            missing = i in gone
            own = np.eye(5)[gone.index(i)] if missing else np.zeros(5)
            if i != quiet:
                rows.append(b * own + np.eye(5)[3])
                values.append(y[i] - (0 if missing else b * x[i]))
                noise.append(0.5)
            rows.append(np.eye(5)[4] - own)
            values.append(0 if missing else x[i])
            noise.append(2.0)
        rows += [np.eye(5)[3], np.eye(5)[4]]
        values, noise = [*values, 0, 0], [*noise, 10, 10]
        design, weight = np.array(rows), 1 / np.array(noise)
        precision = design.T @ (weight[:, None] * design)
        cov = np.linalg.inv(precision)
        mean = cov @ design.T @ (weight * np.array(values))
        rest = np.array(values) - design @ mean
        log = -0.5 * (weight * rest**2).sum() + 0.5 * np.linalg.slogdet(cov)[1] - b**2 / 8
        return log, mean, cov

    mean, sd = mix(np.linspace(-1.5, 2.5, 401), given_slope)
    found = posterior_of(COVARIATE, {"x": x, "y": y})
    assert found.x_missing_dim.to_numpy().tolist() == ["3", "6", "8"]
    drawn = [
        found.b.to_numpy()[..., None],
        found.x_missing,
        found.a.to_numpy()[..., None],
        found.mx.to_numpy()[..., None],
    ]
    check(np.concatenate(drawn, axis=-1), mean, sd)
    assert set(found.y_missing_dim.to_numpy()) == {"6"}


def test_a_lagged_response_with_gaps() -> None:
    rng, length = np.random.default_rng(2), 14
    y = np.zeros(length)
    for t in range(1, length):
        y[t] = 0.8 * y[t - 1] + rng.normal(0, 0.8)
    gone = np.array([0, 3, 4, 9, 13])
    y[gone] = np.nan
    seen = np.setdiff1d(np.arange(length), gone)

    def given_slope(phi: float) -> tuple[float, np.ndarray, np.ndarray]:
        step = np.eye(length) - phi * np.eye(length, k=-1)
        precision = step.T @ np.diag([1 / 2, *[1 / 0.7] * (length - 1)]) @ step
        cov = np.linalg.inv(precision[np.ix_(gone, gone)])
        mean = -cov @ precision[np.ix_(gone, seen)] @ y[seen]
        own = precision[np.ix_(seen, seen)]
        own = own - precision[np.ix_(seen, gone)] @ cov @ precision[np.ix_(gone, seen)]
        log = (np.linalg.slogdet(own)[1] - y[seen] @ own @ y[seen] - phi**2) / 2
        return log, mean, cov

    mean, sd = mix(np.linspace(-1.5, 2.5, 401), given_slope)
    found = posterior_of(LAGGED, {"y": y})
    check(np.concatenate([found.phi.to_numpy()[..., None], found.y_missing], axis=-1), mean, sd)


def test_neighbours_drawn_by_metropolis_steps() -> None:
    """Two missing neighbours, by quadrature in two dimensions."""
    x, c = np.array([0.5, np.nan, np.nan, -0.3]), np.array([2, 4, 0, 1])
    u, v = np.meshgrid(np.linspace(-5, 5, 801), np.linspace(-5, 5, 801), indexing="ij")
    log = stats.norm(0.8 * 0.5, 0.5**0.5).logpdf(u) + stats.norm(0.8 * u, 0.5**0.5).logpdf(v)
    log += stats.norm(0.8 * v, 0.5**0.5).logpdf(-0.3) + 4 * u - np.exp(u) - np.exp(v)
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    mean = np.array([(weight * each).sum() for each in (u, v)])
    sd = np.sqrt([(weight * (each - m) ** 2).sum() for each, m in zip((u, v), mean, strict=True)])
    check(posterior_of(COUNTS, {"x": x, "c": c}).x_missing, mean, sd)


def test_a_missing_indicator() -> None:
    z, y = np.array([1, 0, np.nan, np.nan, 1, 0]), np.array([2.5, -0.3, 1.4, 0.2, 1.8, 0.6])
    total, mean_q, share = 0.0, 0.0, np.zeros(2)
    for first in (0, 1):
        for second in (0, 1):
            ones = 2 + first + second
            weight = np.exp(-((1.4 - 2 * first) ** 2 + (0.2 - 2 * second) ** 2) / 2) * beta(
                2 + ones, 8 - ones
            )
            total += weight
            mean_q += weight * (2 + ones) / 10
            share += weight * np.array([first, second])
    found = posterior_of(GATED, {"z": z, "y": y})
    np.testing.assert_allclose(found.z_missing.mean(("chain", "draw")), share / total, atol=0.02)
    assert float(found.q.mean()) == pytest.approx(mean_q / total, abs=0.01)


def test_a_positive_covariate_moves_on_its_own_scale() -> None:
    x, c = np.array([0.7, np.nan, 3.1, np.nan]), np.array([1, 4, 2, 0])
    grid = np.linspace(1e-4, 25, 100001)
    exact = []
    for count in (4, 0):
        log = stats.gamma(2).logpdf(grid) + stats.poisson(3 * grid / (1 + grid)).logpmf(count)
        weight = np.exp(log - log.max())
        mean = (weight * grid).sum() / weight.sum()
        exact.append((mean, np.sqrt((weight * (grid - mean) ** 2).sum() / weight.sum())))
    check(posterior_of(POSITIVE, {"x": x, "c": c}).x_missing, *np.array(exact).T)


def test_a_missing_vector() -> None:
    """With the slopes all but known, y and mu tell of a missing vector as of a normal one."""
    rng, n, b = np.random.default_rng(3), 5, np.array([1.0, -1.0])
    cov = np.array([[1.0, 0.4], [0.4, 2.0]])
    x = rng.multivariate_normal([1, 0], cov, n)
    y = x @ b + rng.normal(0, 0.7, n)
    x[3] = np.nan
    root = np.linalg.inv(cov)
    precision = np.zeros((4, 4))  # of x[3], mu
    precision[:2, :2] = root + np.outer(b, b) / 0.5
    precision[:2, 2:] = precision[2:, :2] = -root
    precision[2:, 2:] = n * root + np.eye(2) / 10
    linear = np.concatenate([b * y[3] / 0.5, root @ np.nansum(x, axis=0)])
    mean, sd = np.linalg.solve(precision, linear), np.sqrt(np.diag(np.linalg.inv(precision)))
    found = posterior_of(VECTORS, {"x": x, "y": y, "S": cov})
    check(np.concatenate([found.x_missing[:, :, 0], found.mu], axis=-1), mean, sd)


def test_the_observed_elements_stay() -> None:
    x, c = np.array([0.7, np.nan, 3.1, np.nan]), np.array([1, 4, 2, 0])
    result = deriver.run(parse_model(POSITIVE), {"x": x, "c": c}, seed=1, draws=20, warmup=20, progress=False)
    module = load_sampler(result.source, "positive")
    drawn = module.sample(
        module.prepare({"x": x, "c": c}), draws=20, warmup=20, seed=1, start={"x": [1.0] * 4}
    )["x"]
    assert (drawn[..., [0, 2]] == [0.7, 3.1]).all()
    assert (drawn[..., [1, 3]].std(axis=(0, 1)) > 0.1).all()


# --- the words ----------------------------------------------------------------------------------------------

MARKED = COVARIATE.replace("N(mx, 2)", "N(mx, 2) partly observed")


def test_the_words_are_read_and_printed() -> None:
    model = parse_model(MARKED)
    assert model.node("x").partly
    assert "x[i] ~ N(mx, 2) partly observed\n" in print_model(model)
    assert parse_model(print_model(model)) == model


def test_the_conditional_is_derived_and_shown() -> None:
    derivation = deriver.derive(parse_model(MARKED))
    family, values = derivation.node("x").at(
        {"x": {(1,): 0.0}, "y": {(1,): 3.0}, "a": {(): 1.0}, "b": {(): 2.0}, "mx": {(): 4.0}, "n": {(): 1}},
        (1,),
    )
    assert family == "normal"
    assert values["var"] == pytest.approx(1 / (4 / 0.5 + 1 / 2))
    assert values["mean"] == pytest.approx((2 * 2 / 0.5 + 4 / 2) / (4 / 0.5 + 1 / 2))
    assert "It is partly observed: what is missing is drawn" in deriver.render(derivation)


def test_both_ways_to_say_it_draw_the_same() -> None:
    x, y = np.array([0.7, np.nan, 3.1]), np.array([1.0, 4.0, 2.0])
    one, two = (posterior_of(text, {"x": x, "y": y}, draws=20) for text in (COVARIATE, MARKED))
    np.testing.assert_array_equal(one.x_missing, two.x_missing)


def test_it_belongs_to_the_data() -> None:
    with pytest.raises(ModelError, match="`a` stands under `parameters`, and is partly observed"):
        parse_model(COVARIATE.replace("a ~ N(0, 10)", "a ~ N(0, 10) partly observed"))


def test_compiled_loops_refuse_it() -> None:
    with pytest.raises(UsageError, match="the partly observed x"):
        deriver.emit(parse_model(MARKED), backend="numba")


def test_the_builder_says_it_too() -> None:
    builder = deriver.ModelBuilder("covariate")
    i = builder.plate("i", 1, "n")
    x, mx = builder.nodes("x mx")
    builder.data(x[i], N(mx, 2), partly=True)
    builder.parameters(mx, N(0, 10))
    assert "x[i] ~ N(mx, 2) partly observed" in builder.text()
    assert builder.build().node("x").is_drawn


IN_PART = """model in_part
plates
  i = 1..n
given
  c : vector(p)
  S : matrix(p,p)
data
  y[i] ~ N(mu, S)
  w[i] ~ {child}
parameters
  mu ~ N(c, 4 * eye(p))
"""
CHILDREN = {"none": "N(0, 1)", "linear": "N(c' * y[i], 1)"}


def in_part() -> dict[str, np.ndarray]:
    """Rows of strongly dependent components: all, two, one and none of them seen."""
    y = np.array([[1.2, 2.1, 2.9], [0.3, np.nan, 3.4], [np.nan, 1.0, np.nan], [np.nan] * 3])
    S = np.array([[1, 0.9, 0.5], [0.9, 1, 0.6], [0.5, 0.6, 1]])
    return {"y": y, "S": S, "c": np.array([1.0, -1.0, 0.5]), "w": np.array([0.2, 1.5, -0.7, 3.0])}


def exact_in_part(data: dict[str, np.ndarray], weight: float) -> tuple[np.ndarray, np.ndarray]:
    """The mean and sd of mu and of what is missing, from the joint precision of both."""
    y, c, Q = data["y"], data["c"], np.linalg.inv(data["S"])
    rows = np.kron(np.ones((len(y), 1)), np.eye(3))
    own = np.kron(np.eye(len(y)), Q + weight * np.outer(c, c))
    within = np.kron(np.eye(len(y)), Q)
    A = np.block([[np.eye(3) / 4 + rows.T @ within @ rows, -rows.T @ within], [-within @ rows, own]])
    b = np.concatenate([c / 4, weight * np.kron(data["w"], c)])
    seen = np.concatenate([np.full(3, np.nan), y.ravel()])
    free = np.isnan(seen)
    V = np.linalg.inv(A[np.ix_(free, free)])
    return V @ (b[free] - A[np.ix_(free, ~free)] @ seen[~free]), np.sqrt(np.diag(V))


@pytest.mark.parametrize("child", CHILDREN)
def test_missing_components_are_drawn_given_the_others(child: str) -> None:
    data = in_part()
    posterior = posterior_of(IN_PART.format(child=CHILDREN[child]), data)
    mean, sd = exact_in_part(data, float(child == "linear"))
    drawn = posterior["y_missing"]  # rows 2, 3 and 4, whole
    places = [(0, 1), (1, 0), (1, 2), (2, 0), (2, 1), (2, 2)]
    columns = [posterior["mu"][..., k] for k in range(3)] + [drawn[:, :, i, k] for i, k in places]
    check(np.stack(columns, axis=-1), mean, sd)
    np.testing.assert_array_equal(drawn[:, :, 1, 1], 1.0)


@pytest.mark.parametrize("words", ["", " partly observed"])
def test_vectors_that_are_not_drawn_whole_must_be_seen_whole(words: str) -> None:
    """A Metropolis step of a vector, part of which is put back afterwards, would keep no distribution."""
    text = IN_PART.format(child="Pois(exp(c' * y[i]))").replace("N(mu, S)", f"N(mu, S){words}")
    data = {**in_part(), "w": np.array([1.0, 0, 3, 1])}
    with pytest.raises(DataError, match="some components are missing"):
        posterior_of(text, data)
