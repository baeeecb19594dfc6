"""What a distribution family is: one record.

The language reads the surface names, parametrisations, roles and support; the engine the symbolic log
density, the statistics and the map from natural to standard parameters; the density-ratio check the numeric
log density, which is written apart from the symbolic one so that each can catch a slip in the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import sympy as sp


# What an argument must be: its shape and the set in which it lies.
Role = Literal[
    "real",  # a scalar
    "positive",  # a positive scalar
    "nonnegative",
    "probability",  # a scalar in (0, 1)
    "count",  # a nonnegative integer
    "vector",  # a real vector
    "positive_vector",
    "simplex",  # a probability vector
    "spd",  # a symmetric positive definite matrix
    "cholesky",  # a lower triangular matrix with positive diagonal
    "bound",  # a scalar or +-inf
    "dimension",  # a dimension name or a number
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parametrisation:
    """One way to write a family's arguments: ``keywords`` in order, with a role each.

    ``to_canonical`` takes one SymPy expression per keyword and returns the canonical parameters in order.
    ``long`` tells if the family's long name takes these keywords, too, or its short name alone.
    """

    keywords: tuple[str, ...]
    roles: tuple[Role, ...]
    to_canonical: Callable[..., tuple[sp.Expr, ...]]
    long: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportRule:
    """The family's support.

    A bound is a number as text (``"0"``), a keyword that every parametrisation has, or None (infinite).
    """

    kind: Literal["real", "integer", "simplex", "spd", "correlation"]
    lower: str | None = None
    upper: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """The exponential-family side of a family, where it has one.

    ``statistics`` names the sufficient statistics in order; ``collect(monomial, target)`` tells which of
    them a monomial in the target is, and with what coefficient (a scalar, vector or matrix expression), or
    returns None.  ``to_standard`` maps natural parameters (one per statistic, the coefficient summed over
    all factors) to the canonical parameters.  ``proper`` lists what must hold for the kernel to be a density
    of this family: pairs (expression, ``"positive"`` or ``"positive_definite"``).
    """

    statistics: tuple[str, ...]
    collect: Callable[[sp.Expr, sp.Expr], tuple[str, sp.Expr] | None]
    to_standard: Callable[[Mapping[str, sp.Expr], sp.Expr], Mapping[str, sp.Expr]]
    proper: Callable[[Mapping[str, sp.Expr], sp.Expr], tuple[tuple[sp.Expr, str], ...]]
    statistic_forms: Callable[[sp.Expr], Mapping[str, sp.Expr]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A distribution family.

    ``key`` is its name in outputs (``"inverse_gamma"``); ``surface`` its long name in the language, which
    takes keywords; ``short`` the notes' name, which takes the first parametrisation's arguments in order.
    Several families may share a surface name when their shapes differ (``Normal``: scalar and vector).
    A long name takes its arguments without keywords when ``positional`` says that the first parametrisation
    cannot be mistaken; else ``leading`` of them (the mean of ``Normal(mean, sd=)``).
    ``parameters`` are the canonical parameters, which ``log_density`` (symbolic) and ``logpdf`` (numeric)
    take after the value; ``cdf`` and ``sf``, P(X <= x) and P(X > x), each exact in its own tail, are numeric,
    take the same arguments and any x: a truncation T(,) is normalised by them (see ``truncation.py``).
    ``improper`` marks a density without a finite integral: nothing can be drawn from it.
    """

    key: str
    surface: str
    short: str | None = None
    positional: bool = False
    leading: int = 0
    shape: Literal["scalar", "vector", "matrix"]
    support: SupportRule
    parameters: tuple[str, ...]
    parametrisations: tuple[Parametrisation, ...]
    log_density: Callable[..., sp.Expr]
    logpdf: Callable[..., float]
    kernel: Kernel | None = None
    cdf: Callable[..., float] | None = None
    sf: Callable[..., float] | None = None
    improper: bool = False
    source: str = ""

    @property
    def title(self) -> str:
        """Return the family's name in a sentence: "inverse gamma", "inverse Wishart"."""
        words = self.key.replace("mvnormal", "multivariate_normal").split("_")
        return " ".join(_PROPER_NAMES.get(word, word) for word in words)


# Words of a family's key that are written with a capital.
_PROPER_NAMES = {
    word: word.capitalize()
    for word in ("wishart", "dirichlet", "cauchy", "laplace", "pareto", "weibull", "poisson", "bernoulli")
} | {"polya": "Pólya"}
