"""Random members of every family, and what scipy.stats says of them; shared by the tests of the families."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import sympy as sp
from scipy import stats

from deriver.algebra.evaluate import evaluate
from deriver.algebra.heads import Expr, Ref, Variable
from deriver.families.record import Family, Parametrisation

P = Ref(Variable("p", integer=True, positive=True))
Member = tuple[Any, tuple]


def random_spd(rng: np.random.Generator, p: int = 3) -> np.ndarray:
    """A covariance matrix (p, p)."""
    root = rng.normal(size=(p, p + 2))
    return root @ root.T / p + 0.1 * np.eye(p)


def random_correlation(rng: np.random.Generator, p: int = 3) -> np.ndarray:
    """A correlation matrix (p, p)."""
    cov = random_spd(rng, p)
    sd = np.sqrt(np.diag(cov))
    return cov / np.outer(sd, sd)


def _random_probabilities(rng: np.random.Generator, p: int = 3) -> np.ndarray:
    return rng.dirichlet(np.full(p, 2.0))


def _positive(rng: np.random.Generator) -> float:
    return float(rng.gamma(3.0, 0.5) + 0.1)


def _multinomial_member(rng: np.random.Generator) -> Member:
    prob = _random_probabilities(rng)
    return rng.multinomial(7, prob).astype(float), (7, prob)


# Family key -> a random value and random canonical parameters.
MEMBERS: dict[str, Callable[[np.random.Generator], Member]] = {
    "normal": lambda g: (g.normal(), (g.normal(), _positive(g))),
    "mvnormal": lambda g: (g.normal(size=3), (g.normal(size=3), random_spd(g))),
    "gamma": lambda g: (_positive(g), (_positive(g), _positive(g))),
    "inverse_gamma": lambda g: (_positive(g), (_positive(g), _positive(g))),
    "sqrt_inverse_gamma": lambda g: (_positive(g), (_positive(g), _positive(g))),
    "exponential": lambda g: (_positive(g), (_positive(g),)),
    "uniform": lambda g: (g.uniform(-1, 1), (-1 - _positive(g), 1 + _positive(g))),
    "wishart": lambda g: (random_spd(g), (2.5 + _positive(g), random_spd(g))),
    "inverse_wishart": lambda g: (random_spd(g), (2.5 + _positive(g), random_spd(g))),
    "beta": lambda g: (g.uniform(0.05, 0.95), (_positive(g), _positive(g))),
    "dirichlet": lambda g: (_random_probabilities(g), (g.gamma(3.0, size=3),)),
    "bernoulli": lambda g: (int(g.integers(2)), (g.uniform(0.1, 0.9),)),
    "binomial": lambda g: (int(g.integers(8)), (7, g.uniform(0.1, 0.9))),
    "poisson": lambda g: (int(g.integers(8)), (_positive(g),)),
    "negative_binomial": lambda g: (int(g.integers(8)), (_positive(g), g.uniform(0.1, 0.9))),
    "categorical": lambda g: (int(g.integers(1, 4)), (_random_probabilities(g),)),
    "multinomial": _multinomial_member,
    "student_t": lambda g: (g.normal(), (_positive(g), g.normal(), _positive(g))),
    "cauchy": lambda g: (g.normal(), (g.normal(), _positive(g))),
    "half_cauchy": lambda g: (_positive(g), (_positive(g),)),
    "half_normal": lambda g: (_positive(g), (_positive(g),)),
    "laplace": lambda g: (g.normal(), (g.normal(), _positive(g))),
    "logistic": lambda g: (g.normal(), (g.normal(), _positive(g))),
    "lognormal": lambda g: (_positive(g), (g.normal(), _positive(g))),
    "weibull": lambda g: (_positive(g), (_positive(g), _positive(g))),
    "pareto": lambda g: (2 + _positive(g), (_positive(g), g.uniform(0.5, 2))),
    "flat": lambda g: (g.normal(), ()),
    "flat_vector": lambda g: (g.normal(size=3), (3,)),
    "lkj": lambda g: (random_correlation(g), (3, _positive(g))),
    "polya_gamma": lambda g: (_positive(g) / 2, (int(g.integers(1, 8)), g.normal(0, 2))),
}


@dataclass(frozen=True, slots=True)
class PolyaGammaByInversion:
    """PG(size, tilt), its Laplace transform (cosh(c/2)/cosh(√((c²/2 + t)/2)))^b inverted by Talbot's method."""

    size: float
    tilt: float

    def logpdf(self, value: float) -> float:
        """The log density."""
        half = mpmath.cosh(self.tilt / 2)

        def transform(t):
            return (half / mpmath.cosh(mpmath.sqrt((mpmath.mpf(self.tilt) ** 2 / 2 + t) / 2))) ** self.size

        with mpmath.workdps(40):
            return float(mpmath.log(mpmath.invertlaplace(transform, value, method="talbot")))


