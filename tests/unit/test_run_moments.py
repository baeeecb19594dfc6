"""Fields kept as moments: their numbers, what is kept of what, and memory foreseen."""

from __future__ import annotations

import os
import signal
import warnings
from pathlib import Path
from typing import Any

import arviz
import numpy as np
import pytest

import deriver
from deriver import cli
from deriver.errors import UsageError
from deriver.running import retention
from deriver.running.mixing import r_hat_of_moments
from deriver.running.moments import Accumulator, FieldMoments, Watcher
from deriver.running.results import Result

TEXT = """model groups
plates
  i = 1..n
  k = 1..K
given
  g : k -> i
data
  y[k] ~ N(beta[g[k]], sigma2)
process
  beta[i] ~ N(mu, tau2)
parameters
  mu ~ N(0, 100)
  tau2 ~ IG(2, 1)
  sigma2 ~ IG(2, 1)
"""
MODEL = deriver.parse_model(TEXT)


def data(missing: bool = False) -> dict[str, list[Any]]:
    """Return 40 responses of ten groups."""
    rng = np.random.default_rng(4)
    group = np.repeat(np.arange(10), 4)
    y = rng.normal(group * 0.3, 0.5)
    if missing:
        y[3] = np.nan
    return {"y": y.tolist(), "who": [f"w{each}" for each in group]}


def run(**options: Any) -> Result:
    """Run the model."""
    options = {"draws": 300, "warmup": 50, "seed": 5, "backend": "numpy", **options}
    return deriver.run(
        MODEL, data(options.pop("missing", False)), index={"i": "who"}, columns={"g": "who"}, **options
    )


def accumulate(draws: np.ndarray, asked: int | None = None) -> FieldMoments:
    """Return the moments of (chains, draws, elements)."""
    field = Accumulator(draws.shape[2:], draws.shape[0], asked or draws.shape[1])
    for number in range(draws.shape[1]):
        field.add(draws[:, number])
    return field.result()


def plain_r_hat(draws: np.ndarray) -> np.ndarray:
    """Return R-hat of chains (chains, draws, elements) as they are."""
    return r_hat_of_moments(draws.mean(axis=1), draws.var(axis=1, ddof=1), draws.shape[1])


