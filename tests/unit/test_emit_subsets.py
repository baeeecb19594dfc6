"""Statements over a declared subset: slices of state and data by the subset's positions."""

from __future__ import annotations

import numpy as np
import pytest

from deriver.derivation.numeric import parameters_at
from tests.emitted import build, drawn_from

STATE_SPACE = """
model gaps

plates
  t = 1..T

given
  S : subset(t)
  m0, v0, q, r > 0

data
  y[t] ~ N(z[t], s_y) for t in S

process
  z[0] ~ N(m0, v0)
  z[t] ~ N(z[t-1], s_z) for t in 1..T

parameters
  s_y ~ IG(q, r)
  s_z ~ IG(q, r)
"""
GROUPS = """
model some_groups

plates
  i = 1..n
  j = 1..J[i]

given
  S : subset(i)
  w[i] > 0
  x[i]
  q, r > 0

data
  y[i,j] ~ N(a[i], s)
  u[i] ~ N(c * a[i] * x[i], w[i]) for i in S

process
  a[i] ~ N(mu, v)

parameters
  mu ~ N(0, 100)
  c ~ N(0, 1)
  v ~ IG(q, r)
  s ~ IG(q, r)
"""


def indexed(values, first=1):
    return {(k,): float(value) for k, value in enumerate(values, first)}


def scalars(**values):
    return {name: {(): value} for name, value in values.items()}


def gap_state(rng):
    state = scalars(T=5, m0=0.3, v0=2.0, q=1.5, r=0.7, s_y=0.8, s_z=1.3, S={2, 3, 5})
    return state | {"y": indexed(rng.normal(size=5)), "z": indexed(rng.normal(size=6), 0)}


def group_state(rng):
    state = scalars(n=4, q=1.5, r=0.7, mu=0.2, c=0.6, v=1.1, s=0.9, S={1, 4})
    rows = [(1, 1), (1, 2), (3, 1), (4, 1), (4, 2), (4, 3)]
    state |= {"J": indexed([2, 0, 1, 3]), "y": {row: float(rng.normal()) for row in rows}}
    names = {
        "u": rng.normal(size=4),
        "x": rng.normal(size=4),
        "w": rng.uniform(1, 2, 4),
        "a": rng.normal(size=4),
    }
    return state | {name: indexed(values) for name, values in names.items()}


@pytest.mark.parametrize(("text", "make"), [(STATE_SPACE, gap_state), (GROUPS, group_state)])
def test_parameters_over_a_subset(text, make, tmp_path):
    derivation, module = build(text, tmp_path)
    state = make(np.random.default_rng(4))
    given = {node for node in state if node not in module.State.__dataclass_fields__}
    inputs = {
        name: np.array([state[name][key] for key in sorted(state[name])])
        if () not in state[name]
        else state[name][()]
        for name in given
    }
    inputs["S"] = np.array(sorted(state["S"][()])) - 1
    data = module.prepare(inputs)
    fields = {
        name: np.array([[state[name][key] for key in sorted(state[name])]])
        if () not in state[name]
        else np.array([state[name][()]])
        for name in module.State.__dataclass_fields__
    }
    arrays = module.State(**fields)
    for conditional in derivation.conditionals:
        seen = drawn_from(module, conditional, arrays, data)
        for place, index in enumerate(sorted(state[conditional.node])):
            expected = list(parameters_at(conditional, state, index).values())
            got = [np.broadcast_to(part, seen[-1])[0] for part in seen[:-1]]
            got = [part[place] if index else part for part in got]
            np.testing.assert_allclose(sorted(got), sorted(expected), rtol=1e-9)
    assert np.isfinite(module.log_joint(arrays, data)).all()
    shapes = module.log_likelihood(arrays, data)
    assert all(np.isfinite(values).all() for values in shapes.values())
    drawn = module.predict(np.random.default_rng(0), arrays, data)
    assert drawn.keys() == shapes.keys()


VECTORS = """
model vectors_over_a_subset

plates
  i = 1..n
  j = 1..J[i]

given
  z : vector(p)
  S : subset(i)

data
  y[i,j] ~ Pois(exp(z' * b[i,j] + a)) for i in S

process
  b[i,j] ~ N(ones(p), 2 * eye(p))

parameters
  a ~ N(0.5, 4)
"""


def test_a_vector_with_newton_proposals_over_a_subset(tmp_path):
    """The log kernel of a vector is a number for each element, also where some elements have no response."""
    _, module = build(VECTORS, tmp_path)
    J, z = np.array([2, 1, 3]), np.array([1.0, 0.5])
    data = module.prepare({"J": J, "z": z, "S": np.array([0, 2]), "y": np.array([1, 0, 2, 1, 0, 3.0])})
    state = module.starting_values(np.random.default_rng(1), data, 2)
    kernel, gradient, curvature = module.derivatives_b(state.b, state, data)
    assert (kernel.shape, gradient.shape, curvature.shape) == ((2, 6), (2, 6, 2), (2, 6, 2, 2))
    h = 1e-6 * np.array([1.0, 0.0])
    ends = [module.derivatives_b(state.b + sign * h, state, data)[0] for sign in (1, -1)]
    np.testing.assert_allclose((ends[0] - ends[1]) / 2e-6, gradient[..., 0], rtol=1e-5, atol=1e-6)
