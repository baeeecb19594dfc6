"""Which nodes are integrated out of which, the identity of their marginal, and the plan made of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sympy as sp

from deriver import derive, load_model
from deriver.algebra.heads import Ref
from deriver.cli import main
from deriver.derivation.affine import NotAffine, affine_slope
from deriver.derivation.marginal import Marginal, NoMarginal, find_marginal
from deriver.derivation.marginal_check import check_marginal, gaussian_system, integrate_numerically
from deriver.derivation.records import Derivation
from deriver.derivation.states import random_state
from deriver.errors import InternalError, UsageError
from deriver.language import parse_model
from deriver.plan import make_plan
from deriver.show.render import render

# Model -> variances, effects, shared nodes, other nodes on which the density depends.
FOUND = {
    "random_intercepts": ("sigma2_0 sigma2", "beta0", "mu0 beta1", ""),
    "random_slopes": ("sigma2_1 sigma2", "beta1", "mu1 beta0", ""),
    "all_random": ("sigma2_beta rho sigma2", "beta", "mu", ""),
    "wishart": ("Q sigma2", "beta", "mu", ""),
    "independent_effects": ("sigma2_0 sigma2_1 sigma2", "beta0 beta1", "mu0 mu1", ""),
    "varying_variance": ("sigma2_beta rho", "beta", "mu", "sigma2"),
    "random_log_sd": ("sigma2_beta rho", "beta", "mu", "log_sigma"),
}
CROSSED = """
model crossed
plates
  k = 1..K
  g = 1..G
  h = 1..H
given
  s : k -> g
  t : k -> h
data
  y[k] ~ N(mu + u[s[k]] + v[t[k]], sigma2)
process
  u[g] ~ N(0, tau2)
  v[h] ~ N(0, omega2)
parameters
  mu ~ N(0, 100)
  tau2 ~ IG(2, 1)
  omega2 ~ IG(2, 1)
  sigma2 ~ IG(2, 1)
"""
SCALED = """
model scaled
plates
  i = 1..n
  j = 1..J[i]
data
  y[i,j] ~ N(a * b[i] + m, sigma2)
process
  b[i] ~ N(0, 1)
parameters
  a ~ N(0, 100)
  m ~ N(0, 100)
  sigma2 ~ IG(2, 1)
