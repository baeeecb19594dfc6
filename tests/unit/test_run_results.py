"""Draws with names: InferenceData, summary, warnings, derived quantities, files."""

from __future__ import annotations

from pathlib import Path

import arviz
import numpy as np
import pandas as pd
import pytest
import xarray
from fake_sampler import fake_source

from deriver.errors import DataError, UsageError
from deriver.language import parse_model
from deriver.pipeline import run
from deriver.running import netcdf
from deriver.running.groups import Groups
from deriver.running.job import Job, prepare_job, sample_job
from deriver.running.results import Result
from deriver.running.sampling import ProgressBar, Settings
from deriver.running.saving import save_groups

MODEL = parse_model(
    """model growth
plates
  i = 1..n
  j = 1..J[i]
given
  x[i,j] : vector(p)
data
  y[i,j] ~ N(x[i,j]' * beta[i], sigma2)
process
  beta[i] ~ N(mu, Sigma)
parameters
  mu ~ N(0 * ones(p), 100*eye(p))
  Sigma ~ InverseWishart(df=p + 1, scale=eye(p))
  sigma2 ~ IG(1, 1)
  spare ~ N(0, 1)
"""
)
FRAME = pd.DataFrame({"who": ["b", "a", "b", "a"], "day": [1, 5, 2, 4], "y": [1.0, 2.0, 3.0, np.nan]})
SHAPES = {"beta": (2, 2), "mu": (2,), "Sigma": (2, 2), "sigma2": (), "spare": ()}


def run_fake(*, stop: int | None = None, derived: tuple[str, ...] = (), **settings: object) -> Result:
    """Return the result of made-up draws of the growth model."""
    chosen = Settings(**{"draws": 50, "warmup": 5, "seed": 3, **settings})  # type: ignore[arg-type]
    job = Job(columns={"x": "[1, day]"}, index={"i": "who"}, derived=derived, settings=chosen)
    prepared = prepare_job(MODEL, FRAME, job)
    return sample_job(prepared, fake_source(SHAPES, tuned=["beta"], stop=stop))


def test_dimensions_and_labels() -> None:
    posterior = run_fake().idata.posterior
    assert posterior.beta.dims == ("chain", "draw", "i", "p")
    assert posterior.Sigma.dims == ("chain", "draw", "p", "p_")
    assert posterior.i.to_numpy().tolist() == ["a", "b"]
    assert posterior.y_missing.coords["y_missing_dim"].to_numpy().tolist() == ["a,2"]
    assert posterior.attrs["seed"] == 3


def test_groups() -> None:
    idata = run_fake().idata
    assert {"posterior", "sample_stats", "observed_data", "constant_data"} <= set(idata.groups())
    assert idata.sample_stats.acceptance_beta.shape == (4, 2, 2)
    assert idata.constant_data.x.dims == ("i_j", "p")


