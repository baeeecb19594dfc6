"""Models whose conditionals were once wrong, falsely conjugate, or refused though a family holds them."""

from __future__ import annotations

import pytest

from deriver.derivation.conditionals import derive
from deriver.derivation.density_ratio import check_derivation
from deriver.derivation.records import Derivation
from deriver.errors import ModelError
from deriver.language import parse_model

# Title: (model, {node: family, or None for a node that is not conjugate}).
CASES: dict[str, tuple[str, dict[str, str | None]]] = {
    "gates_cover_one_node_but_not_another": (
        """
plates
  t = 1..T
data
  y[1] ~ N(a[1], s2)
  y[t] ~ N(a[t], s2) for t in 2..T
  w[1] ~ N(b[1], s2)
  w[t] ~ N(b[t], s2) for t in 2..T
process
  a[t] ~ Flat()
  b[0] ~ Flat()
  b[t] ~ Flat() for t in 1..T
parameters
  s2 ~ IG(1, 1)
""",
        {"a": "normal", "b": None, "s2": "inverse_gamma"},
    ),
    "first_state_has_a_smaller_support": (
        """
plates
  t = 1..T
data
  y[t] ~ N(z[t], 1)
process
  z[0] ~ HalfNormal(sd=1)
  z[t] ~ N(z[t-1], 1) for t in 1..T
""",
        {"z": None},
    ),
    "first_state_is_truncated": (
        """
plates
  t = 1..T
data
  y[t] ~ N(z[t], 1)
process
  z[0] ~ N(0, 1) T(0, inf)
  z[t] ~ N(z[t-1], 1) for t in 1..T
""",
        {"z": None},
    ),
    "literal_variances_behind_gates": (
        """
plates
  t = 1..T
data
  y[t] ~ N(z[t], 1)
process
  z[0] ~ N(0, 1)
  z[t] ~ N(z[t-1], 1) for t in 1..T
""",
        {"z": "normal"},
    ),
    "literal_shapes_behind_gates": (
        """
plates
  t = 1..T
data
  y[t] ~ N(0, s2[t])
process
  s2[0] ~ IG(1, 1)
  s2[t] ~ InverseGamma(2, scale=3) for t in 1..T
""",
        {"s2": "inverse_gamma"},
    ),
    "sum_over_a_plate_that_lacks_an_element": (
        """
plates
  t = 1..T
data
  y ~ N(sum(t: z[t]), 1)
process
  z[0] ~ N(0, 1)
  z[t] ~ N(z[t-1], 1) for t in 1..T
""",
        {"z": "normal"},
    ),
    "sums_inside_sums": (
        """
plates
  t = 1..T
  i = 1..n
data
  y ~ N(sum(t: z[t] * sum(i: w[i])), 1)
process
  z[t] ~ N(0, 1)
  w[i] ~ N(0, 1)
""",
        {"z": "normal", "w": "normal"},
    ),
    "sum_over_two_plates": (
        """
plates
  i = 1..n
  j = 1..m
given
  x[i,j]
data
  y ~ N(sum(i: sum(j: x[i,j] * a[i,j])), 1)
process
  a[i,j] ~ N(0, 1)
""",
        {"a": "normal"},
    ),
    "sums_inside_sums_over_one_plate": (
        """
plates
  k = 1..K
  j = 1..J
given
  c[j,k]
data
  y[j] ~ N(sum(k: a[k] * m[j]), 1)
process
  m[j] = sum(k: c[j,k] * b[k])
  a[k] ~ N(0, 1)
  b[k] ~ N(0, 1)
""",
        {"a": "normal", "b": "normal"},
    ),
    "bound_index_named_as_one_of_the_factor": (
        """
plates
  k = 1..K
  j = 1..J
given
  g : j -> k
  q[j,k]
  c[j,k]
data
  y[j] ~ N(x[j] * m[g[j]], 1)
process
  x[j] ~ N(0, 1)
  m[k] = sum(j: q[j,k] * s[g[j]])
  s[k] = sum(j where g[j] = k: c[j,k] * b[j])
  b[j] ~ N(0, 1)
""",
        {"x": "normal", "b": "normal"},
    ),
    "gather_inside_a_sum": (
        """
plates
  i = 1..n
  k = 1..K
given
  g : k -> i
  h : k -> i
data
  y ~ N(sum(k: a[g[k]] - 2 * a[h[k]]), 1)
process
  a[i] ~ N(0, 1)
""",
        {"a": "normal"},
    ),
    "product_of_gathers_inside_a_sum": (
        """
plates
  i = 1..n
  k = 1..K
given
  g : k -> i
  h : k -> i
data
  y ~ N(sum(k: a[g[k]] * a[h[k]]), 1)
process
  a[i] ~ N(0, 1)
""",
        {"a": None},
    ),
    "shifts_inside_a_sum": (
        """
plates
  t = 1..T
given
  x[t]
data
  y ~ N(sum(t: x[t] * (z[t] - z[t-1])), 1)
process
  z[0] ~ N(0, 1)
  z[t] ~ N(z[t-1], 1) for t in 1..T
""",
        {"z": "normal"},
    ),
    "ten_single_elements": (
        """
plates
  t = 1..T
given
  T : integer >= 10
data
  y ~ N(z[1] + z[2] + z[3] + z[4] + z[5] + z[6] + z[7] + z[8] + z[9] + z[10], 1)
process
  z[t] ~ N(0, 1)
""",
        {"z": "normal"},
    ),
    "three_starting_values": (
        """
plates
  t = 1..T
given
  T : integer >= 3
data
  y[t] ~ N(z[t], 1)
process
  z[1] ~ N(0, 1)
  z[2] ~ N(phi, 2)
  z[3] ~ N(phi, 3)
  z[t] ~ N(phi * z[t-1] + phi * z[t-3], s2) for t in 4..T
parameters
  phi ~ N(0, 1)
  s2 ~ IG(1, 1)
""",
        {"z": "normal", "phi": "normal", "s2": "inverse_gamma"},
    ),
    "components_one_by_one": (
        """
plates
  i = 1..n
  j = 1..J[i]
given
  x[i,j]
  m : vector(2)
  S : matrix(2,2)
data
  y[i,j] ~ N(beta[i,1] + beta[i,2] * x[i,j], 1)
process
  beta[i] ~ N(m, S)
""",
        {"beta": "mvnormal"},
    ),
    "mean_of_two_matrices": (
        """
plates
  i = 1..n
given
  S, F : matrix(p,p)
  m : vector(p)
data
  y[i] ~ N(beta + F * beta, S)
process
  beta ~ N(m, S)
""",
        {"beta": "mvnormal"},
    ),
    "scalars_in_a_vector_mean": (
        """
plates
  i = 1..n
given
  S : matrix(2,2)
  x[i]
data
  y[i] ~ N([u[i] + v; u[i] * x[i] - v], S)
process
  u[i] ~ N(0, 1)
parameters
  v ~ N(0, 1)
""",
        {"u": "normal", "v": "normal"},
    ),
    "hidden_markov_chain": (
        """
plates
  t = 1..T
  c = 1..C
given
  weights : vector(C) > 0
  start : simplex(C)
data
  y[t] ~ N(m[z[t]], 1)
process
  z[1] ~ Categorical(start)
  z[t] ~ Categorical(P[z[t-1]]) for t in 2..T
  m[c] ~ N(0, 4)
parameters
  P[c] ~ Dirichlet(weights)
""",
        {"z": None, "m": "normal", "P": "dirichlet"},
    ),
    "members_of_a_sum_decided_by_a_node": (
        """
plates
  i = 1..n
  c = 1..C
given
  p0 : simplex(C)
data
  y[c] ~ N(sum(i where z[i] = c: x[i]), 1)
process
  z[i] ~ Categorical(p0)
  x[i] ~ N(0, 1)
""",
        {"z": None, "x": "normal"},
    ),
    "effects_on_a_subset": (
        """
plates
  i = 1..n
given
  s : subset(i)
data
  y[i] ~ N(a[i], 1) for i in s
process
  a[i] ~ N(0, v)
parameters
  v ~ IG(1, 1)
""",
        {"a": "normal", "v": "inverse_gamma"},
    ),
}


