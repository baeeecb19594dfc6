"""Hoisting: the planned parameters are the derived ones, and no sweep reads the rows of the data."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
import sympy as sp

from deriver.algebra.evaluate import evaluate
from deriver.algebra.heads import Ref
from deriver.derivation.conditionals import derive
from deriver.derivation.numeric import elements
from deriver.derivation.states import random_state
from deriver.emission import emit
from deriver.language import parse_model
from deriver.pipeline import load_model, packaged_models
from deriver.plan import make_plan
from deriver.plan.records import Crossing
from deriver.show import render
from tests.emitted import build
from tests.hand.catalogue import MODELS, load
from tests.model_checks import check_model
from tests.plan_values import with_definitions, with_statistics

WEIGHTED = """
model weighted
plates
  i = 1..n
  k = 1..K
given
  g : k -> i
  v[k] > 0
  x[k]
  w[k] : vector(p)
  o[i]
data
  y[k] ~ N(o[g[k]] + a[g[k]] + c * x[k] + w[k]' * beta[g[k]], sigma2[g[k]] * v[k])
process
  a[i] ~ N(0, tau2)
  beta[i] ~ N(mu, eye(p))
  sigma2[i] ~ IG(1, 1)
parameters
  c ~ N(0, 100)
  mu ~ N(ones(p), eye(p))
  tau2 ~ IG(1, 1)
"""
CROSSED = """
model crossed
plates
  i = 1..n
  l = 1..L
  k = 1..K
given
  g : k -> i
  h : k -> l
  x[k]
data
  y[k] ~ N(m + a[g[k]] + b[h[k]] * x[k], sigma2)
process
  a[i] ~ N(0, tau2)
  b[l] ~ N(0, 1)
parameters
  m ~ N(0, 100)
  tau2 ~ IG(1, 1)
  sigma2 ~ IG(1, 1)
"""
DENSE = """
model dense
plates
  i = 1..n
  l = 1..L
  j = 1..J
given
  x[j]
data
  y[i,l,j] ~ N(a[i,l] + b[l] * x[j], sigma2[l])
process
  a[i,l] ~ N(0, tau2)
  b[l] ~ N(0, 1)
  sigma2[l] ~ IG(1, 1)
parameters
  tau2 ~ IG(1, 1)
"""
NAMED_MEAN = """
model named_mean
plates
  i = 1..n
  j = 1..J[i]
given
  x[i,j]
  S : subset(i)
data
  y[i,j] ~ N(eta[i,j], sigma2)
  z[i,j] ~ N(b * x[i,j], tau2) for i in S
process
  a[i] ~ N(0, 1)
  eta[i,j] = a[i] + b * x[i,j]
parameters
  b ~ N(0, 100)
  sigma2 ~ IG(1, 1)
  tau2 ~ IG(1, 1)
"""
COLUMNS = """
model columns
plates
  k = 1..K
  d = 1..D
  s = 1..S
given
  x[k,d]
  w[k,s]
  u[k]
data
  y[k] ~ N((m + sum(d: x[k,d]*beta[d]*scale[d])) * u[k] + sum(s: w[k,s]*delta[s]), sigma2)
process
  beta[d] ~ N(m, tau2)
  scale[d] ~ Gamma(shape=2, rate=2)
  delta[s] ~ Laplace(location=0, scale=0.5)
parameters
  m ~ N(0, 100)
  tau2 ~ IG(1, 1)
  sigma2 ~ IG(1, 1)
"""
OWN = {"weighted": WEIGHTED, "crossed": CROSSED, "dense": DENSE, "named_mean": NAMED_MEAN}
TEXTS = {name: load(name).MODEL for name in MODELS} | OWN | {"columns": COLUMNS}


@pytest.mark.parametrize("name", TEXTS)
def test_planned_parameters_are_the_derived_ones(name: str) -> None:
    derivation = derive(parse_model(TEXTS[name]))
    plan = make_plan(derivation)
    for seed in range(2):
        rng = np.random.default_rng(seed)
        state = with_definitions(derivation.definitions, random_state(derivation.model, rng, size=4))
        full = with_statistics(plan, state)
        for step in plan.steps:
            conditional = step.conditional
            derived = dict(conditional.parameters)
            elsewhere = {"linear", "coupling"} if step.chained else set()  # a chain splits b in two
            assert set(derived) <= {key for key, _ in step.parameters} or step.kernel is not None
            pairs = [(derived[key], planned) for key, planned in step.parameters if key not in elsewhere]
            if step.kernel is not None:
                pairs.append((conditional.log_kernel, step.kernel))
            for index in elements(conditional.ranges, state):
                own = dict(zip(conditional.indices, index, strict=True))
                for own_form, planned in pairs:
                    expected = evaluate(own_form, state, own)
                    np.testing.assert_allclose(
                        evaluate(planned, full, own), expected, rtol=1e-9, atol=1e-9, err_msg=step.node
                    )


@pytest.mark.parametrize("name", OWN)
def test_the_sampler_agrees_with_the_derivation(name: str, tmp_path) -> None:
    bench = check_model(OWN[name], tmp_path, seed=2)
    assert any(step.reductions for step in bench.plan.steps)


def test_the_columns_of_a_regression_are_summed_over_rows_once(tmp_path) -> None:
    bench = check_model(COLUMNS, tmp_path, seed=3)
    for node in ("beta", "scale", "delta", "m"):
        step = bench.plan.step(node)
        read = sp.Tuple(*(value for _, value in step.parameters), step.kernel or 0).atoms(Ref)
        assert not {ref.name for ref in read} & {"x", "w", "u", "y"}, node


def test_coupled_coefficients_are_drawn_from_their_joint_normal_density(tmp_path) -> None:
    """Against the mean and the covariance of beta given the rest, from x and y by themselves; five standard errors."""
    _, module = build(COLUMNS, tmp_path)
    rng = np.random.default_rng(5)
    x, w, u = rng.normal(size=(12, 3)) + [0, 1, 2], rng.normal(size=(12, 2)), rng.normal(size=12)
    data = module.prepare({"x": x, "w": w, "u": u, "y": 3 * rng.normal(size=12)})
    one = module.starting_values(np.random.default_rng(1), data, 1)
    chains = 40_000
    many = dataclasses.replace(
        one, **{name: np.repeat(value, chains, axis=0) for name, value in vars(one).items()}
    )
    drawn = module.draw_beta(np.random.default_rng(2), many, data)
    columns = x * u[:, None] * one.scale[0]
    precision = columns.T @ columns / one.sigma2[0] + np.eye(3) / one.tau2[0]
    rest = data.y - one.m[0] * u - w @ one.delta[0]
    covariance = np.linalg.inv(precision)
    mean = covariance @ (columns.T @ rest / one.sigma2[0] + one.m[0] / one.tau2[0])
    scale = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(drawn.mean(axis=0) / scale, mean / scale, atol=5 / np.sqrt(chains))
    found = np.cov(drawn.T) / np.outer(scale, scale)
    np.testing.assert_allclose(found, covariance / np.outer(scale, scale), atol=5 * np.sqrt(2 / chains))


# --- what a sweep reads ---------------------------------------------------------------------------------------

GAUSSIAN = tuple(
    name for name in packaged_models() if name not in ("poisson", "state_space")
)  # every observation of these is normal, with effects by group


@pytest.mark.parametrize("name", [*GAUSSIAN, "crossed", "dense", "weighted"])
def test_a_sweep_reads_no_row_of_the_data(name: str) -> None:
    model = parse_model(OWN[name]) if name in OWN else load_model(name)
    derivation = derive(model)
    source = emit(derivation)
    observed = {node.indices[-1] for node in model.nodes if node.layer == "data"}
    declared = [*model.givens, *model.nodes]
    rows = {one.name for one in declared if observed & set(one.indices)} | {"i_of_j", "cell_of_k"}
    functions = re.split(r"\n(?=def )", source)
    moves = [f for f in functions if f.startswith(("def draw_", "def update_"))]
    assert len([f for f in moves if "_with_" not in f.split("(")[0]]) == len(derivation.conditionals)
    for function in moves:
        read = set(re.findall(r"\bdata\.(\w+)", function))
        assert not read & rows, function


def test_a_sweep_without_the_rows_gives_the_same_draws(tmp_path) -> None:
    _, module = build(load("wishart").MODEL, tmp_path)
    rng = np.random.default_rng(3)
    lengths = np.array([3, 0, 1, 5])
    x = np.column_stack([np.ones(9), rng.normal(size=9)])
    data = module.prepare({"J": lengths, "x": x, "y": rng.normal(size=9), **_hyperparameters()})
    state = module.starting_values(np.random.default_rng(1), data, 2)
    bare = dataclasses.replace(data, x=None, y=None, i_of_j=None)
    drawn = [module.sweep(np.random.default_rng(2), state, given) for given in (data, bare)]
    for name in vars(drawn[0]):
        np.testing.assert_array_equal(getattr(drawn[0], name), getattr(drawn[1], name))


def _hyperparameters() -> dict[str, object]:
    return {"mu0": np.zeros(2), "Sigma0": np.eye(2), "S": np.eye(2), "nu": 3.0, "q": 1.0, "r": 1.0}


@pytest.mark.parametrize(
    "name", ["state_space", "state_space_by_group", "scale_mixture", "vector_state_space"]
)
def test_a_cell_for_every_row_is_no_gain(name: str) -> None:
    plan = make_plan(derive(parse_model(load(name).MODEL)))
    assert not any(step.reductions for step in plan.steps)


def test_crossed_groups_are_summed_by_their_distinct_pairs() -> None:
    plan = make_plan(derive(parse_model(CROSSED)))
    crossings = {statistic.procedure for statistic in plan.statistics} - {None}
    (crossing,) = (made for made in crossings if isinstance(made, Crossing))
    assert crossing.columns == ("g", "h")
    (reduction,) = plan.step("sigma2").reductions
    assert reduction.procedure.conditions[0].left.name == crossing.of_row


@pytest.mark.parametrize("name", ["all_random", "varying_variance", "random_log_sd", "free_covariance"])
def test_the_steps_of_a_correlation_cost_no_pass_over_groups(name: str) -> None:
    source = emit(derive(load_model(name)))
    update = source.split("def update_rho(")[1].split("\ndef ")[0]
    kernel = update.split("def log_target(")[1].split("\n\n")[0]
    assert "rho" in kernel
    assert not re.search(r"state\.(beta|mu)|np\.sum|einsum|group_sum| @ ", kernel), kernel


def test_the_docstring_shows_the_conditional_and_how_it_is_computed() -> None:
    source = emit(derive(load_model("wishart")))
    draw = source.split("def draw_sigma2(")[1].split("return")[0]
    assert "scale = sum(i,j: (y[i,j] - beta[i]' * x[i,j])^2) / 2 + 1 / r" in draw
    assert "Sums of squares are taken from statistics of the data:" in draw
    assert "rss[i]" in draw


def test_the_derivation_tells_what_is_computed_when() -> None:
    derivation = derive(load_model("all_random"))
    assert "Computed once, from the data: ∑_j x_ij x_ij′, ∑_j x_ij y_ij." in render(derivation, node="beta")
    assert "Computed at every draw: ∑_i β_i." in render(derivation, node="mu")
    rho = render(derivation, node="rho")
    assert "Computed once an update: ∑_i (β_i − μ)′(β_i − μ), ∑_i ((β_i − μ)′1_p)²." in rho
    assert "at every proposal" not in rho
    assert "the rows of each i are fitted by least squares once" in render(derivation, node="sigma2")
    poisson = render(derive(load_model("poisson")), node="beta")
    assert "Computed at every proposal: ∑_j exp(" in poisson
