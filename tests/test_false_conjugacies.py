"""Mistakes that other systems made as models: the right conditional is derived, or the claim refused.

Each test is named after what went wrong, and where: the threads are issues and pull requests of nimble-dev/nimble and
aesara-devs/aemcmc on GitHub.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deriver.derivation.conditionals import derive
from deriver.derivation.density_ratio import check_derivation
from deriver.emission import emit
from deriver.errors import InternalError, ModelError
from deriver.language import parse_model
from tests.emitted import load_source
from tests.regressions import column, held

# --- the first value is an exact 1 or 0 -----------------------------------------------------------------------

SCALED = """
plates
  k = 1..K
given
  x[k], offset[k]
data
  y[k] ~ N(offset[k] + x[k] * b, s2)
parameters
  b ~ N(0, 4)
  s2 ~ IG(2, 1)
"""
COVARIATES = [
    pytest.param((1.0, 2.0, -3.0), (0.0, 1.0, 0.5), id="first covariate 1 and first offset 0"),
    pytest.param((1.0, 1.0, 1.0), (0.0, 0.0, 0.0), id="all covariates 1 and all offsets 0"),
    pytest.param((0.0, 2.0, -3.0), (1.0, 0.0, 0.5), id="first covariate 0 and first offset 1"),
    pytest.param((0.0, 0.0, 0.0), (1.0, 0.0, 0.5), id="no observation tells anything"),
]


@pytest.mark.parametrize(("x", "offset"), COVARIATES)
def test_nimble_1171_a_first_covariate_of_one_is_no_identity_link(x, offset) -> None:
    """A first coefficient of exactly 1, or offset of exactly 0, once made all of them 1, or 0, and the posterior wrong."""
    y, s2 = (0.4, 1.3, -0.2), 0.5
    state = {"K": {(): 3}, "x": column(*x), "offset": column(*offset), "y": column(*y)}
    _, found = (
        held(SCALED, {"b": "normal", "s2": "inverse_gamma"})
        .node("b")
        .at({**state, "b": {(): 0.0}, "s2": {(): s2}})
    )
    precision = sum(value**2 for value in x) / s2 + 1 / 4
    linear = sum(a * (c - o) for a, c, o in zip(x, y, offset, strict=True)) / s2
    assert found["var"] == pytest.approx(1 / precision, rel=1e-12)
    assert found["mean"] == pytest.approx(linear / precision, rel=1e-12)


@pytest.mark.parametrize(("x", "offset"), COVARIATES)
def test_nimble_1171_the_sampler_does_not_look_at_the_first_value(
    x, offset, tmp_path: Path, monkeypatch
) -> None:
    """The same in the sampler: what its draw hands to the generator is right for these data."""
    module = load_source(emit(derive(parse_model(f"model scaled\n{SCALED}"))), tmp_path, "scaled")
    y, s2 = np.array([0.4, 1.3, -0.2]), 0.5
    data = module.prepare({"x": np.array(x), "offset": np.array(offset), "y": y})
    seen: list[np.ndarray] = []
    monkeypatch.setattr(module, "random_normal", lambda rng, *parameters: seen.extend(parameters[:2]))
    module.draw_b(None, module.State(b=np.zeros(1), s2=np.array([s2])), data)
    np.testing.assert_allclose(np.ravel(seen[0]), np.sum(np.square(x)) / s2 + 1 / 4)
    np.testing.assert_allclose(np.ravel(seen[1]), np.sum(np.array(x) * (y - offset)) / s2, atol=1e-12)


def test_nimble_1171_an_offset_that_is_defined_to_be_zero_at_first() -> None:
    """A deterministic offset whose first value is 0 (a walk that starts there) was put in before the linearity check."""
    derivation = held(
        """
plates
  k = 1..K
given
  lag[k]
data
  y[k] ~ N(shift[k] + b, 0.5)
process
  shift[k] = lag[k] * drift
parameters
  drift ~ N(0, 1)
  b ~ N(0, 1)
""",
        {"b": "normal", "drift": "normal"},
    )
    state = {"K": {(): 3}, "lag": column(0, 1, 2), "y": column(1, 2, 4), "drift": {(): 0.5}, "b": {(): 9.0}}
    _, found = derivation.node("b").at(state)
    assert found["var"] == pytest.approx(1 / 7)
    assert found["mean"] == pytest.approx((1 + 1.5 + 3) / 0.5 / 7)


def test_nimble_1171_a_node_as_an_index_is_no_linear_use_of_it() -> None:
    """z ~ N(x[b], 1) was no obstacle to a normal conditional of b; here b cannot be an index at all."""
    model = "model a\nplates\n  k = 1..K\ngiven\n  x[k]\ndata\n  y ~ N(b, 1)\n  z ~ N(x[b], 1)\nparameters\n  b ~ N(0, 1)\n"
    with pytest.raises(ModelError, match="not a value of the index"):
        parse_model(model)


# --- parts of vectors, and slices -------------------------------------------------------------------------------


def test_nimble_1290_one_component_of_a_vector_is_not_the_vector() -> None:
    """Data of a part of a normal vector were taken to be data of all of it."""
    derivation = held(
        """
