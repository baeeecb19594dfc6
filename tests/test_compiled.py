"""The compiled backend: its functions, run uncompiled with their random numbers replaced, against the derivation.

With every normal at 0 a Gaussian draw is its mean, with one of them at 1 a column of the root of its variance; gammas
and Wisharts hand over their parameters; the log densities of proposals are differences of log conditionals.
"""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import numpy as np
import pytest
from scipy import linalg

from deriver.derivation.conditionals import derive
from deriver.derivation.records import Conditional, Derivation
from deriver.emission import emit
from deriver.emission.compiled import side_names
from deriver.errors import UsageError
from deriver.language import parse_model
from deriver.pipeline import load_model, packaged_models
from deriver.plan import Plan, make_plan
from tests.emitted import element as element_of
from tests.emitted import is_ragged, load_source, to_array, to_inputs
from tests.hand.catalogue import MODELS, load

# What the compiled loops cannot hold yet; everything else must be emitted.
REFUSED = {
    "diagonal_covariance": "a vector along a plate",
    "hidden_markov": "a label as a subscript",
    "independent_effects_any_p": "a vector along a plate",
    "free_covariance_any_p": "a correlation matrix",
    "probit_latent": "bounds that depend on the response",
    "gated_probability": "x log y where both may be 0",
    "uniform_sd": "the root of an inverse gamma",
}
CASES = [(name, k) for name in MODELS for k in range(len(load(name).SIZES))]


class Fixed:
    """Random numbers that are what a test wants, and a record of what was asked for."""

    def __init__(self, module: ModuleType) -> None:
        self.module, self.asked = module, []
        self.one = -1
        self.filled = 0
        for name in (
            "fill_normal",
            "fill_uniform",
            "normal",
            "uniform",
            "random_gamma",
            "random_beta",
            "random_truncated_normal",
            "random_polya_gamma",
        ):
            if hasattr(module, name):
                setattr(module, name, getattr(self, name))
        for name in ("random_wishart", "random_inverse_wishart"):
            if hasattr(module, name):
                setattr(module, name, self.random_matrix)

    def fill_normal(self, rng: Any, values: np.ndarray) -> None:
        values[:] = 0.0
        if 0 <= self.one < len(values):
            values[self.one] = 1.0

    def normal(self, rng: Any) -> float:
        return 1.0 if self.one == 0 else 0.0

    def uniform(self, rng: Any) -> float:
        return 1e-150

    def fill_uniform(self, rng: Any, first: int, count: int) -> None:
        rng.room[first : first + count] = 1e-150

    def random_gamma(self, rng: Any, shape: float) -> float:
        self.asked.append(shape)
        return shape

    def random_beta(self, rng: Any, a: float, b: float) -> float:
        self.asked.append((a, b))
        return 0.5

    def random_truncated_normal(self, rng: Any, *arguments: float) -> float:
        self.asked.append(arguments)
        return self.value

    def random_polya_gamma(self, rng: Any, size: float, tilt: float) -> float:
        self.asked.append((size, tilt))
        return 0.25

    def random_matrix(self, rng: Any, df: float, matrix: np.ndarray) -> None:
        lower = np.tril(matrix)
        self.asked.append((df, lower + np.tril(matrix, -1).T))
        matrix[...] = np.eye(len(matrix))


