"""Gaussian nodes of several plates drawn together: what is found, the identity of the draw, the emitted factorisation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deriver.derivation.conditionals import derive
from deriver.derivation.links import Link
from deriver.derivation.marginal import Marginal, NoMarginal, find_marginal
from deriver.derivation.marginal_check import check_marginal, gaussian_system, list_places, log_marginal_at
from deriver.emission import emit
from deriver.errors import InternalError
from deriver.language import parse_model
from deriver.plan import make_plan
from tests.emitted import load_source
from tests.model_checks import Bench

CROSSED = """
model crossed
plates
  k = 1..K
  i = 1..n
  h = 1..m
given
  a : k -> i
  b : k -> h
data
  y[k] ~ N(mu + u[a[k]] + v[b[k]], sigma2)
process
  u[i] ~ N(0, s2u)
  v[h] ~ N(0, s2v)
parameters
  mu ~ N(0, 100)
  s2u ~ IG(2, 1)
  s2v ~ IG(2, 1)
  sigma2 ~ IG(2, 1)
"""
NESTED = """
model nested
plates
  k = 1..K
  c = 1..C
  s = 1..S
given
  g : k -> c
  school : c -> s
  x[k] : vector(p)
  m : vector(p) = 0
  V : matrix(p,p) = 10 * eye(p)
