"""Slips of a claim as a whole: terms that have no place in its text, the family, the constant, the closed form."""

from __future__ import annotations

import pytest

from deriver.checking import check_claim
from deriver.language import parse_model
from deriver.pipeline import load_model
from tests.hand import crossed_groups

NORMAL = "[mu0 | .] = N(b/A, 1/A) where A = n/sigma2_0 + 1/sigma2_00, b = sum(i: beta0[i])/sigma2_0 + mu00/sigma2_00"
SQUARES = "sum(i: (beta0[i] - mu0)^2)/2"
VARIANCE = f"[sigma2_0 | .] = InverseGamma(shape=n/2 + q0, scale={SQUARES} + 1/r0)"
LOG = f"log [sigma2_0 | .] = -(n/2 + q0 + 1)*log(sigma2_0) - ({SQUARES} + 1/r0)/sigma2_0"
PRECISION = LOG.replace("[sigma2_0", "[1/sigma2_0")
ROOT = LOG.replace("[sigma2_0", "[sqrt(sigma2_0)")
LOGARITHM = LOG.replace("[sigma2_0", "[log(sigma2_0)")
STATE = "log [z[T] | .] = -(y[T] - z[T])^2/(2*sigma2_y) - (z[T] - phi*z[T-1])^2/(2*sigma2_z)"
MATRIX = "[Q | .] ∝ det(Q)^((n + nu - p - 1)/2) * exp(-tr((sum(i: (beta[i]-mu)*(beta[i]-mu)') + nu*S)*Q)/2)"

# (model, claim, what is changed to what, the slip)
PLANTED = [
    ("random_intercepts", NORMAL, ((" + 1/sigma2_00", ""), (" + mu00/sigma2_00", "")), "forgotten prior"),
    ("random_intercepts", NORMAL, (("n/sigma2_0 + ", ""), ("sum(i: beta0[i])/sigma2_0 + ", "")), "missing child"),
    ("random_intercepts", LOG, ((" + 1/r0", ""),), "forgotten prior"),
    ("random_intercepts", LOG, (("n/2 + ", ""),), "missing child"),
    ("random_intercepts", PRECISION, (), "missing Jacobian"),
    ("random_intercepts", ROOT, (), "missing Jacobian"),
    ("random_intercepts", LOGARITHM, (), "missing Jacobian"),
    ("random_intercepts", VARIANCE, (("InverseGamma", "Gamma"), ("scale", "rate")), "wrong family"),
    ("state_space", STATE, (("-(y[T] - z[T])^2/(2*sigma2_y) ", ""),), "missing child"),
    ("wishart", MATRIX, ((" - p - 1)", " - p)"),), "exponent off by one"),
]  # fmt: skip


def changed(claim: str, changes: tuple[tuple[str, str], ...]) -> str:
    """Return a claim with each text changed once, which must be there."""
    for old, new in changes:
        assert old in claim
        claim = claim.replace(old, new, 1)
    return claim


@pytest.mark.parametrize(("model", "claim", "changes", "slip"), PLANTED)
def test_a_slip_without_a_place_is_named(model: str, claim: str, changes: tuple, slip: str) -> None:
    result = check_claim(load_model(model), changed(claim, changes))
    assert not result.passed
    assert slip in {name for each in result.slips for name in (each.name, *each.aliases)}


@pytest.mark.parametrize(
    ("model", "claim"),
    [("random_intercepts", NORMAL), ("random_intercepts", VARIANCE), ("random_intercepts", LOG), ("state_space", STATE),
     ("wishart", MATRIX)],
)  # fmt: skip
def test_the_claims_are_right_before(model: str, claim: str) -> None:
    assert check_claim(load_model(model), claim).passed


def test_a_prior_forgotten_throughout_is_one_slip() -> None:
    claim = changed(NORMAL, ((" + 1/sigma2_00", ""), (" + mu00/sigma2_00", "")))
    (slip,) = check_claim(load_model("random_intercepts"), claim).slips
    assert (slip.found, slip.instead) == ("", "[mu0]")