class Bench:
    """A model's uncompiled sampler at a random state of its hand derivation."""

    def __init__(
        self, name: str, sizes: int, folder: Path, plan: Plan | None = None, *, sized: bool = True
    ) -> None:
        hand = load(name)
        self.derivation: Derivation = derive(parse_model(hand.MODEL))
        self.plan: Plan = make_plan(self.derivation) if plan is None else plan
        self.model = self.derivation.model
        self.state = hand.random_state(np.random.default_rng(sizes), hand.SIZES[sizes])
        self.other = hand.random_state(np.random.default_rng(sizes + 50), hand.SIZES[sizes])
        sizes_of_vectors = side_names(self.plan)
        known = {each: int(self.state[each][()]) for each in sizes_of_vectors if sized}
        source = emit(self.derivation, self.plan, backend="numba", sizes=known)
        self.source = source
        self.module = load_uncompiled(source, folder, f"{name}_{sizes}")
        self.data = self.module.prepare(to_inputs(self.model, self.state))
        self.fixed = Fixed(self.module)
        rooms = [np.zeros(4096), np.full((40, 8, 8), np.nan)]
        self.rng = self.module.Random(np.zeros(4, np.uint64), *rooms[: len(self.module.Random._fields) - 1])

    def arrays(self) -> Any:
        """Return the state of one chain."""
        fields = []
        for name in self.module.State._fields:
            array = to_array(self.state[name], is_ragged(self.model, self.model.node(name).indices))
            first = self.module.components_first(array, self.module.SIDES.get(name, 0))
            fields.append(np.array(np.atleast_1d(first), dtype=float))
        return self.module.State(*fields)

    def value(self, arrays: Any, node: str, index: tuple[int, ...]) -> Any:
        """Return an element of the sampler's state."""
        array = self.module.components_last(getattr(arrays, node), self.module.SIDES.get(node, 0))
        found = array if index or self.plan.step(node).conditional.shape else array[0]
        return element_of(self.model, self.state, node, found, index)

    def with_node(self, arrays: Any, node: str) -> dict:
        """Return the state with one node's values taken from the sampler's."""
        return {**self.state, node: {key: self.value(arrays, node, key) for key in self.state[node]}}

    def run(self, plan: Any, **options: Any) -> Any:
        """Update a node once; return the state after."""
        arrays = self.arrays()
        function = getattr(self.module, ("draw_" if plan.method == "gibbs" else "update_") + plan.node)
        function(self.rng, arrays, self.data, **options)
        return arrays


def load_uncompiled(source: str, folder: Path, name: str) -> ModuleType:
    """Import an emitted module with its functions as plain Python."""
    before, numba.config.DISABLE_JIT = numba.config.DISABLE_JIT, True
    try:
        return load_source(source, folder, name)
    finally:
        numba.config.DISABLE_JIT = before


def bench_of(name: str, sizes: int, folder: Path) -> Bench | None:
    """Return the bench, or None where the compiled loops refuse the model, as they should."""
    if name not in REFUSED:
        return Bench(name, sizes, folder)
    with pytest.raises(UsageError):
        Bench(name, sizes, folder)
    return None


@pytest.mark.parametrize(("name", "sizes"), CASES)
def test_draws_have_the_derived_parameters(name: str, sizes: int, tmp_path: Path) -> None:
    bench = bench_of(name, sizes, tmp_path)
    checked = 0
    for step in bench.plan.steps if bench is not None else ():
        if step.method == "gibbs":
            CHECKS[step.conditional.family](bench, step)
            checked += 1
    assert bench is None or checked == sum(step.method == "gibbs" for step in bench.plan.steps)


@pytest.mark.parametrize(("name", "sizes"), CASES)
def test_updates_see_the_derived_density(name: str, sizes: int, tmp_path: Path) -> None:
    bench = bench_of(name, sizes, tmp_path)
    for step in bench.plan.steps if bench is not None else ():
        if step.method == "newton":
            check_newton(bench, step)
        elif step.method != "gibbs":
            check_walk(bench, step)
    assert bench is None or bench.plan.steps


# Models with vectors; those with Newton proposals of a vector need its size.
IN_LOOPS = (
    *("all_random", "varying_variance_wishart", "wishart", "wishart_transformed", "inverse_wishart"),
    *("dirichlet_multinomial", "crossed_groups", "known_offset", "shared_scale", "vector_state_space"),
)


@pytest.mark.parametrize("name", IN_LOOPS)
def test_vectors_of_any_size_are_gone_through_in_loops(name: str, tmp_path: Path) -> None:
    """Without --size nothing is written out by components, and every draw and density is the derived one."""
    bench = Bench(name, 0, tmp_path, sized=False)
    assert "for a in range(" in bench.source
    for step in bench.plan.steps:
        if step.method == "gibbs":
            CHECKS[step.conditional.family](bench, step)
        else:
            check_walk(bench, step)


COLUMNS = """
model columns
plates
  k = 1..K
  i = 1..2
  d = 1..D
given
  g : k -> i
  x[k,d]
data
  y[k] ~ N(sum(d: x[k,d]*beta[g[k],d]*scale[d]), sigma2)
process
  beta[i,d] ~ N(0, tau2[i])
  scale[d] ~ Gamma(shape=2, rate=2)
  tau2[i] ~ IG(1, 1)
parameters
  sigma2 ~ IG(1, 1)
"""