data
  y[k] ~ N(x[k]' * beta + u[school[g[k]]] + v[g[k]], sigma2)
process
  u[s] ~ N(0, s2u)
  v[c] ~ N(0, s2v)
parameters
  beta ~ N(m, V)
  s2u ~ IG(2, 1)
  s2v ~ IG(2, 1)
  sigma2 ~ IG(2, 1)
"""
CENTRED = """
model centred
plates
  s = 1..S
  c = 1..C[s]
  j = 1..J
data
  y[s,c,j] ~ N(v[s,c], sigma2)
process
  u[s] ~ N(mu, s2u)
  v[s,c] ~ N(u[s], s2v)
parameters
  mu ~ N(0, 100)
  s2u ~ IG(2, 1)
  s2v ~ IG(2, 1)
  sigma2 ~ IG(2, 1)
"""
# Vectors on both sides of a link, a predictor with a name, a precision matrix among the variances.
SLOPES = """
model slopes
plates
  k = 1..K
  i = 1..n
  h = 1..m
given
  a : k -> i
  b : k -> h
  x[k] : vector(p)
  z[k] : vector(p)
  m0 : vector(p) = 0
  V : matrix(p,p) = 10 * eye(p)
  W : matrix(p,p) = eye(p)
data
  y[k] ~ N(eta[k], sigma2)
process
  eta[k] = x[k]' * beta + z[k]' * u[a[k]] + x[k]' * v[b[k]]
  u[i] ~ N(m0, inv(Q))
  v[h] ~ N(m0, s2v * eye(p))
parameters
  beta ~ N(m0, V)
  Q ~ Wish(W, p + 1)
  s2v ~ IG(2, 1)
  sigma2 ~ IG(2, 1)
"""
# Nothing to be moved: an exact draw of everything.
KNOWN = """
model known
plates
  i = 1..n
  j = 1..m
given
  s2a, s2b, s2 > 0
data
  y[i,j] ~ N(mu + a[i] + b[j], s2)
process
  a[i] ~ N(0, s2a)
  b[j] ~ N(0, s2b)
parameters
  mu ~ N(0, 100)
"""
# Effects of cells nest in those of both factors; a second response; a variance for each element of a factor.
CELLS = """
model cells
plates
  k = 1..K
  l = 1..L
  i = 1..n
  h = 1..m
  c = 1..C
given
  cell : k -> c
  again : l -> c
  row : c -> i
  column : c -> h
data
  y[k] ~ N(mu + u[row[cell[k]]] + v[column[cell[k]]] + w[cell[k]], sigma2)
  x[l] ~ N(0.5 * u[row[again[l]]] - v[column[again[l]]], 2)
process
  u[i] ~ N(0, s2u)
  v[h] ~ N(0, s2v[h])
  w[c] ~ N(0, s2w)
  s2v[h] ~ IG(3, 1)
parameters
  mu ~ N(0, 100)
  s2u ~ IG(2, 1)
  s2w ~ IG(2, 1)
  sigma2 ~ IG(2, 1)
"""
TEXTS = {
    "crossed": CROSSED, "nested": NESTED, "centred": CENTRED, "slopes": SLOPES, "known": KNOWN, "cells": CELLS,
}  # fmt: skip
# Model -> variances, effects, shared nodes, other nodes on which the density depends.
FOUND = {
    "crossed": ("s2u s2v sigma2", "u v", "mu", ""),
    "nested": ("s2u s2v sigma2", "u v", "beta", ""),
    "centred": ("s2u s2v sigma2", "u v", "mu", ""),
    "slopes": ("Q s2v sigma2", "u v", "beta", ""),
    "known": ("", "a b", "mu", ""),
    "cells": ("s2u s2w sigma2", "u v w", "mu", "s2v"),
}


def marginal_of(text: str) -> Marginal:
    found = find_marginal(derive(parse_model(text)))
    assert isinstance(found, Marginal)
    return found


def names(nodes) -> str:
    return " ".join(node if isinstance(node, str) else node.node for node in nodes)


@pytest.mark.parametrize("name", TEXTS)
def test_structure_is_found_and_its_identities_hold(name: str) -> None:
    derivation = derive(parse_model(TEXTS[name]))
    marginal = marginal_of(TEXTS[name])
    assert marginal.structure == "linked"
    found = (marginal.variances, marginal.effects, marginal.shared, marginal.rest)
    assert tuple(map(names, found)) == FOUND[name]
    check_marginal(derivation, marginal)


@pytest.mark.parametrize(
    ("change", "effects"),
    [
        (("u[a[k]] + v[b[k]]", "u[a[k]] * v[b[k]]"), "u"),  # not Gaussian together
        (("u[a[k]] + v[b[k]]", "u[a[k]] + v[b[k]]^2"), "u"),  # v is not Gaussian
        (("v[h] ~ N(0, s2v)", "v[h] ~ N(0, s2v) T(0, inf)"), "u"),
        (("u[a[k]] + v[b[k]]", "u[a[k]] + is_positive(v[b[k]])"), "u"),
    ],
)
def test_what_is_not_normal_together_is_left_out(change: tuple[str, str], effects: str) -> None:
    marginal = marginal_of(CROSSED.replace(*change))
    assert marginal.structure == "independent"
    assert names(marginal.effects) == effects


def test_labels_as_subscripts_are_no_links() -> None:
    """Which element a row belongs to is drawn: the precision then moves with the labels, which no block holds."""
    text = CROSSED.replace("  b : k -> h\n", "").replace(
        "process\n", "process\n  b[k] ~ Categorical(ones(m) / m)\n"
    )
    found = find_marginal(derive(parse_model(text)))
    assert isinstance(found, NoMarginal) or found.structure != "linked"


def test_wrong_sign_of_a_cross_term_is_caught() -> None:
    derivation = derive(parse_model(KNOWN))
    marginal = marginal_of(KNOWN)
    first, *rest = marginal.effects
    turned = tuple(replace(link, slope=-link.slope) if link.name == "b" else link for link in first.links)
    wrong = replace(marginal, effects=(replace(first, links=turned), *rest))
    with pytest.raises(InternalError, match="drawn together"):
        check_marginal(derivation, wrong, states=1)


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("what", ["sign", "forgotten", "element"])
def test_any_wrong_link_is_caught(name: str, what: str) -> None:
    derivation, marginal = derive(parse_model(TEXTS[name])), marginal_of(TEXTS[name])
    first, *rest = marginal.effects
    link, *others = first.links
    broken: dict[str, tuple[Link, ...]] = {
        "sign": (replace(link, slope=-link.slope), *others),
        "forgotten": tuple(others),
        "element": (replace(link, slope=2 * link.slope), *others),
    }
    wrong = replace(marginal, effects=(replace(first, links=broken[what]), *rest))
    with pytest.raises(InternalError, match="fault of deriver"):
        check_marginal(derivation, wrong, states=1)


# --- the emitted functions ----------------------------------------------------------------------------------


class LinkedBench(Bench):
    """A model whose sampler draws linked nodes together, at two states."""

    def __init__(self, name: str, folder: Path, seed: int) -> None:
        super().__init__(TEXTS[name], folder, seed)
        self.marginal = marginal_of(TEXTS[name])
        plan = make_plan(self.derivation, blocks="on")
        self.module = load_source(emit(self.derivation, plan), folder, f"{name}_linked_{seed}")
        self.data = self.module.prepare(self.inputs())
        fields = vars(self.arrays)
        self.arrays = self.module.State(**{node: fields[node] for node in self.nodes})
        self.parts = self.module.precision_parts(self.arrays, self.data)
        self.order = self.module.find_order(*self.parts)

    def flat(self, drawn: dict) -> np.ndarray:
        """Return what was drawn as vectors in the order of ``list_places``, (chains, D)."""
        columns = []
        members = [member.node for member in self.marginal.members]
        for member, index, _ in list_places(self.marginal, self.states[0]):
            value = drawn[members.index(member.node)]
            shape = getattr(self.arrays, member.node).shape
            at = self.place(member.node, index)
            columns.append(value.reshape(shape)[:, *at].reshape(len(value), -1))
        return np.concatenate(columns, axis=1)


class Noise:
    """Stands in for a generator: normal numbers that are given."""

    def __init__(self, size: int, spot: int | None) -> None:
        self.values = np.zeros(size)
        if spot is not None:
            self.values[spot] = 1.0
        self.used = 0

    def standard_normal(self, shape: tuple[int, ...]) -> np.ndarray:
        count = int(np.prod(shape[1:]))
        piece = self.values[self.used : self.used + count]
        self.used += count
        return np.broadcast_to(piece.reshape(shape[1:]), shape)


@pytest.fixture(params=[(name, seed) for name in TEXTS for seed in (1, 2)], ids=str)
def bench(request, tmp_path) -> LinkedBench:
    return LinkedBench(*request.param[:1], tmp_path, request.param[1])


def test_draw_is_that_of_the_dense_precision(bench: LinkedBench) -> None:
    """The mean, and the covariance as the noise is turned into steps, against the inverse of the whole precision."""
    value, *found = bench.module.eliminate(*bench.parts, bench.order)
    systems = [gaussian_system(bench.derivation, bench.marginal, state) for state in bench.states]
    size = len(systems[0][1])

    def draw(spot: int | None) -> np.ndarray:
        return bench.flat(bench.module.draw_linked(Noise(size, spot), bench.order, *found))

    mean = draw(None)
    turned = np.stack([draw(spot) - mean for spot in range(size)], axis=-1)
    for chain, (precision, gradient) in enumerate(systems):
        np.testing.assert_allclose(mean[chain], np.linalg.solve(precision, gradient), rtol=1e-6, atol=1e-8)
        covariance = turned[chain] @ turned[chain].T
        np.testing.assert_allclose(covariance, np.linalg.inv(precision), rtol=1e-6, atol=1e-8)
        expected = (gradient @ np.linalg.solve(precision, gradient) - np.linalg.slogdet(precision)[1]) / 2
        np.testing.assert_allclose(value[chain], expected, rtol=1e-8)


def test_log_marginal_is_the_derived_one(bench: LinkedBench) -> None:
    nodes = [c.node for c in bench.marginal.variances]
    if not nodes:
        assert not hasattr(bench.module, "log_marginal")
        return
    first, second = bench.states
    moved = {**first, **{node: second[node] for node in nodes}}
    pair = {node: np.stack([bench.array(state, node) for state in (first, moved)]) for node in bench.nodes}
    arrays = bench.module.State(**pair)
    sums = getattr(bench.module, "marginal_sums", None)
    known = [] if sums is None else [sums(arrays, bench.data)]
    got = bench.module.log_marginal(arrays, bench.data, bench.order, *known)[0]
    expected = [log_marginal_at(bench.derivation, bench.marginal, state) for state in (first, moved)]
    np.testing.assert_allclose(got[1] - got[0], expected[1] - expected[0], rtol=1e-8, atol=1e-8)
