"""The distributions of BUGS, and what each is in the model language.

Parametrisations as in the JAGS user manual (Plummer 2017, chapter 9): ``dnorm`` takes a precision, ``dgamma`` a rate,
``dwish(R, k)`` has density ∝ |Ω|^((k-p-1)/2) exp(-tr(RΩ)/2), ``dweib(v, lambda)`` survival exp(-lambda x^v),
``dnegbin(p, r)`` counts failures before r successes, ``dt(mu, tau, k)`` has scale tau^(-1/2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from deriver.language.rewrite import make_number
from deriver.model.expressions import Binary, Call, Expression

Arguments = tuple[tuple[str | None, Expression], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BugsFamily:
    """A distribution: our name for it, a role for each argument, and our arguments made of theirs.

    Roles: ``real``, ``positive``, ``probability``, ``count``, ``vector``, ``positive vector``, ``simplex``,
    ``matrix``.
    """

    surface: str
    roles: tuple[str, ...]
    build: Callable[..., Arguments]
    integer: bool = False


def _divide(one: Expression, two: Expression) -> Expression:
    return Binary(operator="/", left=one, right=two)


def _inverse(value: Expression) -> Expression:
    return _divide(make_number(1), value)


def _half(value: Expression) -> Expression:
    return _divide(value, make_number(2))


FAMILIES: dict[str, BugsFamily] = {
    "dnorm": BugsFamily(
        surface="Normal", roles=("real", "positive"), build=lambda mu, tau: ((None, mu), ("prec", tau))
    ),
    "dgamma": BugsFamily(
        surface="Gamma", roles=("positive",) * 2, build=lambda r, rate: (("shape", r), ("rate", rate))
    ),
    "dexp": BugsFamily(surface="Exponential", roles=("positive",), build=lambda rate: (("rate", rate),)),
    "dunif": BugsFamily(surface="Unif", roles=("real", "real"), build=lambda a, b: ((None, a), (None, b))),
    "dbeta": BugsFamily(surface="Beta", roles=("positive",) * 2, build=lambda a, b: ((None, a), (None, b))),
    "dbern": BugsFamily(
        surface="Bernoulli", roles=("probability",), build=lambda p: ((None, p),), integer=True
    ),
    "dbin": BugsFamily(
        surface="Binomial", roles=("probability", "count"), build=lambda p, n: ((None, n), (None, p)), integer=True
    ),
    "dpois": BugsFamily(surface="Poisson", roles=("positive",), build=lambda m: ((None, m),), integer=True),
    "dcat": BugsFamily(surface="Categorical", roles=("simplex",), build=lambda p: ((None, p),), integer=True),
    "dmulti": BugsFamily(
        surface="Multinomial", roles=("simplex", "count"), build=lambda p, n: ((None, n), (None, p)), integer=True
    ),
    "ddirch": BugsFamily(surface="Dirichlet", roles=("positive vector",), build=lambda a: ((None, a),)),
    "dmnorm": BugsFamily(
        surface="Normal", roles=("vector", "matrix"), build=lambda mu, q: ((None, mu), ("prec", q))
    ),
    "dmnorm.vcov": BugsFamily(
        surface="Normal", roles=("vector", "matrix"), build=lambda mu, v: ((None, mu), ("cov", v))
    ),
    "dwish": BugsFamily(
        surface="Wishart", roles=("matrix", "positive"), build=lambda r, k: (("rate", r), ("df", k))
    ),
    "dweib": BugsFamily(
        surface="Weibull", roles=("positive",) * 2, build=lambda v, rate: (("shape", v), ("rate", rate))
    ),
    "dpar": BugsFamily(
        surface="Pareto", roles=("positive",) * 2, build=lambda a, c: (("shape", a), ("minimum", c))
    ),
    "dt": BugsFamily(
        surface="StudentT", roles=("real", "positive", "positive"),
        build=lambda mu, tau, k: (
            ("df", k), ("mean", mu), ("scale", _inverse(Call(function="sqrt", arguments=(tau,))))
        ),
    ),
    "dnegbin": BugsFamily(
        surface="NegativeBinomial", roles=("probability", "positive"),
        build=lambda p, r: (("size", r), ("prob", p)), integer=True,
    ),
    "ddexp": BugsFamily(
        surface="Laplace", roles=("real", "positive"), build=lambda mu, tau: (("location", mu), ("rate", tau))
    ),
    "dlogis": BugsFamily(
        surface="Logistic", roles=("real", "positive"),
        build=lambda mu, tau: (("location", mu), ("scale", _inverse(tau))),
    ),
    "dlnorm": BugsFamily(
        surface="LogNormal", roles=("real", "positive"),
        build=lambda mu, tau: (("meanlog", mu), ("preclog", tau)),
    ),
    "dchisqr": BugsFamily(
        surface="Gamma", roles=("positive",),
        build=lambda k: (("shape", _half(k)), ("rate", _half(make_number(1)))),
    ),
    "dflat": BugsFamily(surface="Flat", roles=(), build=lambda: ()),
}  # fmt: skip
FAMILIES |= {
    "ddirich": FAMILIES["ddirch"], "dbinom": FAMILIES["dbin"], "dchisq": FAMILIES["dchisqr"],
    "dweibull": FAMILIES["dweib"], "dnbinom": FAMILIES["dnegbin"], "dmultinom": FAMILIES["dmulti"],
    "dlaplace": FAMILIES["ddexp"],
}  # fmt: skip

# Distributions that have no counterpart, and what comes near.
NEAREST = {
    "dnchisqr": "dgamma",
    "dsum": "a deterministic sum, and a distribution of what remains",
    "dinterval": "a truncation of the node itself: t[i] ~ dweib(r, mu) T(c[i], )",
    "car.l1": "car.normal",
    "dstable": "dt, whose tails are as long as wanted",
    "pois.conv": "a dpois node for the sum",
    "spatial.exp": "dmnorm.vcov with its covariance written entry by entry",
    "spatial.disc": "dmnorm.vcov with its covariance written entry by entry",
    "dsample": "dmulti",
}