def test_coupled_coefficients_are_drawn_from_their_joint_normal_density(tmp_path: Path) -> None:
    """Mean and root of the covariance, from normals of 0 and 1, against x and y by themselves."""
    module = load_uncompiled(emit(derive(parse_model(COLUMNS)), backend="numba"), tmp_path, "columns")
    rng = np.random.default_rng(4)
    g, x, y = np.repeat([0, 1], [9, 6]), rng.normal(size=(15, 3)), rng.normal(size=15)
    data = module.prepare({"g": g, "x": x, "y": y})
    scale, tau2, sigma2 = rng.gamma(2, size=3), np.array([0.5, 2.0]), np.array([0.7])
    values = {"beta": np.zeros((2, 3)), "scale": scale, "tau2": tau2, "sigma2": sigma2}
    state = module.State(*(values[name].copy() for name in module.State._fields))
    scratch = module.Random(np.zeros(4, np.uint64), np.zeros(64), np.full((4, 3, 3), np.nan))
    draws = []
    for one in range(-1, 6):
        normals = iter(np.arange(6) == one)
        module.normal = lambda rng, normals=normals: float(next(normals))
        module.draw_beta(scratch, state, data)
        draws.append(state.beta.copy())
    for i in range(2):
        columns = x[g == i] * scale
        covariance = np.linalg.inv(columns.T @ columns / sigma2 + np.eye(3) / tau2[i])
        np.testing.assert_allclose(draws[0][i], covariance @ columns.T @ y[g == i] / sigma2, rtol=1e-9)
        root = np.stack([draw[i] - draws[0][i] for draw in draws[1:]])
        np.testing.assert_allclose(root.T @ root, covariance, rtol=1e-9, atol=1e-12)


# --- draws ----------------------------------------------------------------------------------------------------


def check_gaussian(bench: Bench, step: Any) -> None:
    """Means with all normals at 0, the variance from them one at a time."""
    conditional, node = step.conditional, step.node
    if conditional.truncation is not None:
        check_truncated(bench, step)
        return
    bench.fixed.one = -1
    means = bench.run(step)
    here = bench.with_node(means, node) if conditional.coupled else bench.state
    keys = list(bench.state[node])
    if conditional.coupled and not step.chained:
        keys = keys[-1:]  # drawn one after another: the last saw all the others as they are now
    for key in keys:
        _, expected = conditional.at(here, key)
        np.testing.assert_allclose(bench.value(means, node, key), expected["mean"], rtol=1e-8, atol=1e-10)
    if not conditional.coupled or step.chained:
        check_variance(bench, step, means)


def check_variance(bench: Bench, step: Any, means: Any) -> None:
    """The variance of all elements together: its inverse has the precisions on its diagonal."""
    mean = getattr(means, step.node).ravel()
    root = []
    for bench.fixed.one in range(mean.size):
        root.append(getattr(bench.run(step), step.node).ravel() - mean)
    bench.fixed.one = -1
    inverse = np.linalg.inv(np.array(root).T @ np.array(root))
    for key in bench.state[step.node]:
        family, expected = step.conditional.at(bench.state, key)
        precision = 1 / expected["var"] if family == "normal" else np.linalg.inv(expected["cov"])
        places = places_of(bench, means, step.node, key)
        block = inverse[np.ix_(places, places)]
        np.testing.assert_allclose(block, np.atleast_2d(precision), rtol=1e-6, atol=1e-9)


def places_of(bench: Bench, arrays: Any, node: str, key: tuple[int, ...]) -> np.ndarray:
    """Return where the components of an element lie in the flat array of its node."""
    numbers = np.arange(getattr(arrays, node).size, dtype=float).reshape(getattr(arrays, node).shape)
    return np.ravel(bench.value(arrays._replace(**{node: numbers}), node, key)).astype(int)


