"""Forms of the published examples that are rewritten before they are translated: the joint density stays theirs."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import stats

import deriver
from deriver.bugs import Translation, translate
from deriver.bugs.declared import fill_declared
from deriver.bugs.elaborate import Elaborated, elaborate
from deriver.bugs.parser import parse_program
from deriver.bugs.spatial import decompose
from deriver.derivation.density_ratio import check_node
from deriver.derivation.states import observed_state
from deriver.errors import ModelError
from deriver.language.mistakes import Mistakes
from deriver.running.job import Job, prepare_job
from deriver.running.sampling import Settings
from deriver.running.tables import Arrays
from tests.bugs.log_joint import log_joint
from tests.bugs.programs import data_of, program_of
from tests.bugs.test_log_joint import of_program, states_of

NA = float("nan")

# A program, the program that says the same in plain words (or none, where it is plain enough), and data.
SAME = {
    "extents_by_var": (
        """var beta[N,2], mu.beta[2], Omega[2,2], R[2,2], y[N,T], x[T];
        model {
          for (i in 1:N) {
            for (j in 1:T) { y[i,j] ~ dnorm(beta[i,1] + beta[i,2] * x[j], tau) }
            beta[i,] ~ dmnorm(mu.beta[], Omega[,])
          }
          mu.beta[1] ~ dnorm(0, 0.01)
          mu.beta[2] ~ dnorm(0, 0.01)
          Omega[,] ~ dwish(R[,], 2)
          tau ~ dgamma(1, 1)
        }""",
        None,
        {"N": 3, "T": 3, "x": [-1, 0, 1], "y": [[1, 2, 4], [0, 1, 1], [2, 2, 3]], "R": [[1, 0], [0, 1]]},
    ),
    "without_response_and_covariate": (
        """model {
          for (i in 1:N) {
            for (j in 1:T) { y[i,j] ~ dnorm(mu[i,j], tau)
              mu[i,j] <- alpha[i] + beta * (t[i,j] - 2) }
            alpha[i] ~ dnorm(m, 1)
          }
          beta ~ dnorm(0, 1); m ~ dnorm(0, 1); tau ~ dgamma(1, 1)
        }""",
        """model {
          for (k in 1:5) { y5[k] ~ dnorm(alpha[g[k]] + beta * (t5[k] - 2), tau) }
          for (i in 1:N) { alpha[i] ~ dnorm(m, 1) }
          beta ~ dnorm(0, 1); m ~ dnorm(0, 1); tau ~ dgamma(1, 1)
        }""",
        {
            "N": 3, "T": 2, "y": [[1, 2], [3, NA], [2, 5]], "t": [[1, 2], [1.5, NA], [2, 4]],
            "y5": [1, 2, 3, 2, 5], "t5": [1, 2, 1.5, 2, 4], "g": [1, 1, 2, 3, 3],
        },
    ),
    "dloglik": (
        """model {
          for (i in 1:n) { dummy[i] <- 0
            dummy[i] ~ dloglik(L[i])
            L[i] <- log(rate) - rate * x[i] }
          rate ~ dgamma(2, 1)
        }""",
        "model { for (i in 1:n) { x[i] ~ dexp(rate) } rate ~ dgamma(2, 1) }",
        {"n": 4, "x": [0.5, 1.2, 3.0, 0.1]},
    ),
    "dgen.gamma": (
        """model { for (i in 1:n) { x[i] ~ dgen.gamma(r, mu, b) }
          r ~ dgamma(2, 1); mu ~ dgamma(2, 1); b ~ dgamma(2, 1) }""",
        None,
        {"n": 4, "x": [0.5, 1.2, 3.0, 0.1]},
    ),
    "dbetabin": (
        "model { for (i in 1:n) { x[i] ~ dbetabin(a, b, m[i]) } a ~ dexp(1); b ~ dexp(1) }",
        None,
        {"n": 3, "x": [3, 0, 6], "m": [10, 7, 6]},
    ),
    "df": (
        "model { for (i in 1:n) { x[i] ~ df(a, b) } a ~ dexp(1); b ~ dexp(1) }",
        None,
        {"n": 3, "x": [0.3, 1.5, 0.6]},
    ),
    "states_from_a_first": (
        """model {
          for (i in 1:n) {
            x[i, first[i]] <- 1
            for (t in (first[i] + 1):k) {
              mu.x[i, t] <- phi * x[i, t-1]; mu.y[i, t] <- p * x[i, t]
              x[i, t] ~ dbin(mu.x[i, t], 1); y[i, t] ~ dbin(mu.y[i, t], 1)
            }
          }
          phi ~ dunif(0, 1); p ~ dunif(0, 1)
        }""",
        None,
        {"n": 4, "k": 4, "first": [1, 2, 3, 4], "y": [[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1]]},
    ),
    "several_cuts": (
        """model { for (i in 1:n) { y[i] ~ dinterval(z[i], cut[]); z[i] ~ dnorm(a + b * x[i], 1) }
          cut[1] <- 0; cut[2] ~ dnorm(1, 1) T(0,)
          a ~ dnorm(0, 1); b ~ dnorm(0, 1) }""",
        """model {
          for (i in 1:n) { y1[i] ~ dcat(p[i, 1:3])
            p[i, 1] <- phi(0 - a - b * x[i])
            p[i, 2] <- phi(cut[2] - a - b * x[i]) - p[i, 1]
            p[i, 3] <- 1 - phi(cut[2] - a - b * x[i]) }
          cut[1] <- 0; cut[2] ~ dnorm(1, 1) T(0,)
          a ~ dnorm(0, 1); b ~ dnorm(0, 1) }""",
        {"n": 5, "y": [0, 1, 2, 1, 2], "y1": [1, 2, 3, 2, 3], "x": [0.1, 0.5, 1.4, -0.3, 0.6]},
    ),
    "classes_by_I": (
        """model { for (i in 1:n) { z[i] ~ dlogis(b * x[i], 1) I(low[y[i]], high[y[i]]) } b ~ dnorm(0, 1) }""",
        """model { for (i in 1:n) { one[i] ~ dbern(p[i])
            p[i] <- ilogit(high[y[i]] - b * x[i]) - ilogit(low[y[i]] - b * x[i]) } b ~ dnorm(0, 1) }""",
        {
            "n": 4, "y": [1, 2, 3, 2], "x": [0.1, 0.5, 1.4, -0.3], "low": [-50, -1, 1], "high": [-1, 1, 50],
            "one": [1, 1, 1, 1],
        },
    ),
    "means_that_recur": (
        """model {
          for (k in 1:s) { y[k] ~ dpois(exp(gamma[k])); gamma[k] ~ dnorm(mu[k], tau) }
          mu[1] <- 0; mu[2] <- gamma[1]
          for (k in 3:s) { mu[k] <- 2 * gamma[k-1] - gamma[k-2] }
          tau ~ dgamma(1, 1)
        }""",
        None,
        {"s": 5, "y": [1, 2, 4, 3, 6]},
    ),
    "an_event_of_a_definition": (
        """model {
          for (i in 1:n) { y[i] ~ dnorm(m[T[i]], 1); T[i] ~ dcat(p[]); second[i] <- T[i] == 2 }
          some ~ dinterval(total, 0)
          total <- sum(second[])
          p[1:2] ~ ddirch(a[]); m[1] ~ dnorm(0, 1); m[2] ~ dnorm(2, 1)
        }""",
        None,
        {"n": 4, "y": [0, 0.2, 3, 2.5], "some": 1, "a": [1, 1]},
    ),
}  # fmt: skip


def arrays_of(data: dict) -> dict[str, np.ndarray]:
    return {name: np.asarray(value, dtype=float) for name, value in data.items()}


def drawn_of(translation: Translation, found: Elaborated, values: dict, draw: int) -> dict:
    """Return the drawn nodes under their BUGS names, those that are seen in part as well."""
    drawn = of_program(translation, found, values, draw)
    seen = {name: value[draw] for name, value in values.items() if name in found.extents}
    return {name: value for name, value in seen.items() if name not in translation.sites} | drawn


@pytest.mark.parametrize("name", sorted(SAME))
def test_density_ratios_agree(name: str) -> None:
    program, plain, data = SAME[name]
    translation = translate(program, arrays_of(data), name="same")
    found = elaborate(fill_declared(parse_program(plain or program)), arrays_of(data), Mistakes())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values, ours = states_of(translation, warmup=40)  # by then binary states fit what was seen
        theirs = [log_joint(found, drawn_of(translation, found, values, k)) for k in range(len(ours))]
    assert np.ptp(ours) > 0
    np.testing.assert_allclose(ours - ours[0], np.array(theirs) - theirs[0], rtol=1e-8, atol=1e-6)


# --- maps ---------------------------------------------------------------------------------------------------

MAP = """model {
  for (i in 1:N) { y[i] ~ dnorm(a + b[i], 4) }
  b[1:N] ~ car.normal(adj[], weights[], num[], tau)
  for (k in 1:8) { weights[k] <- 1 }
  a ~ dflat(); tau ~ dgamma(1, 1)
}"""
ISLAND = {"N": 6, "y": [1, 2, 4, 3, 5, 2], "num": [2, 2, 2, 2, 0, 0], "adj": [2, 3, 1, 4, 1, 4, 2, 3]}


def penalty_of(data: dict) -> np.ndarray:
    weights = np.zeros((data["N"], data["N"]))
    neighbours = iter(data["adj"])
    for area, count in enumerate(data["num"]):
        for _ in range(count):
            weights[area, next(neighbours) - 1] = 1
    return np.diag(weights.sum(axis=1)) - weights


def test_a_map_has_the_density_of_the_intrinsic_autoregression() -> None:
    translation = translate(MAP, arrays_of(ISLAND), name="map")
    values, ours = states_of(translation)
    y, penalty = np.array(ISLAND["y"]), penalty_of(ISLAND)
    theirs = []
    for k in range(len(ours)):
        b = translation.data["b_basis"] @ values["b_free"][k]
        a, tau = values["a"][k], values["tau"][k]
        assert abs(b.sum()) < 1e-9
        assert (b[4:] == 0).all()
        smooth = 1.5 * np.log(tau) - tau / 2 * b @ penalty @ b  # of rank 3: four areas in a ring
        theirs.append(smooth + stats.norm.logpdf(y, a + b, 0.5).sum() + stats.gamma.logpdf(tau, 1))
    np.testing.assert_allclose(ours - ours[0], np.array(theirs) - theirs[0], rtol=1e-8, atol=1e-6)


def test_a_map_of_two_parts_has_a_level_between_them() -> None:
    weights = np.zeros((5, 5))
    weights[[0, 1, 2, 3, 3, 4], [1, 0, 3, 2, 4, 3]] = 1
    values, basis, null = decompose(weights)
    penalty = np.diag(weights.sum(axis=1)) - weights
    np.testing.assert_allclose(basis @ np.diag(values) @ basis.T, penalty, atol=1e-12)
    assert null.shape == (5, 1)
    np.testing.assert_allclose(penalty @ null, 0, atol=1e-12)
    np.testing.assert_allclose([*null.sum(axis=0), *basis.sum(axis=0)], 0, atol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num": [2, 2, 2, 1, 0, 0]}, "the lengths of adj, weights, num and the vector do not agree"),
        ({"adj": [2, 3, 1, 4, 1, 4, 2, 1]}, "the weights are not symmetric"),
        ({"adj": [2, 3, 1, 4, 1, 4, 2, 9]}, "a neighbour in adj is outside 1..6"),
    ],
)
def test_a_map_that_is_none_is_refused(change: dict, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        translate(MAP, arrays_of(ISLAND | change), name="map")


# --- vectors seen in part -----------------------------------------------------------------------------------

CAMEL = """model {
  for (i in 1:N) { Y[i, 1:2] ~ dmnorm(mu[], tau[,]) }
  mu[1] ~ dnorm(0, 1); mu[2] <- 0
  tau[1:2, 1:2] ~ dwish(R[,], 3)
}"""


def test_a_vector_seen_in_part_has_the_density_of_the_whole() -> None:
    rows = np.array([[1, 1], [1, -1], [2, NA], [NA, -2], [NA, 1]])
    translation = translate(CAMEL, {"N": np.array(5.0), "Y": rows, "R": np.eye(2)}, name="camel")
    values, ours = states_of(translation)
    theirs = []
    for k in range(len(ours)):
        whole = rows.copy()
        whole[2, 1] = values["Y_part2_missing2"][k][0]
        whole[3:, 0] = values["Y_part3_missing1"][k]
        mu, tau = values["mu_1"][k], values["tau"][k]
        seen = stats.multivariate_normal.logpdf(whole, [mu, 0], np.linalg.inv(tau)).sum()
        theirs.append(seen + stats.norm.logpdf(mu) + stats.wishart.logpdf(tau, 3, np.eye(2)))
    np.testing.assert_allclose(ours - ours[0], np.array(theirs) - theirs[0], rtol=1e-8, atol=1e-6)


# --- runs ---------------------------------------------------------------------------------------------------


def run_short(program: str, data: dict, tmp_path: object, draws: int = 20) -> deriver.Result:
    path = tmp_path / "short.bug"  # type: ignore[operator]
    path.write_text(program, encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return deriver.run(
            path, data, chains=2, warmup=20, draws=draws, seed=1, backend="numpy", progress=False
        )


def test_ranks_and_order_statistics_are_those_of_the_draws(tmp_path: object) -> None:
    program = """model {
      for (i in 1:4) { th[i] ~ dnorm(0, 1); y[i] ~ dnorm(th[i], 1); own[i] <- rank(th[], i) }
      all[1:4] <- rank(th[]); top <- ranked(th[], 4); up[1:4] <- sort(th[])
    }"""
    found = run_short(program, {"y": [1, 2, 0, 0.3]}, tmp_path).idata.posterior
    draws = found["th"].values
    ranks = stats.rankdata(draws, axis=-1)
    for name in ("own", "all"):
        np.testing.assert_array_equal(found[name].values, ranks)
    np.testing.assert_allclose(found["up"].values, np.sort(draws, axis=-1))
    np.testing.assert_allclose(found["top"].values, draws.max(axis=-1))


def test_a_missing_binomial_response_is_predicted(tmp_path: object) -> None:
    program = "model { for (i in 1:n) { y[i] ~ dbin(p, m[i]) } p ~ dunif(0, 1) }"
    data = {"n": 3, "y": [3, None, 5], "m": [6, 4, 9]}
    drawn = run_short(program, data, tmp_path).idata.posterior["y_missing"].values
    assert set(np.unique(drawn)) <= set(range(5))


def test_a_table_of_probabilities_is_checked_at_the_data() -> None:
    """Masks at random leave no probability for the grades of the bones; those of the data do."""
    read = deriver.bugs.read_program(program_of("bones"), data_of("bones"))
    job = Job(settings=Settings(chains=1, warmup=1, draws=1))
    observed = prepare_job(read.model, Arrays(origin="data", entries=read.data, shaped=True), job).observed
    derivation = deriver.derive(observed.model)
    rng = np.random.default_rng(1)
    state = observed_state(observed.model, observed.arrays, rng)
    assert check_node(derivation, derivation.conditionals[0], state, rng) is True
    with pytest.raises(KeyError):
        observed_state(observed.model, observed.arrays | {"gamma": np.full((34, 5), NA)}, rng)


def test_missing_responses_of_a_later_range_stay_in_their_places(tmp_path: object) -> None:
    """Means are offsets known to differ, so that an element read one place too early shows; the posterior is normal."""
    program = """model {
      for (i in 1:3) { for (t in 2:4) { y[i,t] ~ dnorm(a + m[i,t], 1) } }
      for (t in 3:4) { z[t] ~ dnorm(b + v[t], 1) }
      a ~ dnorm(0, 1); b ~ dnorm(0, 1)
    }"""
    m = np.arange(12.0).reshape(3, 4) ** 2
    y = m + 2
    y[:, 0] = y[0, 1] = y[2, 2] = NA
    data = {"m": m, "y": y, "v": [10, 20, 30, 40], "z": [NA, NA, 31.5, NA]}
    found = run_short(program, data, tmp_path, draws=1000).idata.posterior
    for name, mean, variance in (("a", 7 * 2 / 8, 1 / 8), ("b", 1.5 / 2, 1 / 2)):
        assert abs(float(found[name].mean()) - mean) < 4 * np.sqrt(variance / 2000)
