"""Metropolis-Hastings updates of vectors held against their conditional, by weighted draws.

Stage verification.  No exact draws of such a conditional can be had; but with draws x of a proposal q and weights
w = c(x) / q(x), an update K that leaves c in place has E[w f(Kx)] = E[w f(x)] for every f.  The log joint density of the
sampler, which is held against the families' own elsewhere, serves as log c.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from scipy.special import gammaln

from deriver.derivation.records import Conditional
from deriver.derivation.states import redraw
from deriver.verification.records import Outcome
from deriver.verification.replicates import Bench
from deriver.verification.simulate import State
from deriver.verification.statistics import paired_p

DRAWS = 1500
ROUNDS = 8
REPEATS = 5
WIDER = 2.5
LEAST_SHARE = 0.2  # of effective draws, below which a state is left out
NEGLIGIBLE = 1e-9  # of the largest weight: such draws are left where the state is
_FREEDOM = 5.0
_MOVES = 32  # a child of the seed

LogDensity = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A multivariate t distribution: ``mean`` (p,), ``root`` (p, p) the lower factor of its scale."""

    mean: np.ndarray
    root: np.ndarray

    def draw(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Return draws, shape (count, p)."""
        noise = rng.standard_normal((count, len(self.mean)))
        noise /= np.sqrt(rng.chisquare(_FREEDOM, count) / _FREEDOM)[:, None]
        return self.mean + noise @ self.root.T

    def whiten(self, x: np.ndarray) -> np.ndarray:
        """Return x on the proposal's own scale."""
        return np.linalg.solve(self.root, (x - self.mean).T).T

    def log_density(self, x: np.ndarray) -> np.ndarray:
        """Return the log density, shape (count,)."""
        p = len(self.mean)
        distance = np.sum(self.whiten(x) ** 2, axis=1) / _FREEDOM
        volume = np.sum(np.log(np.diag(self.root)))
        constant = gammaln((_FREEDOM + p) / 2) - gammaln(_FREEDOM / 2) - p / 2 * np.log(_FREEDOM * np.pi)
        return constant - volume - (_FREEDOM + p) / 2 * np.log1p(distance)


def takes_moves(conditional: Conditional) -> bool:
    """Tell whether a node is of this kind: real vectors, independent given the rest, without a family."""
    plain = conditional.support[0] == "real" and conditional.support[1:] == (None, None)
    return conditional.family is None and len(conditional.shape) == 1 and plain and not conditional.coupled


def check_moves(bench: Bench, conditional: Conditional, place: int, states: int) -> list[Outcome]:
    """Return a test of each function of each element; p values not yet adjusted."""
    rng = bench.rng(_MOVES, place)
    node, changes = conditional.node, []
    names: list[str] = []
    for _ in range(states):
        state = _generic_state(bench, node, rng)
        keys = [key for key in bench.maker.keys[node] if key in state[node]]
        found = _changes_at(bench, node, state, keys[int(rng.integers(len(keys)))], rng)
        if found is not None:
            names, values = found
            changes.append(values)
    if len(changes) < 2:
        return []
    values = np.concatenate(changes)
    error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    return [
        Outcome(
            kind="draws", node=node, name=f"{name} of {node}", passed=True, p=float(p),
            effect=float(values[:, k].mean() / 0.5), error=float(error[k] / 0.5),
        )
        for k, (name, p) in enumerate(zip(names, paired_p(values), strict=True))
    ]  # fmt: skip


def _generic_state(bench: Bench, node: str, rng: np.random.Generator) -> State:
    """Return a state with all but the node at generic values and wider covariates.

    The identity holds anywhere, and an unlikely state, where the conditional is far from normal, tells more.
    """
    model, state = bench.task.model, bench.simulator.draw(rng)
    for given in model.givens:
        plain = given.support.kind == "real" and given.support.lower is None and given.support.upper is None
        if given.indices and plain:
            wide = {key: WIDER * value for key, value in state[given.name].items()}
            state = {**state, given.name: wide}
    for other in model.nodes:
        if other.kind == "stochastic" and other.name != node:
            fresh = {key: redraw(model, other.name, key, state, rng) for key in state[other.name]}
            state = {**state, other.name: fresh}
    return state


def _changes_at(
    bench: Bench, node: str, state: State, key: tuple[int, ...], rng: np.random.Generator
) -> tuple[list[str], np.ndarray] | None:
    """Return names of functions and their weighted changes, shape (draws, functions), for one element."""
    data = bench.module.prepare(bench.maker.inputs(state))
    number = bench.maker.keys[node].index(key)
    chains = bench.to_state(state, DRAWS)

    def with_element(x: np.ndarray) -> Any:
        array = getattr(chains, node).reshape(DRAWS, len(bench.maker.keys[node]), -1).copy()
        array[:, number] = x
        return replace(chains, **{node: array.reshape(getattr(chains, node).shape)})

    def log_target(x: np.ndarray) -> np.ndarray:
        return np.nan_to_num(np.asarray(bench.module.log_joint(with_element(x), data)), nan=-np.inf)

    with np.errstate(all="ignore"):
        proposal = fit_proposal(log_target, np.ravel(state[node][key]), rng)
        before = proposal.draw(rng, DRAWS)
        logs = log_target(before) - proposal.log_density(before)
        weights = np.exp(logs - logs.max())
        weights = np.where(weights > NEGLIGIBLE, weights, 0.0)
        before = np.where(weights[:, None] > 0, before, np.ravel(state[node][key]))
        weights /= weights.mean()
        if 1 / np.mean(weights**2) < LEAST_SHARE:
            return None
        moved = with_element(before)
        for _ in range(REPEATS):
            moved = bench.update(node, rng, moved, data, DRAWS)
    after = np.asarray(getattr(moved, node)).reshape(DRAWS, len(bench.maker.keys[node]), -1)[:, number]
    names, first = _functions(proposal.whiten(before))
    return names, weights[:, None] * (_functions(proposal.whiten(after))[1] - first)


def fit_proposal(log_target: LogDensity, start: np.ndarray, rng: np.random.Generator) -> Proposal:
    """Return a t distribution fitted to a density by repeated importance sampling, from a typical point."""
    proposal = Proposal(mean=start, root=np.eye(len(start)))
    for number in range(ROUNDS):
        x = proposal.draw(rng, DRAWS)
        logs = log_target(x) - proposal.log_density(x)
        weights = np.exp((logs - logs.max()) / (1 if number > 2 else 2))  # tempered at first
        weights /= weights.sum()
        mean = weights @ x
        cov = (x - mean).T @ ((x - mean) * weights[:, None]) + 1e-10 * np.eye(len(start))
        proposal = Proposal(mean=mean, root=np.linalg.cholesky(1.2 * cov))
    return proposal


def _functions(scaled: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Return bounded functions of scaled values (draws, p): odd and even ones of each component, and products."""
    squeezed = np.tanh(scaled)
    columns, names = [], []
    for k in range(scaled.shape[1]):
        columns += [
            squeezed[:, k],
            squeezed[:, k] ** 2,
            np.tanh(2 * scaled[:, k] - 2),
            np.tanh(2 * scaled[:, k] + 2),
        ]
        names += [
            f"{word} of component {k + 1}" for word in ("location", "spread", "upper tail", "lower tail")
        ]
    for i, j in combinations(range(scaled.shape[1]), 2):
        columns.append(squeezed[:, i] * squeezed[:, j])
        names.append(f"dependence of components {i + 1} and {j + 1}")
    return names, np.stack(columns, axis=1)