def check_truncated(bench: Bench, step: Any) -> None:
    conditional = step.conditional
    bench.fixed.asked.clear()
    bench.fixed.value = next(iter(bench.state[step.node].values()))
    bench.run(step)
    for key, (precision, linear, lower, upper) in zip(
        sorted(bench.state[step.node]), bench.fixed.asked, strict=True
    ):
        _, expected = conditional.at(bench.state, key)
        np.testing.assert_allclose(linear / precision, expected["mean"], rtol=1e-8)
        np.testing.assert_allclose(1 / precision, expected["var"], rtol=1e-8)
        np.testing.assert_allclose((lower, upper), (expected["lower"], expected["upper"]))


def check_positive(bench: Bench, step: Any) -> None:
    """Gammas and inverse gammas: the shape asked for, and shape / rate or scale / shape as the draw."""
    bench.fixed.asked.clear()
    after = bench.run(step)
    for shape, key in zip(bench.fixed.asked, sorted(bench.state[step.node]), strict=True):
        family, expected = step.conditional.at(bench.state, key)
        np.testing.assert_allclose(shape, expected["shape"], rtol=1e-9)
        drawn = shape / expected["rate"] if family == "gamma" else expected["scale"] / shape
        np.testing.assert_allclose(bench.value(after, step.node, key), drawn, rtol=1e-8)


def check_beta(bench: Bench, step: Any) -> None:
    bench.fixed.asked.clear()
    bench.run(step)
    for asked, key in zip(bench.fixed.asked, sorted(bench.state[step.node]), strict=True):
        _, expected = step.conditional.at(bench.state, key)
        np.testing.assert_allclose(asked, (expected["a"], expected["b"]), rtol=1e-9)


def check_polya_gamma(bench: Bench, step: Any) -> None:
    bench.fixed.asked.clear()
    bench.run(step)
    for asked, key in zip(bench.fixed.asked, sorted(bench.state[step.node]), strict=True):
        _, expected = step.conditional.at(bench.state, key)
        np.testing.assert_allclose(asked, (expected["size"], expected["tilt"]), rtol=1e-9)


def check_matrix(bench: Bench, step: Any) -> None:
    """Wishart matrices: df, and the inverse of the scale."""
    bench.fixed.asked.clear()
    bench.run(step)
    for (df, matrix), key in zip(bench.fixed.asked, sorted(bench.state[step.node]), strict=True):
        family, expected = step.conditional.at(bench.state, key)
        wanted = np.linalg.inv(expected["scale"]) if family == "wishart" else expected["scale"]
        np.testing.assert_allclose(df, expected["df"], rtol=1e-9)
        np.testing.assert_allclose(matrix, wanted, rtol=1e-7, atol=1e-9)


def check_simplex(bench: Bench, step: Any) -> None:
    """With every gamma at its shape, the draw is the mean."""
    after = bench.run(step)
    for key in bench.state[step.node]:
        _, expected = step.conditional.at(bench.state, key)
        wanted = expected["concentration"] / np.sum(expected["concentration"])
        np.testing.assert_allclose(bench.value(after, step.node, key), wanted, rtol=1e-8)


CHECKS = {
    "normal": check_gaussian,
    "mvnormal": check_gaussian,
    "gamma": check_positive,
    "inverse_gamma": check_positive,
    "beta": check_beta,
    "polya_gamma": check_polya_gamma,
    "wishart": check_matrix,
    "inverse_wishart": check_matrix,
    "dirichlet": check_simplex,
}


# --- proposals ------------------------------------------------------------------------------------------------


def check_walk(bench: Bench, step: Any) -> None:
    """The difference of log densities between the first and the last proposal, Jacobian counted."""
    node, calls = step.node, []
    density = getattr(bench.module, f"log_density_{node}")
    setattr(
        bench.module, f"log_density_{node}", lambda u, *rest: calls.append(density(u, *rest)) or calls[-1]
    )
    before = bench.arrays()
    bench.fixed.one = 0  # every normal is 1: each step goes up by its size, and is taken
    size, rate = np.full(getattr(before, node).shape, 0.02), np.zeros(getattr(before, node).shape)
    after = bench.run(step, step=size, rate=rate, gain=0.0)
    bench.fixed.one = -1
    setattr(bench.module, f"log_density_{node}", density)
    each = step.inner_steps + 1
    assert np.all(rate == 1.0)
    if step.conditional.coupled:
        return
    for number, key in enumerate(sorted(bench.state[node])):
        ends = [bench.value(arrays, node, key) for arrays in (before, after)]
        here, there = (log_density_in_u(bench, step.conditional, key, end) for end in ends)
        got = calls[each * number + each - 1] - calls[each * number]
        np.testing.assert_allclose(got, there - here, rtol=1e-6, atol=1e-8)


