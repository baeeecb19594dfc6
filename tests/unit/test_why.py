"""Why a node is not conjugate, and what mends it: every remedy derives, and to what is derived here by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from why_models import MODELS, explained, first, text_of

import deriver
from deriver.cli import main
from deriver.derivation.conditionals import derive
from deriver.derivation.density_ratio import check_derivation
from deriver.derivation.numeric import canonical_at
from deriver.errors import InternalError, UsageError
from deriver.language import parse_model
from deriver.remedies import search

K = {"K": {(): 3}}
Y = {(1,): 0.4, (2,): -1.3, (3,): 2.1}
SUM_SQUARES = sum(value**2 for value in Y.values())


def at(remedy, state: dict, index: tuple = ()) -> tuple[str, dict]:
    """Family and parameters of the mended node at a state."""
    return canonical_at(remedy.conditional, {**K, "y": Y, **state}, index)


def assert_is(found: tuple[str, dict], family: str, **parameters: float) -> None:
    assert found[0] == family
    assert found[1] == pytest.approx(parameters)


def w(*values: float) -> dict:
    return {(k,): value for k, value in enumerate(values, 1)}


@pytest.mark.parametrize("name", list(MODELS))
def test_every_remedy_is_derived_and_passes_the_density_ratio(name: str) -> None:
    found = explained(name)
    assert not found.conjugate
    assert found.remedies
    for remedy in found.remedies:
        again = derive(parse_model(remedy.text))
        assert again.node(remedy.node).method == "gibbs"
        check_derivation(again, states=3, seed=5)
        assert remedy.changes


def test_half_cauchy_becomes_an_inverse_gamma_of_the_variance() -> None:
    remedy = first("half_cauchy")
    assert remedy.same
    # s2 | a: (s2)^(-3/2) exp(-1/(a s2)) times (s2)^(-3/2) exp(-Σ y²/(2 s2)): shape 1/2 + 3/2.
    state = {"a_s": {(): 0.7}, "s_sq": {(): 1.1}, "c": {(): 2.0}}
    assert_is(at(remedy, state), "inverse_gamma", shape=2.0, scale=1 / 0.7 + SUM_SQUARES / 2)
    mixing = canonical_at(remedy.derivation.node("a_s"), {**K, "y": Y, **state})
    assert_is(mixing, "inverse_gamma", shape=1.0, scale=1 / 1.1 + 1 / 4)


def test_half_t_keeps_its_degrees_of_freedom() -> None:
    remedy = first("half_t")
    state = {"a_s": {(): 0.7}, "s_sq": {(): 1.1}, "c": {(): 2.0}}
    assert_is(at(remedy, state), "inverse_gamma", shape=3.0, scale=3 / 0.7 + SUM_SQUARES / 2)
    mixing = canonical_at(remedy.derivation.node("a_s"), {**K, "y": Y, **state})
    assert_is(mixing, "inverse_gamma", shape=2.0, scale=3 / 1.1 + 1 / 4)


def test_student_responses_become_weighted_normals() -> None:
    remedy = first("student")
    weights, c, v = (0.5, 2.0, 1.5), 0.8, 3.0
    state = {"w_y": w(*weights), "c": {(): c}, "v": {(): v}, "mu": {(): 0.2}}
    precision = sum(weights) / c**2 + 1 / v
    linear = sum(wk * yk for wk, yk in zip(weights, Y.values(), strict=True)) / c**2
    assert_is(at(remedy, state), "normal", mean=linear / precision, var=1 / precision)
    weight = canonical_at(remedy.derivation.node("w_y"), {**K, "y": Y, **state}, (2,))
    assert_is(weight, "gamma", shape=2.5, rate=2 + (Y[(2,)] - 0.2) ** 2 / (2 * c**2))


def test_cauchy_prior_becomes_a_normal_given_its_weight() -> None:
    remedy = first("cauchy_prior")
    state = {"w_mu": {(): 0.6}, "c": {(): 2.0}, "mu": {(): 0.1}}
    precision = 3 + 0.6 / 4
    assert_is(at(remedy, state), "normal", mean=sum(Y.values()) / precision, var=1 / precision)


def test_logit_with_polya_gamma_is_a_normal_in_the_coefficient() -> None:
    remedy = first("logit")
    x, m, y, omega = (0.5, -1.0, 2.0), (3, 1, 4), (1, 0, 4), (0.6, 0.2, 0.9)
    state = {"x": w(*x), "m": w(*m), "y": w(*y), "omega_y": w(*omega), "v": {(): 2.0}, "b": {(): 0.3}}
    precision = sum(o * each**2 for o, each in zip(omega, x, strict=True)) + 1 / 2
    linear = sum(each * (yk - mk / 2) for each, yk, mk in zip(x, y, m, strict=True))
    assert_is(at(remedy, state), "normal", mean=linear / precision, var=1 / precision)
    assert remedy.derivation.node("omega_y").method == "prior"


def test_probit_with_latent_normals_is_a_normal_in_the_coefficient() -> None:
    remedy = first("probit")
    x, z = (0.5, -1.0, 2.0), (0.3, -0.8, 1.7)
    state = {"x": w(*x), "y": w(1, 0, 1), "z_y": w(*z), "v": {(): 2.0}, "b": {(): 0.3}}
    precision = sum(each**2 for each in x) + 1 / 2
    linear = sum(a * b for a, b in zip(x, z, strict=True))
    assert_is(at(remedy, state), "normal", mean=linear / precision, var=1 / precision)
    latent = remedy.derivation.node("z_y")
    for index, ends in (((1,), (0, np.inf)), ((2,), (-np.inf, 0))):
        found = canonical_at(latent, {**K, **state}, index)
        mean = 0.3 * state["x"][index]
        assert_is(found, "normal", mean=mean, var=1.0, lower=ends[0], upper=ends[1])


def test_effects_not_centred_make_a_half_normal_scale_a_cut_normal() -> None:
    remedy = first("half_normal_effects")
    assert remedy.same
    e, c = (0.3, -1.2, 0.8), 1.5
    state = {"a_std": w(*e), "c": {(): c}, "s": {(): 0.9}}
    precision = sum(each**2 for each in e) + 1 / c**2
    linear = sum(each * (yk - 2) for each, yk in zip(e, Y.values(), strict=True))
    found = at(remedy, state)
    assert_is(found, "normal", mean=linear / precision, var=1 / precision, lower=0, upper=np.inf)


def test_two_steps_where_one_is_not_enough() -> None:
    remedy = first("not_centred")
    assert [step.kind for step in remedy.steps] == ["reparametrisation", "augmentation"]
    a = (1.0, 2.5, 2.2)
    state = {"a": w(*a), "a_s": {(): 0.7}, "s_sq": {(): 1.1}, "c": {(): 2.0}}
    scale = 1 / 0.7 + sum((each - 2) ** 2 for each in a) / 2
    assert_is(at(remedy, state), "inverse_gamma", shape=2.0, scale=scale)


def test_priors_of_the_family_that_the_children_make() -> None:
    given = {"shape_theta": {(): 1.2}, "rate_theta": {(): 0.4}, "theta": {(): 1.0}}
    counts = {"y": w(2, 0, 3)}
    assert_is(at(first("lognormal_rate"), given | counts), "gamma", shape=6.2, rate=3.4)
    given = {"shape_s_sq": {(): 1.2}, "scale_s_sq": {(): 0.4}, "s_sq": {(): 1.0}}
    found = at(first("uniform_sd"), given)
    assert_is(found, "inverse_gamma", shape=2.7, scale=0.4 + SUM_SQUARES / 2)
    given = {"a_p": {(): 1.2}, "b_p": {(): 0.4}, "p": {(): 0.5}}
    assert_is(at(first("normal_probability"), given | {"y": w(1, 0, 1)}), "beta", a=3.2, b=1.4)
    given = {"shape_tau": {(): 1.2}, "rate_tau": {(): 0.4}, "tau": {(): 1.0}}
    assert_is(at(first("precision"), given), "gamma", shape=2.7, rate=0.4 + SUM_SQUARES / 2)
    given = {"shape_sigma_exp2": {(): 1.2}, "scale_sigma_exp2": {(): 0.4}, "sigma_exp2": {(): 1.0}}
    found = at(first("log_sd"), given)
    assert_is(found, "inverse_gamma", shape=2.7, scale=0.4 + SUM_SQUARES / 2)


def test_a_correlation_matrix_gives_way_to_a_whole_covariance() -> None:
    remedy = first("correlation")
    assert not remedy.same
    y = {(1,): np.array([0.4, 1.0]), (2,): np.array([-1.3, 0.2])}
    state = {"K": {(): 2}, "p": {(): 2}, "y": y, "mu": {(): np.array([0.1, 0.2])}}
    state |= {"S_Sigma": {(): 2 * np.eye(2)}, "df_Sigma": {(): 3.0}, "Sigma": {(): np.eye(2)}}
    family, parameters = canonical_at(remedy.conditional, state)
    assert family == "inverse_wishart"
    left = [each - state["mu"][()] for each in y.values()]
    np.testing.assert_allclose(parameters["df"], 5.0)
    np.testing.assert_allclose(parameters["scale"], 2 * np.eye(2) + sum(np.outer(d, d) for d in left))


def test_a_rewrite_that_does_not_hold_is_never_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(derivation) -> None:
        raise InternalError("the identity fails")

    monkeypatch.setattr(search, "check_derivation", fails)
    assert explained("half_cauchy").remedies == ()


def test_a_remedy_costs_no_other_node_its_family() -> None:
    for name in MODELS:
        found = explained(name)
        conjugate = {c.node for c in found.derivation.conditionals if c.method == "gibbs"}
        for remedy in found.remedies:
            still = {c.node: c.method for c in remedy.derivation.conditionals}
            assert all(still.get(node, "gibbs") in ("gibbs", "prior") for node in conjugate)


def test_a_conjugate_node_says_why() -> None:
    found = deriver.why("random_intercepts", "mu0")
    assert found.conjugate and not found.remedies
    text = found.render()
    assert "Why mu0 is conjugate" in text and "kernel of a normal density" in text


def test_the_term_and_its_factor_are_named() -> None:
    text = explained("half_cauchy").render()
    assert "enters the factor of" in text and "The term in question is" in text
    assert "same posterior" in text and "Wand" in text
    assert explained("half_cauchy").render(unicode=False).isascii()


def test_json_holds_the_whole_model() -> None:
    record = json.loads(explained("probit").render("json"))
    assert record["conjugate"] is False
    remedy = record["remedies"][0]
    assert remedy["same_posterior"] is True
    assert parse_model(remedy["model"]).node("z_y").kind == "stochastic"


def test_markdown_shows_changes_and_model() -> None:
    text = explained("logit").render("markdown")
    assert "```diff\n+" in text and "PolyaGamma(m[k], x[k] * b)" in text


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ("nothing", "has no node `nothing`"),
        ("y", "`y` is observed"),
        ("sigma2x", "has no node"),
        ("x", "`x` is given"),
    ],
)
def test_nodes_that_have_no_conditional(node: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        deriver.why("random_intercepts", node)


def test_the_command_saves_a_remedy(tmp_path, capsys) -> None:
    model, saved = tmp_path / "a.model", tmp_path / "b.model"
    model.write_text(text_of("half_cauchy"))
    assert main(["derive", str(model), "--why", "s", "--remedy", "1", "-o", str(saved)]) == 0
    assert main(["derive", str(saved), "--why", "s_sq"]) == 0
    assert "s_sq is conjugate" in capsys.readouterr().out
    assert main(["derive", str(model), "--why", "s", "--remedy", "9"]) == 2
    assert "a number from 1 to" in capsys.readouterr().err
    assert main(["derive", str(model), "--remedy", "1"]) == 2
    assert main(["derive", str(model), "--why", "s", "--node", "s"]) == 2
    assert main(["derive", str(model), "--why", "s", "--format", "latex"]) == 2