# Family key and keywords -> the distribution of scipy.stats, from the arguments of that parametrisation.
# LKJ is not in scipy and is integrated instead; the flat prior has no density.
SCIPY: dict[tuple[str, ...], Callable[..., Any]] = {
    ("normal", "mean", "var"): lambda mean, var: stats.norm(mean, np.sqrt(var)),
    ("normal", "mean", "sd"): lambda mean, sd: stats.norm(mean, sd),
    ("normal", "mean", "prec"): lambda mean, prec: stats.norm(mean, prec**-0.5),
    ("mvnormal", "mean", "cov"): lambda mean, cov: stats.multivariate_normal(mean, cov),
    ("mvnormal", "mean", "prec"): lambda mean, prec: stats.multivariate_normal(mean, np.linalg.inv(prec)),
    ("mvnormal", "mean", "chol"): lambda mean, chol: stats.multivariate_normal(mean, chol @ chol.T),
    ("gamma", "shape", "rate"): lambda shape, rate: stats.gamma(shape, scale=1 / rate),
    ("gamma", "shape", "scale"): lambda shape, scale: stats.gamma(shape, scale=scale),
    ("inverse_gamma", "q", "r"): lambda q, r: stats.invgamma(q, scale=1 / r),
    ("inverse_gamma", "shape", "scale"): lambda shape, scale: stats.invgamma(shape, scale=scale),
    ("sqrt_inverse_gamma", "shape", "scale"): lambda shape, scale: stats.gengamma(
        shape, -2, scale=np.sqrt(scale)
    ),
    ("exponential", "rate"): lambda rate: stats.expon(scale=1 / rate),
    ("exponential", "mean"): lambda mean: stats.expon(scale=mean),
    ("uniform", "lower", "upper"): lambda lower, upper: stats.uniform(lower, upper - lower),
    ("wishart", "scale", "df"): lambda scale, df: stats.wishart(df, scale),
    ("wishart", "rate", "df"): lambda rate, df: stats.wishart(df, np.linalg.inv(rate)),
    ("inverse_wishart", "df", "scale"): lambda df, scale: stats.invwishart(df, scale),
    ("beta", "a", "b"): stats.beta,
    ("dirichlet", "concentration"): stats.dirichlet,
    ("bernoulli", "prob"): stats.bernoulli,
    ("bernoulli", "logit"): lambda logit: stats.bernoulli(1 / (1 + np.exp(-logit))),
    ("binomial", "size", "prob"): stats.binom,
    ("binomial", "size", "logit"): lambda size, logit: stats.binom(size, 1 / (1 + np.exp(-logit))),
    ("poisson", "rate"): stats.poisson,
    ("poisson", "log_rate"): lambda log_rate: stats.poisson(np.exp(log_rate)),
    ("negative_binomial", "size", "prob"): stats.nbinom,
    ("negative_binomial", "mean", "size"): lambda mean, size: stats.nbinom(size, size / (size + mean)),
    ("categorical", "prob"): lambda prob: stats.rv_discrete(values=(np.arange(1, len(prob) + 1), prob)),
    ("multinomial", "size", "prob"): stats.multinomial,
    ("student_t", "df", "mean", "scale"): stats.t,
    ("cauchy", "location", "scale"): stats.cauchy,
    ("half_cauchy", "scale"): lambda scale: stats.halfcauchy(scale=scale),
    ("half_normal", "sd"): lambda sd: stats.halfnorm(scale=sd),
    ("half_normal", "var"): lambda var: stats.halfnorm(scale=np.sqrt(var)),
    ("laplace", "location", "scale"): stats.laplace,
    ("laplace", "location", "rate"): lambda location, rate: stats.laplace(location, 1 / rate),
    ("logistic", "location", "scale"): stats.logistic,
    ("lognormal", "meanlog", "sdlog"): lambda mean, sd: stats.lognorm(sd, scale=np.exp(mean)),
    ("lognormal", "meanlog", "varlog"): lambda mean, var: stats.lognorm(np.sqrt(var), scale=np.exp(mean)),
    ("lognormal", "meanlog", "preclog"): lambda mean, prec: stats.lognorm(prec**-0.5, scale=np.exp(mean)),
    ("weibull", "shape", "scale"): lambda shape, scale: stats.weibull_min(shape, scale=scale),
    ("weibull", "shape", "rate"): lambda k, rate: stats.weibull_min(k, scale=rate ** (-1 / k)),
    ("pareto", "shape", "minimum"): lambda shape, minimum: stats.pareto(shape, scale=minimum),
    ("polya_gamma", "size", "tilt"): lambda size, tilt: PolyaGammaByInversion(size, tilt),
}


