"""Auxiliary variables beside logistic and probit responses: where they are added, and what a run reports with them."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

import deriver
from deriver.cli import main
from deriver.language import parse_model
from deriver.pipeline import augment, emit
from deriver.remedies import augment as add_variables
from deriver.remedies.edit import text_of
from deriver.running.augmenting import MOST_DRAWS, MOST_TRIALS, affordable, count_trials
from deriver.running.diagnose import uninformed_nodes
from deriver.running.mixing import mixing
from deriver.running.results import make_result
from tests.bugs.programs import data_of, program_of
from tests.posterior_checks import STANDARD_ERRORS
from tests.suites.catalogue import read_model

GROUPS = """
model groups
plates
  i = 1..n
given
  m[i] : integer >= 0
data
  y[i] ~ Binomial(m[i], logit=mu + b[i])
process
  b[i] ~ Normal(0, prec=tau)
parameters
  mu ~ Normal(0, var=4)
  tau ~ Gamma(shape=3, rate=2)
"""
PROBIT = """
model probit
plates
  k = 1..K
  i = 1..n
given
  g : k -> i
data
  y[k] ~ Bernoulli(normal_cdf(mu + b[g[k]]))
process
  b[i] ~ Normal(0, prec=tau)
parameters
  mu ~ Normal(0, var=4)
  tau ~ Gamma(shape=3, rate=2)
