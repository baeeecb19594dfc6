"""A Gibbs sampler for the model poisson, generated from the model; yours to edit.

    model poisson
    # Counts with coefficients of their own for each individual, on the scale of the logarithm.
    # The beta[i] have no conjugate prior; given them, mu and Q are drawn as in the model wishart.

    plates
      i = 1..n     # individuals
      j = 1..J[i]  # repeats of individual i; their number may differ, and may be 0

    given
      x[i,j] : vector(p)        # covariates of repeat j of individual i; the first is usually 1
      mu0 : vector(p) = 0
      Sigma0 : matrix(p,p) = 100 * eye(p)
      S : matrix(p,p) = eye(p)  # a guess at Sigma
      nu > p - 1 = p            # how much the guess counts, in individuals; the least that is whole

    data
      y[i,j] ~ Pois(z[i,j])

    process
      log(z[i,j]) = x[i,j]' * beta[i]  # a definition: no error of its own
      beta[i] ~ N(mu, Sigma)

    parameters
      mu ~ N(mu0, Sigma0)
      Q ~ Wish(inv(nu * S), nu)
      Sigma = inv(Q)

Decorated functions are compiled, and update one chain in place; the others see all chains.
[a | .] is the full conditional of a: its density given all else.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, multigammaln, xlogy

Array = np.ndarray

SETTINGS: dict[str, Any] = {
    "cache": True,
    "nogil": True,
    "error_model": "numpy",
    # Sums may be taken in any order; nothing else is loosened.
    "fastmath": {"contract", "reassoc", "nsz", "arcp"},
}
# What is called from Python, and what compiled functions call.
entry = numba.njit(**SETTINGS)
compiled = numba.njit(**SETTINGS)
# The parts of a sweep: a call would copy the record of the data.
inlined = numba.njit(**SETTINGS, forceinline=True)
merged = numba.njit(**SETTINGS, inline="always")


class Data(NamedTuple):
    """What is given, and what the sweeps need of it."""

    n: int
    J: Array  # (n,)
    p: int
    x: Array  # (rows ij, p)
    mu0: Array  # (p,)
    Sigma0: Array  # (p, p)
    S: Array  # (p, p)
    nu: float
    y: Array  # (rows ij,), observed
    first_j: Array  # the first row j of each group, from 0, and the number of rows
    columns_of_x: Array  # x, components first
    i_of_j: Array  # the i of each row j, from 0
    Xty: Array  # (p, n): sum(j: y[i,j] * x[i,j])
    inv_Sigma0: Array  # (p, p): inv(Sigma0)
    inv_Sigma0_mu0: Array  # (p,): inv_Sigma0 * mu0


class State(NamedTuple):
    """The nodes of all chains; in one chain, components come first, a number is an array of 1."""

    beta: Array  # (chains, n, p)
    mu: Array  # (chains, p)
    Q: Array  # (chains, p, p)


WIDTH = 16  # elements of a node that are updated side by side


class Random(NamedTuple):
    """A stream of random numbers: the words of xoshiro256++, and room to compute in."""

    words: Array  # (4,), uint64
    room: Array


class Kept(NamedTuple):
    """By node, the value at which sums over its rows were taken, and these sums, in one chain."""

    beta: Array  # 8 numbers for each element


class Rates(NamedTuple):
    """By node and element, how many proposals of one chain were accepted."""

    beta: Array


@compiled
def next_word(
    s0: np.uint64, s1: np.uint64, s2: np.uint64, s3: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64, np.uint64]:
    """Return 64 random bits and the new state of xoshiro256++ (Blackman and Vigna 2021)."""
    total, shifted = s0 + s3, s1 << np.uint64(17)
    word = ((total << np.uint64(23)) | (total >> np.uint64(41))) + s0
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= shifted
    s3 = (s3 << np.uint64(45)) | (s3 >> np.uint64(19))
    return word, s0, s1, s2, s3


@compiled
def take_word(rng: Random) -> np.uint64:
    """Return 64 random bits, and move the stream on."""
    words = rng.words
    word, s0, s1, s2, s3 = next_word(words[0], words[1], words[2], words[3])
    words[0], words[1], words[2], words[3] = s0, s1, s2, s3
    return word


TAIL, AREA, BITS_53 = 3.6541528853610088, 0.00492867323399, 1 / 9007199254740992


def ziggurat_layers() -> tuple[Array, Array]:
    """Return edges and heights of 256 layers of equal area (Marsaglia and Tsang 2000)."""
    edges = np.zeros(257)
    edges[0], edges[1] = AREA * math.exp(TAIL**2 / 2), TAIL
    for k in range(2, 256):
        below = edges[k - 1]
        edges[k] = math.sqrt(-2 * math.log(AREA / below + math.exp(-(below**2) / 2)))
    return edges, np.exp(-(edges**2) / 2)


EDGES, HEIGHTS = ziggurat_layers()


@compiled
def uniform(rng: Random) -> float:
    """Return a uniform number, never 0 or 1."""
    return ((take_word(rng) >> np.uint64(12)) + 0.5) * 2 * BITS_53


@compiled
def finish_normal(rng: Random, word: np.uint64) -> float:
    """Return the normal of a word that fell outside the inner part of its layer."""
    while True:
        layer = word & np.uint64(255)
        z = (np.int64(word) >> 11) * (2 * BITS_53) * EDGES[layer]
        if abs(z) < EDGES[layer + np.uint64(1)]:
            return z
        if layer == 0:  # beyond the last edge
            depth, bar = 0.0, -1.0
            while bar < depth * depth:
                depth = -math.log(uniform(rng)) / TAIL
                bar = -2 * math.log(uniform(rng))
            return math.copysign(TAIL + depth, z)
        low, high = HEIGHTS[layer], HEIGHTS[layer + np.uint64(1)]
        if low + uniform(rng) * (high - low) < math.exp(-0.5 * z * z):
            return z
        word = take_word(rng)


@compiled
def fill_normal(rng: Random, values: Array) -> None:
    """Fill an array of one axis with standard normals."""
    words = rng.words
    s0, s1, s2, s3 = words[0], words[1], words[2], words[3]
    for k in range(len(values)):
        word, s0, s1, s2, s3 = next_word(s0, s1, s2, s3)
        layer = word & np.uint64(255)
        z = (np.int64(word) >> 11) * (2 * BITS_53) * EDGES[layer]
        if abs(z) >= EDGES[layer + np.uint64(1)]:
            words[0], words[1], words[2], words[3] = s0, s1, s2, s3
            z = finish_normal(rng, word)
            s0, s1, s2, s3 = words[0], words[1], words[2], words[3]
        values[k] = z
    words[0], words[1], words[2], words[3] = s0, s1, s2, s3


@compiled
def normal(rng: Random) -> float:
    """Return one standard normal."""
    word = take_word(rng)
    layer = word & np.uint64(255)
    z = (np.int64(word) >> 11) * (2 * BITS_53) * EDGES[layer]
    return z if abs(z) < EDGES[layer + np.uint64(1)] else finish_normal(rng, word)


@compiled
def fill_uniform(rng: Random, first: int, count: int) -> None:
    """Put ``count`` uniform numbers, never 0 or 1, into the room from ``first`` on."""
    words, room = rng.words, rng.room
    s0, s1, s2, s3 = words[0], words[1], words[2], words[3]
    for k in range(first, first + count):
        word, s0, s1, s2, s3 = next_word(s0, s1, s2, s3)
        room[k] = ((word >> np.uint64(12)) + 0.5) * 2 * BITS_53
    words[0], words[1], words[2], words[3] = s0, s1, s2, s3


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def exponential(value: float) -> float:
    """Return exp(value), to two units in the last place; unlike a call of exp it vectorises.

    value = k log 2 + rest, log 2 in two parts so that rest keeps its digits, and the
    Taylor series of exp(rest); values beyond +-708 are taken to these ends.  Adding
    1.5 * 2^52 rounds to a whole number, which then is in the last bits.
    """
    value = min(max(value, -708.0), 708.0)
    shifted = value * 1.4426950408889634 + 6755399441055744.0
    k = shifted - 6755399441055744.0
    rest = (value - k * 0.6931471803691238) - k * 1.9082149292705877e-10
    square = rest * rest
    fourth = square * square
    high = 1 / 3628800 + rest * (1 / 39916800)
    high = (1 / 40320 + rest * (1 / 362880)) + square * high
    high += fourth * (1 / 479001600 + rest * (1 / 6227020800))
    middle = (1 / 24 + rest * (1 / 120)) + square * (1 / 720 + rest * (1 / 5040))
    series = (0.5 * square + rest * (square * (1 / 6)) + rest) + 1.0
    series += fourth * (middle + fourth * high)
    power = (np.float64(shifted).view(np.int64) + np.int64(1023)) << np.int64(52)
    return series * np.int64(power).view(np.float64)


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def logarithm(value: float) -> float:
    """Return log(value) of a positive number, to two units in the last place; it vectorises.

    value = 2^k m with m from sqrt(1/2) to sqrt(2), by the bits; log m is twice the series of
    artanh(s) in s = (m - 1) / (m + 1).  What is not finite gives nan, as 0 times it is added.
    """
    root_half = np.uint64(4604544271217802189)
    bits_of_1 = np.uint64(4607182418800017408)
    bits = np.float64(value).view(np.uint64) + (bits_of_1 - root_half)
    whole = (bits >> np.uint64(52)) | np.uint64(4841369599423283200)  # 2^52 + k + 1023
    k = np.uint64(whole).view(np.float64) - 4503599627371519.0
    fraction = (bits & np.uint64(4503599627370495)) + root_half
    m = np.uint64(fraction).view(np.float64)
    s = (m - 1.0) / (m + 1.0)
    square = s * s
    series = 2 / 21 + square * (2 / 23)
    series = series * square + 2 / 19
    series = series * square + 2 / 17
    series = series * square + 2 / 15
    series = series * square + 2 / 13
    series = series * square + 2 / 11
    series = series * square + 2 / 9
    series = series * square + 2 / 7
    series = series * square + 2 / 5
    series = series * square + 2 / 3
    rest = s * square * series + k * 1.9082149292705877e-10
    return k * 0.6931471803691238 + (2.0 * s + rest) + 0.0 * value


@compiled
def random_gamma(rng: Random, shape: float) -> float:
    """Draw from Gamma(shape, rate 1) (Marsaglia and Tsang 2000)."""
    small = shape < 1
    d = (shape + 1 if small else shape) - 1 / 3
    c = 1 / math.sqrt(9 * d)
    while True:
        z = normal(rng)
        root = 1 + c * z
        if root <= 0:
            continue
        v, u = root * root * root, uniform(rng)
        if u < 1 - 0.0331 * (z * z) * (z * z):  # most draws need no logarithm
            break
        if math.log(u) < 0.5 * z * z + d - d * v + d * math.log(v):
            break
    boost = math.exp(math.log(uniform(rng)) / shape) if small else 1.0
    return boost * d * v


@compiled
def cholesky(matrix: Array) -> None:
    """Put the Cholesky factor of a matrix into its lower triangle."""
    for a in range(len(matrix)):
        for b in range(a + 1):
            rest = matrix[a, b]
            for c in range(b):
                rest -= matrix[a, c] * matrix[b, c]
            matrix[a, b] = math.sqrt(rest) if a == b else rest / matrix[b, b]


@compiled
def bartlett(rng: Random, df: float, p: int) -> None:
    """Put the Cholesky factor of a Wishart matrix with unit scale into the room, row by row."""
    root = rng.room
    for a in range(p):
        root[a * p + a] = math.sqrt(2 * random_gamma(rng, (df - a) / 2))
        for b in range(a):
            root[a * p + b] = normal(rng)


@compiled
def square(root: Array, matrix: Array) -> None:
    """Put a matrix, row by row in ``root``, times its transpose into another."""
    p = len(matrix)
    for a in range(p):
        for b in range(p):
            total = 0.0
            for c in range(p):
                total += root[a * p + c] * root[b * p + c]
            matrix[a, b] = total


@compiled
def random_wishart(rng: Random, df: float, matrix: Array) -> None:
    """Turn an inverse scale V into a Wishart draw of mean df V^-1, in place.

    V = LL'; the draw is TT' with T = L'^-1 B, B the factor of ``bartlett``.
    """
    p, root = len(matrix), rng.room
    cholesky(matrix)
    bartlett(rng, df, p)
    for b in range(p):
        for a in range(p - 1, -1, -1):
            rest = root[a * p + b] if b <= a else 0.0
            for c in range(a + 1, p):
                rest -= matrix[c, a] * root[c * p + b]
            root[a * p + b] = rest / matrix[a, a]
    square(root, matrix)


def prepare(data: Mapping[str, ArrayLike]) -> Data:
    """Check the data, and compute what the sweeps need of it.

    Fixed plates have an axis each; sizes may be left out where an array shows them.
    Ragged plates are rows one after another; J tells how many each has.
    """
    J = np.asarray(data["J"], dtype=int)
    n = int(np.asarray(data.get("n", np.shape(data["J"])[0])))
    p = int(np.asarray(data.get("p", np.shape(data["x"])[1])))
    first_j = np.concatenate(([0], np.cumsum(J)))
    i_of_j = np.repeat(np.arange(len(J)), J)
    x = read(data, "x", (len(i_of_j), p))
    mu0 = read(data, "mu0", (p,), np.full((p,), 0.0))
    Sigma0 = read(data, "Sigma0", (p, p), 100 * np.eye(p))
    S = read(data, "S", (p, p), np.eye(p))
    nu = read(data, "nu", (), p)
    y = read(data, "y", (len(i_of_j),))
    Xty = group_sum(y[:, None] * x, i_of_j, n, axis=0)
    inv_Sigma0 = np.linalg.inv(Sigma0)
    inv_Sigma0_mu0 = np.einsum("pq,q->p", inv_Sigma0, mu0)
    columns_of_x = components_first(x, 1)
    return Data(
        n=n,
        J=np.ascontiguousarray(J),
        p=p,
        x=np.ascontiguousarray(x),
        mu0=np.ascontiguousarray(mu0),
        Sigma0=np.ascontiguousarray(Sigma0),
        S=np.ascontiguousarray(S),
        nu=float(nu),
        y=np.ascontiguousarray(y),
        first_j=np.ascontiguousarray(first_j),
        columns_of_x=np.ascontiguousarray(columns_of_x),
        i_of_j=np.ascontiguousarray(i_of_j),
        Xty=components_first(Xty, 1),
        inv_Sigma0=np.ascontiguousarray(inv_Sigma0),
        inv_Sigma0_mu0=np.ascontiguousarray(inv_Sigma0_mu0),
    )


@compiled
def sums_beta(
    beta_0: float, beta_1: float, first_j: Array, i: int, columns_of_x: Array
) -> tuple[float, ...]:
    """Return the sums over rows that depend on beta."""
    sum_x = 0.0
    sum_x_0 = 0.0
    sum_x_1 = 0.0
    sum_x_00 = 0.0
    sum_x_10 = 0.0
    sum_x_11 = 0.0
    begin = first_j[i]
    for k in range(first_j[i + 1] - begin):
        j = begin + k
        row = np.uint64(j)
        exp_x = exponential(
            beta_0 * columns_of_x[0, row] + beta_1 * columns_of_x[1, row]
        )
        sum_x += exp_x
        sum_x_0 += columns_of_x[0, row] * exp_x
        sum_x_1 += columns_of_x[1, row] * exp_x
        sum_x_00 += columns_of_x[0, row] * columns_of_x[0, row] * exp_x
        sum_x_10 += columns_of_x[1, row] * columns_of_x[0, row] * exp_x
        sum_x_11 += columns_of_x[1, row] * columns_of_x[1, row] * exp_x
    return (sum_x, sum_x_0, sum_x_1, sum_x_00, sum_x_10, sum_x_11)


@inlined
def newton_beta(
    beta_0: float,
    beta_1: float,
    sum_x: float,
    sum_x_0: float,
    sum_x_1: float,
    sum_x_00: float,
    sum_x_10: float,
    sum_x_11: float,
    Q_00: float,
    Q_10: float,
    Q_11: float,
    Xty_0: float,
    Xty_1: float,
    mu_Q_0: float,
    mu_Q_1: float,
    Q_mu_0: float,
    Q_mu_1: float,
) -> tuple[float, ...]:
    """Return the log kernel at beta, and the centre and Cholesky factor of the proposal
    from there.

    gradient = Q * mu + Xty[i] - sum(j: exp(beta[i]' * x[i,j]) * x[i,j]) - Q * beta[i]
    Hessian = -sum(j: exp(beta[i]' * x[i,j]) * x[i,j] * x[i,j]') - Q
    """
    product_0 = Q_00 * beta_0 + Q_10 * beta_1
    product_1 = Q_10 * beta_0 + Q_11 * beta_1
    quadratic = beta_0 * product_0 + beta_1 * product_1
    log_kernel = (
        Xty_0 * beta_0
        + Xty_1 * beta_1
        + mu_Q_0 * beta_0
        + mu_Q_1 * beta_1
        - quadratic / 2
        - sum_x
    )
    gradient_0 = Q_mu_0 + Xty_0 - (Q_00 * beta_0 + Q_10 * beta_1) - sum_x_0
    gradient_1 = Q_mu_1 + Xty_1 - (Q_10 * beta_0 + Q_11 * beta_1) - sum_x_1
    L_00 = math.sqrt(sum_x_00 + Q_00)
    L_10 = (sum_x_10 + Q_10) / L_00
    L_11 = math.sqrt(sum_x_11 + Q_11 - L_10 * L_10)
    h_0 = gradient_0 / L_00
    h_1 = (gradient_1 - L_10 * h_0) / L_11
    move_1 = h_1 / L_11
    move_0 = (h_0 - L_10 * move_1) / L_00
    return (log_kernel, beta_0 + move_0, beta_1 + move_1, L_00, L_10, L_11)


@entry
def climb_beta(state: State, data: Data) -> None:
    """Take beta up to its mode by Newton steps, halved until they rise."""
    n = data.n
    first_j = data.first_j
    columns_of_x = data.columns_of_x
    Xty = data.Xty
    mu = state.mu
    Q = state.Q
    mu_Q_0 = mu[0] * Q[0, 0] + mu[1] * Q[1, 0]
    mu_Q_1 = mu[0] * Q[1, 0] + mu[1] * Q[1, 1]
    Q_00 = Q[0, 0]
    Q_10 = Q[1, 0]
    Q_11 = Q[1, 1]
    Q_mu_0 = Q_00 * mu[0] + Q_10 * mu[1]
    Q_mu_1 = Q_10 * mu[0] + Q_11 * mu[1]
    for i in range(n):
        Xty_0 = Xty[0, i]
        Xty_1 = Xty[1, i]
        beta_0 = state.beta[0, i]
        beta_1 = state.beta[1, i]
        sums = sums_beta(beta_0, beta_1, first_j, i, columns_of_x)
        now, centre_0, centre_1 = newton_beta(
            beta_0,
            beta_1,
            *sums,
            Q_00,
            Q_10,
            Q_11,
            Xty_0,
            Xty_1,
            mu_Q_0,
            mu_Q_1,
            Q_mu_0,
            Q_mu_1,
        )[:3]
        for _ in range(20):
            size, then = 1.0, -math.inf
            while size > 1e-9 and not then >= now:
                new_0 = beta_0 + size * (centre_0 - beta_0)
                new_1 = beta_1 + size * (centre_1 - beta_1)
                sums = sums_beta(new_0, new_1, first_j, i, columns_of_x)
                then, ahead_0, ahead_1 = newton_beta(
                    new_0,
                    new_1,
                    *sums,
                    Q_00,
                    Q_10,
                    Q_11,
                    Xty_0,
                    Xty_1,
                    mu_Q_0,
                    mu_Q_1,
                    Q_mu_0,
                    Q_mu_1,
                )[:3]
                size /= 2
            if not then >= now:
                break
            now = then
            beta_0, centre_0 = new_0, ahead_0
            beta_1, centre_1 = new_1, ahead_1
        state.beta[0, i] = beta_0
        state.beta[1, i] = beta_1


@inlined
def update_beta(
    rng: Random, state: State, data: Data, kept: Array, rate: Array
) -> None:
    """Update beta, shape (p, n), by Metropolis-Hastings with Newton proposals.

    Not conjugate: it enters the factor of y through a term that is no statistic of the
    multivariate normal family, whose kernel its other terms have.
    log [beta[i] | .] =
      mu' * Q * beta[i]
      - beta[i]' * Q * beta[i] / 2
      + sum(j: beta[i]' * x[i,j] * y[i,j])
      - sum(j: exp(beta[i]' * x[i,j]))
    kept has the sums over the rows, and the value at which they were taken.
    """
    n = data.n
    first_j = data.first_j
    columns_of_x = data.columns_of_x
    Xty = data.Xty
    mu = state.mu
    Q = state.Q
    room = rng.room
    mu_Q_0 = mu[0] * Q[0, 0] + mu[1] * Q[1, 0]
    mu_Q_1 = mu[0] * Q[1, 0] + mu[1] * Q[1, 1]
    Q_00 = Q[0, 0]
    Q_10 = Q[1, 0]
    Q_11 = Q[1, 1]
    Q_mu_0 = Q_00 * mu[0] + Q_10 * mu[1]
    Q_mu_1 = Q_10 * mu[0] + Q_11 * mu[1]
    for first in range(0, n, WIDTH):
        count = min(n - first, WIDTH)
        for lane in range(count):
            i = first + lane
            Xty_0 = Xty[0, i]
            Xty_1 = Xty[1, i]
            beta_0 = state.beta[0, i]
            beta_1 = state.beta[1, i]
            if kept[0, i] != beta_0 or kept[1, i] != beta_1:  # changed by another
                sums = sums_beta(beta_0, beta_1, first_j, i, columns_of_x)
                kept[0, i], kept[1, i] = beta_0, beta_1
                for a, total in enumerate(sums):
                    kept[2 + a, i] = total
            room[5 * WIDTH + lane] = beta_0
            room[6 * WIDTH + lane] = beta_1
            room[7 * WIDTH + lane] = kept[2, i]
            room[8 * WIDTH + lane] = kept[3, i]
            room[9 * WIDTH + lane] = kept[4, i]
            room[10 * WIDTH + lane] = kept[5, i]
            room[11 * WIDTH + lane] = kept[6, i]
            room[12 * WIDTH + lane] = kept[7, i]
            room[13 * WIDTH + lane] = Xty_0
            room[14 * WIDTH + lane] = Xty_1
        for lane in range(count, WIDTH):  # without an element
            for row in range(5, 15):
                room[row * WIDTH + lane] = room[row * WIDTH]
        fill_normal(rng, room[: 2 * WIDTH])  # the first rows
        fill_uniform(rng, 2 * WIDTH, 3 * WIDTH)
        for lane in range(WIDTH):
            now, centre_0, centre_1, L_00, L_10, L_11 = newton_beta(
                room[5 * WIDTH + lane],
                room[6 * WIDTH + lane],
                room[7 * WIDTH + lane],
                room[8 * WIDTH + lane],
                room[9 * WIDTH + lane],
                room[10 * WIDTH + lane],
                room[11 * WIDTH + lane],
                room[12 * WIDTH + lane],
                Q_00,
                Q_10,
                Q_11,
                room[13 * WIDTH + lane],
                room[14 * WIDTH + lane],
                mu_Q_0,
                mu_Q_1,
                Q_mu_0,
                Q_mu_1,
            )
            gamma = -logarithm(room[2 * WIDTH + lane] * room[3 * WIDTH + lane])
            wide = math.sqrt(2.0 / gamma)  # t with 4 df
            t_0 = wide * room[lane]
            t_1 = wide * room[WIDTH + lane]
            turned_1 = t_1 / L_11
            turned_0 = (t_0 - L_10 * turned_1) / L_00
            new_0 = centre_0 + turned_0
            new_1 = centre_1 + turned_1
            room[15 * WIDTH + lane] = new_0
            room[16 * WIDTH + lane] = new_1
            room[17 * WIDTH + lane] = now
            room[18 * WIDTH + lane] = L_00 * L_11
            ahead = 4 + t_0 * t_0 + t_1 * t_1
            room[19 * WIDTH + lane] = ahead
        for lane in range(count):
            i = first + lane
            sums = sums_beta(
                room[15 * WIDTH + lane],
                room[16 * WIDTH + lane],
                first_j,
                i,
                columns_of_x,
            )
            room[20 * WIDTH + lane] = sums[0]
            room[21 * WIDTH + lane] = sums[1]
            room[22 * WIDTH + lane] = sums[2]
            room[23 * WIDTH + lane] = sums[3]
            room[24 * WIDTH + lane] = sums[4]
            room[25 * WIDTH + lane] = sums[5]
        for lane in range(WIDTH):
            then, back_0, back_1, M_00, M_10, M_11 = newton_beta(
                room[15 * WIDTH + lane],
                room[16 * WIDTH + lane],
                room[20 * WIDTH + lane],
                room[21 * WIDTH + lane],
                room[22 * WIDTH + lane],
                room[23 * WIDTH + lane],
                room[24 * WIDTH + lane],
                room[25 * WIDTH + lane],
                Q_00,
                Q_10,
                Q_11,
                room[13 * WIDTH + lane],
                room[14 * WIDTH + lane],
                mu_Q_0,
                mu_Q_1,
                Q_mu_0,
                Q_mu_1,
            )
            s_0 = M_00 * (room[5 * WIDTH + lane] - back_0)
            s_0 += M_10 * (room[6 * WIDTH + lane] - back_1)
            s_1 = M_11 * (room[6 * WIDTH + lane] - back_1)
            behind = 4 + s_0 * s_0 + s_1 * s_1
            ratio = then - room[17 * WIDTH + lane]
            ratio += logarithm(M_00 * M_11 / room[18 * WIDTH + lane])
            ratio += 3.0 * logarithm(room[19 * WIDTH + lane] / behind)
            room[26 * WIDTH + lane] = ratio - logarithm(room[4 * WIDTH + lane])
        for lane in range(count):
            i = first + lane
            if room[26 * WIDTH + lane] > 0.0:
                state.beta[0, i] = room[15 * WIDTH + lane]
                state.beta[1, i] = room[16 * WIDTH + lane]
                kept[0, i] = room[15 * WIDTH + lane]
                kept[1, i] = room[16 * WIDTH + lane]
                kept[2, i] = room[20 * WIDTH + lane]
                kept[3, i] = room[21 * WIDTH + lane]
                kept[4, i] = room[22 * WIDTH + lane]
                kept[5, i] = room[23 * WIDTH + lane]
                kept[6, i] = room[24 * WIDTH + lane]
                kept[7, i] = room[25 * WIDTH + lane]
                rate[i] += 1.0


@inlined
def draw_mu(rng: Random, state: State, data: Data) -> None:
    """Draw mu, shape (p,).

    [mu | .] = N(A^-1 b, A^-1)
      A = n * Q + inv(Sigma0)
      b = Q * sum(i: beta[i]) + inv(Sigma0) * mu0
    """
    n = data.n
    beta = state.beta
    Q = state.Q
    inv_Sigma0 = data.inv_Sigma0
    inv_Sigma0_mu0 = data.inv_Sigma0_mu0
    sum_beta_0 = 0.0
    sum_beta_1 = 0.0
    for i in range(n):
        sum_beta_0 += beta[0, i]
        sum_beta_1 += beta[1, i]
    A_00 = Q[0, 0] * n + inv_Sigma0[0, 0]
    A_10 = Q[1, 0] * n + inv_Sigma0[1, 0]
    A_11 = Q[1, 1] * n + inv_Sigma0[1, 1]
    b_0 = Q[0, 0] * sum_beta_0 + Q[1, 0] * sum_beta_1 + inv_Sigma0_mu0[0]
    b_1 = Q[1, 0] * sum_beta_0 + Q[1, 1] * sum_beta_1 + inv_Sigma0_mu0[1]
    L_00 = math.sqrt(A_00)
    L_10 = A_10 / L_00
    L_11 = math.sqrt(A_11 - L_10 * L_10)
    h_0 = b_0 / L_00
    h_1 = (b_1 - L_10 * h_0) / L_11
    noise = state.mu  # where the draws will be
    fill_normal(rng, noise)
    mu_1 = (h_1 + noise[1]) / L_11
    mu_0 = (h_0 + noise[0] - L_10 * mu_1) / L_00
    state.mu[0] = mu_0
    state.mu[1] = mu_1


@inlined
def draw_Q(rng: Random, state: State, data: Data) -> None:
    """Draw Q, shape (p, p).

    [Q | .] = Wishart(df, inverse scale)
      df = n + nu
      inverse scale = sum(i: (beta[i] - mu) * (beta[i]' - mu')) + nu * S
    """
    n = data.n
    beta = state.beta
    mu = state.mu
    nu = data.nu
    S = data.S
    sum_mu_beta_00 = 0.0
    sum_mu_beta_10 = 0.0
    sum_mu_beta_11 = 0.0
    mu_0 = mu[0]
    mu_1 = mu[1]
    for i in range(n):
        deviation_0 = beta[0, i] - mu_0
        deviation_1 = beta[1, i] - mu_1
        sum_mu_beta_00 += deviation_0 * deviation_0
        sum_mu_beta_10 += deviation_1 * deviation_0
        sum_mu_beta_11 += deviation_1 * deviation_1
    df = n + nu
    state.Q[0, 0] = S[0, 0] * nu + sum_mu_beta_00
    state.Q[1, 0] = S[1, 0] * nu + sum_mu_beta_10
    state.Q[1, 1] = S[1, 1] * nu + sum_mu_beta_11
    random_wishart(rng, df, state.Q)  # from inverse scale to the draw, in place


@merged
def sweep(rng: Random, state: State, data: Data, kept: Kept, rates: Rates) -> None:
    """Update every node once, each given all the others."""
    update_beta(rng, state, data, kept.beta, rates.beta)
    draw_mu(rng, state, data)
    draw_Q(rng, state, data)


def compute_z(state: State, data: Data) -> Array:
    """Return z, shape (chains, rows ij).

    z[i,j] = exp(beta[i]' * x[i,j])
    """
    return np.exp(np.einsum("cjp,jp->cj", state.beta[:, data.i_of_j], data.x))


def log_joint(state: State, data: Data) -> Array:
    """Return the log of the joint density of data and state, shape (chains,)."""
    total = np.zeros(len(state.beta))
    z = compute_z(state, data)
    total += np.sum(log_poisson(data.y, z), axis=1)
    inv_Q = np.linalg.inv(state.Q)
    total += np.sum(log_mvnormal(state.beta, state.mu[:, None], inv_Q[:, None]), axis=1)
    total += log_mvnormal(state.mu, data.mu0, data.Sigma0)
    inv_S = np.linalg.inv(data.S)
    total += log_wishart(state.Q, data.nu, inv_S / data.nu)
    return total


def log_likelihood(state: State, data: Data) -> dict[str, Array]:
    """Return the log density of every observation, by node: shape (chains, ...)."""
    z = compute_z(state, data)
    y = log_poisson(data.y, z)
    return {"y": y}


def predict(rng: np.random.Generator, state: State, data: Data) -> dict[str, Array]:
    """Draw the observed nodes anew given the state, by node: shape (chains, ...)."""
    chains = len(state.beta)
    z = compute_z(state, data)
    y = predict_poisson(rng, z, (chains, len(data.i_of_j)))
    return {"y": y}


def first_values(rng: np.random.Generator, data: Data, chains: int) -> State:
    """Return values to begin with: different in every chain, groups far apart,
    variances large.
    """
    spread = 10.0  # a variance, large
    return State(
        beta=rng.standard_normal((chains, data.n, data.p)),
        mu=rng.standard_normal((chains, data.p)),
        Q=spread_out(rng, 1 / spread * np.eye(data.p), (chains, 1, 1)),
    )


def node_shapes(data: Data) -> State:
    """Return the shape of every node for one chain; a number is an array of one."""
    return State(beta=(data.p, data.n), mu=(data.p,), Q=(data.p, data.p))


@entry
def run(
    rng: Random,
    state: State,
    data: Data,
    kept: Kept,
    rates: Rates,
    spans: Array,
    flat: Array,
    draws: Array,
    first: int,
    sweeps: int,
    thin: int,
    warming: bool,
) -> None:
    """Run one chain for some sweeps; after the warm-up, keep every thin-th state.

    flat is the state as one array, spans the parts of it that are kept, draws has a
    row for each draw; first is the number of the first of these sweeps.
    """
    for number in range(first, first + sweeps):
        sweep(rng, state, data, kept, rates)
        if not warming and (number + 1) % thin == 0:
            row, place = (number + 1) // thin - 1, 0
            for span in range(len(spans)):
                for at in range(spans[span, 0], spans[span, 1]):
                    draws[row, place] = flat[at]
                    place += 1


# Nodes that are one number, and how many component axes the elements of others have.
NUMBERS = frozenset()
SIDES = {"beta": 1}
# What no compiled function reads.
UNREAD = ["J", "p", "x", "mu0", "Sigma0", "y", "i_of_j"]


def components_first(value: Array, sides: int, lead: int = 0) -> Array:
    """Move the last axes of an array, its components, before its plates."""
    there = range(lead, lead + sides)
    return np.ascontiguousarray(np.moveaxis(value, range(-sides, 0), there))


def components_last(value: Array, sides: int, lead: int = 0) -> Array:
    """Move the components of an array back behind its plates."""
    return np.moveaxis(value, range(lead, lead + sides), range(-sides, 0))


def swept(data: Data) -> Data:
    """Return the data without what no compiled function reads: fewer arrays compile sooner."""
    return data._replace(**dict.fromkeys(UNREAD))


class Chain(NamedTuple):
    """One chain: its random numbers, and its state as one array and by node."""

    rng: Random
    flat: Array
    state: State
    kept: Kept
    rates: Rates


def split(flat: Array, shapes: State) -> State:
    """Return views of a flat array by node; leading axes stay."""
    parts, at = [], 0
    for shape in shapes:
        size = math.prod(shape)
        parts.append(flat[..., at : at + size].reshape(*flat.shape[:-1], *shape))
        at += size
    return State(*parts)


def new_chain(seed: np.random.SeedSequence, start: list[Array], data: Data) -> Chain:
    """Return a chain at its first values."""
    shapes = node_shapes(data)
    named = zip(State._fields, start, strict=True)
    parts = [components_first(value, SIDES.get(name, 0)) for name, value in named]
    flat = np.concatenate([np.ravel(part) for part in parts])
    words = seed.generate_state(4, np.uint64)
    largest = max(math.prod(shape) for shape in shapes)
    room = largest + 64  # for what is computed on the way to a draw
    room = max(room, 27 * WIDTH + 64)  # and for elements side by side
    rng = Random(words, np.zeros(room))
    kept = Kept(
        beta=np.full((8, *shapes.beta[1:]), np.nan),
    )
    rates = Rates(
        beta=np.zeros(shapes.beta[1:]),
    )
    return Chain(rng, flat, split(flat, shapes), kept, rates)


def advance(
    chain: Chain,
    data: Data,
    sweeps: int,
    first: int = 0,
    kept: Array | None = None,
    spans: Sequence[tuple[int, int]] = (),
    thin: int = 1,
) -> None:
    """Run a chain on; without ``kept`` it is warming up."""
    rows = np.empty((0, 0)) if kept is None else kept
    parts = np.array(spans, dtype=np.int64).reshape(-1, 2)
    where = (parts, chain.flat, rows, first, sweeps, thin, kept is None)
    run(chain.rng, chain.state, swept(data), chain.kept, chain.rates, *where)


def starting_chains(data: Data, chains: int, seed: int | None) -> list[Chain]:
    """Return chains at starts that are spread wider than the posterior, and near the data.

    A few sweeps from far-apart groups bring every group to its own data; variances are
    then multiplied by a random factor.
    """
    root = np.random.SeedSequence(seed)
    rng = np.random.default_rng(root)
    first = first_values(rng, data, chains)
    seeds = root.spawn(chains)
    starts = [[value[chain] for value in first] for chain in range(chains)]
    pairs = zip(seeds, starts, strict=True)
    found = [new_chain(own, start, data) for own, start in pairs]
    for chain in found:
        climb_beta(chain.state, swept(data))
        advance(chain, data, 30)
    return found


def starting_values(rng: np.random.Generator, data: Data, chains: int) -> State:
    """Return the starts of chains as arrays with an axis of chains."""
    found = starting_chains(data, chains, int(rng.integers(2**31)))
    return together(np.array([chain.flat for chain in found]), data)


def together(flat: Array, data: Data) -> State:
    """Return states of chains as arrays by node; numbers have no axis but that of the chains."""
    parts = split(flat, node_shapes(data))._asdict()
    for name, part in parts.items():
        parts[name] = components_last(part, SIDES.get(name, 0), lead=1)
    return State(**{k: v[..., 0] if k in NUMBERS else v for k, v in parts.items()})


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
    cores: int | None = None,
) -> dict[str, Any]:
    """Run the chains, each in a thread of its own: each node's draws, (chains, draws, ...).

    "acceptance" holds, for each node updated by Metropolis-Hastings, the share of its
    proposals that were accepted after the warm-up.  ``keep`` names the nodes to return
    (all of them, by default), ``start`` values to start from, with or without a chain
    axis, ``cores`` how many threads run at once.  ``visit`` is called with the number
    and the nodes of each draw, kept or not.  An interrupt (Ctrl-C) returns the draws so
    far.
    "lost" numbers the chains that never came to values of positive density.
    """
    shapes = node_shapes(data)
    running = starting_chains(data, chains, seed)
    for name, value in (start or {}).items():
        given = np.asarray(value, dtype=float)
        given = given[..., None] if name in NUMBERS else given
        for number, chain in enumerate(running):
            own = components_last(getattr(chain.state, name), SIDES.get(name, 0))
            own[...] = given[number] if given.ndim > own.ndim else given
    names = list(State._fields) if keep is None else list(keep)
    ends = np.cumsum([0, *(math.prod(shape) for shape in shapes)])
    places = [State._fields.index(name) for name in names]
    spans = [(ends[place], ends[place + 1]) for place in places]
    kept = np.empty((chains, draws, sum(stop - begin for begin, stop in spans)))
    total, number, block = warmup + draws * thin, 0, 16

    def go(chain: int, first: int, sweeps: int, warming: bool) -> None:
        rows = None if warming else kept[chain]
        advance(running[chain], data, sweeps, first, rows, spans, thin)

    try:
        with ThreadPoolExecutor(max_workers=cores or os.cpu_count()) as pool:
            while number < total:
                warming = number < warmup
                if number == warmup:
                    for counts in [each for chain in running for each in chain.rates]:
                        counts[...] = 0.0
                left = (warmup if warming else total) - number
                size = 1 if visit is not None and not warming else block
                sweeps = min(size * thin, left)
                part = (number if warming else number - warmup, sweeps, warming)
                began = time.perf_counter()
                for job in [pool.submit(go, chain, *part) for chain in range(chains)]:
                    job.result()
                number += sweeps
                if visit is not None and not warming:
                    flat = np.array([chain.flat for chain in running])
                    visit((number - warmup) // thin - 1, together(flat, data)._asdict())
                if progress is not None:
                    progress(number, total)
                took = time.perf_counter() - began
                block *= 8 if took < 0.01 else 2 if took < 0.1 else 1
    except KeyboardInterrupt:
        pass
    done = max(number - warmup, 0) // thin
    if not np.isfinite(kept[:, :done]).all():
        raise ArithmeticError("some draws are not finite: a precision was singular")
    found: dict[str, Any] = {}
    at = 0
    for name, (begin, stop) in zip(names, spans, strict=True):
        values = kept[:, :done, at : at + stop - begin]
        shape = () if name in NUMBERS else getattr(shapes, name)
        values = values.reshape(chains, done, *shape)
        found[name] = components_last(values, SIDES.get(name, 0), lead=2)
        at += stop - begin
    swept = max(done * thin, 1)
    found["acceptance"] = {}
    for name in Rates._fields:
        counts = np.array([getattr(chain.rates, name) for chain in running]) / swept
        found["acceptance"][name] = counts[:, 0] if name in NUMBERS else counts
    state = together(np.array([chain.flat for chain in running]), data)
    found["lost"] = lost_chains(state, data)
    return found


def log_mvnormal(value: Array, mean: Array, covariance: Array) -> Array:
    """Return the log density of vectors (..., p), N(mean, covariance)."""
    apart = value - mean
    root = np.linalg.cholesky(covariance)
    scaled = np.linalg.solve(root, apart[..., None])[..., 0]
    volume = np.log(np.diagonal(root, axis1=-2, axis2=-1)).sum(axis=-1)
    p = value.shape[-1]
    return -0.5 * np.sum(scaled**2, axis=-1) - volume - 0.5 * p * np.log(2 * np.pi)


def log_poisson(value: Array, rate: Array) -> Array:
    """Return the log probability of a count."""
    return xlogy(value, rate) - rate - gammaln(value + 1)


def log_wishart(value: Array, df: Array, scale: Array) -> Array:
    """Return the log density of matrices (..., p, p) of mean df * scale."""
    p = value.shape[-1]
    logdet = np.linalg.slogdet(value)[1]
    trace = np.trace(np.linalg.solve(scale, value), axis1=-2, axis2=-1)
    size = 0.5 * df * (p * np.log(2) + np.linalg.slogdet(scale)[1])
    return 0.5 * ((df - p - 1) * logdet - trace) - size - multigammaln(df / 2, p)


def predict_poisson(
    rng: np.random.Generator, rate: Array, size: Sequence[int]
) -> Array:
    """Draw from the distribution itself, given its parameters."""
    return rng.poisson(rate, size).astype(float)


def group_sum(values: Array, group: Array, groups: int, axis: int) -> Array:
    """Sum values over the rows (along axis) of each group; zero for an empty group."""
    rows = np.moveaxis(values, axis, -1)
    flat = rows.reshape(-1, rows.shape[-1])
    sums = [np.bincount(group, weights=row, minlength=groups) for row in flat]
    return np.moveaxis(np.reshape(sums, (*rows.shape[:-1], groups)), -1, axis)


def lost_chains(state: State, data: Data) -> list[int]:
    """Return the numbers of the chains whose density is zero: no step has led out of there."""
    nodes = [getattr(state, name) for name in State.__annotations__]
    lost = []
    for k in range(len(nodes[0])):
        with np.errstate(all="ignore"):
            try:
                density = log_joint(State(*(node[k : k + 1] for node in nodes)), data)
            except np.linalg.LinAlgError:  # a matrix that has lost its digits
                continue
        if not density[0] > -np.inf:
            lost.append(k + 1)
    return lost


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