def scipy_log_density(distribution: Any, value: Any) -> float:
    """The log density, or log probability, of a scipy distribution."""
    return float(
        distribution.logpmf(value) if hasattr(distribution, "logpmf") else distribution.logpdf(value)
    )


# Family key -> values off its support, for the members above (binomial and multinomial of size 7).
OUTSIDE: dict[str, tuple] = {
    "gamma": (0.0, -1.0, np.inf),
    "inverse_gamma": (0.0, -1.0, np.inf),
    "sqrt_inverse_gamma": (0.0, -1.0, np.inf),
    "exponential": (-0.1,),
    "uniform": (-40.0, 40.0),
    "wishart": (-np.eye(3), np.ones((3, 3)), np.triu(np.ones((3, 3)))),
    "inverse_wishart": (-np.eye(3), np.ones((3, 3)), np.triu(np.ones((3, 3)))),
    "beta": (0.0, 1.0, 1.5),
    "dirichlet": (np.array([0.5, 0.5, 0.5]), np.array([1.5, -0.5, 0.0])),
    "bernoulli": (2, -1, 0.5),
    "binomial": (-1, 8, 2.5),
    "poisson": (-1, 2.5),
    "negative_binomial": (-1, 2.5),
    "categorical": (0, 4, 1.5),
    "multinomial": (np.array([3, 3, 3]), np.array([8, -1, 0]), np.array([3.5, 3.5, 0])),
    "half_cauchy": (-0.1,),
    "half_normal": (-0.1,),
    "lognormal": (0.0, -1.0),
    "weibull": (0.0, -1.0),
    "pareto": (0.1, -1.0),
    "polya_gamma": (0.0, -1.0, np.inf),
    "lkj": (2 * np.eye(3), np.ones((3, 3)), np.eye(2)),
}

# Role -> a random argument for a parametrisation.
ARGUMENTS: dict[str, Callable[[np.random.Generator], Any]] = {
    "real": lambda g: g.normal(),
    "positive": lambda g: 2.0 + _positive(g),
    "nonnegative": lambda g: 2.0 + _positive(g),
    "probability": lambda g: g.uniform(0.1, 0.9),
    "count": lambda g: 7,
    "vector": lambda g: g.normal(size=3),
    "positive_vector": lambda g: g.gamma(3.0, size=3),
    "simplex": _random_probabilities,
    "spd": random_spd,
    "cholesky": lambda g: np.linalg.cholesky(random_spd(g)),
    "dimension": lambda g: 3,
}


def symbol_for(name: str, value: Any, *, positive: bool = False, symmetric: bool = True) -> Ref:
    """A quantity of the value's shape, its dimension the symbol p; a matrix is symmetric unless said otherwise."""
    dims = np.ndim(value)
    if dims == 0:
        return Ref(Variable(name, positive=True) if positive else Variable(name, real=True))
    return Ref(Variable(name, (P,) * dims, symmetric=dims == 2 and symmetric))


def value_of(expr: Expr, **quantities: Any) -> Any:
    """The value of an expression at named values; p is 3."""
    return evaluate(sp.sympify(expr), {"p": {(): 3}, **{name: {(): v} for name, v in quantities.items()}})


def canonical_form(family: Family) -> Parametrisation:
    """The parametrisation whose arguments are the canonical parameters, in whatever order."""
    return next(form for form in family.parametrisations if set(form.keywords) == set(family.parameters))


def symbolic_log_density(family: Family, value: Any, parameters: tuple) -> float:
    """The family's symbolic log density, built on symbols and then evaluated."""
    names = [f"theta_{name}" for name in family.parameters]
    positive = family.support.lower in ("0", "minimum")
    symbols = [symbol_for(name, number) for name, number in zip(names, parameters, strict=True)]
    density = family.log_density(symbol_for("y", value, positive=positive), *symbols)
    return value_of(density, y=value, **dict(zip(names, parameters, strict=True)))
