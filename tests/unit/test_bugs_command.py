"""BUGS programs from the command line: run, translate, and back to JAGS and Stan."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import deriver
from deriver import cli
from deriver.bugs import read_program, starts_of
from deriver.errors import ModelError, UsageError

PROGRAM = """model {
  for (i in 1:N) {
    y[i] ~ dnorm(mu.y + b * x[i], tau.c)
  }
  mu.y ~ dnorm(0, 0.01)
  b ~ dnorm(0, 0.01)
  tau.c ~ dgamma(1, 1)
  for (k in 1:2) { line[k] <- mu.y + b * k }
  sigma <- 1 / sqrt(tau.c)
}
"""
EXPECTED = """model reg
# translated from reg.bug, where
# mu_y is mu.y, tau_c is tau.c

plates
  i = 1..N
  k = 1..2

given
  x[i]

data
  y[i] ~ Normal(mu_y + b * x[i], prec=tau_c)

process
  line[k] = mu_y + b * k

parameters
  mu_y ~ Normal(0, prec=0.01)
  b ~ Normal(0, prec=0.01)
  tau_c ~ Gamma(shape=1, rate=1)
  sigma = 1 / sqrt(tau_c)
"""
DATA = "list(N = 4, y = c(1, 2.5, 2, 4), x = c(-1, 0.5, 1, 2))"
INITS = '"mu.y" <- 1\n"tau.c" <- 2\n"b" <- NA\n'


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder, made the current one, with a program, its data and inits."""
    (tmp_path / "reg.bug").write_text(PROGRAM)
    (tmp_path / "reg.txt").write_text(DATA)
    (tmp_path / "inits.R").write_text(INITS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_translate_writes_our_model(files: Path) -> None:
    options = ["--data", "reg.txt", "-o", "reg.model", "--write-data", "ours.json"]
    assert cli.main(["translate", "reg.bug", *options]) == 0
    assert (files / "reg.model").read_text() == EXPECTED
    data = json.loads((files / "ours.json").read_text())
    assert data == {"x": [-1, 0.5, 1, 2], "y": [1, 2.5, 2, 4], "N": 4}
    result = deriver.run("reg.model", "ours.json", chains=2, warmup=20, draws=20, seed=1, progress=False)
    assert result.idata.posterior["b"].shape == (2, 20)


def test_run_reports_under_the_names_of_the_program(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chains = ["--chains", "2", "--warmup", "50", "--draws", "50", "--seed", "1", "--no-progress"]
    options = ["--data", "reg.txt", "--inits", "inits.R", "--show", "all", "-o", "out.nc", *chains]
    assert cli.main(["run", "reg.bug", *options]) == 0
    printed = capsys.readouterr().out
    for name in ("mu.y ", "tau.c ", "sigma ", "line[1]", "line[2]"):
        assert f"\n{name}" in printed
    assert (files / "out.nc").is_file()


def test_a_scalar_element_has_its_own_name(files: Path) -> None:
    (files / "two.bug").write_text("model { y ~ dnorm(a[1] + a[2], 1) for (k in 1:2) { z[k] <- k }\n"
                                   "a[1] ~ dnorm(0, 1)\na[2] ~ dnorm(1, 1) }")  # fmt: skip
    result = deriver.run("two.bug", {"y": 1.0}, chains=2, warmup=20, draws=500, seed=1, progress=False)
    assert set(result.idata.posterior.data_vars) >= {"a[1]", "a[2]"}
    result.save(files / "two.nc")
    assert (files / "two.nc").is_file()


def test_inits_are_starts_and_leave_out_what_they_lack(files: Path) -> None:
    read = read_program("reg.bug", "reg.txt")
    starts = starts_of(read, {"mu.y": np.array(1.0), "tau.c": np.array(2.0), "b": np.array(np.nan)})
    assert {name: float(value) for name, value in starts.items()} == {"mu_y": 1.0, "tau_c": 2.0}


def test_inits_of_the_free_elements_of_an_array(files: Path) -> None:
    (files / "free.bug").write_text(
        "model { for (i in 1:3) { y[i] ~ dnorm(a[i], 1) } a[1] <- 0 for (k in 2:3) { a[k] ~ dnorm(0, 1) } }"
    )
    read = read_program("free.bug", {"y": [1.0, 2.0, 3.0]})
    assert starts_of(read, {"a": np.array([np.nan, 5.0, 6.0])})["a_free"].tolist() == [5, 6]


def test_a_program_without_its_data_is_told_how(files: Path) -> None:
    with pytest.raises(UsageError, match="read with its data"):
        deriver.load_model("reg.bug")
    with pytest.raises(ModelError, match="line 2: the bounds of this loop rest on `N`"):
        deriver.translate("reg.bug")


def test_inits_are_for_programs(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "wishart", "--inits", "inits.R"]) == 2
    assert "--inits without a BUGS program" in capsys.readouterr().err


def test_mistakes_carry_the_line_and_exit_with_two(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "bad.bug").write_text("model {\n  y ~ dnorm(sort(a), 1)\n  a ~ dnorm(0, 1)\n}\n")
    assert cli.main(["translate", "bad.bug", "--data", "reg.txt"]) == 2
    printed = capsys.readouterr().err
    assert "bad.bug, line 2: `sort` of random quantities" in printed
    assert "\n                ^^^^^^^\n" in printed


def test_translate_to_jags_and_stan_from_a_program(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["translate", "reg.bug", "--data", "reg.txt", "--to", "jags"]) == 0
    assert "y[i] ~ dnorm(mu_y + b * x[i], tau_c)" in capsys.readouterr().out
    assert cli.main(["translate", "reg.bug", "--data", "reg.txt", "--to", "stan"]) == 0
    assert "y[i] ~ normal(mu_y + b * x[i], inv_sqrt(tau_c));" in capsys.readouterr().out


def test_a_censored_exponential_has_its_conjugate_posterior(files: Path) -> None:
    (files / "cens.bug").write_text(
        "model { for (i in 1:4) { c[i] ~ dinterval(t[i], cut[i])\n t[i] ~ dexp(mu) }\n mu ~ dgamma(2, 3) }"
    )
    data = {"c": [0, 1, 0, 1], "t": [2, np.nan, 3, np.nan], "cut": [9, 5, 9, 4]}
    result = deriver.run("cens.bug", data, chains=4, warmup=10, draws=2000, seed=1, progress=False)
    draws = result.idata.posterior["mu"].to_numpy()
    shape, rate = 2 + 2, 3 + 2 + 3 + 5 + 4
    assert abs(draws.mean() - shape / rate) < 4 * np.sqrt(shape) / rate / np.sqrt(draws.size)
    assert abs(draws.std() - np.sqrt(shape) / rate) < 0.05 * np.sqrt(shape) / rate
