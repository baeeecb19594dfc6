"""Right claims are accepted however they are written; packaged claims; the notes' own slips."""

from __future__ import annotations

import pytest

from deriver.checking import SLIPS, check_claim
from deriver.errors import UsageError
from deriver.pipeline import assert_conditional, check, load_model, packaged_claims, packaged_models

RIGHT = [name for name in packaged_claims() if name != "seed_notes_all_random"]

# One conditional, written as different people would: (model, claim).
EQUIVALENT = [
    ("all_random", ("[beta[i] | .] = N(inv(A)*b, inv(A)) where A = sum(j: x[i,j]*x[i,j]')/sigma2 + inv(Sigma), "
                   "b = sum(j: x[i,j]*y[i,j])/sigma2 + inv(Sigma)*mu")),
    ("all_random", "[beta_i | .] = N(V*b, V) where V = inv(X_i'*X_i/sigma2 + inv(Sigma)), b = X_i'*y_i/sigma2 + inv(Sigma)*mu"),
    ("all_random", ("[beta | .] ~ Normal(inv(A)*b, prec=A) where b = X[i]'*y[i]/sigma2 + inv(Sigma)*mu, "
                   "A = X[i]'*X[i]/sigma2 + inv(R)/sigma2_beta")),
    ("all_random", ("[beta[i] | .] prop exp(-(y[i]-X[i]*beta[i])'*(y[i]-X[i]*beta[i])/(2*sigma2)) "
                   "* exp(-(beta[i]-mu)'*inv(Sigma)*(beta[i]-mu)/2)")),
    ("all_random", ("log [beta[i] | .] = -tr((beta[i]-mu)*(beta[i]-mu)'*inv(Sigma))/2 "
                   "- sum(j: (y[i,j] - x[i,j]'*beta[i])^2)/(2*sigma2) + const")),
    ("all_random", "[sigma2 | .] = InverseGamma(shape=q + sum(i: J[i])/2, scale=1/r + sum(i: sum(j: (y[i,j]-x[i,j]'*beta[i])^2))/2)"),
    ("all_random", "[1/sigma2 | .] = Gamma(shape=q + sum(i: J[i])/2, rate=1/r + sum(i: sum(j: (y[i,j]-x[i,j]'*beta[i])^2))/2)"),
    ("all_random", "[1/sigma2 | .] = Gamma(shape=q + sum(i: J[i])/2, scale=inv(1/r + sum(i: sum(j: (y[i,j]-x[i,j]'*beta[i])^2))/2))"),
    ("all_random", ("[sigma2 | .] ∝ sigma2^(-(q+1)) * exp(-1/(r*sigma2)) * sigma2^(-sum(i: sum(j: 1/2))) "
                   "* exp(-sum(i: sum(j: (y[i,j]-x[i,j]'*beta[i])^2))/(2*sigma2))")),
    ("all_random", ("[sqrt(sigma2) | .] ∝ sigma2^(-(q+1/2)) * exp(-1/(r*sigma2)) * sigma2^(-sum(i: J[i])/2) "
                   "* exp(-sum(i: sum(j: (y[i,j]-x[i,j]'*beta[i])^2))/(2*sigma2))")),
    ("all_random", "[sigma2_beta | .] = IG(n*p/2 + q_beta, 1/(tr(inv(R)*sum(i: (beta[i]-mu)*(beta[i]-mu)'))/2 + 1/r_beta))"),
    ("all_random_two", ("[sigma2_beta | .] = IG(n*p/2 + q_beta, 1/(sum(i: (beta[i]-mu)' * inv(R) * (beta[i]-mu))/2 "
                       "+ 1/r_beta)) where R = [1, rho; rho, 1]")),
    ("random_intercepts", ("[mu0 | .] = Normal((sum(i: beta0[i])/sigma2_0 + mu00/sigma2_00)/A, sd=sqrt(1/A)) "
                          "where A = n/sigma2_0 + 1/sigma2_00")),
    ("random_intercepts", ("[mu0 | .] = Normal((sum(i: beta0[i])/sigma2_0 + mu00/sigma2_00)/A, prec=A) "
                          "where A = n/sigma2_0 + 1/sigma2_00")),
    ("wishart", "[Q | .] = Wishart(rate=sum(i: (beta[i]-mu)*(beta[i]-mu)') + nu*S, df=n+nu)"),
    ("wishart", "[inv(Q) | .] = InverseWishart(df=n+nu, scale=sum(i: (beta[i]-mu)*(beta[i]-mu)') + nu*S)"),
    ("wishart", "[Q | .] ∝ det(Q)^((n+nu-p-1)/2) * exp(-tr(Q*(sum(i: (beta[i]-mu)*(beta[i]-mu)') + nu*S))/2)"),
    ("wishart", "[Sigma | .] ∝ det(Sigma)^(-(n+nu+p+1)/2) * exp(-tr(inv(Sigma)*(sum(i: (beta[i]-mu)*(beta[i]-mu)') + nu*S))/2)"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "claim"), EQUIVALENT)
def test_a_right_claim_is_accepted(model: str, claim: str) -> None:
    assert check_claim(load_model(model), claim).passed


@pytest.mark.parametrize("name", RIGHT)
def test_packaged_claims_are_right(name: str) -> None:
    assert check(load_model(name), name).passed


