"""The compiled functions of a block, run uncompiled, against the derivation; its proposals, and how it is chosen."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy import linalg, stats

from deriver.derivation.conditionals import derive
from deriver.derivation.marginal_check import gaussian_system, list_places, log_marginal_at
from deriver.emission import emit
from deriver.emission.compiled import side_names
from deriver.errors import UsageError
from deriver.language import parse_model
from deriver.plan import make_plan
from tests.hand import marginals, random_intercepts, wishart
from tests.hand.common import replaced
from tests.test_compiled import Bench as HandBench
from tests.test_compiled import Fixed, load_uncompiled
from tests.unit.test_blocks_emission import PACKAGED, TEXTS, BlockBench

REFUSED = {"mixed": "a vector that no Newton proposal fits"}
TWO_DIMENSIONS = ("free_covariance", "independent_effects")  # their entries are written out
HELD = [name for name in (*PACKAGED, *TEXTS) if name not in REFUSED]


class CompiledBench(BlockBench):
    """A model with its block in both backends: the compiled functions as plain Python, and a chain at each state."""

    def __init__(self, name: str, folder: Path, seed: int) -> None:
        super().__init__(name, folder, seed)
        self.plan = make_plan(self.derivation, blocks="on")
        sizes = {each: int(self.inputs()[each]) for each in side_names(self.plan)}
        source = emit(self.derivation, self.plan, backend="numba", sizes=sizes)
        self.compiled: ModuleType = load_uncompiled(source, folder, f"{name}_compiled")
        self.own = self.compiled.prepare(self.inputs())
        self.steps = self.compiled.first_block_steps(self.own)

    def chain(self, number: int) -> Any:
        """Return the state of one chain as the compiled functions see it."""
        parts = []
        for node in self.compiled.State._fields:
            value = np.asarray(getattr(self.arrays, node)[number], dtype=float)
            first = self.compiled.components_first(value, self.compiled.SIDES.get(node, 0))
            parts.append(np.array(np.atleast_1d(first)))
        return self.compiled.State(*parts)

    def density(self, state: Any) -> float:
        """Return ``log_marginal`` at a state, its sums made from it."""
        sums = [self.steps.sums] if self.steps.sums.size else []
        if sums:
            self.compiled.marginal_sums(state, self.own, *sums)
        return self.compiled.log_marginal(state, self.own, *sums, self.steps.dets, self.steps.found[0])

    def shared(self, state: Any) -> np.ndarray:
        """Return the shared nodes of a state, one after another."""
        return np.concatenate([np.ravel(getattr(state, m.node)) for m in self.marginal.shared])


@pytest.fixture(params=HELD)
def bench(request, tmp_path: Path) -> CompiledBench:
    return CompiledBench(request.param, tmp_path, 1 if request.param in TWO_DIMENSIONS else 2)


def test_log_marginal_is_the_derived_one(bench: CompiledBench) -> None:
    """Variances of the second state put into the first: the same difference of log densities."""
    nodes = [c.node for c in bench.marginal.variances]
    first, second = bench.states
    moved = {**first, **{node: second[node] for node in nodes}}
    here, there = bench.chain(0), bench.chain(1)
    got = [bench.density(state) for state in (here, here._replace(**{n: getattr(there, n) for n in nodes}))]
    expected = [log_marginal_at(bench.derivation, bench.marginal, state) for state in (first, moved)]
    np.testing.assert_allclose(got[1] - got[0], expected[1] - expected[0], rtol=1e-8, atol=1e-8)


def test_an_update_that_moves_nothing_draws_the_shared_nodes(bench: CompiledBench) -> None:
    """With normals at 0 a walk stays: variances stay too, and the shared nodes are at their mean."""
    state, before = bench.chain(0), bench.chain(0)
    Fixed(bench.compiled)
    bench.steps.numbers[bench.compiled.WALKS] = 1.0
    rates = bench.compiled.Rates(*(np.zeros(1) for _ in bench.compiled.Rates._fields))
    update = bench.compiled.update_variances
    update(None, state, bench.own, bench.steps, rates, False)
    for conditional in bench.marginal.variances:
        node = conditional.node
        np.testing.assert_allclose(getattr(state, node), getattr(before, node), rtol=1e-10)
        assert getattr(rates, node)[0] == 1.0
    if bench.marginal.shared:
        precision, gradient = gaussian_system(bench.derivation, bench.marginal, bench.states[0])
        places = list_places(bench.marginal, bench.states[0])
        first = next(place.start for member, _, place in places if not member.conditional.indices)
        step = np.linalg.solve(precision, gradient)[first:]
        np.testing.assert_allclose(bench.shared(state) - bench.shared(before), step, rtol=1e-6, atol=1e-8)
        check_factor(bench, np.linalg.inv(precision)[first:, first:])


def check_factor(bench: CompiledBench, covariance: np.ndarray) -> None:
    """The factor of the shared nodes' precision, which the draw divides its normals by."""
    size = len(covariance)
    root = np.zeros((size, size))
    root[np.tril_indices(size)] = bench.steps.found[0, : size * (size + 1) // 2]
    np.testing.assert_allclose(root @ root.T, np.linalg.inv(covariance), rtol=1e-6)


def test_coordinates_are_those_of_the_other_backend(bench: CompiledBench) -> None:
    expected = bench.module.to_coordinates(bench.arrays, bench.data)
    jacobians = bench.module.from_coordinates(bench.arrays, bench.data, expected)[1]
    for chain in (0, 1):
        state, u = bench.chain(chain), np.empty(expected.shape[1])
        bench.compiled.to_coordinates(state, bench.own, u)
        np.testing.assert_allclose(u, expected[chain], rtol=1e-10, atol=1e-12)
        moved = bench.chain(1 - chain)
        found = bench.compiled.from_coordinates(moved, bench.own, u)
        np.testing.assert_allclose(found, jacobians[chain], rtol=1e-10)
        for conditional in bench.marginal.variances:
            node = conditional.node
            np.testing.assert_allclose(getattr(moved, node), getattr(state, node), rtol=1e-9)


def test_watched_values_are_those_of_the_other_backend(bench: CompiledBench) -> None:
    expected = bench.module.watch(bench.arrays, bench.data)
    chain = bench.compiled.Chain
    for number in (0, 1):
        own = chain(*(bench.chain(number) if name == "state" else None for name in chain._fields))
        np.testing.assert_allclose(bench.compiled.watch(own, bench.own), expected[number], rtol=1e-10)


@pytest.mark.parametrize(
    ("hand", "by_hand", "nodes"),
    [
        (random_intercepts, marginals.random_intercepts, ("sigma2_0", "sigma2")),
        (wishart, marginals.wishart, ("Q", "sigma2")),
    ],
    ids=["A", "G5"],
)
def test_log_marginal_is_the_hand_derived_one(hand: ModuleType, by_hand, nodes, tmp_path: Path) -> None:
    plan = make_plan(derive(parse_model(hand.MODEL)), blocks="on")
    bench = HandBench(hand.__name__.rpartition(".")[2], 0, tmp_path, plan)
    steps, moved = bench.module.first_block_steps(bench.data), bench.state
    found = []
    for _ in range(2):
        arrays = bench.arrays()
        sums = [steps.sums] if steps.sums.size else []
        if sums:
            bench.module.marginal_sums(arrays, bench.data, *sums)
        value = bench.module.log_marginal(arrays, bench.data, *sums, steps.dets, steps.found[0])
        found.append((value, by_hand(bench.state)))
        for name in nodes:
            moved = replaced(moved, name, (), bench.other[name][()])
        bench.state = moved
    (first, by_first), (second, by_second) = found
    np.testing.assert_allclose(second - first, by_second - by_first, rtol=1e-8, atol=1e-8)


# --- the proposals --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def parts(tmp_path_factory) -> tuple[ModuleType, Any]:
    """An uncompiled module and the steps of a chain with a fit of its own."""
    bench = CompiledBench("all_random", tmp_path_factory.mktemp("parts"), 2)
    steps, rng = bench.steps, np.random.default_rng(4)
    root = linalg.cholesky(stats.wishart.rvs(5, np.eye(3), random_state=rng), lower=True)
    steps.spread[0] = root
    steps.u[bench.compiled.CENTRE] = rng.normal(size=3)
    steps.u[bench.compiled.PLACE] = rng.normal(size=3)
    return bench.compiled, steps


def test_independent_proposals_have_their_density(parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log ratio of there and back is that of multivariate t densities with 5 degrees of freedom."""
    module, steps = parts
    rng = np.random.default_rng(5)
    monkeypatch.setattr(module, "uniform", lambda _: 0.99)
    monkeypatch.setattr(module, "normal", lambda _: rng.normal())
    monkeypatch.setattr(module, "random_gamma", lambda _, shape: rng.gamma(shape))
    steps.numbers[module.WALKS] = 0.05
    root, centre = steps.spread[0], steps.u[module.CENTRE]
    fitted = stats.multivariate_t(centre, root @ root.T, df=5)
    for _ in range(20):
        ratio = module.propose_block(None, steps)
        ends = [fitted.logpdf(steps.u[row]) for row in (module.PLACE, module.PROPOSAL)]
        np.testing.assert_allclose(ratio, ends[0] - ends[1], rtol=1e-9, atol=1e-10)
        assert steps.numbers[module.WALKED] == 0.0
    found = []
    for _ in range(4000):
        module.propose_block(None, steps)
        found.append(linalg.solve_triangular(root, steps.u[module.PROPOSAL] - centre, lower=True))
    for row in np.array(found).T:
        assert stats.kstest(row, "t", args=(5,)).pvalue > 1e-4


def test_a_fit_has_the_moments_of_the_draws(parts) -> None:
    module, _ = parts
    bench_steps = parts[1]._replace(
        u=np.zeros((5, 3)), spread=np.stack([np.eye(3), np.zeros((3, 3))]), numbers=np.zeros(9)
    )
    rng = np.random.default_rng(6)
    draws = rng.normal(size=(100, 3)) @ np.array([[1.0, 0.3, 0.0], [0.0, 0.5, 0.2], [0.0, 0.0, 2.0]])
    for draw in draws:
        bench_steps.u[module.PLACE] = draw
        module.adapt_block(bench_steps, 1.0)
    late = draws[50:]  # the fit at 50 forgets what was before
    np.testing.assert_allclose(bench_steps.u[module.CENTRE], late.mean(axis=0), rtol=1e-9)
    root = bench_steps.spread[0]
    covariance = np.tril(root) @ np.tril(root).T
    np.testing.assert_allclose(covariance, np.cov(late.T, bias=True), rtol=1e-5, atol=1e-7)


@pytest.mark.filterwarnings("ignore:overflow")  # looked for, and dealt with
@pytest.mark.parametrize("exponent", [0, 1, 30, 60, 200])
def test_logs_of_products_do_not_overflow(parts, exponent: int) -> None:
    module, _ = parts
    values = np.exp(np.random.default_rng(exponent).uniform(-2.3, 2.3, 103) * exponent)
    np.testing.assert_allclose(module.sum_logs(values), np.sum(np.log(values)), rtol=1e-12, atol=1e-10)


def test_proposals_beyond_the_last_safe_value_are_refused(parts) -> None:
    module, steps = parts
    for far in (12.5, -40.0):
        assert module.from_coordinates(steps.anchor, None, np.array([0.0, far, 0.0])) == -np.inf


# --- the choice -----------------------------------------------------------------------------------------------


def test_least_mixing_is_that_of_an_autoregression(parts) -> None:
    """A series that keeps a share r of itself has (1 - r) / (1 + r) effective draws a sweep."""
    module, _ = parts
    rng = np.random.default_rng(7)
    series = np.zeros((20_000, 2, 2))
    for number in range(1, len(series)):
        series[number] = np.array([0.2, 0.8]) * series[number - 1] + rng.normal(size=(2, 2))
    assert abs(module.least_mixing(series) - 0.2 / 1.8) < 0.01
    assert module.least_mixing(np.zeros((10, 2, 1))) == 1.0


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_loops_cannot_hold_is_refused(name: str, tmp_path: Path) -> None:
    bench = BlockBench(name, tmp_path, 1)
    plan = make_plan(bench.derivation, blocks="on")
    with pytest.raises(UsageError, match=REFUSED[name]):
        emit(bench.derivation, plan, backend="numba", sizes={"p": 2, "q": 2})
