"""Every kind of slip, planted in a right claim, is caught and named."""

from __future__ import annotations

import pytest

from deriver.checking import SLIPS, check_claim
from deriver.pipeline import load_model

BETA = "[beta[i] | .] = N(inv(A)*b, inv(A)) where A = X[i]'*X[i]/sigma2 + inv(Sigma), b = X[i]'*y[i]/sigma2 + inv(Sigma)*mu"
MU = "[mu | .] = N(inv(A)*b, inv(A)) where A = n*inv(Sigma) + inv(Sigma0), b = inv(Sigma)*sum(i: beta[i]) + inv(Sigma0)*mu0"
SCALE = "[sigma2_beta | .] = IG(n*p/2 + q_beta, 1/(sum(i: (beta[i]-mu)'*inv(R)*(beta[i]-mu))/2 + 1/r_beta))"
DATA = "[sigma2 | .] = IG(sum(i: J[i])/2 + q, 1/(sum(i: sum(j: (y[i,j]-x[i,j]'*beta[i])^2))/2 + 1/r))"
KERNEL = "[sigma2 | .] ∝ sigma2^(-sum(i: J[i])/2 - q - 1) * exp(-(sum(i: sum(j: (y[i,j]-x[i,j]'*beta[i])^2))/2 + 1/r)/sigma2)"
PRECISION = "[1/sigma2 | .] ∝ sigma2^(-sum(i: J[i])/2 - q + 1) * exp(-(sum(i: sum(j: (y[i,j]-x[i,j]'*beta[i])^2))/2 + 1/r)/sigma2)"
INTERCEPT = "[mu0 | .] = N(b/A, 1/A) where A = n/sigma2_0 + 1/sigma2_00, b = sum(i: beta0[i])/sigma2_0 + mu00/sigma2_00"
WISHART = "[Q | .] = Wish(inv(sum(i: (beta[i]-mu)*(beta[i]-mu)') + nu*S), n + nu)"
STATE = "[z[t] | .] = N(b/A, 1/A) for t in 1..T-1 where A = 1/sigma2_y + (1 + phi^2)/sigma2_z, b = y[t]/sigma2_y + phi*(z[t-1] + z[t+1])/sigma2_z"
RHO = "log [rho | .] = -n/2*log(det(R)) - sum(i: (beta[i]-mu)'*inv(R)*(beta[i]-mu))/(2*sigma2_beta) + const"
POISSON = "log [beta[i] | .] = sum(j: y[i,j]*x[i,j]'*beta[i] - exp(x[i,j]'*beta[i])) - (beta[i]-mu)'*inv(Sigma)*(beta[i]-mu)/2 + const"

# (model, claim, what stands there, what is put there, the slip)
PLANTED = [
    ("all_random", SCALE, "inv(R)", "R", "inverse"),
    ("all_random", MU, "inv(A))", "A)", "inverse"),
    ("all_random", MU, "n*inv(Sigma)", "n*Sigma", "inverse"),
    ("all_random", RHO, "inv(R)", "R", "inverse"),
    ("wishart", WISHART, "nu*S", "nu*inv(S)", "inverse"),
    ("all_random", SCALE, "n*p/2", "n*p", "factor of 2"),
    ("all_random", DATA, "^2))/2", "^2))", "factor of 2"),
    ("all_random", RHO, "(2*sigma2_beta)", "sigma2_beta", "factor of 2"),
    ("all_random", SCALE, "1/(sum", "(sum", "rate for scale"),
    ("all_random", DATA, "+ 1/r)", "+ r)", "rate for scale"),
    ("random_intercepts", INTERCEPT, "1/A)", "sqrt(1/A))", "variance for sd"),
    ("random_intercepts", INTERCEPT, "n/sigma2_0 ", "n/sqrt(sigma2_0) ", "variance for sd"),
    ("random_intercepts", INTERCEPT, "1/A)", "A)", "variance for precision"),
    ("random_intercepts", INTERCEPT, "n/sigma2_0 ", "n*sigma2_0 ", "variance for precision"),
    ("all_random", BETA, "X[i]/sigma2", "X[i]*sigma2", "variance for precision"),
    ("all_random", SCALE, "n*p/2", "n/2", "n for np"),
    ("all_random", DATA, "sum(i: J[i])/2", "n/2", "J for nJ"),
    ("all_random", MU, "+ inv(Sigma0),", ",", "forgotten prior"),
    ("all_random", MU, " + inv(Sigma0)*mu0", "", "forgotten prior"),
    ("all_random", SCALE, " + 1/r_beta", "", "forgotten prior"),
    ("poisson", POISSON, " - (beta[i]-mu)'*inv(Sigma)*(beta[i]-mu)/2", "", "forgotten prior"),
    ("all_random", BETA, "X[i]'*X[i]/sigma2 + ", "", "missing child"),
    ("state_space", STATE, "(1 + phi^2)/sigma2_z", "1/sigma2_z", "missing child"),
    ("state_space", STATE, "z[t-1] + z[t+1]", "z[t-1] + z[t]", "wrong index"),
    ("all_random", DATA, "x[i,j]'*beta[i]", "x[i,j]'*beta[1]", "wrong index"),
    ("all_random", MU, "+ inv(Sigma0)*mu0", "- inv(Sigma0)*mu0", "sign"),
    ("all_random", RHO, "- sum(i", "+ sum(i", "sign"),
    ("wishart", WISHART, "(beta[i]-mu)*(beta[i]-mu)'", "((beta[i]-mu)'*(beta[i]-mu))*eye(p)", None),
    ("all_random", PRECISION, "- q + 1)", "- q - 1)", "missing Jacobian"),
    ("all_random", KERNEL, "- q - 1)", "- q)", "exponent off by one"),
    ("all_random", SCALE, "+ q_beta,", "+ q_beta + 1,", "exponent off by one"),
    ("wishart", WISHART, "n + nu)", "n + nu - 1)", "exponent off by one"),
    ("all_random", BETA, "inv(Sigma)*mu", "inv(Sigma)*mu0", "wrong symbol"),
    ("all_random", DATA, "+ q,", "+ q_beta,", "wrong symbol"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "claim", "old", "new", "slip"), PLANTED)