"""


def derivation_of(text: str) -> Derivation:
    return derive(parse_model(text) if "\n" in text else load_model(text))


def marginal_of(derivation: Derivation) -> Marginal:
    found = find_marginal(derivation)
    assert isinstance(found, Marginal)
    return found


def names(nodes) -> str:
    return " ".join(node if isinstance(node, str) else node.node for node in nodes)


@pytest.mark.parametrize("model", FOUND)
def test_structure_is_found(model: str) -> None:
    marginal = marginal_of(derivation_of(model))
    found = (marginal.variances, marginal.effects, marginal.shared, marginal.rest)
    assert tuple(map(names, found)) == FOUND[model]
    assert marginal.structure == "independent"


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ("poisson", "no node with an element for each group is conditionally Gaussian"),
    ],
)
def test_reason_when_there_is_none(model: str, why: str) -> None:
    found = find_marginal(derivation_of(model))
    assert isinstance(found, NoMarginal)
    assert found.why == why


def test_crossed_effects_are_linked() -> None:
    marginal = marginal_of(derivation_of(CROSSED))
    found = (marginal.variances, marginal.effects, marginal.shared, marginal.rest)
    assert marginal.structure == "linked"
    assert tuple(map(names, found)) == ("tau2 omega2 sigma2", "u v", "mu", "")


def test_factor_of_an_effect_is_not_integrated_out() -> None:
    """Given b, a is Gaussian, and given a, b is; together they are not."""
    marginal = marginal_of(derivation_of(SCALED))
    assert names(marginal.shared) == "m"
    assert marginal.rest == ("a",)


@pytest.mark.parametrize("model", [*FOUND, "free_covariance", "random_slopes_as_printed", CROSSED, SCALED])
def test_identity_holds(model: str) -> None:
    derivation = derivation_of(model)
    check_marginal(derivation, marginal_of(derivation), states=2)


@pytest.mark.parametrize("what", ["kernel", "precision", "slope", "linear"])
def test_identity_fails_for_a_wrong_marginal(what: str) -> None:
    derivation = derivation_of("random_intercepts")
    marginal = marginal_of(derivation)
    (effect,) = marginal.effects
    wrong = {
        "kernel": replace(marginal, log_kernel=2 * marginal.log_kernel),
        "precision": replace(marginal, effects=(replace(effect, precision=2 * effect.precision),)),
        "slope": replace(marginal, effects=(replace(effect, slopes=effect.slopes[:1]),)),
        "linear": replace(marginal, effects=(replace(effect, linear=-effect.linear),)),
    }
    with pytest.raises(InternalError, match="fault of deriver"):
        check_marginal(derivation, wrong[what], states=1)


def test_joint_density_that_is_no_quadratic_is_refused() -> None:
    derivation = derivation_of(SCALED)
    marginal = marginal_of(derivation)
    scale = replace(marginal.shared[0], conditional=derivation.node("a"), slopes=())
    state = random_state(derivation.model, np.random.default_rng(1))
    with pytest.raises(InternalError, match="not quadratic"):
        integrate_numerically(derivation, replace(marginal, shared=(scale,)), state, np.random.default_rng(2))


def test_system_is_symmetric_and_positive_definite() -> None:
    derivation = derivation_of("independent_effects")
    state = random_state(derivation.model, np.random.default_rng(4), size=4)
    precision, gradient = gaussian_system(derivation, marginal_of(derivation), state)
    np.testing.assert_allclose(precision, precision.T, rtol=1e-12)
    assert np.linalg.eigvalsh(precision).min() > 0
    assert gradient.shape == (4 * 2 + 2,)


def test_slope_of_what_is_not_affine() -> None:
    target = derivation_of("random_intercepts").node("mu0").target
    assert isinstance(target, Ref)
    assert affine_slope(3 * target + 1, target) == 3
    for wrong in (target**2, sp.exp(target), target * sp.log(target)):
        with pytest.raises(NotAffine):
            affine_slope(wrong, target)


def test_plan_has_a_block_only_when_asked() -> None:
    derivation = derivation_of("random_intercepts")
    plain, asked = make_plan(derivation), make_plan(derivation, blocks="auto")
    assert (plain.block, plain.collapse) == (None, "off")
    assert asked.block is not None
    assert asked.collapse == "auto"
    assert asked.block.nodes == ("sigma2_0", "sigma2", "mu0", "beta1", "beta0")
    assert asked.steps == plain.steps


def test_chosen_method_keeps_a_node_out_of_the_block() -> None:
    plan = make_plan(derivation_of("random_intercepts"), {"sigma2": "slice"}, blocks="on")
    assert (plan.block, plan.collapse) == (None, "off")
    assert plan.no_block == "the method of sigma2 was chosen"


def test_unknown_choice_is_refused() -> None:
    with pytest.raises(UsageError, match="one of auto, on, off"):
        make_plan(derivation_of("random_intercepts"), blocks="sometimes")


@pytest.mark.parametrize(("choice", "default"), [("on", "on"), ("auto", "auto"), ("off", None)])
def test_command_line_chooses(choice: str, default: str | None, tmp_path) -> None:
    path = tmp_path / "sampler.py"
    assert main(["emit", "random_intercepts", "-o", str(path), "--blocks", choice]) == 0
    source = path.read_text(encoding="utf-8")
    assert ("def log_marginal(" in source) is (default is not None)
    assert (f'collapse: str = "{default}"' in source) is (default is not None)


def test_derivation_shows_what_is_integrated_out() -> None:
    text = render(derivation_of("random_intercepts"), unicode=False)
    assert "sigma2_0, sigma2 can be updated with beta0[i], mu0, beta1 integrated out" in " ".join(
        text.split()
    )
    assert "Integrated out" not in render(derivation_of("poisson"))