def test_warm_up_ends_with_its_last_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is compiled in the first sweeps is no time of the draws."""
    clock = iter([0.0, 8.0, 9.0])
    with ProgressBar(Settings(warmup=16, draws=100)) as bar:
        monkeypatch.setattr("deriver.running.sampling.time.perf_counter", lambda: next(clock))
        bar.update(8)
        bar.update(16)
        bar.update(17)  # looks at no clock
    assert bar.warm == 8.0 and next(clock) == 9.0


def test_file_tells_the_time_of_the_draws() -> None:
    result = run_fake()
    attributes = result.idata.posterior.attrs
    assert attributes["sampling_time"] + attributes["warmup_time"] == pytest.approx(result.seconds)
    assert attributes["sampling_time"] > 0


def test_draws_are_arrays_by_name() -> None:
    """``result.posterior`` is a mapping to NumPy arrays, the same that ArviZ is given."""
    result = run_fake()
    assert set(result.posterior) == set(result.idata.posterior.data_vars)
    for name, draws in result.posterior.items():
        assert np.array_equal(draws, result.idata.posterior[name].values)


def test_the_summary_shows_what_has_no_plate() -> None:
    summary = run_fake().summary()
    names = [row.name for row in summary.rows]
    assert names[:2] == ["mu[1]", "mu[2]"]
    assert "beta" in summary.left_out
    assert "beta" in str(summary)
    assert list(summary.to_frame().index) == names


def test_numbers_of_the_summary() -> None:
    result = run_fake()
    draws = result.idata.posterior.sigma2.to_numpy()
    row = result.summary().row("sigma2")
    assert row.mean == pytest.approx(draws.mean())
    assert row.sd == pytest.approx(draws.std(ddof=1))
    assert (row.low, row.high) == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])))
    assert row.ess_bulk == pytest.approx(float(arviz.ess(result.idata.posterior, var_names="sigma2").sigma2))
    low, _ = arviz.hdi(draws.ravel(), hdi_prob=0.95)
    assert result.summary(["sigma2"], hdi=True).rows[0].low == pytest.approx(low)


def test_derived_quantities() -> None:
    derived = (
        "sd = sqrt(sigma2)",
        "twice = 2*sd",
        "norm[i] = beta[i]' * beta[i]",
        "b = beta[2,1]",
        "d = mu - mu",
    )
    posterior = run_fake(derived=derived).idata.posterior
    np.testing.assert_allclose(posterior.twice, 2 * np.sqrt(posterior.sigma2))
    np.testing.assert_allclose(posterior.norm, (posterior.beta**2).sum("p"))
    np.testing.assert_allclose(posterior.b, posterior.beta.sel(i="b", p=1))
    assert posterior.d.shape == (4, 50, 2)


def test_warnings_say_what_to_do() -> None:
    words = " ".join(run_fake().warnings)
    assert "spare is above no data" in words
    assert "effective sample size" in words
    assert "--draws" in words


def test_an_interrupt_keeps_the_draws_so_far() -> None:
    result = run_fake(stop=20)
    assert result.idata.posterior.sizes["draw"] == 20
    assert any("20 of 50 draws" in warning for warning in result.warnings)


def test_an_interrupt_before_any_draw_is_one() -> None:
    with pytest.raises(KeyboardInterrupt):
        run_fake(stop=0)


def test_few_draws_and_one_chain_are_no_fault() -> None:
    result = run_fake(draws=2, chains=1)
    assert "one chain" in " ".join(result.warnings)
    assert str(result.summary())


def test_saving_and_reading_back(tmp_path: Path) -> None:
    result = run_fake()
    path = result.save(tmp_path / "a.nc")
    back = arviz.from_netcdf(path)
    assert set(back.groups()) == set(result.idata.groups())
    for name in back.groups():
        xarray.testing.assert_identical(back[name], result.idata[name])
    with pytest.raises(UsageError, match="--overwrite"):
        result.save(path)
    result.save(path, overwrite=True)
    assert [each.name for each in tmp_path.iterdir()] == ["a.nc"]


def test_draws_that_cannot_be_saved_there_are_saved_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = netcdf.write_groups

    def refuse(groups: Groups, path: Path) -> None:
        if path.parent == tmp_path:
            raise OSError("the disk is full")
        write(groups, path)

    monkeypatch.setattr(netcdf, "write_groups", refuse)
    saved = save_groups(run_fake().groups, tmp_path / "a.nc")
    assert saved.path.parent != tmp_path
    assert "the disk is full" in saved.trouble
    assert arviz.from_netcdf(saved.path).posterior.sizes["draw"] == 50
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["missing/a.nc", "."])
def test_an_output_that_cannot_be_written_is_told_before_sampling(tmp_path: Path, name: str) -> None:
    from deriver.running.saving import check_output

    with pytest.raises(UsageError):
        check_output(tmp_path / name, overwrite=True)


def test_draws_that_are_no_numbers_are_an_error() -> None:
    """Squares beyond the largest number leave no digits of anything."""
    text = (
        "model m\nplates\n  i = 1..n\ndata\n  y[i] ~ N(a, s2)\nparameters\n  a ~ N(0, 100)\n  s2 ~ IG(2, 1)\n"
    )
    data = {"y": np.array([1e308, -3e307, 1.0])}
    with np.errstate(all="ignore"), pytest.raises(DataError, match="in the draws of a and s2"):
        run(parse_model(text), data, draws=5, warmup=5, progress=False)