def derived(title: str) -> Derivation:
    return derive(parse_model(f"model {title}\n{CASES[title][0]}"))


@pytest.mark.parametrize("title", CASES)
def test_families_and_density_ratio(title: str) -> None:
    derivation = derived(title)
    found = {c.node: c.family if c.method == "gibbs" else None for c in derivation.conditionals}
    assert found == CASES[title][1]
    for seed in (1, 2):
        check_derivation(derivation, states=1, seed=seed)


@pytest.mark.parametrize(("size", "rows"), [(1, 0), (2, 0), (3, 1), (5, 3)])
def test_a_range_that_runs_backwards_holds_no_rows(size: int, rows: int) -> None:
    model = """
model late_range
plates
  t = 1..T
data
  y[t] ~ N(0, s2) for t in 3..T
parameters
  s2 ~ IG(1, 1)
"""
    state = {
        "T": {(): size},
        "y": {(t,): 0.5 for t in range(3, size + 1)},
        "s2": {(): 1.0},
    }
    _, parameters = derive(parse_model(model)).node("s2").at(state)
    assert parameters["shape"] == 1 + rows / 2


def test_elements_of_different_kinds_are_refused() -> None:
    model = """
model kinds
plates
  t = 1..T
data
  y[t] ~ N(z[t], 1)
process
  z[0] ~ Pois(2)
  z[t] ~ N(z[t-1], 1) for t in 1..T
"""
    with pytest.raises(ModelError, match="different kinds"):
        derive(parse_model(model))