plates
  k = 1..K
given
  Q : matrix(2, 2)
data
  y[k] ~ N(mu[1], 0.5)
parameters
  mu ~ Normal(0 * ones(2), prec = Q)
""",
        {"mu": "mvnormal"},
    )
    prior = np.array([[2.0, 0.5], [0.5, 1.0]])
    state = {"K": {(): 3}, "Q": {(): prior}, "y": column(1, 2, 4), "mu": {(): np.zeros(2)}}
    _, found = derivation.node("mu").at(state)
    precision = prior + np.diag([6.0, 0.0])
    np.testing.assert_allclose(found["cov"], np.linalg.inv(precision))
    np.testing.assert_allclose(found["mean"], np.linalg.solve(precision, [14.0, 0.0]))


def test_nimble_1290_a_vector_and_a_covariance_of_another_length_are_refused() -> None:
    """y[1:3] with the mean mu[1:3], of which only mu[1:2] is the node."""
    with pytest.raises(ModelError, match="differ in dimension"):
        parse_model("model a\ndata\n  y ~ N(mu, eye(3))\nparameters\n  mu ~ N(ones(2), eye(2))\n")


@pytest.mark.parametrize(
    ("indices", "read", "length"),
    [("i", "a[i,:]", "m"), ("j", "a[:,j]", "n")],
    ids=["along rows", "along columns"],
)
def test_nimble_1264_slices_along_different_dimensions(indices: str, read: str, length: str) -> None:
    """Rows of an array were taken for its columns: each element must meet the weight of its own place, once."""
    derivation = held(
        f"""
plates
  i = 1..n
  j = 1..m
given
  w : vector({length})