def log_density_in_u(bench: Bench, conditional: Conditional, key: tuple[int, ...], value: float) -> float:
    """Return the log conditional at a value, plus the log of d value / d u."""
    from deriver.algebra.evaluate import evaluate

    own = dict(zip(conditional.indices, key, strict=True))
    ends = [None if e is None else float(evaluate(e, bench.state, own)) for e in conditional.support[1:]]
    lower, upper = (None if end is None or np.isinf(end) else end for end in ends)
    jacobian = 0.0
    jacobian += np.log(value - lower) if lower is not None else 0.0
    jacobian += np.log(upper - value) if upper is not None else 0.0
    return conditional.log_kernel_at(bench.state, key, value) + jacobian


def check_kept(bench: Bench, node: str, values: np.ndarray, kept: np.ndarray) -> None:
    """What is kept after an update are the new value and the sums over rows there."""
    sums, p = getattr(bench.module, f"sums_{node}"), len(values)
    around = [name for name in inspect.signature(sums).parameters if not name.startswith(f"{node}_")]
    for i, point in enumerate(values.T):
        arguments = [i if name == "i" else getattr(bench.data, name) for name in around]
        found = sums(*point, *arguments)
        np.testing.assert_allclose(kept[:p, i], point)
        np.testing.assert_allclose(kept[p : p + len(found), i], found)


def check_newton(bench: Bench, step: Any) -> None:
    """Log kernel, gradient and curvature at the value, by differences of the derived log kernel."""
    node, calls = step.node, []
    newton = getattr(bench.module, f"newton_{node}")
    setattr(bench.module, f"newton_{node}", lambda *rest: calls.append((rest, newton(*rest))) or calls[-1][1])
    elements = getattr(bench.arrays(), node).shape[-1:] if step.conditional.indices else (1,)
    options = {"rate": np.zeros(elements)}
    if "kept" in inspect.signature(getattr(bench.module, f"update_{node}")).parameters:
        options["kept"] = np.full((64, *elements), np.nan)
    after = bench.run(step, **options)
    if "kept" in options:
        check_kept(bench, node, getattr(after, node), options["kept"])
    for key, pair in zip(sorted(bench.state[node]), pair_up(bench, step, calls), strict=False):
        (point, first), (moved, second) = pair
        p = len(np.ravel(bench.state[node][key]))
        points = np.array([point[:p], moved[:p]])
        kernels = [step.conditional.log_kernel_at(bench.state, key, each) for each in points]
        np.testing.assert_allclose(second[0] - first[0], kernels[1] - kernels[0], rtol=1e-7, atol=1e-8)
        root = np.zeros((p, p))
        root[np.tril_indices(p)] = first[1 + p :]
        gradient = root @ root.T @ (np.array(first[1 : 1 + p]) - points[0])
        np.testing.assert_allclose(gradient, slopes(bench, step, key, points[0]), rtol=1e-5, atol=1e-5)


