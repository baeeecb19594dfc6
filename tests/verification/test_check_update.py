"""A person's own update functions, right and with one slip each."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import deriver
from deriver.errors import UsageError

MODEL = deriver.load_model("all_random")
Arrays = dict[str, np.ndarray]


def update_beta(
    rng: np.random.Generator, state: Arrays, data: Arrays, spread: float = 1.0, skipped: int = -1,
    sign: float = 1.0, noise: str = "own",
) -> np.ndarray:  # fmt: skip
    """[beta[i] | .], with slips to choose from."""
    rho, ends = float(state["rho"]), np.cumsum(data["J"])
    precision = np.linalg.inv(state["sigma2_beta"] * np.array([[1, rho], [rho, 1]]))
    found, shared = np.empty_like(state["beta"]), rng.standard_normal(2)
    for i, end in enumerate(ends):
        rows = slice(end, end) if i == skipped else slice(end - data["J"][i], end)
        x, y = data["x"][rows], data["y"][rows]
        a = x.T @ x / state["sigma2"] + precision
        b = x.T @ y / state["sigma2"] + sign * precision @ state["mu"]
        z = shared if noise == "shared" else rng.standard_normal(2)
        found[i] = np.linalg.solve(a, b) + spread * np.linalg.solve(np.linalg.cholesky(a).T, z)
    return found


def update_sigma2(
    rng: np.random.Generator, state: Arrays, data: Arrays, extra: float = 0.0, prior: bool = True
) -> float:
    """[sigma2 | .], with slips to choose from."""
    group = np.repeat(np.arange(int(data["n"])), data["J"])
    residual = data["y"] - np.einsum("jp,jp->j", data["x"], state["beta"][group])
    scale = residual @ residual / 2 + (1 / data["r"] if prior else 0.0)
    return float(scale / rng.gamma(len(residual) / 2 + data["q"] + extra))


def update_rho(rng: np.random.Generator, state: Arrays, data: Arrays, jacobian: bool = True) -> float:
    """A random walk on the scale of artanh(rho)."""
    apart = state["beta"] - state["mu"]

    def log_target(rho: float) -> float:
        inverse = np.linalg.inv([[1, rho], [rho, 1]])
        squares = np.einsum("ip,pq,iq->", apart, inverse, apart)
        kernel = -len(apart) / 2 * np.log(1 - rho**2) - squares / (2 * state["sigma2_beta"])
        return float(kernel + (np.log(1 - rho**2) if jacobian else 0.0))

    here = float(state["rho"])
    there = float(np.tanh(np.arctanh(here) + rng.standard_normal()))
    return there if np.log(rng.random()) < log_target(there) - log_target(here) else here


def check(node: str, function: Callable[..., Any], **options: Any) -> Any:
    return deriver.check_update(MODEL, node, function, seed=3, states=10, draws=150, **options)


@pytest.mark.parametrize(
    ("node", "function"), [("beta", update_beta), ("sigma2", update_sigma2), ("rho", update_rho)]
)
def test_right_functions_pass(node, function):
    report = check(node, function)
    assert report.passed, report.text


@pytest.mark.parametrize(
    ("node", "function", "off"),
    [
        ("beta", partial(update_beta, spread=2**0.5), "spread"),
        ("beta", partial(update_beta, sign=-1.0), "response"),
        ("beta", partial(update_beta, skipped=2), "partly"),
        ("beta", partial(update_beta, noise="shared"), "dependence"),
        ("sigma2", partial(update_sigma2, extra=1.0), "location"),
        ("sigma2", partial(update_sigma2, prior=False), "unread"),
    ],
)  # fmt: skip
def test_what_is_off_is_named(node, function, off):
    report = check(node, function)
    assert not report.passed
    assert off in report.off, report.text


def test_a_missing_jacobian_is_seen_from_exact_starts():
    report = check("rho", partial(update_rho, jacobian=False))
    assert not report.passed
    assert {"spread", "shape"} & set(report.off)


def test_the_words_of_a_report():
    text = check("beta", partial(update_beta, spread=2**0.5)).text
    assert "a factor of 2 too much in the variance" in text
    text = check("beta", partial(update_beta, skipped=2)).text
    assert "it does not read y[3,1]" in text
    assert "false alarm with probability 0.001" in text


def test_wrong_returns_are_reported_not_raised():
    assert "shape (2,)" in check("sigma2", lambda rng, state, data: np.zeros(2)).text
    assert "not finite" in check("sigma2", lambda rng, state, data: np.nan).text
    assert "ZeroDivisionError" in check("sigma2", lambda rng, state, data: 1 / 0).text


def test_changes_in_place_are_remarked():
    def untidy(rng, state, data):
        data["y"] -= 1.0
        return update_sigma2(rng, state, {**data, "y": data["y"] + 1.0})

    report = check("sigma2", untidy)
    assert report.passed
    assert "changes y of its argument `data` in place" in report.text


def test_an_unknown_node_is_a_mistake():
    with pytest.raises(UsageError, match="draws no node `sigma2_bta`"):
        check("sigma2_bta", update_sigma2)


def test_a_coupled_node_is_checked_by_invariance():
    model = deriver.load_model("state_space")

    def keep(rng, state, data):
        return state["z"]

    def shift(rng, state, data):
        return state["z"] + 0.5

    assert not deriver.check_update(model, "z", shift, seed=1, states=7).passed
    assert deriver.check_update(model, "z", keep, seed=1, states=7).passed
