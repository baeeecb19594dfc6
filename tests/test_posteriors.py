"""Generated samplers against reference posteriors, and two ways in which a comparison must fail.

The references are computed by the scripts in ``benchmarks/references``, which share no code with the package: by
quadrature where that can be done, else by a long run of another system.  Seeds are fixed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from deriver.examples.demos import DEMOS
from deriver.pipeline import load_model, packaged_models, run
from deriver.running.binding import bind_data
from tests.posterior_checks import DATA, EXACT, POSTERIORS, PUBLISHED, discrepancies

SLEEP = DATA / "sleepstudy.csv"
RATS = DATA / "rats.csv"
OPTIONS = ("columns", "index", "values", "fix", "derived")
# Draws for each of four chains, by how slowly the slowest parameter mixes; nothing is thinned.
DRAWS = {
    "test:nile/state_space": 40_000,
    "test:rats/random_log_sd": 7_000,
    "demo:nile/state_space": 24_000,
    "demo:seizures/poisson": 2_800,
    "demo:sleepstudy/wishart": 6_000,
}
DEFAULT_DRAWS = 3_000


def settings() -> dict[str, dict]:
    """Every reference with the run that it is for: the test's own records, and the demos."""
    found = {f"test:{key}": record for key, record in POSTERIORS.items()}
    for demo in DEMOS:
        for each in demo.models:
            key = f"{demo.name}/{each.model}"
            found[f"demo:{key}"] = asdict(each) | {
                "data": demo.data,
                "parameters": PUBLISHED[key]["parameters"],
            }
    return found


SETTINGS = settings()


def sample(key: str, seed: int, **options):
    """Run the model of a record on its data."""
    record = SETTINGS[key]
    taken = {name: record[name] for name in OPTIONS if name in record}
    draws = DRAWS.get(key, DEFAULT_DRAWS)
    arguments = {"draws": draws, "seed": seed, "progress": False} | taken | options
    return run(load_model(record["model"]), DATA / record["data"], **arguments)


@pytest.mark.parametrize("key", SETTINGS)
def test_posterior_is_the_reference(key) -> None:
    posterior = sample(key, seed=11).idata.posterior
    assert discrepancies(posterior, SETTINGS[key]["parameters"]) == {}


def test_every_packaged_model_has_a_reference() -> None:
    assert {record["model"] for record in SETTINGS.values()} == set(packaged_models())


def test_slice_sampling_has_the_same_posterior() -> None:
    key = "demo:rats/all_random"
    posterior = sample(key, seed=12, methods={"rho": "slice"}).idata.posterior
    assert discrepancies(posterior, SETTINGS[key]["parameters"]) == {}


def test_another_prior_is_caught() -> None:
    """The comparison has the power to fail: one prior's scale is larger by half."""
    key = "test:sleepstudy/random_intercepts"
    values = SETTINGS[key]["values"] | {"r0": "1/3000"}
    found = discrepancies(sample(key, seed=13, values=values).idata.posterior, SETTINGS[key]["parameters"])
    assert "mean of sigma2_0" in found


# --- variances known: every effect of every individual ------------------------------------------------------


def run_known(model: str, data: Path, columns: dict, index: dict, fix: dict, values: dict, seed: int):
    """Run a model with its variances held at the known values of a record."""
    return run(
        load_model(model), data, columns=columns, index=index, fix=fix, values=values, draws=4000, seed=seed,
        progress=False,
    ).idata.posterior  # fmt: skip


@pytest.fixture(scope="module")
def random_intercepts():
    """Model A with both variances known: the posterior is exactly normal."""
    key = "sleepstudy/random_intercepts"
    known = EXACT[key]["known"]
    return run_known(
        "random_intercepts",
        SLEEP,
        columns={"y": "reaction", "x": "days"},
        index={"i": "subject"},
        fix={"sigma2": known["sigma2"], "sigma2_0": known["sigma2_0"]},
        values={name: known[name] for name in ("mu00", "sigma2_00", "mu1", "sigma2_1")},
        seed=1,
    )


