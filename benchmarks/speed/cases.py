"""The models of the comparison: what each is called in the package, its priors, and the parameters compared.

Priors: means and fixed slopes ~ N(0, variance 1e4); scalar variances ~ IG of shape 2 and scale 1; Sigma^-1 ~
Wishart(3, (3 S0 I)^-1); rho ~ Unif(-1, 1). The package writes IG(q, r) for shape q and scale 1/r.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from datasets import Rows, load_rows, load_series

Draws = Mapping[str, np.ndarray]
SHAPE, SCALE = 2.0, 1.0
VAGUE = 1e4 * np.eye(2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A model: ``bind`` makes the data of the generated sampler, ``top_level`` (chains, draws, k) of its draws."""

    key: str
    packaged: str
    response: str
    parameters: tuple[str, ...]
    bind: Callable[[Rows], dict[str, Any]]
    top_level: Callable[[Draws], np.ndarray]
    nodes: tuple[str, ...]
    priors: Callable[[Rows], tuple[float, ...]]
    start: Mapping[str, float] | None = None

    def load(self, name: str) -> Rows:
        """The data of that name with this model's response."""
        return load_series(name) if self.response == "z" else load_rows(name, self.response)


def _bind_intercepts(rows: Rows) -> dict[str, Any]:
    priors = {"q0": SHAPE, "q1": SHAPE, "r0": 1 / SCALE, "r1": 1 / SCALE}
    return {"J": rows.size, "x": rows.x, "y": rows.y, "sigma2_00": 1e4, "sigma2_1": 1e4} | priors


def _curves(rows: Rows) -> dict[str, Any]:
    design = np.column_stack([np.ones_like(rows.x), rows.x])
    return {"J": rows.size, "x": design, "y": rows.y, "mu0": np.zeros(2), "Sigma0": VAGUE}


def _bind_correlated(rows: Rows) -> dict[str, Any]:
    return _curves(rows) | {"q": SHAPE, "q_beta": SHAPE, "r": 1 / SCALE, "r_beta": 1 / SCALE}


def _bind_wishart(rows: Rows) -> dict[str, Any]:
    return _bind_counts(rows) | {"q": SHAPE, "r": 1 / SCALE}


def _bind_counts(rows: Rows) -> dict[str, Any]:
    return _curves(rows) | {"S": rows.S0 * np.eye(2), "nu": 3.0}


def _bind_series(rows: Rows) -> dict[str, Any]:
    priors = {"m0": 0.0, "v0": 1.0, "q_y": SHAPE, "q_z": SHAPE, "r_y": 1 / SCALE, "r_z": 1 / SCALE}
    return {"T": len(rows.y), "y": rows.y} | priors


def _bind_nile(rows: Rows) -> dict[str, Any]:
    """The local level: shape 2 with scales 1e4 and 1e3; z[0] ~ N(1000, 1e5)."""
    priors = {"m0": 1000.0, "v0": 1e5, "q_y": SHAPE, "q_z": SHAPE, "r_y": 1e-4, "r_z": 1e-3}
    return {"T": len(rows.y), "y": rows.y} | priors


def _stack(*names: str) -> Callable[[Draws], np.ndarray]:
    return lambda draws: np.stack([draws[name] for name in names], axis=-1)


def _covariances(draws: Draws) -> np.ndarray:
    Sigma = np.linalg.inv(draws["Q"])
    return np.stack([Sigma[..., 0, 0], Sigma[..., 0, 1], Sigma[..., 1, 1]], axis=-1)


def _correlated(draws: Draws) -> np.ndarray:
    return np.concatenate([draws["mu"], _stack("sigma2_beta", "rho", "sigma2")(draws)], axis=-1)


def _wishart(draws: Draws) -> np.ndarray:
    return np.concatenate([draws["mu"], _covariances(draws), draws["sigma2"][..., None]], axis=-1)


def _counts(draws: Draws) -> np.ndarray:
    return np.concatenate([draws["mu"], _covariances(draws)], axis=-1)


def _shared_priors(rows: Rows) -> tuple[float, ...]:
    return SHAPE, SCALE


A = Case(
    key="A", packaged="random_intercepts", response="yA", parameters=("mu0", "sigma2_0", "beta1", "sigma2"),
    bind=_bind_intercepts, top_level=_stack("mu0", "sigma2_0", "beta1", "sigma2"),
    nodes=("mu0", "sigma2_0", "beta1", "sigma2"), priors=_shared_priors,
)  # fmt: skip
C = Case(
    key="C", packaged="all_random", response="yC", parameters=("mu[1]", "mu[2]", "sigma2_beta", "rho", "sigma2"),
    bind=_bind_correlated, top_level=_correlated, nodes=("mu", "sigma2_beta", "rho", "sigma2"),
    priors=_shared_priors,
)  # fmt: skip
G5 = Case(
    key="G5", packaged="wishart", response="yC",
    parameters=("mu[1]", "mu[2]", "Sigma[1,1]", "Sigma[1,2]", "Sigma[2,2]", "sigma2"),
    bind=_bind_wishart, top_level=_wishart, nodes=("mu", "Q", "sigma2"),
    priors=lambda rows: (SHAPE, SCALE, rows.S0),
)  # fmt: skip
G6 = Case(
    key="G6", packaged="poisson", response="yP",
    parameters=("mu[1]", "mu[2]", "Sigma[1,1]", "Sigma[1,2]", "Sigma[2,2]"),
    bind=_bind_counts, top_level=_counts, nodes=("mu", "Q"), priors=lambda rows: (rows.S0,),
)  # fmt: skip
T = Case(
    key="T", packaged="state_space", response="z", parameters=("phi", "sigma2_y", "sigma2_z"), bind=_bind_series,
    top_level=_stack("phi", "sigma2_y", "sigma2_z"), nodes=("phi", "sigma2_y", "sigma2_z"),
    priors=lambda rows: (0.0, 1.0, SHAPE, SCALE, SCALE, 0),
)  # fmt: skip
NILE = Case(
    key="Nile", packaged="state_space", response="z", parameters=("sigma2_y", "sigma2_z"), bind=_bind_nile,
    top_level=_stack("sigma2_y", "sigma2_z"), nodes=("sigma2_y", "sigma2_z", "z"),
    priors=lambda rows: (1000.0, 1e5, SHAPE, 1e4, 1e3, 1), start={"phi": 1.0},
)  # fmt: skip
CASES = {case.key: case for case in (A, C, G5, G6, T)}
