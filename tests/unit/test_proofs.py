"""Proofs of side conditions: what follows from the supports is proved, and nothing else is."""

from __future__ import annotations

import pytest

from deriver.derivation.conditionals import derive
from deriver.language import parse_model

GROUPS = """
model groups
plates
  i = 1..n
given
  {given}
data
  y[i] ~ N(theta, {variance})
parameters
  theta ~ N(0, 1)
{more}
"""


def method(variance: str, given: str, more: str = "") -> str:
    """Return how theta is drawn when its children have that variance."""
    text = GROUPS.format(variance=variance, given=given, more=more)
    return derive(parse_model(text)).node("theta").method


@pytest.mark.parametrize(
    ("variance", "given", "more"),
    [
        ("v[i]", "v[i] > 0", ""),
        ("exp(a)", "a", ""),
        ("a^2 + b", "a\n  b > 0", ""),
        ("v / (1 - rho^2)", "v > 0", "  rho ~ Unif(-1, 1)"),
        ("v * (1 + rho)", "v > 0", "  rho ~ Unif(-1, 1)"),
        ("max(v, w)", "v > 0\n  w > 0", ""),
    ],
)
def test_positive_variances_are_proved(variance: str, given: str, more: str) -> None:
    assert method(variance, given, more) == "gibbs"


@pytest.mark.parametrize(
    ("variance", "given", "more"),
    [
        ("v * (2 - rho^2) * (rho + 0.5)", "v > 0", "  rho ~ Unif(-1, 1)"),
        ("v * a^2", "v > 0", "  a ~ N(0, 1)"),
        ("v + a", "v > 0", "  a ~ N(0, 1)"),
    ],
)
def test_doubtful_variances_are_refused_with_a_reason(variance: str, given: str, more: str) -> None:
    """A variance that may be zero or negative at some state is no variance: by MH, or refused outright."""
    from deriver.errors import ModelError

    try:
        text = GROUPS.format(variance=variance, given=given, more=more)
        conditional = derive(parse_model(text)).node("theta")
    except ModelError as error:
        assert "variance" in str(error)
    else:
        assert conditional.method == "mh"
        assert conditional.reason is not None and "not proved" in conditional.reason.why


MATRICES = """
model matrices
plates
  i = 1..n
given
  mu : vector({p})
  V : matrix({p},{p})
  W : matrix({p},{p})
  nu > {p} - 1
data
  y[i] ~ N(beta, {covariance})
parameters
  beta ~ N(mu, V)
{more}
"""


@pytest.mark.parametrize(
    ("covariance", "p", "more", "expected"),
    [
        ("V", "p", "", "gibbs"),
        ("V + W", "p", "  A ~ N(0, 1)\n", "gibbs"),
        ("inv(Q)", "p", "  Q ~ Wish(V, nu)", "gibbs"),
        ("s * V", "p", "  s ~ IG(2, 1)", "gibbs"),
        ("[1, rho; rho, 1]", "2", "  rho ~ Unif(-1, 1)", "gibbs"),
        ("[s, s * rho; s * rho, s]", "2", "  rho ~ Unif(-1, 1)\n  s ~ IG(2, 1)", "gibbs"),
        ("inv(Q) * inv(P)", "p", "  Q ~ Wish(V, nu)\n  P ~ Wish(V, nu)", "mh"),
    ],
)
def test_covariances(covariance: str, p: str, more: str, expected: str) -> None:
    text = MATRICES.format(covariance=covariance, p=p, more=more)
    assert derive(parse_model(text)).node("beta").method == expected
