"""The emitted functions of a block against the derivation, and a sweep that keeps the target."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deriver import load_model
from deriver.derivation.marginal import Marginal, find_marginal
from deriver.derivation.marginal_check import gaussian_system, list_places, log_marginal_at
from deriver.emission import emit
from deriver.plan import make_plan
from tests.emitted import load_source
from tests.model_checks import Bench
from tests.unit.test_chain_marginals import TEXTS as CHAIN_TEXTS

LONG = """
model long
plates
  k = 1..K
  i = 1..n
given
  g : k -> i
  w[k] : vector(q)
  x[k]
  m : vector(q) = 0
  V : matrix(q,q) = 10 * eye(q)
data
  y[k] ~ N(b0[g[k]] + w[k]' * gamma + b1 * x[k], sigma2)
process
  b0[i] ~ N(mu, tau2)
parameters
  mu ~ N(0, 100)
  b1 ~ N(mu, 10)
  gamma ~ N(m, V)
  tau2 ~ IG(2, 1)
  sigma2 ~ IG(2, 1)
"""
MIXED = """
model mixed
plates
  i = 1..n
  j = 1..J[i]
given
  x[i,j] : vector(p)
  z[i,j] : vector(q)
  m : vector(p) = 0
  V : matrix(p,p) = 10 * eye(p)
  c : vector(q) = 0
  C : matrix(q,q) = 5 * eye(q)
  S : matrix(p,p) = eye(p)
data
  y[i,j] ~ N(x[i,j]' * beta[i] + a[i] + z[i,j]' * gamma, sigma2)
process
  beta[i] ~ N(mu, Sigma)
  Sigma = inv(Q)
  a[i] ~ N(0, s^2)
parameters
  mu ~ N(m, V)
  gamma ~ N(c, C)
  Q ~ Wish(inv((p + 1) * S), p + 1)
  s ~ Unif(0, 10)
  sigma2 ~ IG(2, 1)
"""
BALANCED = """
model balanced
plates
  i = 1..n
  j = 1..J
data
  y[i,j] ~ N(a[i], sigma2)
process
  a[i] ~ N(0, tau2)
parameters
  tau2 ~ IG(2, 1)
  sigma2 ~ IG(2, 1)
"""
SEVERAL = MIXED.replace("model mixed", "model several").replace("  Sigma = inv(Q)\n", "").replace(
    "beta[i] ~ N(mu, Sigma)", "beta[i] ~ N(mu, tau2 * eye(p))"
).replace("  Q ~ Wish(inv((p + 1) * S), p + 1)\n", "  tau2 ~ IG(2, 1)\n")  # fmt: skip
# A variance named by a deterministic node: no sum of it stays while sigma2 moves.
DEFINED = """
model defined
plates
  k = 1..K
  i = 1..n
given
  g : k -> i
  w[k] > 0
data
  y[k] ~ N(mu + u[g[k]], v[k])
process
  v[k] = sigma2 + w[k]
  u[i] ~ N(0, tau2)
parameters
  mu ~ N(0, 100)
  tau2 ~ IG(2, 1)
  sigma2 ~ IG(2, 1)
"""
PACKAGED = (
    "random_intercepts", "random_slopes", "random_slopes_as_printed", "all_random", "wishart", "free_covariance",
    "independent_effects", "varying_variance", "random_log_sd", "state_space",
)  # fmt: skip
CHAINS = {name: CHAIN_TEXTS[name] for name in ("by_group", "mean_reverting", "shared_variance", "regression")}
TEXTS = {"long": LONG, "mixed": MIXED, "several": SEVERAL, "balanced": BALANCED, "defined": DEFINED, **CHAINS}


class BlockBench(Bench):
    """A model whose sampler has the block, with its marginal."""

    def __init__(self, name: str, folder: Path, seed: int = 1) -> None:
        text = TEXTS[name] if name in TEXTS else load_model(name).source
        super().__init__(text, folder, seed)
        found = find_marginal(self.derivation)
        assert isinstance(found, Marginal)
        self.marginal = found
        plan = make_plan(self.derivation, blocks="on")
        self.module = load_source(emit(self.derivation, plan), folder, f"{name}_block_{seed}")
        self.data = self.module.prepare(self.inputs())
        fields = vars(self.arrays)
        self.arrays = self.module.State(**{node: fields[node] for node in self.nodes})

    def log_marginal(self, arrays):
        """Return what ``log_marginal`` returns, its sums made from the same state."""
        sums = getattr(self.module, "marginal_sums", None)
        return self.module.log_marginal(
            arrays, self.data, *([] if sums is None else [sums(arrays, self.data)])
        )


@pytest.fixture(params=[*PACKAGED, *TEXTS])
def bench(request, tmp_path) -> BlockBench:
    # free_covariance and others with entries written out have two dimensions
    two = {"free_covariance", "independent_effects"}
    return BlockBench(request.param, tmp_path, 1 if request.param in two else 2)


def test_log_marginal_is_the_derived_one(bench: BlockBench) -> None:
    """Variances of the second state put into the first: the same difference of log densities."""
    nodes = [c.node for c in bench.marginal.variances]
    first, second = bench.states
    moved = {**first, **{node: second[node] for node in nodes}}
    arrays = bench.module.State(
        **{node: np.stack([bench.array(state, node) for state in (first, moved)]) for node in bench.nodes}
    )
    got = bench.log_marginal(arrays)[0]
    expected = [log_marginal_at(bench.derivation, bench.marginal, state) for state in (first, moved)]
    np.testing.assert_allclose(got[1] - got[0], expected[1] - expected[0], rtol=1e-8, atol=1e-8)


def test_shared_nodes_are_drawn_with_the_effects_integrated_out(bench: BlockBench) -> None:
    """root and half are those of the shared nodes' part of the dense system of all members."""
    if not bench.marginal.shared:
        assert len(bench.log_marginal(bench.arrays)) == 1
        return
    _, root, half = bench.log_marginal(bench.arrays)
    for chain, state in enumerate(bench.states):
        precision, gradient = gaussian_system(bench.derivation, bench.marginal, state)
        places = list_places(bench.marginal, state)
        first = next(place.start for member, _, place in places if not member.conditional.indices)
        covariance = np.linalg.inv(precision)[first:, first:]
        step = np.linalg.solve(precision, gradient)[first:]
        np.testing.assert_allclose(root[chain] @ root[chain].T, np.linalg.inv(covariance), rtol=1e-6)
        np.testing.assert_allclose(np.linalg.solve(root[chain].T, half[chain]), step, rtol=1e-6, atol=1e-8)


def test_coordinates_and_their_jacobian(bench: BlockBench) -> None:
    """There and back; the Jacobian, up to a constant, against that of the free entries by differences."""
    module, data = bench.module, bench.data
    u = module.to_coordinates(bench.arrays, data)
    state, log_jacobian = module.from_coordinates(bench.arrays, data, u)
    for conditional in bench.marginal.variances:
        node = conditional.node
        np.testing.assert_allclose(getattr(state, node), getattr(bench.arrays, node), rtol=1e-10)
    step = 1e-5
    matrix = []
    for unit in step * np.eye(u.shape[1]):
        ends = [_free_entries(bench, module.from_coordinates(state, data, u + s * unit)[0]) for s in (1, -1)]
        matrix.append((ends[0] - ends[1]) / (2 * step))
    numeric = np.linalg.slogdet(np.stack(matrix, axis=-2))[1]
    np.testing.assert_allclose(np.diff(log_jacobian), np.diff(numeric), rtol=1e-6, atol=1e-7)


def _free_entries(bench: BlockBench, state) -> np.ndarray:
    parts = []
    for conditional in bench.marginal.variances:
        value = getattr(state, conditional.node)
        lower = np.tril_indices(value.shape[-1]) if value.ndim == 3 else None
        parts.append(value[:, *lower] if lower is not None else value.reshape(len(value), -1))
    return np.concatenate(parts, axis=-1)


def test_sampler_that_does_not_collapse_draws_as_one_without_the_block(tmp_path) -> None:
    bench = BlockBench("all_random", tmp_path)
    plain = load_source(emit(bench.derivation), tmp_path, "all_random_plain")
    options = {"draws": 20, "warmup": 70, "seed": 5}
    expected = plain.sample(plain.prepare(bench.inputs()), **options)
    found = bench.module.sample(bench.data, collapse="off", **options)
    for node in bench.nodes:
        np.testing.assert_array_equal(found[node], expected[node])
    assert set(found["acceptance"]) == {"rho"}


def test_block_is_reproducible_and_reports_its_acceptance(tmp_path) -> None:
    bench = BlockBench("wishart", tmp_path)
    found = [bench.module.sample(bench.data, draws=30, warmup=150, seed=6) for _ in range(2)]
    for node in bench.nodes:
        np.testing.assert_array_equal(found[0][node], found[1][node])
        assert np.isfinite(found[0][node]).all()
    rates = found[0]["acceptance"]
    assert set(rates) == {"Q", "sigma2"}
    assert ((rates["Q"] > 0) & (rates["Q"] < 1)).all()


def test_known_density_is_not_used_for_other_data(tmp_path) -> None:
    """What is kept from the sweep before belongs to its data and values; another state is looked at afresh."""
    bench = BlockBench("random_intercepts", tmp_path)
    module, state = bench.module, bench.arrays
    steps = module.first_steps(state)["block"]
    rng = np.random.default_rng(1)
    after, _ = module.update_variances(rng, state, bench.data, steps)
    assert steps.recall(bench.data, after.sigma2_0, after.sigma2) == steps.known
    assert steps.recall(replace(bench.data), after.sigma2_0, after.sigma2) == ()
    assert steps.recall(bench.data, after.sigma2_0.copy(), after.sigma2) == ()


def test_singular_states_are_never_accepted(tmp_path) -> None:
    bench = BlockBench("all_random", tmp_path)
    far = np.array([[0.0, 40.0, 0.0], [0.0, -40.0, 0.0]])
    log_jacobian = bench.module.from_coordinates(bench.arrays, bench.data, far)[1]
    assert (log_jacobian == -np.inf).all()
    value = bench.module.complete_square(np.array([[[1.0, 2.0], [2.0, 1.0]], np.eye(2)]), np.ones((2, 2)))
    assert np.isnan(value[0][0])
    np.testing.assert_allclose(value[0][1], 1.0)


def test_density_seen_from_an_anchor_is_the_same(bench: BlockBench) -> None:
    """A second update gives the same values whether its density is known from the first or seen from the state."""
    module, data = bench.module, bench.data
    steps = module.first_steps(bench.arrays)["block"]
    update = module.update_variances
    between, _ = update(np.random.default_rng(1), bench.arrays, data, steps)
    rng = np.random.default_rng(2)
    effects = {
        member.node: rng.normal(size=getattr(between, member.node).shape) for member in bench.marginal.effects
    }
    between = replace(between, **effects)
    fresh = replace(steps, anchor=(), seen=(), known=())
    expected, taken = update(np.random.default_rng(3), between, data, fresh)
    found, same = update(np.random.default_rng(3), between, data, steps)
    np.testing.assert_array_equal(same, taken)
    for node in bench.nodes:
        np.testing.assert_allclose(getattr(found, node), getattr(expected, node), rtol=1e-6, atol=1e-8)
