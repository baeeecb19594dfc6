"""Programs in the ways of JAGS and of books on capture and recapture: whole arrays, products, states known in part."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from deriver.bugs import starts_of, translate
from deriver.errors import ModelError
from tests.bugs.test_constructs import draws_of
from tests.bugs.test_elements import check_density_ratios
from tests.bugs.test_volumes import arrays_of

NA = float("nan")

SAME = {
    "arrays_without_subscripts": (
        """model {
          mu <- a + b * x
          for (i in 1:length(y)) { y[i] ~ dnorm(mu[i], tau) }
          gap <- (y - mu) / 2
          seen ~ dnorm(sum(gap^2), 1)
          a ~ dnorm(0, 1); b ~ dnorm(0, 1); tau ~ dgamma(2, 1)
        }""",
        """model {
          for (i in 1:3) { y[i] ~ dnorm(mu[i], tau); mu[i] <- a + b * x[i]; gap[i] <- pow((y[i] - mu[i]) / 2, 2) }
          seen ~ dnorm(sum(gap[]), 1)
          a ~ dnorm(0, 1); b ~ dnorm(0, 1); tau ~ dgamma(2, 1)
        }""",
        {"y": [1, 2, 0.5], "x": [0, 1, 0.3], "seen": 1},
    ),
    "vectors_without_subscripts": (
        """model {
          y ~ dmulti(p, 9); p ~ ddirch(alpha)
          for (i in 1:3) { z[i,1:2] ~ dmnorm(mu, Omega) }
          mu ~ dmnorm(m0, P0); Omega ~ dwish(R, 3); S <- inverse(Omega); seen ~ dnorm(S[1,2], 1)
        }""",
        """model {
          y[1:3] ~ dmulti(p[], 9); p[1:3] ~ ddirch(alpha[])
          for (i in 1:3) { z[i,1:2] ~ dmnorm(mu[], Omega[,]) }
          mu[1:2] ~ dmnorm(m0[], P0[,]); Omega[1:2,1:2] ~ dwish(R[,], 3)
          S[1:2,1:2] <- inverse(Omega[,]); seen ~ dnorm(S[1,2], 1)
        }""",
        {
            "y": [2, 3, 4], "alpha": [1, 2, 1], "z": [[1, 2], [0, 1], [2, 0]], "m0": [0, 1], "P0": np.eye(2), "R": np.eye(2),
            "seen": 0.5,
        },
    ),
    "operations_on_parts": (
        """model {
          for (i in 1:n) { y[i] ~ dnorm(sum(b[1:2] * x[i,1:2]), 1) }
          b[1:2] <- z[2,1:2] / s[1:2] * k
          for (j in 1:2) { z[1,j] ~ dnorm(0, 1); z[2,j] ~ dnorm(1, 1) }
          k ~ dgamma(2, 1)
        }""",
        """model {
          for (i in 1:n) { y[i] ~ dnorm(k * (z[2,1] / s[1] * x[i,1] + z[2,2] / s[2] * x[i,2]), 1) }
          for (j in 1:2) { z[1,j] ~ dnorm(0, 1); z[2,j] ~ dnorm(1, 1) }
          k ~ dgamma(2, 1)
        }""",
        {"n": 3, "y": [1, 2, 0.5], "x": [[0, 1], [1, 1], [0.5, -1]], "s": [1, 2]},
    ),
    "products_of_changing_length": (
        """model {
          for (t in 1:3) { m[t,1:4] ~ dmulti(pr[t,], r[t])
            q[t] <- 1 - p[t]; pr[t,t] <- phi[t] * p[t]
            for (j in (t+1):3) { pr[t,j] <- prod(phi[t:j]) * prod(q[t:(j-1)]) * p[j] }
            for (j in 1:(t-1)) { pr[t,j] <- 0 }
            pr[t,4] <- 1 - sum(pr[t,1:3])
            phi[t] ~ dbeta(2, 2); p[t] ~ dbeta(2, 3) }
        }""",
        None,
        {"m": [[3, 2, 1, 4], [0, 4, 2, 4], [0, 0, 5, 5]], "r": [10, 10, 10]},
    ),
    "states_by_products_of_states": (
        """model {
          for (i in 1:n) {
            z[i,1] ~ dbern(g[1])
            for (t in 2:3) { q[i,t-1] <- 1 - z[i,t-1]
              mu[i,t] <- phi * z[i,t-1] + g[t] * prod(q[i,1:(t-1)]); z[i,t] ~ dbern(mu[i,t]) }
            for (t in 1:3) { pr[i,t] <- z[i,t] * p; y[i,t] ~ dbern(pr[i,t]) }
          }
          phi ~ dbeta(2, 2); p ~ dbeta(2, 2)
          for (t in 1:3) { g[t] ~ dbeta(1, 2) }
        }""",
        None,
        {"n": 3, "y": [[0, 1, 0], [1, 0, 1], [0, 0, 0]]},
    ),
    "thresholds_of_which_some_are_data": (
        """model {
          for (i in 1:n) { y[i] ~ dbin(p[i], 9); p[i] <- phi(cut[k[i]] - a) }
          for (j in 2:3) { cut[j] ~ dnorm(j, 4) }
          a ~ dnorm(0, 1)
        }""",
        """model {
          for (i in 1:n) { y[i] ~ dbin(p[i], 9); p[i] <- phi(c0[k[i]] + is2[i] * cut[2] + is3[i] * cut[3] - a) }
          for (j in 2:3) { cut[j] ~ dnorm(j, 4) }
          a ~ dnorm(0, 1)
        }""",
        {
            "n": 4, "y": [2, 4, 6, 8], "k": [1, 2, 3, 4], "cut": [0.5, NA, NA, 3.5], "c0": [0.5, 0, 0, 3.5],
            "is2": [0, 1, 0, 0], "is3": [0, 0, 1, 0],
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(SAME))
def test_density_ratios_agree(name: str) -> None:
    program, plain, data = SAME[name]
    check_density_ratios(program, plain, data)


def test_states_by_products_are_drawn_by_their_probabilities(tmp_path: Path) -> None:
    """Against the sum over all histories: an update that took a log of 0 times 0 for impossible kept a state at 0."""
    program = """model {
      z[1] ~ dbern(0.6)
      for (t in 2:3) { q[t-1] <- 1 - z[t-1]; mu[t] <- 0.7 * z[t-1] + 0.5 * prod(q[1:(t-1)]); z[t] ~ dbern(mu[t]) }
      for (t in 1:3) { y[t] ~ dnorm(z[t], 1) }
    }"""
    y = np.array([0.8, 0.3, 0.1])
    drawn = draws_of(program, {"y": y}, tmp_path, draws=400)
    total, shares = 0.0, np.zeros(3)
    for z in itertools.product((0, 1), repeat=3):
        chances = [0.6, 0.7 * z[0] + 0.5 * (1 - z[0]), 0.7 * z[1] + 0.5 * (1 - z[0]) * (1 - z[1])]
        weight = np.prod([p if each else 1 - p for p, each in zip(chances, z, strict=True)])
        weight *= np.exp(stats.norm.logpdf(y, z).sum())
        total, shares = total + weight, shares + weight * np.array(z)
    found = [float(drawn[f"z[{t}]"].mean()) for t in (1, 2, 3)]
    np.testing.assert_allclose(found, shares / total, atol=0.02)


def test_probabilities_of_several_rows_by_masks(tmp_path: Path) -> None:
    """Against a grid over p: a sum of pieces that no row has, 1 - p - q, has no log where it is below 0."""
    program = """model {
      for (i in 1:n) {
        z[i] ~ dbern(0.7)
        pr[i,1] <- z[i] * p; pr[i,2] <- z[i] * p * 0.9; pr[i,3] <- z[i] * (1 - p)
        for (j in 1:3) { seen[i,j] <- pr[i,j] * 0.9; y[i,j] ~ dbern(seen[i,j]) }
      }
      p ~ dunif(0, 1)
    }"""
    y = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [1, 1, 1]])
    drawn = draws_of(program, {"n": 4, "y": y}, tmp_path, draws=200)
    grid = np.linspace(0.0005, 0.9995, 1000)
    chances = 0.9 * np.stack([grid, 0.9 * grid, 1 - grid])
    rows = np.prod(np.where(y[:, :, None] == 1, chances, 1 - chances), axis=1)
    weight = np.prod(0.7 * rows + 0.3 * (y.sum(axis=1) == 0)[:, None], axis=0)
    mean = (weight * grid).sum() / weight.sum()
    assert float(drawn["p"].mean()) == pytest.approx(mean, abs=0.01)


def test_a_covariate_between_bounds_of_which_some_are_missing(tmp_path: Path) -> None:
    """I(,) on what others depend on: the missing one is drawn between the bounds, against a grid."""
    program = """model {
      for (i in 1:3) { x[i] ~ dnorm(m, 1) I(0, 2); y[i] ~ dnorm(x[i], 4) }
      m ~ dnorm(0, 1)
    }"""
    drawn = draws_of(program, {"x": [1.5, 0.2, NA], "y": [1, 0, -0.5]}, tmp_path, draws=300)
    m, x = np.meshgrid(np.linspace(-5, 5, 1001), np.linspace(0, 2, 801), indexing="ij")
    weight = stats.norm.pdf(m) * stats.norm.pdf(1.5, m) * stats.norm.pdf(0.2, m) * stats.norm.pdf(x, m)
    weight *= stats.norm.pdf(-0.5, x, 0.5)
    missing = drawn["x_missing"]
    assert (missing > 0).all() and (missing < 2).all()
    for found, values in ((missing, x), (drawn["m"], m)):
        assert float(found.mean()) == pytest.approx((weight * values).sum() / weight.sum(), abs=0.03)


GROWTH = """model {
  N[1] ~ dunif(1, 5)
  r[1] ~ dnorm(1, 4)
  STEP
  for (t in 1:2) { y[t] ~ dnorm(N[t], 1) }
}"""
STEPS = {
    "a_product": ("N[2] <- N[1] * r[1]", lambda n, r: n * r),
    "a_product_beside_more": ("N[2] <- 1 - N[1] * r[1]", lambda n, r: 1 - n * r),
    "an_exponential": ("N[2] <- N[1] * exp(r[1])", lambda n, r: n * np.exp(r)),
    "a_log_of_the_state": ("log(N[2]) <- log(N[1]) - r[1]", lambda n, r: n * np.exp(-r)),
}


@pytest.mark.parametrize("name", sorted(STEPS))
def test_increments_that_multiply(name: str, tmp_path: Path) -> None:
    """Against a grid over the first state and the increment, in which the program is written."""
    step, move = STEPS[name]
    drawn = draws_of(GROWTH.replace("STEP", step), {"y": [2.0, 3.0]}, tmp_path, draws=400)
    first, rate = np.meshgrid(np.linspace(1, 5, 401), np.linspace(-2, 4, 1201), indexing="ij")
    weight = stats.norm.pdf(rate, 1, 0.5) * stats.norm.pdf(2, first) * stats.norm.pdf(3, move(first, rate))
    state = drawn["N"] if "N" in drawn else np.stack([drawn["N[1]"], drawn["N[2]"]], axis=-1)
    increment = drawn["r"] if "r" in drawn else drawn["r[1]"]
    expected = [(weight * each).sum() / weight.sum() for each in (first, move(first, rate), rate)]
    found = [state[..., 0].mean(), state[..., 1].mean(), increment.mean()]
    np.testing.assert_allclose(found, expected, atol=0.04)


STATES = """model {
  for (i in 1:n) {
    z[i,f[i]] <- 1
    for (t in (f[i]+1):3) { z[i,t] ~ dbern(phi * z[i,t-1]); y[i,t] ~ dbern(p * z[i,t]) }
  }
  phi ~ dbeta(2, 2); p ~ dbeta(2, 2)
}"""
SEEN = {"n": 3, "f": [1, 1, 2], "y": [[1, 0, 1], [1, 0, 0], [NA, 1, 0]]}


def test_states_of_which_some_are_data() -> None:
    """States that are known are data, missing at the first one, which the program defines; as all of them unseen."""
    data = arrays_of(SEEN)
    known = np.array([[NA, 1, 1], [NA, NA, NA], [NA, NA, NA]])
    found = translate(STATES, {**data, "z": known}, name="states")
    np.testing.assert_array_equal(found.data["z"], [[1, 1, 1], [1, NA, NA], [1, 1, NA]])
    check_density_ratios(STATES, None, {**data, "z": known})


def test_a_value_in_the_data_and_another_by_definition() -> None:
    program = "model { a <- 2; y ~ dnorm(a + b, 1); b ~ dnorm(0, 1) }"
    assert translate(program, arrays_of({"a": NA, "y": 1}), name="one").data["a"] == 2
    with pytest.raises(ModelError, match="`a` is defined here, and is among the data"):
        translate(program, arrays_of({"a": 3, "y": 1}), name="one")
    with pytest.raises(ModelError, match="`b` is defined here, and is among the data"):
        translate("model { b <- 2 * c; c ~ dnorm(0, 1); y ~ dnorm(b, 1) }", arrays_of({"b": 1, "y": 1}))


def test_inits_of_a_part_of_a_node() -> None:
    program = """model { N[1] ~ dunif(0, 90); for (t in 2:4) { N[t] ~ dnorm(N[t-1], 1) }
      for (t in 1:4) { y[t] ~ dnorm(N[t], 1) } }"""
    translation = translate(program, arrays_of({"y": [30, 31, 32, 33]}), name="walk")
    found = starts_of(translation, arrays_of({"N": [30, NA, 35, NA]}))
    assert found["N"].tolist() == [30, 30, 35, 35]
    assert starts_of(translation, arrays_of({"N": [NA, 1, 1, 1]})) == {}


def test_elements_of_arrays_that_are_taken_apart_have_their_own_names() -> None:
    program, _, data = SAME["states_by_products_of_states"]
    translation = translate(program, arrays_of(data), name="states")
    assert translation.names["z_2"] == "z[,2]"
    starts = starts_of(translation, {"z": np.array([[1, 1, 0], [1, 1, 1], [0, 0, 0]])})
    assert starts["z_2"].tolist() == [1, 1, 0] and starts["z_3"].tolist() == [0, 1, 0]
