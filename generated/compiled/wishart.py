"""A Gibbs sampler for the model wishart, generated from the model; yours to edit.

    model wishart
    # all_random, with a covariance matrix that is free: its inverse Q has a Wishart prior, with mean inv(S).
    # Wish(V, nu) has mean nu * V. Every node is conjugate.

    plates
      i = 1..n     # individuals
      j = 1..J[i]  # repeats of individual i; their number may differ, and may be 0

    given
      x[i,j] : vector(p)        # covariates of repeat j of individual i; the first is usually 1
      mu0 : vector(p) = 0
      Sigma0 : matrix(p,p) = 1e4 * eye(p)
      S : matrix(p,p) = eye(p)  # a guess at Sigma
      nu > p - 1 = p            # how much the guess counts, in individuals; the least that is whole
      q > 0 = 0.001             # shape: vague, yet proper
      r > 0 = 1000              # reciprocal of the scale

    data
      y[i,j] ~ N(x[i,j]' * beta[i], sigma2)

    process
      beta[i] ~ N(mu, Sigma)

    parameters
      mu ~ N(mu0, Sigma0)
      Q ~ Wish(inv(nu * S), nu)
      Sigma = inv(Q)
      sigma2 ~ IG(q, r)

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
from scipy.special import gammaln, multigammaln

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
    q: float
    r: float
    y: Array  # (rows ij,), observed
    i_of_j: Array  # the i of each row j, from 0
    XtX: Array  # (p, p, n): sum(j: x[i,j] * x[i,j]')
    Xty: Array  # (p, n): sum(j: y[i,j] * x[i,j])
    inv_Sigma0: Array  # (p, p): inv(Sigma0)
    inv_Sigma0_mu0: Array  # (p,): inv_Sigma0 * mu0
    sum_J: float  # (): sum(i: J[i])
    fit_beta: Array  # (p, n): least-squares fit of each i
    fit_beta_rest: Array  # (p, n): what rounding leaves out of fit_beta
    root_beta: Array  # (p, p, n): a part of R, the columns of each i being QR
    sum_rss: float  # (): sum of squares of all rows around their least-squares fits


class State(NamedTuple):
    """The nodes of all chains; in one chain, components come first, a number is an array of 1."""

    beta: Array  # (chains, n, p)
    mu: Array  # (chains, p)
    Q: Array  # (chains, p, p)
    sigma2: Array  # (chains,)


class Random(NamedTuple):
    """A stream of random numbers: the words of xoshiro256++, and room to compute in."""

    words: Array  # (4,), uint64
    room: Array


@numba.njit(cache=True)
def apart(value: float, fit: float, rest: float) -> float:
    """Return value - fit - rest, subtracted in this order: their digits cancel."""
    return (value - fit) - rest


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
    i_of_j = np.repeat(np.arange(len(J)), J)
    x = read(data, "x", (len(i_of_j), p))
    mu0 = read(data, "mu0", (p,), np.full((p,), 0.0))
    q = read(data, "q", (), 0.001)
    r = read(data, "r", (), 1000)
    Sigma0 = read(data, "Sigma0", (p, p), 10000 * np.eye(p))
    S = read(data, "S", (p, p), np.eye(p))
    nu = read(data, "nu", (), p)
    y = read(data, "y", (len(i_of_j),))
    XtX = group_sum(np.einsum("jp,jq->jpq", x, x), i_of_j, n, axis=0)
    Xty = group_sum(y[:, None] * x, i_of_j, n, axis=0)
    inv_Sigma0 = np.linalg.inv(Sigma0)
    inv_Sigma0_mu0 = np.einsum("pq,q->p", inv_Sigma0, mu0)
    sum_J = np.sum(J)
    fit_beta, fit_beta_rest, root_beta, rss = least_squares(y, x, i_of_j, (n,))
    sum_rss = np.sum(rss)
    return Data(
        n=n,
        J=np.ascontiguousarray(J),
        p=p,
        x=np.ascontiguousarray(x),
        mu0=np.ascontiguousarray(mu0),
        Sigma0=np.ascontiguousarray(Sigma0),
        S=np.ascontiguousarray(S),
        nu=float(nu),
        q=float(q),
        r=float(r),
        y=np.ascontiguousarray(y),
        i_of_j=np.ascontiguousarray(i_of_j),
        XtX=components_first(XtX, 2),
        Xty=components_first(Xty, 1),
        inv_Sigma0=np.ascontiguousarray(inv_Sigma0),
        inv_Sigma0_mu0=np.ascontiguousarray(inv_Sigma0_mu0),
        sum_J=float(sum_J),
        fit_beta=components_first(fit_beta, 1),
        fit_beta_rest=components_first(fit_beta_rest, 1),
        root_beta=components_first(root_beta, 2),
        sum_rss=float(sum_rss),
    )


@inlined
def draw_beta(rng: Random, state: State, data: Data) -> None:
    """Draw beta, shape (p, n).

    [beta[i] | .] = N(A^-1 b, A^-1)
      A = sum(j: x[i,j] * x[i,j]') / sigma2 + Q
      b = sum(j: y[i,j] * x[i,j]) / sigma2 + Q * mu
    """
    n = data.n
    XtX = data.XtX
    sigma2 = state.sigma2[0]
    Q = state.Q
    mu = state.mu
    Xty = data.Xty
    inv_sigma2 = 1 / sigma2
    Q_00 = Q[0, 0]
    Q_10 = Q[1, 0]
    Q_11 = Q[1, 1]
    Q_mu_0 = Q_00 * mu[0] + Q_10 * mu[1]
    Q_mu_1 = Q_10 * mu[0] + Q_11 * mu[1]
    noise = state.beta  # where the draws will be
    fill_normal(rng, noise.reshape(noise.size))
    for i in range(n):
        A_00 = XtX[0, 0, i] * inv_sigma2 + Q_00
        A_10 = XtX[1, 0, i] * inv_sigma2 + Q_10
        A_11 = XtX[1, 1, i] * inv_sigma2 + Q_11
        b_0 = Q_mu_0 + Xty[0, i] * inv_sigma2
        b_1 = Q_mu_1 + Xty[1, i] * inv_sigma2
        L_00 = math.sqrt(A_00)
        L_10 = A_10 / L_00
        L_11 = math.sqrt(A_11 - L_10 * L_10)
        h_0 = b_0 / L_00
        h_1 = (b_1 - L_10 * h_0) / L_11
        beta_1 = (h_1 + noise[1, i]) / L_11
        beta_0 = (h_0 + noise[0, i] - L_10 * beta_1) / L_00
        state.beta[0, i] = beta_0
        state.beta[1, i] = beta_1


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


@inlined
def draw_sigma2(rng: Random, state: State, data: Data) -> None:
    """Draw sigma2, shape (1,).

    [sigma2 | .] = IG(shape, scale), density x^-(shape + 1) exp(-scale / x)
      shape = sum(i: J[i]) / 2 + q
      scale = sum(i,j: (y[i,j] - beta[i]' * x[i,j])^2) / 2 + 1 / r
    """
    n = data.n
    beta = state.beta
    fit_beta = data.fit_beta
    fit_beta_rest = data.fit_beta_rest
    root_beta = data.root_beta
    q = data.q
    sum_J = data.sum_J
    r = data.r
    sum_rss = data.sum_rss
    sum_quadratic = 0.0
    for i in range(n):
        deviation_0 = apart(beta[0, i], fit_beta[0, i], fit_beta_rest[0, i])
        deviation_1 = apart(beta[1, i], fit_beta[1, i], fit_beta_rest[1, i])
        scaled_0 = root_beta[0, 0, i] * deviation_0 + root_beta[0, 1, i] * deviation_1
        scaled_1 = root_beta[1, 1, i] * deviation_1
        sum_quadratic += scaled_0 * scaled_0 + scaled_1 * scaled_1
    shape = q + sum_J / 2
    scale = sum_quadratic / 2 + 1 / r + sum_rss / 2
    state.sigma2[0] = scale / random_gamma(rng, shape)


@merged
def sweep(rng: Random, state: State, data: Data) -> None:
    """Update every node once, each given all the others."""
    draw_beta(rng, state, data)
    draw_mu(rng, state, data)
    draw_Q(rng, state, data)
    draw_sigma2(rng, state, data)


def log_joint(state: State, data: Data) -> Array:
    """Return the log of the joint density of data and state, shape (chains,)."""
    total = np.zeros(len(state.beta))
    mean = np.einsum("cjp,jp->cj", state.beta[:, data.i_of_j], data.x)
    total += np.sum(log_normal(data.y, mean, state.sigma2[:, None]), axis=1)
    inv_Q = np.linalg.inv(state.Q)
    total += np.sum(log_mvnormal(state.beta, state.mu[:, None], inv_Q[:, None]), axis=1)
    total += log_mvnormal(state.mu, data.mu0, data.Sigma0)
    inv_S = np.linalg.inv(data.S)
    total += log_wishart(state.Q, data.nu, inv_S / data.nu)
    total += log_inverse_gamma(state.sigma2, data.q, 1 / data.r)
    return total


def log_likelihood(state: State, data: Data) -> dict[str, Array]:
    """Return the log density of every observation, by node: shape (chains, ...)."""
    mean = np.einsum("cjp,jp->cj", state.beta[:, data.i_of_j], data.x)
    y = log_normal(data.y, mean, state.sigma2[:, None])
    return {"y": y}


def predict(rng: np.random.Generator, state: State, data: Data) -> dict[str, Array]:
    """Draw the observed nodes anew given the state, by node: shape (chains, ...)."""
    chains = len(state.beta)
    mean = np.einsum("cjp,jp->cj", state.beta[:, data.i_of_j], data.x)
    y = predict_normal(rng, mean, state.sigma2[:, None], (chains, len(data.i_of_j)))
    return {"y": y}


def first_values(rng: np.random.Generator, data: Data, chains: int) -> State:
    """Return values to begin with: different in every chain, groups far apart,
    variances large.
    """
    variance = np.var(data.y) + 1e-6
    spread = 10 * np.mean(data.y**2) + 1e-6  # a variance, large
    return State(
        beta=rng.standard_normal((chains, data.n, data.p)),
        mu=rng.standard_normal((chains, data.p)),
        Q=spread_out(rng, 1 / spread * np.eye(data.p), (chains, 1, 1)),
        sigma2=spread_out(rng, variance, chains),
    )


def node_shapes(data: Data) -> State:
    """Return the shape of every node for one chain; a number is an array of one."""
    return State(beta=(data.p, data.n), mu=(data.p,), Q=(data.p, data.p), sigma2=(1,))


@entry
def run(
    rng: Random,
    state: State,
    data: Data,
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
        sweep(rng, state, data)
        if not warming and (number + 1) % thin == 0:
            row, place = (number + 1) // thin - 1, 0
            for span in range(len(spans)):
                for at in range(spans[span, 0], spans[span, 1]):
                    draws[row, place] = flat[at]
                    place += 1


# Nodes that are one number, and how many component axes the elements of others have.
NUMBERS = frozenset(["sigma2"])
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
    rng = Random(words, np.zeros(room))
    return Chain(rng, flat, split(flat, shapes))


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
    run(chain.rng, chain.state, swept(data), *where)


def spread(rng: np.random.Generator, value: Array) -> None:
    """Multiply a positive value by lognormal factors, in place."""
    value *= np.exp(rng.normal(0, 0.5, value.shape))


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
        advance(chain, data, 5)
        spread(rng, chain.state.sigma2)
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
    found["acceptance"] = {}
    return found


def log_inverse_gamma(value: Array, shape: Array, scale: Array) -> Array:
    """Return the log density of IG(shape, scale), -inf off the positive line."""
    positive = np.where(value > 0, value, 1.0)
    logs = shape * np.log(scale / positive) - scale / positive - np.log(positive)
    return np.where(value > 0, logs - gammaln(shape), -np.inf)


def log_mvnormal(value: Array, mean: Array, covariance: Array) -> Array:
    """Return the log density of vectors (..., p), N(mean, covariance)."""
    apart = value - mean
    root = np.linalg.cholesky(covariance)
    scaled = np.linalg.solve(root, apart[..., None])[..., 0]
    volume = np.log(np.diagonal(root, axis1=-2, axis2=-1)).sum(axis=-1)
    p = value.shape[-1]
    return -0.5 * np.sum(scaled**2, axis=-1) - volume - 0.5 * p * np.log(2 * np.pi)


def log_normal(value: Array, mean: Array, variance: Array) -> Array:
    """Return the log density of N(mean, variance)."""
    return -0.5 * (np.log(2 * np.pi * variance) + (value - mean) ** 2 / variance)


def log_wishart(value: Array, df: Array, scale: Array) -> Array:
    """Return the log density of matrices (..., p, p) of mean df * scale."""
    p = value.shape[-1]
    logdet = np.linalg.slogdet(value)[1]
    trace = np.trace(np.linalg.solve(scale, value), axis1=-2, axis2=-1)
    size = 0.5 * df * (p * np.log(2) + np.linalg.slogdet(scale)[1])
    return 0.5 * ((df - p - 1) * logdet - trace) - size - multigammaln(df / 2, p)


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