data
  y[{indices}] ~ N(w' * {read}, 1)
process
  a[i,j] ~ N(0, 2)
""",
        {"a": "normal"},
    )
    state = {
        "n": {(): 2},
        "m": {(): 3},
        "w": {(): np.array([2.0, 3.0, 5.0]) if length == "m" else np.array([2.0, 3.0])},
        "y": column(*((1, 2) if indices == "i" else (1, 2, 4))),
        "a": {(i, j): 0.1 * (i + 3 * j) for i in (1, 2) for j in (1, 2, 3)},
    }
    _, found = derivation.node("a").at(state, (2, 1))
    weight = 2.0 if indices == "i" else 3.0
    others = 3 * 0.8 + 5 * 1.1 if indices == "i" else 2 * 0.4
    seen = 2 if indices == "i" else 1
    precision = weight**2 + 0.5
    assert found["var"] == pytest.approx(1 / precision)
    assert found["mean"] == pytest.approx(weight * (seen - others) / precision)


def test_nimble_1264_a_shifted_index_is_not_the_index() -> None:
    """y[1:3] with mean mu[2:4]: each state has the data of the next time, and the last has none."""
    derivation = held(
        """
plates
  t = 1..T
data
  y[t] ~ N(z[t-1], 0.25)
process
  z[0] ~ N(0, 1)
  z[t] ~ N(0, 1) for t in 1..T
""",
        {"z": "normal"},
    )
    state = {"T": {(): 2}, "y": column(3, 7), "z": {(t,): 0.0 for t in range(3)}}
    node = derivation.node("z")
    assert [node.at(state, (t,))[1]["mean"] for t in range(3)] == pytest.approx([12 / 5, 28 / 5, 0.0])
    assert [node.at(state, (t,))[1]["var"] for t in range(3)] == pytest.approx([1 / 5, 1 / 5, 1.0])


# --- two ways to one node ---------------------------------------------------------------------------------------


def test_nimble_1409_stick_breaking_through_two_definitions() -> None:
    """eta reaches the probabilities through v and through pi; only one of the two was looked at."""
    held(
        """
plates
  k = 1..K
given
  c in (0, 1)
data
  y[k] ~ Categorical(pi)
process
  v1 = c * eta
  pi = [v1; (1 - v1) * v2; (1 - v1) * (1 - v2)]
  eta ~ Beta(1, 2)
  v2 ~ Beta(1, 2)
""",
        never=("eta",),
    )


def test_nimble_1409_both_definitions_of_a_node_count() -> None:
    """Two definitions above one node, each in data of its own, and both in a third."""
    derivation = held(
        """
plates
  k = 1..K
data
  u[k] ~ N(double, 1)
  w[k] ~ N(half, 1)
  y[k] ~ N(double - half, 1)
process
  double = 2 * m
  half = m / 2
parameters
  m ~ N(0, 1)
""",
        {"m": "normal"},
    )
    ones = {"u": column(1, 1), "w": column(1, 1), "y": column(1, 1)}
    _, found = derivation.node("m").at({"K": {(): 2}, "m": {(): 0.0}, **ones})
    assert found["var"] == pytest.approx(1 / (1 + 2 * (4 + 0.25 + 2.25)))
    assert found["mean"] == pytest.approx(2 * (2 + 0.5 + 1.5) * found["var"])


TWO_MATRICES = """
plates
  k = 1..K
given
  u : vector(p)
data
  y[k] ~ N(u, inv({precision}))
parameters
  A ~ Wish(eye(p), p + 2)
  B ~ Wish(eye(p), p + 3)
"""


@pytest.mark.parametrize(
    ("precision", "must", "never"),
    [
        ("A + B", {}, ("A", "B")),
        ("B * A * B", {"A": "wishart"}, ("B",)),
        ("2 * A", {"A": "wishart"}, ()),
    ],
)
def test_two_wishart_matrices_in_one_precision(precision: str, must: dict, never: tuple) -> None:
    """A sum of two is conjugate in neither, the congruence BAB in A alone."""
    held(TWO_MATRICES.format(precision=precision), must, never)


@pytest.mark.parametrize("precision", ["A * B", "B * A", "inv(A) * B", "A * B * A * B"])
def test_a_product_of_two_wishart_matrices_is_no_precision(precision: str) -> None:
    """log|AB| - tr(AB S) has the kernel of a Wishart in each factor, but AB is not symmetric, so no precision.

    The density is undefined at almost every state, so no sampler is made either.
    """
    derivation = derive(parse_model(f"model a\n{TWO_MATRICES.format(precision=precision)}"))
    for name in "AB":
        assert derivation.node(name).method == "mh"
        assert derivation.node(name).reason.why
    with pytest.raises(InternalError, match="could not be checked"):
        check_derivation(derivation)


MEETING = """
plates
  i = 1..n
  k = 1..K
given
  g : k -> i
  h : k -> i
data
  y[k] ~ {observed}
process
  a[i] ~ {prior}
"""


@pytest.mark.parametrize(
    ("observed", "prior"),
    [
        ("N(a[g[k]] * a[h[k]], 1)", "N(0, 1)"),
        ("N((a[g[k]] - a[h[k]])^2, 1)", "N(0, 1)"),
        ("N(a[g[k]], 1 + a[h[k]]^2)", "N(0, 1)"),
        ("N(0, a[g[k]] * a[h[k]])", "IG(2, 1)"),
        ("Pois(a[g[k]] * a[h[k]])", "Gamma(shape = 2, rate = 1)"),
        ("Pois(a[g[k]] + a[h[k]])", "Gamma(shape = 2, rate = 1)"),
    ],
)
def test_two_indices_that_can_meet_make_a_square(observed: str, prior: str) -> None:
    """a[g[k]] * a[h[k]] is linear in an element except where g[k] = h[k], and there it is its square."""
    derivation = held(MEETING.format(observed=observed, prior=prior), never=("a",))
    reason = derivation.node("a").reason
    assert reason is not None and reason.why


def test_two_indices_that_meet_add_their_coefficients() -> None:
    """A difference cancels where the indices meet, and a sum doubles: still normal, with the right terms."""
    state = {
        "n": {(): 2},
        "K": {(): 3},
        "g": {(1,): 1, (2,): 1, (3,): 2},
        "h": {(1,): 1, (2,): 2, (3,): 1},
        "y": column(5, 7, 11),
        "a": column(0.0, 0.5),
    }
    for sign, coefficients in (("-", (0, 1, -1)), ("+", (2, 1, 1))):
        text = MEETING.format(observed=f"N(a[g[k]] {sign} a[h[k]], 1)", prior="N(0, 1)")
        _, found = held(text, {"a": "normal"}).node("a").at(state, (1,))
        other = -0.5 if sign == "-" else 0.5
        residuals = (5.0, 7 - other, 11 - 0.5)
        precision = 1 + sum(c * c for c in coefficients)
        assert found["var"] == pytest.approx(1 / precision)
        assert found["mean"] == pytest.approx(
            sum(c * r for c, r in zip(coefficients, residuals, strict=True)) / precision
        )


def test_aemcmc_125_several_observations_are_all_summed() -> None:
    """A relation for one observation gave as many posteriors as there were observations."""
    derivation = held(
        """
plates
  k = 1..K
data
  y[k] ~ Pois(lam)
parameters
  lam ~ Gamma(shape = 1, rate = 1)
""",
        {"lam": "gamma"},
    )
    family, found = derivation.node("lam").at({"K": {(): 3}, "y": column(2, 3, 4), "lam": {(): 1.0}})
    assert (family, found) == ("gamma", {"shape": 10.0, "rate": 4.0})