def test_a_wrong_family_is_told_with_the_right_one() -> None:
    claim = changed(VARIANCE, (("InverseGamma", "Gamma"), ("scale", "rate")))
    (line,) = check_claim(load_model("random_intercepts"), claim).lines
    assert line.verdict == "wrong"
    assert (line.slips[0].name, line.slips[0].instead) == ("wrong family", "InverseGamma(shape=, scale=)")
    assert "variance for precision" in line.slips[0].aliases
    assert line.notes[0].startswith("it is no gamma but inverse gamma: shape n / 2 + q0, scale ")


CONSTANT = "sqrt(A/(2*pi)) * "
DENSITY = f"[mu0 | .] = {CONSTANT}exp(-A*(mu0 - b/A)^2/2) {NORMAL[NORMAL.index('where') :]}"


def test_a_density_with_its_constant_is_equal() -> None:
    assert check_claim(load_model("random_intercepts"), DENSITY).verdict == "equal"


@pytest.mark.parametrize("constant", ["", "sqrt(A) * ", "sqrt(A/pi) * "])
def test_a_density_with_another_constant_is_proportional(constant: str) -> None:
    (line,) = check_claim(load_model("random_intercepts"), DENSITY.replace(CONSTANT, constant)).lines
    assert line.verdict == "proportional"
    assert line.notes == ("it lacks the normalising constant: write ∝",)


@pytest.mark.parametrize(
    ("claim", "relation"),
    [
        (LOG.replace(" + 1/r0", ""), "theirs is the right one plus 1 / (r0 * sigma2_0)"),
        (LOG.replace("n/2", "n"), "theirs is the right one minus n * log(sigma2_0) / 2"),
        (f"[sigma2_0 | .] ∝ sigma2_0^(-(n/2 + q0)) * exp(-({SQUARES} + 1/r0)/sigma2_0)",
         "theirs is the right one times sigma2_0"),
    ],
)  # fmt: skip
def test_kernels_are_compared_in_closed_form(claim: str, relation: str) -> None:
    (line,) = check_claim(load_model("random_intercepts"), claim).lines
    (comparison,) = line.comparisons
    assert comparison.relation == relation


GROUPED = "[a[l] | .] = N(b/A, 1/A) where A = sum(k where h[k] = l: 1)/sigma2 + 1/sigma2_a, b = sum(k where h[k] = l: y[k] - x[k]'*beta[f[k]])/sigma2"


@pytest.mark.parametrize(
    ("old", "new", "slip"),
    [
        ("sum(k where h[k] = l: 1)", "sum(k: 1)", "wrong index"),
        (" + 1/sigma2_a", "", "forgotten prior"),
        ("y[k] - x", "y[k] + x", "sign"),
    ],
)
def test_a_slip_in_a_sum_over_group_members_is_named(old: str, new: str, slip: str) -> None:
    model = parse_model(crossed_groups.MODEL)
    assert check_claim(model, GROUPED).passed
    result = check_claim(model, changed(GROUPED, ((old, new),)))
    assert not result.passed and result.slips[0].name == slip


def test_a_claim_that_is_no_density_has_a_counterexample() -> None:
    claim = VARIANCE.replace("(beta0[i] - mu0)^2", "(beta0[i] - mu0) * (mu0 - beta0[i])").replace(
        " + 1/r0", ""
    )
    (line,) = check_claim(load_model("random_intercepts"), claim).lines
    assert line.counterexample is not None
    assert (line.counterexample.what, line.counterexample.right) == ("the scale", "a positive number")
    assert line.counterexample.theirs.startswith("-") or line.counterexample.theirs == "0"


def test_what_differs_only_for_three_coefficients_has_a_counterexample() -> None:
    """n p / 2 is n for p = 2: the example takes another p."""
    claim = (
        "[sigma2_beta | .] = IG(n + q_beta, 1/(sum(i: (beta[i]-mu)' * inv(R) * (beta[i]-mu))/2 + 1/r_beta))"
    )
    result = check_claim(load_model("all_random"), claim)
    (line,) = result.lines
    assert [slip.name for slip in result.slips] == ["n for np"]
    assert line.counterexample is not None and dict(line.counterexample.values)["p"] != "2"
