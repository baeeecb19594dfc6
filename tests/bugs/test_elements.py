"""Programs whose definitions are taken apart, or written out, before they are translated: the joint density stays theirs."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import gammaln

import deriver
from deriver.bugs import translate
from deriver.bugs.elaborate import elaborate
from deriver.bugs.parser import parse_program
from deriver.errors import ModelError
from deriver.language.mistakes import Mistakes
from tests.bugs.log_joint import log_joint
from tests.bugs.test_constructs import draws_of
from tests.bugs.test_log_joint import states_of
from tests.bugs.test_volumes import arrays_of, drawn_of

# A program, one that says the same in plain words (none where it is plain to the second opinion), and data.
SAME = {
    "a_vector_step_by_step": (
        """model {
          p[1,1] <- 1; p[1,2] <- 0
          for (t in 2:n) {
            L[t,1,1] <- 1 - a * x[t]; L[t,1,2] <- a * x[t]; L[t,2,1] <- 0; L[t,2,2] <- 1
            for (s in 1:2) { p[t,s] <- inprod(p[t-1,], L[t,,s]) }
          }
          for (t in 2:n) { y[t] ~ dbin(p[t,2], 10) }
          a ~ dbeta(2, 5)
        }""",
        None,
        {"n": 4, "x": [0, 0.5, 0.9, 0.3], "y": [float("nan"), 2, 5, 6]},
    ),
    "sticks_that_are_drawn": (
        """model {
          for (i in 1:n) { y[i] ~ dpois(th[S[i]]); S[i] ~ dcat(pi[]) }
          p[1] <- r[1]
          for (j in 2:3) { p[j] <- r[j] * (1 - r[j-1]) * p[j-1] / r[j-1] }
          for (j in 1:3) { th[j] ~ dgamma(2, 1); r[j] ~ dbeta(1, 2); pi[j] <- p[j] / sum(p[]) }
        }""",
        None,
        {"n": 4, "y": [0, 1, 4, 7]},
    ),
    "a_triangle_of_probabilities": (
        """model {
          for (i in 1:2) { m[i,1:3] ~ dmulti(p[i,], n[i])
            p[i,i] <- q[i]
            for (j in (i+1):2) { log(p[i,j]) <- sum(l[i:(j-1)]) + log(q[j]) }
            for (j in 1:(i-1)) { p[i,j] <- 0 }
            p[i,3] <- 1 - sum(p[i,1:2])
            l[i] <- log(1 - q[i]); q[i] ~ dbeta(2, 3) }
        }""",
        None,
        {"m": [[3, 2, 5], [0, 4, 6]], "n": [10, 10]},
    ),
    "densities_of_numbers": (
        """model {
          for (i in 1:n) { one[i] ~ dbern(p[i]); p[i] <- dnorm(y[i], m, 1) / 10
            two[i] ~ dbern(pnorm(y[i], m, 2)) }
          m ~ dnorm(0, 1)
        }""",
        """model {
          for (i in 1:n) { one[i] ~ dbern(p[i]); p[i] <- exp(-pow(y[i] - m, 2) / 2) / sqrt(2 * 3.141592653589793) / 10
            two[i] ~ dbern(phi((y[i] - m) * sqrt(2))) }
          m ~ dnorm(0, 1)
        }""",
        {"n": 3, "y": [1, 2, 0.5], "one": [1, 1, 1], "two": [1, 1, 1]},
    ),
    "a_line_between_knots": (
        """model {
          for (i in 1:n) { y[i] ~ dnorm(mu[i], 4); mu[i] <- interp.lin(x[i], at[], height[]); x[i] ~ dnorm(4, 0.04) }
        }""",
        None,
        {"n": 4, "y": [1, 2, 3, 2.5], "at": [0, 2, 5, 7], "height": [-1, 1, 4, 3]},
    ),
    "an_autoregression_on_a_map": (
        """model {
          for (i in 1:N) { y[i] ~ dpois(exp(S[i])); mu[i] <- a }
          S[1:N] ~ car.proper(mu[], C[], adj[], num[], M[], tau, g)
          lo <- min.bound(C[], adj[], num[], M[]); hi <- max.bound(C[], adj[], num[], M[])
          g ~ dunif(lo, hi); a ~ dnorm(0, 1); tau ~ dgamma(2, 1)
        }""",
        """model {
          for (i in 1:N) { y[i] ~ dpois(exp(S[i])); mu[i] <- a }
          S[1:N] ~ dmnorm(mu[], Q[,])
          for (i in 1:N) { for (j in 1:N) { Q[i,j] <- tau * (D[i,j] - g * W[i,j]) } }
          g ~ dunif(-1.4142, 1); a ~ dnorm(0, 1); tau ~ dgamma(2, 1)
        }""",
        {
            "N": 3, "y": [1, 3, 2], "num": [1, 2, 1], "adj": [2, 1, 3, 2], "C": [1, 0.5, 0.5, 1], "M": [1, 0.5, 1],
            "W": [[0, 1, 0], [1, 0, 1], [0, 1, 0]], "D": [[1, 0, 0], [0, 2, 0], [0, 0, 1]],
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(SAME))
def test_density_ratios_agree(name: str) -> None:
    check_density_ratios(*SAME[name])


def check_density_ratios(program: str, plain: str | None, data: Mapping[str, Any]) -> None:
    """Check the joint density of a translation against that of the program, at states of a short run."""
    translation = translate(program, arrays_of(data), name="same")
    found = elaborate(parse_program(plain or program), arrays_of(data), Mistakes())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values, ours = states_of(translation, warmup=40)
        theirs = []
        for k in range(len(ours)):
            if "S_free" in values:  # the coordinates of a map, which the program does not name
                drawn = {name: values[name][k] for name in ("a", "g", "tau")}
                drawn["S"] = drawn["a"] + translation.data["S_basis"] @ values["S_free"][k]
            else:
                drawn = drawn_of(translation, found, values, k)
            theirs.append(log_joint(found, drawn))
    assert np.ptp(ours) > 0
    np.testing.assert_allclose(ours - ours[0], np.array(theirs) - theirs[0], rtol=1e-8, atol=1e-6)


# --- vectors of which a part is fixed -----------------------------------------------------------------------

GRADES = """model {
  for (i in 1:n) { z[i] ~ dcat(p[]); y[i,1:3] ~ dmulti(e[z[i],], m[i]) }
  PRIORS
  p[1:3] ~ ddirch(a[3,])
}"""
BY_ZEROS = "for (k in 1:3) { e[k,1:3] ~ ddirch(a[k,]) }"
BY_PARTS = """e[1,1] <- 1; e[1,2] <- 0; e[1,3] <- 0; e[2,3] <- 0
  e[2,1:2] ~ ddirch(a[2,1:2]); e[3,1:3] ~ ddirch(a[3,1:3])"""
SEEN = {
    "n": 3,
    "m": [2, 3, 2],
    "a": [[1, 0, 0], [1, 1, 0], [1, 1, 1]],
    "y": [[2, 0, 0], [2, 1, 0], [1, 0, 1]],
}


def log_of_rows(y: np.ndarray) -> float:
    """Return the log probability of counts of a row, its uniform vector integrated out."""
    return float(gammaln(len(y)) - gammaln(len(y) + y.sum()) + gammaln(1 + y).sum())


@pytest.mark.parametrize("priors", [BY_ZEROS, BY_PARTS])
def test_components_that_are_fixed(priors: str, tmp_path: Path) -> None:
    """Against the sum over all labels: a label whose vector has a zero where something was seen is impossible."""
    drawn = draws_of(GRADES.replace("PRIORS", priors), SEEN, tmp_path, draws=600)
    y = np.array(SEEN["y"])
    shares, total = np.zeros((3, 3)), 0.0
    for z in itertools.product(range(3), repeat=3):
        if any(y[i, z[i] + 1 :].any() for i in range(3)):
            continue
        labels = np.bincount(z, minlength=3)
        rows = sum(log_of_rows(y[np.array(z) == k, : k + 1].sum(axis=0)) for k in range(3))
        weight = np.exp(gammaln(1 + labels).sum() + rows)
        shares[range(3), z] += weight
        total += weight
    found = np.array([[(drawn["z"][..., i] == k + 1).mean() for k in range(3)] for i in range(3)])
    np.testing.assert_allclose(found, shares / total, atol=0.04)
    assert found[2, 0] == found[2, 1] == 0


# --- bounds ------------------------------------------------------------------------------------------------


def test_bounds_that_are_drawn_order_their_nodes(tmp_path: Path) -> None:
    """I(,) between nodes: their normal densities where they are in order, against a grid."""
    program = """model {
      for (i in 1:2) { y[i] ~ dnorm(m[i], 1) }
      m[1] ~ dnorm(0, 0.5) I(, m[2]); m[2] ~ dnorm(0, 0.5) I(m[1], )
    }"""
    drawn = draws_of(program, {"y": [1.0, 0.2]}, tmp_path, draws=400)["m"]
    grid = np.linspace(-6, 6, 801)
    parts = [stats.norm.pdf(grid, 0, 2**0.5) * stats.norm.pdf(value, grid, 1) for value in (1.0, 0.2)]
    weight = parts[0][:, None] * parts[1] * (grid[:, None] < grid)
    expected = [(weight.sum(axis=1 - k) * grid).sum() / weight.sum() for k in range(2)]
    np.testing.assert_allclose(drawn.mean((0, 1)), expected, atol=0.05)
    assert (drawn[..., 0] < drawn[..., 1]).all()


# --- draws --------------------------------------------------------------------------------------------------


def test_a_multivariate_t_is_a_mixture(tmp_path: Path) -> None:
    program = "model { for (i in 1:n) { y[i,1:2] ~ dmt(mu[], Q[,], 4) } mu[1] ~ dnorm(0, 1); mu[2] <- 0 }"
    y, precision = np.array([[1, 2], [2, 1], [1.4, 1.1], [6, 3]]), np.array([[2, 0.5], [0.5, 1]])
    drawn = draws_of(program, {"n": 4, "y": y, "Q": precision}, tmp_path)
    grid = np.linspace(-5, 6, 2201)
    cov = np.linalg.inv(precision)
    logs = stats.norm.logpdf(grid)
    logs = logs + [stats.multivariate_t.logpdf(y, [m, 0], cov, 4).sum() for m in grid]
    weight = np.exp(logs - logs.max())
    mean = (weight * grid).sum() / weight.sum()
    assert float(drawn["mu_1" if "mu_1" in drawn else "mu[1]"].mean()) == pytest.approx(mean, abs=0.03)


def test_functions_of_a_node_and_of_an_array(tmp_path: Path) -> None:
    program = """model {
      for (i in 1:n) { y[i] ~ dnorm(mu[i], 1); mu[i] ~ dnorm(0, 1)
        below[i] <- cumulative(y[i], y[i]); fit[i] <- deviance(y[i], y[i]); again[i] <- replicate.post(y[i]) }
      spread <- sd(mu[])
    }"""
    y = np.array([1.0, 2.0, 0.5])
    drawn = draws_of(program, {"n": 3, "y": y}, tmp_path, draws=100)
    mu = drawn["mu"]
    np.testing.assert_allclose(drawn["below"], stats.norm.cdf(y - mu))
    np.testing.assert_allclose(drawn["fit"], -2 * stats.norm.logpdf(y, mu))
    np.testing.assert_allclose(drawn["spread"], mu.std(axis=-1, ddof=1))
    assert float((drawn["again"] - mu).std()) == pytest.approx(1, abs=0.05)


# --- what is told -------------------------------------------------------------------------------------------


def test_a_program_that_computes_everything_tells_the_values(tmp_path: Path) -> None:
    (tmp_path / "plain.bug").write_text(
        "model { x[1] <- 1; for (t in 2:3) { x[t] <- 2 * x[t-1] } s <- sum(x[]) }"
    )
    with pytest.raises(ModelError, match="nothing here is random") as error:
        deriver.run(tmp_path / "plain.bug", {}, progress=False)
    assert "x = [1, 2, 4]" in str(error.value) and "s = 7" in str(error.value)


def test_a_map_of_several_is_normal_by_coordinates() -> None:
    program = """model {
      for (k in 1:2) { for (i in 1:N) { y[k,i] ~ dnorm(S[k,i], 4) } }
      S[1:2,1:N] ~ mv.car(adj[], weights[], num[], Q[,])
      for (k in 1:4) { weights[k] <- 1 }
      Q[1:2,1:2] ~ dwish(R[,], 3)
    }"""
    data = {"N": 3, "y": [[1, 2, 0], [0, 1, 1]], "num": [1, 2, 1], "adj": [2, 1, 3, 2], "R": np.eye(2)}
    translation = translate(program, arrays_of(data), name="maps")
    values, ours = states_of(translation)
    penalty = np.array([[1, -1, 0], [-1, 2, -1], [0, -1, 1]])
    theirs = []
    for k in range(len(ours)):
        maps = (translation.data["S_basis"] @ values["S_free"][k]).T
        q = values["Q"][k]
        assert np.abs(maps.sum(axis=1)).max() < 1e-9
        smooth = np.log(np.linalg.det(q)) - np.trace(q @ maps @ penalty @ maps.T) / 2  # of rank 2
        seen = stats.norm.logpdf(np.array(data["y"]), maps, 0.5).sum()
        theirs.append(smooth + seen + stats.wishart.logpdf(q, 3, np.eye(2)))
    np.testing.assert_allclose(ours - ours[0], np.array(theirs) - theirs[0], rtol=1e-8, atol=1e-6)