def test_random_intercepts_with_known_variances(random_intercepts) -> None:
    assert discrepancies(random_intercepts, EXACT["sleepstudy/random_intercepts"]["parameters"]) == {}


def test_a_shift_of_a_fifth_of_an_sd_is_caught(random_intercepts) -> None:
    """The comparison has the power to fail."""
    shifted = random_intercepts.copy(deep=True)
    reference = EXACT["sleepstudy/random_intercepts"]["parameters"]["beta1"]
    shifted["beta1"] = shifted["beta1"] + 0.2 * reference["sd"]
    assert "mean of beta1" in discrepancies(shifted, {"beta1": reference})


def test_random_slopes_with_known_variances() -> None:
    key = "sleepstudy/random_slopes"
    known = EXACT[key]["known"]
    posterior = run_known(
        "random_slopes",
        SLEEP,
        columns={"y": "reaction", "x": "days"},
        index={"i": "subject"},
        fix={"sigma2": known["sigma2"], "sigma2_1": known["sigma2_1"]},
        values={
            "mu10": known["mu10"], "sigma2_10": known["sigma2_10"], "m0": known["mu0"], "v0": known["sigma2_0"],
        },
        seed=2,
    )  # fmt: skip
    assert discrepancies(posterior, EXACT[key]["parameters"]) == {}


def test_wishart_with_known_variances() -> None:
    key = "rats/correlated_effects"
    known = EXACT[key]["known"]
    precision = np.linalg.inv(known["Sigma"])
    posterior = run_known(
        "wishart",
        RATS,
        columns={"y": "weight", "x": "[1, day - 22]"},
        index={"i": "rat"},
        fix={"sigma2": known["sigma2"], "Q": matrix_text(precision)},
        values={"mu0": known["mu0"], "Sigma0": known["Sigma0"]},
        seed=3,
    )
    assert discrepancies(posterior, EXACT[key]["parameters"]) == {}


def matrix_text(matrix: np.ndarray) -> str:
    """Return a matrix as the language writes it: ``[a, b; c, d]``."""
    return "[" + "; ".join(", ".join(repr(float(value)) for value in row) for row in matrix) + "]"


# --- the generated file by itself ---------------------------------------------------------------------------

ALONE = """
import importlib.metadata, importlib.util, json, sys
folder = sys.argv[1]
refused = {"deriver", *importlib.metadata.packages_distributions()} - {"numpy", "scipy"}
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in refused:
            raise ModuleNotFoundError(f"{name} is kept out")
sys.meta_path.insert(0, Refuse())
import numpy as np
spec = importlib.util.spec_from_file_location("sampler", folder + "/sampler.py")
sampler = sys.modules["sampler"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sampler)
arrays = dict(np.load(folder + "/arrays.npz"))
draws = sampler.sample(sampler.prepare(arrays), draws=50, warmup=50, chains=2, seed=4)
np.savez(folder + "/draws.npz", **{name: value for name, value in draws.items() if name in sampler.State.__annotations__})
print(json.dumps(sorted(refused)))
"""


@pytest.mark.parametrize(
    "key", ["test:rats/varying_variance", "test:nile/state_space", "demo:seizures/poisson"]
)
def test_the_generated_file_runs_alone(key, tmp_path) -> None:
    """With NumPy and SciPy only, it draws what the package draws from the same seed."""
    result = sample(key, seed=4, draws=50, warmup=50, chains=2)
    record = SETTINGS[key]
    binding = bind_data(
        result.model, DATA / record["data"],
        columns=record["columns"], index=record["index"], values=record["values"],
    )  # fmt: skip
    (tmp_path / "sampler.py").write_text(result.source, encoding="utf-8")
    np.savez(tmp_path / "arrays.npz", **binding.arrays)
    command = [sys.executable, "-I", "-c", ALONE, str(tmp_path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {"deriver", "sympy", "arviz", "pandas", "jinja2"} <= set(json.loads(done.stdout))
    draws = np.load(tmp_path / "draws.npz")
    assert draws.files
    for name in draws.files:
        np.testing.assert_array_equal(draws[name], result.idata.posterior[name].to_numpy())
