"""Generated samplers against exact posteriors, and one way in which each comparison can fail."""

from __future__ import annotations

import numpy as np
import pytest

from deriver.pipeline import load_model, run
from tests.posterior_checks import DATA, EXACT, PUBLISHED, discrepancies

SLEEP = DATA / "sleepstudy.csv"
RATS = DATA / "rats.csv"
NILE = DATA / "nile.csv"


def values_of(key: str, *names: str) -> dict[str, float]:
    known = EXACT[key]["known"]
    return {name: known[name] for name in names}


@pytest.fixture(scope="module")
def random_intercepts():
    """Model A with both variances known: the posterior is exactly normal."""
    key = "sleepstudy/random_intercepts"
    known = EXACT[key]["known"]
    return run(
        load_model("random_intercepts"),
        SLEEP,
        columns={"y": "reaction", "x": "days"},
        index={"i": "subject"},
        fix={"sigma2": known["sigma2"], "sigma2_0": known["sigma2_0"]},
        values={"mu00": known["mu00"], "sigma2_00": known["sigma2_00"], "mu1": 0.0, "sigma2_1": 100.0},
        draws=4000,
        seed=1,
        progress=False,
    ).idata.posterior


def test_random_intercepts_with_known_variances(random_intercepts) -> None:
    assert discrepancies(random_intercepts, EXACT["sleepstudy/random_intercepts"]["parameters"]) == {}


def test_a_shift_of_a_tenth_of_an_sd_is_caught(random_intercepts) -> None:
    """The comparison has the power to fail."""
    shifted = random_intercepts.copy(deep=True)
    sd = EXACT["sleepstudy/random_intercepts"]["parameters"]["beta1"]["sd"]
    shifted["beta1"] = shifted["beta1"] + 0.2 * sd
    assert discrepancies(shifted, {"beta1": EXACT["sleepstudy/random_intercepts"]["parameters"]["beta1"]})


def test_random_slopes_with_known_variances() -> None:
    key = "sleepstudy/random_slopes"
    known = EXACT[key]["known"]
    result = run(
        load_model("random_slopes"),
        SLEEP,
        columns={"y": "reaction", "x": "days"},
        index={"i": "subject"},
        fix={"sigma2": known["sigma2"], "sigma2_1": known["sigma2_1"]},
        values={"mu10": 0.0, "sigma2_10": 100.0, "m0": known["mu0"], "v0": known["sigma2_0"]},
        draws=4000,
        seed=2,
        progress=False,
    )
    assert discrepancies(result.idata.posterior, EXACT[key]["parameters"]) == {}


def test_wishart_with_known_variances() -> None:
    key = "rats/correlated_effects"
    known = EXACT[key]["known"]
    result = run(
        load_model("wishart"),
        RATS,
        columns={"y": "weight", "x": "[1, day - 22]"},
        index={"i": "rat"},
        fix={"sigma2": known["sigma2"], "Q": np.linalg.inv(known["Sigma"]).tolist()},
        values={"mu0": known["mu0"], "Sigma0": known["Sigma0"]},
        draws=4000,
        seed=3,
        progress=False,
    )
    assert discrepancies(result.idata.posterior, EXACT[key]["parameters"]) == {}