def pair_up(bench: Bench, step: Any, calls: list) -> list[tuple]:
    """Return what was found at the value and at the proposal of each element; elements side by side take turns."""
    width = getattr(bench.module, "WIDTH", 1) if len(step.conditional.indices) == 1 else 1
    values = [call for number, call in enumerate(calls) if number // width % 2 == 0]
    proposals = [call for number, call in enumerate(calls) if number // width % 2 == 1]
    assert len(values) == len(proposals) >= len(bench.state[step.node])
    return list(zip(values, proposals, strict=True))


def slopes(bench: Bench, step: Any, key: tuple[int, ...], point: np.ndarray) -> np.ndarray:
    """Return the gradient of the derived log kernel by central differences."""
    found = []
    for shift in 1e-5 * np.eye(len(point)):
        ends = [step.conditional.log_kernel_at(bench.state, key, point + sign * shift) for sign in (1, -1)]
        found.append((ends[0] - ends[1]) / 2e-5)
    return np.array(found)


# --- the source -------------------------------------------------------------------------------------------------


def test_a_wrong_parameter_is_caught(tmp_path: Path) -> None:
    """The comparison can fail: one statistic is doubled."""
    bench = Bench("varying_variance", 1, tmp_path)
    bench.data = bench.data._replace(XtX=2 * bench.data.XtX)
    with pytest.raises(AssertionError):
        check_gaussian(bench, bench.plan.step("beta"))


@pytest.mark.parametrize(("size", "tilt"), [(1, 0.5), (1, -6.0), (3, 2.0)])
def test_polya_gamma_draws_have_their_moments_and_transform(size: int, tilt: float, tmp_path: Path) -> None:
    """By the mean, and E exp(-t w), at 4.5 standard errors; 12,000 draws tell a tilt from one larger by 0.5."""
    module = Bench("logit_polya_gamma", 0, tmp_path).module
    module = load_uncompiled(Path(module.__file__).read_text(encoding="utf-8"), tmp_path, f"pg_{size}")
    rng, t = np.random.default_rng(5), 1.7
    module.uniform, module.normal = lambda _: rng.random(), lambda _: rng.standard_normal()
    drawn = np.array([module.random_polya_gamma(None, size, tilt) for _ in range(12_000)])

    def gaps(c: float) -> list[float]:
        mean = size / (2 * c) * np.tanh(c / 2)
        transform = (np.cosh(c / 2) / np.cosh(np.sqrt(c * c / 4 + t / 2))) ** size
        pairs = ((drawn, mean), (np.exp(-t * drawn), transform))
        return [abs(x.mean() - value) / (x.std() / np.sqrt(len(x))) for x, value in pairs]

    assert max(gaps(tilt)) < 4.5
    assert max(gaps(abs(tilt) + 0.5)) > 4.5


def test_source_is_clean(tmp_path: Path) -> None:
    for name in packaged_models():
        derivation = derive(load_model(name))
        source = emit(derivation, make_plan(derivation), backend="numba", sizes={"p": 2})
        assert "deriver" not in source.replace("derived", "")
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
    derivation = derive(load_model("wishart"))
    for k, sizes in enumerate(({}, {"p": 8})):
        source = emit(derivation, make_plan(derivation), backend="numba", sizes=sizes)
        (tmp_path / f"in_loops_{k}.py").write_text(source, encoding="utf-8")
    for arguments in (("check",), ("format", "--check")):
        command = [sys.executable, "-m", "ruff", *arguments, "--isolated", "--no-cache", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_broken_solve_is_caught(tmp_path: Path) -> None:
    bench = Bench("wishart", 0, tmp_path, sized=False)
    factor = bench.module.factor
    bench.module.factor = lambda matrix, size: factor(matrix, size - 1)
    with pytest.raises(AssertionError):
        check_gaussian(bench, bench.plan.step("beta"))


def test_a_dimension_that_a_newton_proposal_needs_is_asked_for() -> None:
    derivation = derive(load_model("poisson"))
    with pytest.raises(UsageError, match="--size p=2"):
        emit(derivation, make_plan(derivation), backend="numba")


def test_inverse_of_any_size(tmp_path: Path) -> None:
    """Matrices are inverted component by component at every size that is written out."""
    from deriver.emission.compiled import unrolled
    from deriver.emission.compiled.body import Body
    from deriver.emission.rows import Needs
    from deriver.emission.text import atom
    from deriver.plan.layout import Space

    rng = np.random.default_rng(3)
    for size in range(1, 7):
        factor = rng.normal(size=(size, size))
        wanted = linalg.inv(factor @ factor.T + np.eye(size))
        body = Body(
            space=Space(order={}), quantities={}, needs=Needs(), declared={}, definitions={}, sides={}
        )
        cells = [[atom(f"m[{a}, {b}]") for b in range(size)] for a in range(size)]
        found = unrolled.write_inverse(body, cells, "inv")
        text = "\n".join([f"import math\ndef f(m):\n{chr(10).join(body.lines())}"])
        text += f"\n    return [{', '.join(cell.text for row in found for cell in row)}]\n"
        module = load_source(text, tmp_path, f"inverse_{size}")
        got = np.reshape(module.f(factor @ factor.T + np.eye(size)), (size, size))
        np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-12)