def test_a_planted_slip_is_caught_and_named(
    model: str, claim: str, old: str, new: str, slip: str | None
) -> None:
    assert claim.count(old) >= 1
    result = check_claim(load_model(model), claim.replace(old, new, 1))
    assert not result.passed
    if slip is not None:
        assert slip in {name for each in result.slips for name in (each.name, *each.aliases)}
    assert {each.name for each in result.slips} <= set(SLIPS)
    assert result.lines[0].counterexample is not None


@pytest.mark.parametrize("claim", [BETA, MU, SCALE, DATA, KERNEL, PRECISION, RHO])
def test_the_claims_are_right_before(claim: str) -> None:
    assert check_claim(load_model("all_random"), claim).passed


@pytest.mark.parametrize("changed", ["inv(R)'", "inv(R')"])
def test_a_change_that_changes_nothing_is_no_slip(changed: str) -> None:
    assert check_claim(load_model("all_random"), SCALE.replace("inv(R)", changed)).passed


def test_two_slips_are_named_together() -> None:
    claim = SCALE.replace("n*p/2", "n*p").replace("inv(R)", "R")
    result = check_claim(load_model("all_random"), claim)
    assert sorted(slip.name for slip in result.slips) == ["factor of 2", "inverse"]


def test_another_family_is_wrong() -> None:
    claim = "[sigma2_beta | .] = Gamma(shape=n*p/2 + q_beta, rate=1/r_beta)"
    assert check_claim(load_model("all_random"), claim).verdict == "wrong"


def test_a_chain_names_its_first_wrong_line() -> None:
    text = """
[mu0 | .]
  ∝ prod(i: [beta0[i] | mu0, sigma2_0]) [mu0]
  ∝ exp(-sum(i: (beta0[i] - mu0)^2)/(2*sigma2_0)) * exp(-(mu0 - mu00)^2/(2*sigma2_00))
  ∝ exp(-mu0^2/2*(n/sigma2_0 + 1/sigma2_00) + mu0*(sum(i: beta0[i])/sigma2_0 - mu00/sigma2_00))
  = N(b/A, 1/A)
  where A = n/sigma2_0 + 1/sigma2_00, b = sum(i: beta0[i])/sigma2_0 - mu00/sigma2_00
"""
    result = check_claim(load_model("random_intercepts"), text)
    assert [line.passed for line in result.lines] == [True, True, False, False]
    assert [line.follows for line in result.lines] == [None, True, False, True]
    assert result.first_wrong is result.lines[2] and result.first_wrong.line == 5
    assert [slip.name for slip in result.slips] == ["sign"]


BLANKETS = [
    ("[beta[i] | .] ∝ [beta[i] | mu, Sigma]", "missing child"),
    ("[beta[i] | .] ∝ [y[i,:] | beta[i], sigma2]", "forgotten prior"),
    ("[beta[i] | .] ∝ [y[i,:] | beta[i], sigma2] [beta[i] | mu, Sigma] [mu]", "wrong symbol"),
    ("[beta[i] | .] ∝ [y[i,:] | beta[i]] [beta[i] | mu, Sigma]", "missing child"),
    ("[beta[i] | .] ∝ [y[i,:] | beta[i], sigma2, rho] [beta[i] | mu, Sigma]", "wrong symbol"),
    ("[beta[i] | .] ∝ prod(i: [y[i,:] | beta[i], sigma2]) [beta[i] | mu, Sigma]", "wrong index"),
]


@pytest.mark.parametrize(("claim", "slip"), BLANKETS)
def test_a_wrong_blanket_is_named(claim: str, slip: str) -> None:
    result = check_claim(load_model("all_random"), claim)
    assert result.verdict == "wrong"
    assert slip in {each.name for each in result.slips}


@pytest.mark.parametrize(
    "claim",
    [
        "[beta[i] | .] ∝ [y[i,:] | beta[i], sigma2] [beta[i] | mu, Sigma]",
        "[beta_i | .] prop [y_i | beta_i, sigma2] * [beta_i | mu, sigma2_beta, rho]",
        "[sigma2_beta | .] ∝ prod(i: [beta[i] | mu, Sigma]) [sigma2_beta]",
    ],
)
def test_a_right_blanket_is_accepted(claim: str) -> None:
    assert check_claim(load_model("all_random"), claim).passed