def autoregression(phi: float, seed: int) -> np.ndarray:
    """Return chains (4, 2000, 40) of unit variance."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((4, 2000, 40))
    for t in range(1, 2000):
        values[:, t] = phi * values[:, t - 1] + np.sqrt(1 - phi**2) * values[:, t]
    return values


def test_means_sds_and_r_hat_are_those_of_the_draws() -> None:
    draws = 1e6 + np.random.default_rng(1).standard_normal((3, 200, 2, 5)).cumsum(axis=1)
    found = accumulate(draws)
    flat = draws.reshape(-1, 2, 5)
    halves = np.concatenate([draws[:, :100], draws[:, 100:]]).reshape(6, 100, 10)
    np.testing.assert_allclose(found.mean, flat.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(found.sd, flat.std(axis=0, ddof=1), rtol=1e-8)
    np.testing.assert_allclose(found.r_hat.ravel(), plain_r_hat(halves), rtol=1e-8)


@pytest.mark.parametrize("phi", [0.0, 0.7])
def test_monte_carlo_errors_are_near_those_of_all_draws(phi: float) -> None:
    """Batch means have a relative standard error of 1/sqrt(2 · 180 batches) each, and 40 elements are averaged."""
    draws = autoregression(phi, seed=2)
    found = accumulate(draws).mcse
    expected = np.array([arviz.mcse(draws[:, :, k], method="mean") for k in range(40)])
    assert abs(float(np.mean(found / expected)) - 1) < 0.1


SHAPES = {
    "normal": lambda rng, size: rng.normal(7, 3, size),
    "skewed": lambda rng, size: rng.gamma(2.0, size=size),
    "two humps": lambda rng, size: rng.normal(rng.choice([-3, 3], size), 1),
    "heavy": lambda rng, size: rng.standard_t(3, size),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_quantiles_are_near_those_of_all_draws(shape: str) -> None:
    draws = SHAPES[shape](np.random.default_rng(3), (4, 2000, 30))
    found = accumulate(draws)
    expected = np.quantile(draws.reshape(-1, 30), [0.025, 0.5, 0.975], axis=0)
    error = np.abs(found.quantiles - expected) / draws.std()
    allowed = {"normal": 0.04, "skewed": 0.06, "two humps": 0.25, "heavy": 0.08}[shape]
    assert error.max() < allowed


def test_constant_elements_and_few_draws_are_no_fault() -> None:
    found = accumulate(np.full((2, 50, 3), 4.0))
    np.testing.assert_array_equal(found.mean, 4.0)
    np.testing.assert_array_equal(found.sd, 0.0)
    np.testing.assert_allclose(found.quantiles, 4.0, atol=0.2)
    assert np.isnan(accumulate(np.zeros((1, 1, 3))).mcse).all()


def test_an_interrupted_field_has_the_moments_of_what_was_drawn() -> None:
    draws = np.random.default_rng(6).standard_normal((4, 130, 5))
    found = accumulate(draws, asked=200)
    np.testing.assert_allclose(found.mean, draws.mean(axis=(0, 1)), rtol=1e-10)
    np.testing.assert_allclose(found.r_hat, plain_r_hat(draws[:, :100]), rtol=1e-10)


def test_an_interrupt_waits_until_a_draw_is_taken_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []

    def add(self: Accumulator, value: np.ndarray) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        taken.append(value)

    monkeypatch.setattr(Accumulator, "add", add)
    watcher = Watcher({"a": (2,), "b": (2,)}, 1, 10)
    with pytest.raises(KeyboardInterrupt):
        watcher(0, {"a": np.zeros((1, 2)), "b": np.zeros((1, 2))})
    assert len(taken) == 2


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_moments_are_those_of_the_same_run_with_all_draws(backend: str) -> None:
    whole, field = run(backend=backend, thin=2), run(backend=backend, thin=2, moments=["beta"])
    draws = whole.posterior.variables["beta"].array
    np.testing.assert_allclose(field.fields["beta"].mean, draws.mean(axis=(0, 1)), rtol=1e-12)
    np.testing.assert_allclose(field.fields["beta"].sd, draws.std(axis=(0, 1), ddof=1), rtol=1e-10)
    assert "beta" not in field.posterior.variables
    for name in ("mu", "tau2", "sigma2"):
        np.testing.assert_array_equal(
            field.posterior.variables[name].array, whole.posterior.variables[name].array
        )


def test_moments_are_saved_shown_and_read_back(tmp_path: Path) -> None:
    result = run(moments=["beta"])
    shown = str(result.summary())
    assert "beta: 10 elements, kept as moments" in shown
    assert [row.name for row in result.summary(["beta"]).rows][:2] == ["beta[1]", "beta[2]"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        back = arviz.from_netcdf(result.save(tmp_path / "a.nc"))
    assert back.moments.beta_mean.dims == ("i",)
    assert back.moments.beta_quantile.dims == ("quantile", "i")
    assert back.moments.i.to_numpy()[0] == "w0"
    np.testing.assert_array_equal(back.moments.beta_sd, result.fields["beta"].sd)
    assert "moments" in result.idata.groups()


def test_moments_alone_are_a_run() -> None:
    result = run(keep=["beta"], moments=["beta"])
    assert result.kept == (4, 300)
    assert not result.posterior.variables
    assert result.fields["beta"].draws == 300
    assert str(result.summary())
    assert isinstance(result.warnings, tuple)


def test_a_field_that_has_not_mixed_is_warned_of() -> None:
    result = run(draws=20, warmup=0, moments=["beta"])
    assert any("elements of beta" in line and "--draws" in line for line in result.warnings)


def test_a_large_field_is_kept_as_moments_unless_its_draws_are_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retention, "LARGE", 8 * 4 * 300 * 9)
    result = run()
    assert set(result.fields) == {"beta"}
    assert any("--keep-draws beta" in note for note in result.notes)
    assert not run(keep_draws=["beta"]).fields
    assert set(run(keep=["beta", "mu"]).posterior.variables) == {"beta", "mu"}


def test_what_does_not_fit_is_told_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "free_memory", lambda: 8 * 4 * 300 * 12)
    with pytest.raises(UsageError, match=r"beta 96.0 kB.*") as caught:
        run()
    assert "moments" in str(caught.value)
    monkeypatch.setattr(retention, "free_memory", lambda: 8 * 4 * 300 * 20)
    assert run().kept == (4, 300)
    with pytest.raises(UsageError, match="twice"):
        run(derived=["twice[i] = 2 * beta[i]"])
    with pytest.raises(UsageError, match="draws of y"):
        run(log_likelihood=True)


def test_free_memory_is_told_here() -> None:
    free = retention.free_memory()
    assert free is None or 10**6 < free < 10**15


def test_missing_values_are_not_drawn_from_moments() -> None:
    result = run(missing=True, moments=["beta"])
    assert any("missing values of y are not drawn" in note for note in result.notes)
    assert "y_missing" in run(missing=True).posterior.variables


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"moments": ["betta"]}, "betta"),
        ({"keep_draws": ["y"]}, "draws no node `y`"),
        ({"moments": ["beta"], "keep_draws": ["beta"]}, "leave one out"),
        ({"moments": ["beta"], "derived": ["b = beta[1]"]}, "keep_draws"),
    ],
)
def test_mistakes_in_what_is_kept_are_told(options: dict[str, Any], found: str) -> None:
    with pytest.raises(UsageError, match=found):
        run(**options)


def test_the_command_takes_moments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "groups.model").write_text(TEXT, encoding="utf-8")
    rows = "\n".join(f"{y},{who}" for y, who in zip(*data().values(), strict=True))
    (tmp_path / "rows.csv").write_text(f"y,who\n{rows}\n", encoding="utf-8")
    command = [
        "run",
        "groups.model",
        "--data",
        "rows.csv",
        "--map",
        "g=who",
        "--index",
        "i=who",
        "--draws",
        "60",
    ]
    status = cli.main(
        [*command, "--backend", "numpy", "--seed", "1", "--moments", "beta", "--show", "beta", "mu"]
    )
    shown = capsys.readouterr().out
    assert status == 0
    assert "beta[1]" in shown
    assert "kept as moments" in shown
