"""An augmentation integrated over its auxiliary node is the model before: by quadrature, constants included."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from why_models import MODELS, first, text_of

from deriver.derivation.conditionals import derive
from deriver.derivation.numeric import log_joint, with_element
from deriver.derivation.records import Derivation
from deriver.language import parse_model

# One row, so that each augmentation has one auxiliary number.
STATE = {"K": {(): 1}, "c": {(): 1.3}, "v": {(): 2.0}, "x": {(1,): 0.7}, "m": {(1,): 3}}
Y = {"half_cauchy": 0.8, "half_t": 0.8, "student": 1.7, "cauchy_prior": 1.7, "logit": 2, "probit": 0}
AUXILIARY = {
    "half_cauchy": "a_s", "half_t": "a_s", "student": "w_y", "cauchy_prior": "w_mu",
    "logit": "omega_y", "probit": "z_y",
}  # fmt: skip
POINTS = {"s": (0.3, 1.0, 4.0)}


def density(derivation: Derivation, state: dict) -> float:
    return float(np.exp(log_joint(derivation.factors, derivation.definitions, state)))


def integrated(derivation: Derivation, state: dict, name: str) -> float:
    """The joint density integrated over the only element of a node."""
    node = derivation.model.node(name)
    index = (1,) if node.indices else ()
    state = {**state, name: {index: 1.0}}

    def at(value: float) -> float:
        return density(derivation, with_element(state, name, index, value))

    if (
        node.support.lower is not None
    ):  # u = log value: both tails decay, those of a Pólya-gamma variable at once
        ends, middle = ((-5.0, 2.5), [-1.0]) if name == "omega_y" else ((-40.0, 40.0), [-4.0, 0.0, 4.0])
        total, _ = quad(
            lambda u: at(np.exp(u)) * np.exp(u), *ends, limit=400, points=middle, epsabs=0, epsrel=1e-8
        )
        return total
    parts = [quad(at, *ends, limit=200, epsabs=1e-14)[0] for ends in ((-12, 0), (0, 12))]
    return sum(parts)


def check_marginal(name: str, text: str) -> None:
    """Raise ``AssertionError`` unless the text, integrated over the auxiliary node, is the model of that name."""
    target = MODELS[name][0]
    before, after = derive(parse_model(text_of(name))), derive(parse_model(text))
    state = {**STATE, "y": {(1,): Y[name]}}
    for point in POINTS.get(target, (-0.6, 0.2, 1.9)):
        expected = density(before, {**state, target: {(): point}})
        if target == "s":  # the node is now s² : the densities differ by the Jacobian 2 s
            found = 2 * point * integrated(after, {**state, "s_sq": {(): point**2}}, AUXILIARY[name])
        else:
            found = integrated(after, {**state, target: {(): point}}, AUXILIARY[name])
        assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", AUXILIARY)
def test_the_auxiliary_node_integrates_out(name: str) -> None:
    remedy = first(name)
    assert remedy.same
    check_marginal(name, remedy.text)


# A slip in each augmentation that would still derive: a reciprocal for a scale, a wrong degree, a wrong weight.
BROKEN = [
    ("half_cauchy", "scale=1 / a_s", "scale=a_s"),
    ("half_cauchy", "1 / c^2", "1 / c"),
    ("half_t", "scale=3 / a_s", "scale=1 / a_s"),
    ("student", "rate=2", "rate=4"),
    ("cauchy_prior", "c^2 / w_mu", "c^2 * w_mu"),
    ("logit", "PolyaGamma(m[k], x[k] * b)", "PolyaGamma(m[k], 2 * x[k] * b)"),
    ("logit", "PolyaGamma(m[k], x[k] * b)", "Gamma(shape=m[k], rate=1)"),
    ("probit", "var=1", "var=2"),
]


@pytest.mark.parametrize(("name", "old", "new"), BROKEN)
def test_a_slip_in_an_augmentation_is_caught(name: str, old: str, new: str) -> None:
    text = first(name).text.replace("PG(", "PolyaGamma(")
    assert old in text
    broken = text.replace(old, new)
    if (
        "2 * x[k]" in new or "Gamma(shape" in new
    ):  # these integrate to one over omega whatever their parameters
        remedy = derive(parse_model(broken))
        assert remedy.node("b").method == "mh"
        return
    with pytest.raises(AssertionError):
        check_marginal(name, broken)