def test_every_packaged_model_has_claims() -> None:
    assert set(packaged_models()) <= set(RIGHT)


def test_the_slips_of_the_notes_are_found() -> None:
    """Each slip that is a claim about a conditional, on the line where the notes make it."""
    report = check(load_model("all_random_two"), "seed_notes_all_random")
    beta, mu, scale, rho, data = report
    assert rho.passed
    assert [result.passed for result in (beta, mu, scale, data)] == [False] * 4
    assert [(s.name, s.found, s.instead) for s in beta.slips] == [("wrong symbol", "mu0", "mu")]
    assert mu.lines[0].passed
    assert {s.name for s in mu.slips} == {"sign", "inverse"}
    assert ("inverse", "A'", "inv(A)") in {(s.name, s.found, s.instead) for s in mu.lines[3].slips}
    named = {(s.name, s.found) for s in scale.slips}
    assert {("inverse", "R"), ("sign", "n"), ("forgotten prior", "n * (n + 1) / 2")} == named
    last = {s.name for s in scale.lines[3].slips}
    assert last == {"exponent off by one", "rate for scale", "inverse"}
    assert {s.name for s in data.slips} == {"factor of 2", "missing child"}
    assert "rate for scale" in {s.name for s in data.lines[3].slips}
    assert data.first_wrong is data.lines[1]


def test_what_differs_is_told_in_closed_form() -> None:
    claim = (
        "[sigma2_beta | .] = IG(n*p + q_beta, 1/(sum(i: (beta[i]-mu)' * inv(R) * (beta[i]-mu))/2 + 1/r_beta))"
    )
    result = check_claim(load_model("all_random"), claim)
    (line,) = result.lines
    assert result.verdict == "wrong_parameter"
    (comparison,) = line.comparisons
    assert (comparison.name, comparison.theirs, comparison.right) == (
        "shape", "n * p + q_beta", "n * p / 2 + q_beta",
    )  # fmt: skip
    assert comparison.relation == "theirs is the right one plus n * p / 2"


def test_a_counterexample_can_be_recomputed() -> None:
    claim = "[mu0 | .] = N(b/A, 1/A) where A = n/sigma2_0 + 1/sigma2_00, b = sum(i: beta0[i])/sigma2_0 - mu00/sigma2_00"
    (line,) = check_claim(load_model("random_intercepts"), claim).lines
    example = line.counterexample
    assert example is not None
    values = {name: float(eval_fraction(text)) for name, text in example.values}
    total = sum(value for name, value in values.items() if name.startswith("beta0["))
    data, prior = total / values["sigma2_0"], values["mu00"] / values["sigma2_00"]
    assert float(eval_fraction(example.theirs)) == pytest.approx(data - prior, abs=1e-5)
    assert float(eval_fraction(example.right)) == pytest.approx(data + prior, abs=1e-5)


def eval_fraction(text: str) -> float:
    """Return the value of ``3/4`` or ``0.75``."""
    top, _, bottom = text.partition("/")
    return float(top) / float(bottom or 1)


def test_equality_is_shown_symbolically_where_it_can_be() -> None:
    claim = "[sigma2_beta | .] = IG(n*p/2 + q_beta, 1/(sum(i: (beta[i]-mu)' * inv(R) * (beta[i]-mu))/2 + 1/r_beta))"
    assert check_claim(load_model("all_random"), claim).lines[0].proof == "symbolic"


def test_a_mean_over_repeats_may_be_undefined_where_there_are_none() -> None:
    """A formula that divides by J[i] is right: at J[i] = 0 it has no value, and the report says so."""
    claim = (
        "[beta0[i] | .] = N(b/A, 1/A) where A = J[i]/sigma2 + 1/sigma2_0, "
        "b = J[i]*mean_i/sigma2 + mu0/sigma2_0, mean_i = sum(j: y[i,j] - beta1*x[i,j])/J[i]"
    )
    result = check_claim(load_model("random_intercepts"), claim)
    assert result.passed
    assert any("where a size is 0" in note for note in result.lines[0].notes)


def test_a_truncation_is_part_of_the_claim() -> None:
    text = """
model bounded
plates
  i = 1..n
given
  s > 0
data
  y[i] ~ N(mu, s)
parameters
  mu ~ Unif(0, 1)
"""
    from deriver.language import parse_model

    model = parse_model(text)
    right = "[mu | .] = N(sum(i: y[i])/n, s/n) T(0, 1)"
    assert check_claim(model, right).passed
    assert not check_claim(model, right.removesuffix(" T(0, 1)")).passed


def test_assert_conditional_marks_homework() -> None:
    model = load_model("random_intercepts")
    assert_conditional(model, "sigma2_0", "IG(n/2 + q0, 1/(sum(i: (beta0[i] - mu0)^2)/2 + 1/r0))")
    with pytest.raises(AssertionError, match="rate for scale"):
        assert_conditional(model, "sigma2_0", "IG(n/2 + q0, sum(i: (beta0[i] - mu0)^2)/2 + 1/r0)")


def test_unknown_claims_are_refused() -> None:
    with pytest.raises(UsageError, match="there are no claims"):
        check(load_model("wishart"), "no_such_claims")


def test_slip_names_are_fixed() -> None:
    assert len(SLIPS) == len(set(SLIPS)) == 16
