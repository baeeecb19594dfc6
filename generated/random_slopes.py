"""A Gibbs sampler for the model random_slopes, generated from the model; yours to edit.

    model random_slopes
    # Lines with one intercept and a slope of their own for each individual.
    # N(m, v) has variance v. IG(q, r) has density proportional to x^-(q+1) exp(-1/(r x)).

    plates
      i = 1..n     # individuals
      j = 1..J[i]  # repeats of individual i; their number may differ, and may be 0

    given
      x[i,j]                   # a covariate
      m0, mu10 = 0             # prior means of beta0 and mu1
      v0, sigma2_10 > 0 = 1e4  # prior variances of beta0 and mu1
      q, q1 > 0 = 0.001        # shapes: vague, yet proper
      r, r1 > 0 = 1000         # reciprocals of the scales

    data
      y[i,j] ~ N(beta0 + beta1[i] * x[i,j], sigma2)

    process
      beta1[i] ~ N(mu1, sigma2_1)  # the slopes

    parameters
      mu1 ~ N(mu10, sigma2_10)  # the mean slope
      sigma2_1 ~ IG(q1, r1)     # how much the slopes differ
      beta0 ~ N(m0, v0)         # the intercept, the same for all
      sigma2 ~ IG(q, r)

Arrays of the state begin with an axis of chains; those of the data have none.
[a | .] is the full conditional of a: its density given all else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln

Array = np.ndarray


@dataclass(frozen=True)
class Data:
    """What is given, and what the sweeps need of it."""

    n: int
    J: Array  # (n,)
    x: Array  # (rows ij,)
    m0: Array
    mu10: Array
    v0: Array
    sigma2_10: Array
    q: Array
    q1: Array
    r: Array
    r1: Array
    y: Array  # (rows ij,), observed
    i_of_j: Array  # the i of each row j, from 0
    sum_xx_by_i: Array  # (n,): sum(j: x[i,j]^2)
    sum_xy_by_i: Array  # (n,): sum(j: x[i,j] * y[i,j])
    sum_x_by_i: Array  # (n,): sum(j: x[i,j])
    sum_J: Array  # (): sum(i: J[i])
    sum_y: Array  # (): sum(i,j: y[i,j])
    fit_beta0: Array  # (n,): least-squares fit of each i
    fit_beta1: Array  # (n,): least-squares fit of each i
    fit_beta0_rest: Array  # (n,): what rounding leaves out of fit_beta0
    fit_beta1_rest: Array  # (n,): what rounding leaves out of fit_beta1
    root_beta0: Array  # (n,): a part of R, the columns of each i being QR
    root_beta0_beta1: Array  # (n,): a part of R, the columns of each i being QR
    root_beta1: Array  # (n,): a part of R, the columns of each i being QR
    sum_rss: Array  # (): sum of squares of all rows around their least-squares fits


@dataclass(frozen=True)
class State:
    """The nodes that are drawn, for all chains."""

    beta1: Array  # (chains, n)
    mu1: Array  # (chains,)
    sigma2_1: Array  # (chains,)
    beta0: Array  # (chains,)
    sigma2: Array  # (chains,)


def prepare(data: Mapping[str, ArrayLike]) -> Data:
    """Check the data, and compute what the sweeps need of it.

    Fixed plates have an axis each; sizes may be left out where an array shows them.
    Ragged plates are rows one after another; J tells how many each has.
    """
    J = np.asarray(data["J"], dtype=int)
    n = int(np.asarray(data.get("n", np.shape(data["J"])[0])))
    i_of_j = np.repeat(np.arange(len(J)), J)
    x = read(data, "x", (len(i_of_j),))
    m0 = read(data, "m0", (), 0)
    mu10 = read(data, "mu10", (), 0)
    v0 = read(data, "v0", (), 10000)
    sigma2_10 = read(data, "sigma2_10", (), 10000)
    q = read(data, "q", (), 0.001)
    q1 = read(data, "q1", (), 0.001)
    r = read(data, "r", (), 1000)
    r1 = read(data, "r1", (), 1000)
    y = read(data, "y", (len(i_of_j),))
    sum_xx_by_i = group_sum(x**2, i_of_j, n, axis=0)
    sum_xy_by_i = group_sum(x * y, i_of_j, n, axis=0)
    sum_x_by_i = group_sum(x, i_of_j, n, axis=0)
    sum_J = np.sum(J)
    sum_y = np.sum(y)
    fit, rest, root, rss = least_squares(
        y, np.stack(np.broadcast_arrays(1, x), axis=-1), i_of_j, (n,)
    )
    fit_beta0, fit_beta0_rest = fit[..., 0], rest[..., 0]
    fit_beta1, fit_beta1_rest = fit[..., 1], rest[..., 1]
    root_beta0 = root[..., 0, 0]
    root_beta0_beta1 = root[..., 0, 1]
    root_beta1 = root[..., 1, 1]
    sum_rss = np.sum(rss)
    return Data(
        n=n,
        J=J,
        x=x,
        m0=m0,
        mu10=mu10,
        v0=v0,
        sigma2_10=sigma2_10,
        q=q,
        q1=q1,
        r=r,
        r1=r1,
        y=y,
        i_of_j=i_of_j,
        sum_xx_by_i=sum_xx_by_i,
        sum_xy_by_i=sum_xy_by_i,
        sum_x_by_i=sum_x_by_i,
        sum_J=sum_J,
        sum_y=sum_y,
        fit_beta0=fit_beta0,
        fit_beta1=fit_beta1,
        fit_beta0_rest=fit_beta0_rest,
        fit_beta1_rest=fit_beta1_rest,
        root_beta0=root_beta0,
        root_beta0_beta1=root_beta0_beta1,
        root_beta1=root_beta1,
        sum_rss=sum_rss,
    )


def draw_beta1(rng: np.random.Generator, state: State, data: Data) -> Array:
    """Draw beta1, shape (chains, n).

    [beta1[i] | .] = N(A^-1 b, A^-1)
      A = sum(j: x[i,j]^2) / sigma2 + 1 / sigma2_1
      b = sum(j: (y[i,j] - beta0) * x[i,j]) / sigma2 + mu1 / sigma2_1
    """
    precision = data.sum_xx_by_i / state.sigma2[:, None] + 1 / state.sigma2_1[:, None]
    deviation = data.sum_xy_by_i - state.beta0[:, None] * data.sum_x_by_i
    sigma2_beta0_sum_x_by_i = deviation / state.sigma2[:, None]
    linear = sigma2_beta0_sum_x_by_i + state.mu1[:, None] / state.sigma2_1[:, None]
    return random_normal(rng, precision, linear, state.beta1.shape)


def draw_mu1(rng: np.random.Generator, state: State, data: Data) -> Array:
    """Draw mu1, shape (chains,).

    [mu1 | .] = N(A^-1 b, A^-1)
      A = n / sigma2_1 + 1 / sigma2_10
      b = sum(i: beta1[i]) / sigma2_1 + mu10 / sigma2_10
    """
    precision = data.n / state.sigma2_1 + 1 / data.sigma2_10
    linear = np.sum(state.beta1, axis=1) / state.sigma2_1 + data.mu10 / data.sigma2_10
    return random_normal(rng, precision, linear, state.mu1.shape)


def draw_sigma2_1(rng: np.random.Generator, state: State, data: Data) -> Array:
    """Draw sigma2_1, shape (chains,).

    [sigma2_1 | .] = IG(shape, scale), density x^-(shape + 1) exp(-scale / x)
      shape = n / 2 + q1
      scale = sum(i: (beta1[i] - mu1)^2) / 2 + 1 / r1
    """
    shape = data.n / 2 + data.q1
    deviation = state.beta1 - state.mu1[:, None]
    scale = np.sum(deviation**2, axis=1) / 2 + 1 / data.r1
    return random_inverse_gamma(rng, shape, scale, state.sigma2_1.shape)


def draw_beta0(rng: np.random.Generator, state: State, data: Data) -> Array:
    """Draw beta0, shape (chains,).

    [beta0 | .] = N(A^-1 b, A^-1)
      A = sum(i: J[i]) / sigma2 + 1 / v0
      b = m0 / v0 - sum(i,j: 2 * beta1[i] * x[i,j] - 2 * y[i,j]) / (2 * sigma2)
    """
    precision = data.sum_J / state.sigma2 + 1 / data.v0
    sum_beta1_sum_x_by_i = state.beta1 @ data.sum_x_by_i
    linear = (data.sum_y - sum_beta1_sum_x_by_i) / state.sigma2 + data.m0 / data.v0
    return random_normal(rng, precision, linear, state.beta0.shape)


def draw_sigma2(rng: np.random.Generator, state: State, data: Data) -> Array:
    """Draw sigma2, shape (chains,).

    [sigma2 | .] = IG(shape, scale), density x^-(shape + 1) exp(-scale / x)
      shape = sum(i: J[i]) / 2 + q
      scale = sum(i,j: (y[i,j] - beta1[i] * x[i,j] - beta0)^2) / 2 + 1 / r
    Sums of squares are taken from statistics of the data:
      sum(j: (y[i,j] - beta1[i] * x[i,j] - beta0)^2) = (beta1[i] - fit_beta1[i])^2 *
          root_beta1[i]^2 + ((beta0 - fit_beta0[i]) * root_beta0[i] + (beta1[i] -
          fit_beta1[i]) * root_beta0_beta1[i])^2 + rss[i]
    """
    shape = data.sum_J / 2 + data.q
    off_beta0 = state.beta0[:, None] - data.fit_beta0 - data.fit_beta0_rest
    off_beta1 = state.beta1 - data.fit_beta1 - data.fit_beta1_rest
    scaled = data.root_beta0 * off_beta0 + data.root_beta0_beta1 * off_beta1
    squares = off_beta1**2 * data.root_beta1**2 + scaled**2
    scale = np.sum(squares, axis=1) / 2 + data.sum_rss / 2 + 1 / data.r
    return random_inverse_gamma(rng, shape, scale, state.sigma2.shape)


def log_joint(state: State, data: Data) -> Array:
    """Return the log of the joint density of data and state, shape (chains,)."""
    total = np.zeros(len(state.beta1))
    mean = state.beta1[:, data.i_of_j] * data.x + state.beta0[:, None]
    total += np.sum(log_normal(data.y, mean, state.sigma2[:, None]), axis=1)
    terms = log_normal(state.beta1, state.mu1[:, None], state.sigma2_1[:, None])
    total += terms.sum(axis=1)
    total += log_normal(state.mu1, data.mu10, data.sigma2_10)
    total += log_inverse_gamma(state.sigma2_1, data.q1, 1 / data.r1)
    total += log_normal(state.beta0, data.m0, data.v0)
    total += log_inverse_gamma(state.sigma2, data.q, 1 / data.r)
    return total


def log_likelihood(state: State, data: Data) -> dict[str, Array]:
    """Return the log density of every observation, by node: shape (chains, ...)."""
    mean = state.beta1[:, data.i_of_j] * data.x + state.beta0[:, None]
    y = log_normal(data.y, mean, state.sigma2[:, None])
    return {"y": y}


def predict(rng: np.random.Generator, state: State, data: Data) -> dict[str, Array]:
    """Draw the observed nodes anew given the state, by node: shape (chains, ...)."""
    chains = len(state.beta1)
    mean = state.beta1[:, data.i_of_j] * data.x + state.beta0[:, None]
    y = predict_normal(rng, mean, state.sigma2[:, None], (chains, len(data.i_of_j)))
    return {"y": y}


def sweep(rng: np.random.Generator, state: State, data: Data) -> State:
    """Draw every node once, each given all the others."""
    state = replace(state, beta1=draw_beta1(rng, state, data))
    state = replace(state, mu1=draw_mu1(rng, state, data))
    state = replace(state, sigma2_1=draw_sigma2_1(rng, state, data))
    state = replace(state, beta0=draw_beta0(rng, state, data))
    state = replace(state, sigma2=draw_sigma2(rng, state, data))
    return state


def starting_values(rng: np.random.Generator, data: Data, chains: int) -> State:
    """Return starts for the chains: spread wider than the posterior, and near the data.

    What all responses share is drawn first; the groups begin far apart, so that a few
    sweeps bring every group to its own data; variances are then multiplied by a random
    factor, and what depends on them is drawn anew.
    """
    variance = np.var(data.y) + 1e-6
    spread = 10 * np.mean(data.y**2) + 1e-6  # a variance, large
    state = State(
        beta1=rng.standard_normal((chains, data.n)),
        mu1=rng.standard_normal(chains),
        sigma2_1=spread_out(rng, spread, chains),
        beta0=rng.standard_normal(chains),
        sigma2=spread_out(rng, variance, chains),
    )
    state = replace(state, beta0=draw_beta0(rng, state, data))
    for _ in range(5):
        state = sweep(rng, state, data)
    sigma2_1 = spread_out(rng, state.sigma2_1, state.sigma2_1.shape)
    state = replace(state, sigma2_1=sigma2_1)
    sigma2 = spread_out(rng, state.sigma2, state.sigma2.shape)
    state = replace(state, sigma2=sigma2)
    state = replace(state, beta1=draw_beta1(rng, state, data))
    state = replace(state, mu1=draw_mu1(rng, state, data))
    state = replace(state, beta0=draw_beta0(rng, state, data))
    return state


def sample(
    data: Data,
    *,
    draws: int = 1000,
    warmup: int = 1000,
    chains: int = 4,
    thin: int = 1,
    seed: int | None = None,
    keep: Sequence[str] | None = None,
    start: Mapping[str, ArrayLike] | None = None,
    progress: Callable[[int, int], None] | None = None,
    visit: Callable[[int, Mapping[str, Array]], None] | None = None,
) -> dict[str, Any]:
    """Run the chains side by side: each node's draws, shape (chains, draws, ...).

    "acceptance" holds, for each node updated by Metropolis-Hastings, the share of its
    proposals that were accepted after the warm-up.  ``keep`` names the nodes to return
    (all of them, by default), ``start`` values to start from, with or without a chain
    axis.  ``visit`` is called with the number and the nodes of each draw, kept or not.
    An interrupt (Ctrl-C) returns the draws so far.
    """
    rng = np.random.default_rng(seed)
    state = starting_values(rng, data, chains)
    for name, value in (start or {}).items():
        shape = getattr(state, name).shape
        given = np.broadcast_to(np.asarray(value, dtype=float), shape).copy()
        state = replace(state, **{name: given})
    names = list(vars(state)) if keep is None else list(keep)
    kept = {name: np.empty(kept_shape(state, name, draws)) for name in names}
    total, done = warmup + draws * thin, 0
    try:
        for number in range(total):
            state = sweep(rng, state, data)
            place, left = divmod(number + 1 - warmup, thin)
            if number >= warmup and left == 0:
                for name in names:
                    kept[name][:, place - 1] = getattr(state, name)
                if visit is not None:
                    visit(place - 1, vars(state))
                done = place
            if progress is not None:
                progress(number + 1, total)
    except KeyboardInterrupt:
        pass
    found: dict[str, Any] = {name: values[:, :done] for name, values in kept.items()}
    found["acceptance"] = {}
    return found


def kept_shape(state: State, name: str, draws: int) -> tuple[int, ...]:
    """Return the shape in which the draws of a node are kept."""
    chains, *rest = getattr(state, name).shape
    return (chains, draws, *rest)


def log_inverse_gamma(value: Array, shape: Array, scale: Array) -> Array:
    """Return the log density of IG(shape, scale), -inf off the positive line."""
    positive = np.where(value > 0, value, 1.0)
    logs = shape * np.log(scale / positive) - scale / positive - np.log(positive)
    return np.where(value > 0, logs - gammaln(shape), -np.inf)


def log_normal(value: Array, mean: Array, variance: Array) -> Array:
    """Return the log density of N(mean, variance)."""
    return -0.5 * (np.log(2 * np.pi * variance) + (value - mean) ** 2 / variance)


def predict_normal(
    rng: np.random.Generator, mean: Array, variance: Array, size: Sequence[int]
) -> Array:
    """Draw from the distribution itself, given its parameters."""
    return mean + np.sqrt(variance) * rng.standard_normal(size)


def group_sum(values: Array, group: Array, groups: int, axis: int) -> Array:
    """Sum values over the rows (along axis) of each group; zero for an empty group."""
    rows = np.moveaxis(values, axis, -1)
    flat = rows.reshape(-1, rows.shape[-1])
    sums = [np.bincount(group, weights=row, minlength=groups) for row in flat]
    return np.moveaxis(np.reshape(sums, (*rows.shape[:-1], groups)), -1, axis)


def least_squares(
    response: Array,
    design: Array,
    group: Array | int = 0,
    groups: tuple[int, ...] = (),
    weight: Array | float = 1.0,
) -> tuple[Array, Array, Array, Array]:
    """Fit the rows of each group by least squares: (fit, rest, R, rss).

    The coefficients are fit + rest; X = QR with R upper triangular.  The sum of squares
    around any coefficients b is rss + |R (b - fit - rest)|^2, and keeps all its digits
    where the responses are large and b is near the fit.  ``design`` is (rows ..., p),
    ``group`` the group of each row; the results begin with the axes ``groups``.
    """
    shapes = (np.shape(response), np.shape(group), np.shape(weight))
    shape = np.broadcast_shapes(*shapes, design.shape[:-1])
    y = np.broadcast_to(response, shape).ravel()
    x = np.broadcast_to(design, (*shape, design.shape[-1])).reshape(len(y), -1)
    root = np.sqrt(np.broadcast_to(weight, shape).ravel())
    rows, count = np.broadcast_to(group, shape).ravel(), int(np.prod(groups))
    basis, upper = orthogonal_columns(root[:, None] * x, rows, count)
    fit = triangular_fit(basis, upper, root * y, rows)
    apart = subtract_exactly(y, x, fit[rows])
    rest, residual = np.zeros_like(fit), apart
    for _ in range(2):
        rest += triangular_fit(basis, upper, root * residual, rows)
        residual = apart - np.sum(x * rest[rows], axis=1)
    rss = np.bincount(rows, (root * residual) ** 2, count)
    ends = (*groups, x.shape[1])
    upper = upper.reshape((*ends, x.shape[1]))
    return fit.reshape(ends), rest.reshape(ends), upper, rss.reshape(groups)


def orthogonal_columns(columns: Array, group: Array, count: int) -> tuple[Array, Array]:
    """Return Q and R of each group, columns = Q R, by Gram-Schmidt done twice.

    A column that depends on those before it is zero in Q, and so is its row of R.
    """
    basis, p = columns.copy(), columns.shape[1]
    upper = np.zeros((count, p, p))
    for k in range(p):
        length = np.sqrt(np.bincount(group, basis[:, k] ** 2, count))
        for before in [*range(k), *range(k)]:
            part = np.bincount(group, basis[:, before] * basis[:, k], count)
            upper[:, before, k] += part
            basis[:, k] -= part[group] * basis[:, before]
        left = np.sqrt(np.bincount(group, basis[:, k] ** 2, count))
        upper[:, k, k] = np.where(left > 1e-12 * length, left, 0)
        kept = upper[:, k, k] > 0
        basis[:, k] *= np.divide(1, left, where=kept, out=np.zeros(count))[group]
    return basis, upper


def random_inverse_gamma(
    rng: np.random.Generator, shape: Array, scale: Array, size: Sequence[int]
) -> Array:
    """Draw from the density proportional to x^-(shape + 1) exp(-scale / x)."""
    return scale / rng.standard_gamma(shape, size)


def random_normal(
    rng: np.random.Generator, precision: Array, linear: Array, size: Sequence[int]
) -> Array:
    """Draw from N(b / A, 1 / A), A the precision and b the linear term."""
    noise = rng.standard_normal(size)
    return linear / precision + noise / np.sqrt(precision)


def read(
    data: Mapping[str, ArrayLike],
    name: str,
    shape: tuple[int, ...],
    default: ArrayLike | None = None,
) -> Array:
    """Return an array of the data with its shape checked, or its default."""
    if name not in data and default is None:
        raise ValueError(f"{name} is missing from the data")
    value = np.asarray(data.get(name, default), dtype=float)
    if value.shape != shape:
        raise ValueError(f"{name} has the shape {value.shape}; expected {shape}")
    if not np.isfinite(value).all():
        raise ValueError(f"{name} has values that are missing or infinite")
    return value


def spread_out(
    rng: np.random.Generator, value: Array | float, size: Sequence[int] | int
) -> Array:
    """Return a positive value times lognormal factors of the shape ``size``."""
    return value * np.exp(rng.normal(0, 0.5, size))


def subtract_exactly(y: Array, x: Array, b: Array) -> Array:
    """Return y - sum of x * b over the last axis, as if computed in twice the digits.

    Products and sums with their rounding errors after Dekker (1971) and Knuth.
    """
    total, error = y, np.zeros_like(y)
    for k in range(x.shape[-1]):
        left, right = x[:, k], -b[:, k]
        product = left * right
        left_high = left * 134217729.0 - (left * 134217729.0 - left)
        right_high = right * 134217729.0 - (right * 134217729.0 - right)
        left_low, right_low = left - left_high, right - right_high
        error = error + (left_high * right_high - product + left_high * right_low)
        error = error + left_low * right_high + left_low * right_low
        new = total + product
        back = new - total
        error = error + ((total - (new - back)) + (product - back))
        total = new
    return total + error


def triangular_fit(basis: Array, upper: Array, values: Array, group: Array) -> Array:
    """Return the coefficients (groups, p) of values on Q R, those of a zero column 0."""
    count, p = upper.shape[:2]
    fit = np.zeros((count, p))
    for k in reversed(range(p)):
        pivot = upper[:, k, k]
        along = np.bincount(group, basis[:, k] * values, count)
        along -= np.sum(upper[:, k] * fit, axis=1)
        np.divide(along, pivot, where=pivot > 0, out=fit[:, k])
    return fit
