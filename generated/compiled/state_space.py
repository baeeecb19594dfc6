"""A Gibbs sampler for the model state_space, generated from the model; yours to edit.

    model state_space  # A hidden state z[t] that remembers the one before it, seen with error.

    plates
      t = 1..T  # times; the state begins one step earlier, at 0

    given
      m0, m_phi = 0         # prior means of z[0] and phi
      v0 > 0 = 1e6          # prior variance of z[0]
      v_phi > 0 = 1         # prior variance of phi
      q_y, q_z > 0 = 0.001  # shapes: vague, yet proper
      r_y, r_z > 0 = 1000   # reciprocals of the scales

    data
      y[t] ~ N(z[t], sigma2_y)  # error of the measurement

    process
      z[0] ~ N(m0, v0)
      z[t] ~ N(phi * z[t-1], sigma2_z) for t in 1..T

    parameters
      phi ~ N(m_phi, v_phi)  # 1 is a random walk; nothing keeps it below 1 here
      sigma2_y ~ IG(q_y, r_y)
      sigma2_z ~ IG(q_z, r_z)

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
from scipy.special import gammaln

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

    T: int
    m0: float
    m_phi: float
    v0: float
    v_phi: float
    q_y: float
    q_z: float
    r_y: float
    r_z: float
    y: Array  # (T,), observed


class State(NamedTuple):
    """The nodes of all chains; in one chain, components come first, a number is an array of 1."""

    z: Array  # (chains, 1 + T)
    phi: Array  # (chains,)
    sigma2_y: Array  # (chains,)
    sigma2_z: Array  # (chains,)


class Random(NamedTuple):
    """A stream of random numbers: the words of xoshiro256++, and room to compute in."""

    words: Array  # (4,), uint64
    room: Array


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


def prepare(data: Mapping[str, ArrayLike]) -> Data:
    """Check the data, and compute what the sweeps need of it.

    Fixed plates have an axis each; sizes may be left out where an array shows them.
    """
    T = int(np.asarray(data.get("T", np.shape(data["y"])[0])))
    m0 = read(data, "m0", (), 0)
    m_phi = read(data, "m_phi", (), 0)
    v0 = read(data, "v0", (), 1000000.0)
    v_phi = read(data, "v_phi", (), 1)
    q_y = read(data, "q_y", (), 0.001)
    q_z = read(data, "q_z", (), 0.001)
    r_y = read(data, "r_y", (), 1000)
    r_z = read(data, "r_z", (), 1000)
    y = read(data, "y", (T,))
    return Data(
        T=T,
        m0=float(m0),
        m_phi=float(m_phi),
        v0=float(v0),
        v_phi=float(v_phi),
        q_y=float(q_y),
        q_z=float(q_z),
        r_y=float(r_y),
        r_z=float(r_z),
        y=np.ascontiguousarray(y),
    )


@inlined
def draw_z(rng: Random, state: State, data: Data) -> None:
    """Draw z, shape (1 + T,).

    [z[t] | .] = N(A^-1 b, A^-1)
      A = phi^2 / sigma2_z [t <= T - 1] + 1 / sigma2_y [t >= 1] + 1 / sigma2_z [t >= 1]
          + 1 / v0 [t = 0]
      b = m0 / v0 [t = 0] + y[t] / sigma2_y [t >= 1] + phi * z[t-1] / sigma2_z [t >= 1]
          + phi * z[1+t] / sigma2_z [t <= T - 1]
    """
    T = data.T
    phi = state.phi[0]
    sigma2_z = state.sigma2_z[0]
    sigma2_y = state.sigma2_y[0]
    v0 = data.v0
    m0 = data.m0
    y = data.y
    scale, before = 1.0, 0.0  # of the element before, given all earlier
    root, last = 1.0, math.nan
    sigma2_z_phi = phi / sigma2_z
    phi_sigma2_z = phi * phi / sigma2_z
    inv_sigma2_y = 1 / sigma2_y
    inv_sigma2_z = 1 / sigma2_z
    inv_v0 = 1 / v0
    v0_m0 = m0 * inv_v0
    noise = state.z  # where the draws will be
    fill_normal(rng, noise)
    shares = rng.room[: state.z.size].reshape(state.z.shape)
    for t in range(1 + T):
        coupling = sigma2_z_phi if t >= 1 else 0.0
        precision = (
            (phi_sigma2_z if t <= T - 1 else 0.0)
            + (inv_sigma2_y if t >= 1 else 0.0)
            + (inv_sigma2_z if t >= 1 else 0.0)
            + (inv_v0 if t == 0 else 0.0)
        )
        linear = v0_m0 if t == 0 else 0.0
        linear += inv_sigma2_y * y[t - 1] if t >= 1 else 0.0
        share = coupling * scale
        pivot = precision - share * coupling
        if pivot != last:  # it settles where the chain goes on alike
            last, scale = pivot, 1 / pivot
            root = math.sqrt(scale)
        before = linear + share * before
        shares[t] = share
        state.z[t] = scale * before + root * noise[t]
    later, share = 0.0, 0.0
    for t in range(T, -1, -1):
        later = state.z[t] + share * later
        state.z[t], share = later, shares[t]


@inlined
def draw_phi(rng: Random, state: State, data: Data) -> None:
    """Draw phi, shape (1,).

    [phi | .] = N(A^-1 b, A^-1)
      A = sum(t: z[t-1]^2) / sigma2_z + 1 / v_phi
      b = sum(t: z[t] * z[t-1]) / sigma2_z + m_phi / v_phi
    """
    T = data.T
    z = state.z
    sigma2_z = state.sigma2_z[0]
    v_phi = data.v_phi
    m_phi = data.m_phi
    sum_z = 0.0
    sum_z_2 = 0.0
    for t in range(T):
        z_2 = z[t]
        sum_z += z_2 * z_2
        sum_z_2 += z[t + 1] * z_2
    precision = sum_z / sigma2_z + 1 / v_phi
    linear = sum_z_2 / sigma2_z + m_phi / v_phi
    state.phi[0] = (linear + math.sqrt(precision) * normal(rng)) / precision


@inlined
def draw_sigma2_y(rng: Random, state: State, data: Data) -> None:
    """Draw sigma2_y, shape (1,).

    [sigma2_y | .] = IG(shape, scale), density x^-(shape + 1) exp(-scale / x)
      shape = T / 2 + q_y
      scale = sum(t: (y[t] - z[t])^2) / 2 + 1 / r_y
    """
    T = data.T
    y = data.y
    z = state.z
    q_y = data.q_y
    r_y = data.r_y
    sum_z_y = 0.0
    for t in range(T):
        deviation = y[t] - z[t + 1]
        sum_z_y += deviation * deviation
    shape = T / 2 + q_y
    scale = sum_z_y / 2 + 1 / r_y
    state.sigma2_y[0] = scale / random_gamma(rng, shape)


@inlined
def draw_sigma2_z(rng: Random, state: State, data: Data) -> None:
    """Draw sigma2_z, shape (1,).

    [sigma2_z | .] = IG(shape, scale), density x^-(shape + 1) exp(-scale / x)
      shape = T / 2 + q_z
      scale = sum(t: (z[t] - phi * z[t-1])^2) / 2 + 1 / r_z
    """
    T = data.T
    z = state.z
    phi = state.phi[0]
    q_z = data.q_z
    r_z = data.r_z
    sum_phi_z = 0.0
    for t in range(T):
        deviation = z[t + 1] - phi * z[t]
        sum_phi_z += deviation * deviation
    shape = T / 2 + q_z
    scale = sum_phi_z / 2 + 1 / r_z
    state.sigma2_z[0] = scale / random_gamma(rng, shape)


@merged
def sweep(rng: Random, state: State, data: Data) -> None:
    """Update every node once, each given all the others."""
    draw_z(rng, state, data)
    draw_phi(rng, state, data)
    draw_sigma2_y(rng, state, data)
    draw_sigma2_z(rng, state, data)


def log_joint(state: State, data: Data) -> Array:
    """Return the log of the joint density of data and state, shape (chains,)."""
    total = np.zeros(len(state.z))
    total += np.sum(log_normal(data.y, state.z[:, 1:], state.sigma2_y[:, None]), axis=1)
    total += log_normal(state.z[:, 0], data.m0, data.v0)
    terms = log_normal(
        state.z[:, 1:], state.phi[:, None] * state.z[:, :-1], state.sigma2_z[:, None]
    )
    total += terms.sum(axis=1)
    total += log_normal(state.phi, data.m_phi, data.v_phi)
    total += log_inverse_gamma(state.sigma2_y, data.q_y, 1 / data.r_y)
    total += log_inverse_gamma(state.sigma2_z, data.q_z, 1 / data.r_z)
    return total


def log_likelihood(state: State, data: Data) -> dict[str, Array]:
    """Return the log density of every observation, by node: shape (chains, ...)."""
    y = log_normal(data.y, state.z[:, 1:], state.sigma2_y[:, None])
    return {"y": y}


def predict(rng: np.random.Generator, state: State, data: Data) -> dict[str, Array]:
    """Draw the observed nodes anew given the state, by node: shape (chains, ...)."""
    chains = len(state.z)
    y = predict_normal(rng, state.z[:, 1:], state.sigma2_y[:, None], (chains, data.T))
    return {"y": y}


def first_values(rng: np.random.Generator, data: Data, chains: int) -> State:
    """Return values to begin with: different in every chain, groups far apart,
    variances large.
    """
    variance = np.var(data.y) + 1e-6
    return State(
        z=rng.standard_normal((chains, 1 + data.T)),
        phi=rng.standard_normal(chains),
        sigma2_y=spread_out(rng, variance, chains),
        sigma2_z=spread_out(rng, variance, chains),
    )


def node_shapes(data: Data) -> State:
    """Return the shape of every node for one chain; a number is an array of one."""
    return State(z=(1 + data.T,), phi=(1,), sigma2_y=(1,), sigma2_z=(1,))


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
NUMBERS = frozenset(["phi", "sigma2_y", "sigma2_z"])
SIDES = {}
# What no compiled function reads.
UNREAD = []


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
        spread(rng, chain.state.sigma2_y)
        spread(rng, chain.state.sigma2_z)
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


def log_normal(value: Array, mean: Array, variance: Array) -> Array:
    """Return the log density of N(mean, variance)."""
    return -0.5 * (np.log(2 * np.pi * variance) + (value - mean) ** 2 / variance)


def predict_normal(
    rng: np.random.Generator, mean: Array, variance: Array, size: Sequence[int]
) -> Array:
    """Draw from the distribution itself, given its parameters."""
    return mean + np.sqrt(variance) * rng.standard_normal(size)


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