"""
SIZES, COUNTS = np.array([6, 9, 4, 12]), np.array([1, 7, 3, 5])
DATA = {"n": 4, "m": SIZES, "y": COUNTS}
RIGHT = "PolyaGamma(m[i], mu + b[i])"
SPREAD = {
    "mu": 0.8,
    "tau": 1.2,
}  # sd of an sd, times sqrt(n), relative: 0.7 of a normal, more for a longer tail
SHORT = {"chains": 2, "warmup": 50, "draws": 50, "seed": 1, "progress": False, "backend": "numpy"}


def longer() -> dict:
    """The counts as rows of zeros and ones, with the group of each."""
    rows = [(k, int(j < y)) for k, (m, y) in enumerate(zip(SIZES, COUNTS, strict=True)) for j in range(m)]
    g, y = np.array(rows).T
    return {"n": 4, "K": len(rows), "g": g, "y": y}


def by_quadrature(cdf) -> dict[str, tuple[float, float]]:
    """Means and sds of mu and tau, each effect integrated out by Gauss-Hermite quadrature, mu and tau on a grid."""
    points, weights = np.polynomial.hermite_e.hermegauss(40)
    mu, log_tau = np.linspace(-6, 6, 241)[:, None], np.linspace(-3.5, 2.5, 161)[None, :]
    tau = np.exp(log_tau)
    prob = cdf(mu[..., None] + points / np.sqrt(tau)[..., None])
    log = stats.norm(0, 2).logpdf(mu) + stats.gamma(3, scale=0.5).logpdf(tau) + log_tau
    for m, y in zip(SIZES, COUNTS, strict=True):
        log = log + np.log((prob**y * (1 - prob) ** (m - y)) @ weights)
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    found = {}
    for name, value in (("mu", mu), ("tau", tau)):
        mean = float((weight * value).sum())
        found[name] = (mean, float(np.sqrt((weight * (value - mean) ** 2).sum())))
    return found


# --- where they are added ---------------------------------------------------------------------------------


def test_a_logistic_response_with_effects_has_polya_gamma_variables_beside_it() -> None:
    made = augment(parse_model(GROUPS), "auto")
    assert made is not None and made.nodes == ("omega_y",)
    assert {made.derivation.node(name).method for name in ("b", "mu", "tau")} == {"gibbs"}
    assert "  # added: Polson, Scott & Windle (2013)" in made.model.source
    assert "y was added" in made.words[0] and "omega_y[i] ~ PG(m[i], mu + b[i])" in made.shown[0]


def test_a_probit_response_with_effects_has_normal_variables_behind_it() -> None:
    made = augment(parse_model(PROBIT), "auto")
    assert made is not None and made.nodes == ("z_y",)
    assert "Albert & Chib (1993)" in made.words[0]


@pytest.mark.parametrize("name", ["beetles_logit", "irt_2pl", "hearts", "GLMM_Poisson", "inhaler", "rats"])
def test_auto_leaves_alone_what_gains_nothing(name: str) -> None:
    """No effects; a node of the response that walks still; no logistic response at all."""
    assert augment(read_model(name), "auto") is None


def test_on_has_them_in_a_plain_regression_too() -> None:
    made = augment(read_model("beetles_logit"), "on")
    assert made is not None and len(made.nodes) == 1
    assert augment(read_model("beetles_logit"), "off") is None


def test_responses_that_share_effects_are_rewritten_together() -> None:
    made = augment(read_model("blocker"), "auto")
    assert made is not None and set(made.nodes) == {"omega_rc", "omega_rt"}


def test_names_do_not_collide() -> None:
    text = GROUPS.replace("m[i] : integer >= 0", "m[i] : integer >= 0\n  omega_y[i]").replace(
        "b[i])", "omega_y[i] * b[i])"
    )
    made = augment(parse_model(text), "auto")
    assert made is not None and made.nodes == ("omega_y_2",)


def test_a_node_whose_method_was_chosen_is_left_to_it() -> None:
    model = parse_model(GROUPS)
    assert add_variables(model, "auto", chosen=("b",)) is None
    assert add_variables(model, "on", chosen=("b",)) is not None


def test_many_trials_draws_or_a_rare_outcome_are_not_affordable() -> None:
    model = parse_model(GROUPS)
    few, many = np.full(4, 20), np.full(4, MOST_TRIALS + 2)
    assert affordable(model, {"m": few, "y": few // 2}) == ("y",)
    assert affordable(model, {"m": few, "y": few // 20}) == ()
    assert affordable(model, {"m": many, "y": many // 2}) == ()
    rows = np.full(MOST_DRAWS, 2)
    assert affordable(model, {"m": rows, "y": rows // 2}) == ()
    assert affordable(model, {"y": few}) == ()
    assert (count_trials(model, {"m": few, "y": few}), count_trials(model, {"y": few})) == (80, 0)


@pytest.mark.parametrize("slip", ["PolyaGamma(m[i], 2 * (mu + b[i]))", "PolyaGamma(m[i] + 1, mu + b[i])"])
def test_a_slip_in_the_rewrite_is_refused(slip: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(document) -> str:
        text = text_of(document)
        assert RIGHT in text
        return text.replace(RIGHT, slip)

    monkeypatch.setattr(importlib.import_module("deriver.remedies.auxiliary"), "text_of", write)
    assert augment(parse_model(GROUPS), "on") is None


# --- a run with them --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "data", "cdf"), [(GROUPS, DATA, expit), (PROBIT, longer(), stats.norm.cdf)])
def test_the_posterior_is_that_of_quadrature(text: str, data: dict, cdf) -> None:
    result = deriver.run(
        parse_model(text), data, chains=4, warmup=300, draws=1500, seed=3, progress=False, backend="numpy"
    )
    assert any("was added" in note for note in result.notes)
    for name, (mean, sd) in by_quadrature(cdf).items():
        draws = result.posterior[name]
        effective = float(mixing(draws[..., None])[0][0])
        assert effective > 1000
        assert abs(draws.mean() - mean) < STANDARD_ERRORS * sd / np.sqrt(effective), name
        assert abs(draws.std() / sd - 1) < STANDARD_ERRORS * SPREAD[name] / np.sqrt(effective), name


def test_what_a_run_reports_is_the_model_as_it_stands() -> None:
    result = deriver.run(parse_model(GROUPS), DATA, log_likelihood=True, posterior_predictive=True, **SHORT)
    assert (
        "omega_y" not in result.posterior
        and "omega_y" not in result.source.split("def ")[0].split("given")[0]
    )
    prob = expit(result.posterior["mu"][..., None] + result.posterior["b"])
    expected = stats.binom(SIZES, prob).logpmf(COUNTS)
    np.testing.assert_allclose(result.groups["log_likelihood"]["y"], expected)
    predicted = result.groups["posterior_predictive"]["y"]
    assert predicted.shape == (2, 50, 4) and (predicted <= SIZES).all() and (predicted >= 0).all()
    assert not any("omega" in warning for warning in result.warnings)
    assert set(result.posterior.variables) == {"b", "mu", "tau"}


def test_draws_of_auxiliary_variables_take_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = []

    def watch(binding, draws, *rest):
        kept.append(set(draws.values))
        return make_result(binding, draws, *rest)

    monkeypatch.setattr("deriver.running.job.make_result", watch)
    deriver.run(parse_model(GROUPS), DATA, **SHORT)
    assert kept == [{"b", "mu", "tau"}]


def test_off_samples_the_source_without_them() -> None:
    model = parse_model(GROUPS)
    result = deriver.run(model, DATA, augment="off", **SHORT)
    assert result.source == emit(model, blocks="auto")
    assert "omega" not in result.source and not any("added" in note for note in result.notes)
    assert "omega" not in deriver.run(model, DATA, blocks="off", **SHORT).source
    many = {**DATA, "m": SIZES * 100}
    assert "omega" not in deriver.run(model, many, **SHORT).source
    assert "omega_y" in deriver.run(model, many, augment="on", **SHORT).source


def test_missing_responses_are_left_out_and_drawn_afterwards() -> None:
    data = longer()
    data["y"] = np.where(np.arange(len(data["y"])) % 7 == 3, np.nan, data["y"])
    result = deriver.run(parse_model(PROBIT), data, **SHORT)
    assert "z_y" in result.source and "z_y" not in result.posterior
    assert set(np.unique(result.posterior["y_missing"])) <= {0, 1}


def test_variables_beside_a_response_seen_in_part_count_where_it_is_seen() -> None:
    """They stand over the whole plate; where the response is missing, they are drawn from their prior and read by nothing."""
    some = {**DATA, "y": np.array([1, np.nan, 3, 5])}
    plain, made = (
        deriver.run(parse_model(GROUPS), some, augment=how, seed=2, draws=4000, warmup=500, progress=False)
        for how in ("off", "on")
    )
    assert "omega_y" in made.source and made.posterior["y_missing"].shape == (4, 4000, 1)
    for name in ("mu", "tau", "b", "y_missing"):
        values, others = (np.asarray(each.posterior[name]) for each in (plain, made))
        for value, other in zip(
            np.atleast_2d(values.reshape(16000, -1).T), others.reshape(16000, -1).T, strict=True
        ):
            assert abs(value.mean() - other.mean()) < 0.1 * other.std()
            assert abs(np.log(value.std() / other.std())) < 0.1


def test_programs_have_them_too() -> None:
    result = deriver.run(program_of("seeds"), data_of("seeds"), **SHORT)
    assert "omega_r" in result.source and "omega_r" not in result.posterior


# --- other commands ---------------------------------------------------------------------------------------


def test_derive_shows_the_rewrite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "groups.model"
    path.write_text(GROUPS, encoding="utf-8")
    assert main(["derive", str(path), "--augment", "auto"]) == 0
    shown = capsys.readouterr().out
    assert "Polson, Scott & Windle (2013)" in shown and "omega_y[i] ~ PG(m[i], mu + b[i])" in shown
    assert main(["derive", str(path), "--augment", "auto", "--format", "json"]) == 0
    assert "~ PG(" in json.loads(capsys.readouterr().out)["notes"][0]
    assert main(["derive", str(path)]) == 0
    assert "PolyaGamma" not in capsys.readouterr().out
    assert main(["emit", str(path), "-o", str(tmp_path / "s.py"), "--augment", "on", "--blocks", "on"]) == 0
    assert (tmp_path / "s.py").read_text(encoding="utf-8") == emit(
        parse_model(GROUPS), augment="on", blocks="on"
    )


def test_a_polya_gamma_variable_of_the_user_is_not_said_to_be_above_no_data() -> None:
    made = augment(parse_model(GROUPS))
    assert made is not None and uninformed_nodes(made.model) == ()
    lone = GROUPS + "  spare ~ N(0, 1)\n"
    assert uninformed_nodes(parse_model(lone)) == ("spare",)
