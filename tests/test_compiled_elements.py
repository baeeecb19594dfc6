"""Compiled updates of nodes whose elements meet in one density: each element sees those before it as they are now.

The functions run uncompiled.  What an update tells of an element is held against the joint density at the state that the
update has reached by then: a density by its change, a full conditional by its mean, where the joint density has no slope.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from deriver.derivation.conditionals import derive
from deriver.emission import emit
from deriver.language import parse_model
from deriver.plan import make_plan
from tests.test_compiled import load_uncompiled

LINE = """model line
plates
  i = 1..N
  j = 1..3
given
  x[i]
data
  y[i] ~ {response}
process
  m[i] = a[1] + a[2] * x[i] + a[3] * x[i]^2
  a[j] ~ Normal(0, var=10)
"""
ORDERED = """model ordered
plates
  i = 1..N
  j = 1..3
given
  x[i]
data
  y[i] ~ Categorical([1 - q[i,1]; q[i,1] - q[i,2]; q[i,2] - q[i,3]; q[i,3]])
process
  logit(q[i,j]) = x[i] - a[j]
  a[j] ~ Normal(0, var=10)
"""
X = np.linspace(-1, 1, 7)
COUNTS = np.array([0.0, 1, 0, 2, 1, 3, 2])
START = np.array([-1.2, 0.1, 1.4])


def prepare(text: str, y: np.ndarray, folder: Path) -> tuple[ModuleType, Any]:
    """Return the uncompiled sampler of a model and its data."""
    derivation = derive(parse_model(text))
    module = load_uncompiled(emit(derivation, make_plan(derivation), backend="numba"), folder, "sampler")
    return module, module.prepare({"x": X, "y": y})


def random_of(module: ModuleType) -> Any:
    rooms = [np.zeros(4096), np.full((40, 8, 8), np.nan)]
    return module.Random(np.zeros(4, np.uint64), *rooms[: len(module.Random._fields) - 1])


def log_joint(module: ModuleType, data: Any, a: np.ndarray) -> float:
    return float(module.log_joint(module.State(a=a[None]), data)[0])


@pytest.mark.parametrize(
    ("text", "y"),
    [(LINE.format(response="Poisson(exp(m[i]))"), COUNTS), (ORDERED, np.array([1.0, 2, 1, 3, 2, 4, 4]))],
    ids=["poisson", "ordered"],
)
def test_a_walk_sees_the_elements_before_it(text: str, y: np.ndarray, tmp_path: Path) -> None:
    module, data = prepare(text, y, tmp_path)
    seen: list[tuple[float, float]] = []
    module.normal = lambda rng: 1.0
    module.takes_step = lambda rng, now, then, *rest: seen.append((now, then)) or True
    state, size = module.State(a=START.copy()), np.full(3, 0.2)
    module.update_a(random_of(module), state, data, size, np.zeros(3), 0.0)
    np.testing.assert_allclose(state.a, START + 0.2)
    for k, (now, then) in enumerate(seen):
        ends = [np.where(np.arange(3) < k + moved, START + 0.2, START) for moved in (0, 1)]
        before, after = (log_joint(module, data, end) for end in ends)
        np.testing.assert_allclose(then - now, after - before, rtol=1e-9)


def test_a_draw_sees_the_elements_before_it(tmp_path: Path) -> None:
    module, data = prepare(LINE.format(response="Normal(m[i], var=2)"), COUNTS, tmp_path)
    module.fill_normal = lambda rng, values: values.fill(0.0)
    state = module.State(a=START.copy())
    module.draw_a(random_of(module), state, data)
    for k in range(3):
        reached = np.where(np.arange(3) <= k, state.a, START)
        ends = [log_joint(module, data, reached + h * np.eye(3)[k]) for h in (-1e-3, 1e-3)]
        np.testing.assert_allclose(ends[1], ends[0], atol=1e-9)
