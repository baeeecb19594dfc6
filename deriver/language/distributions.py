"""The families as Python functions, for the builder: the same names and keywords as in a model text."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from deriver.language.document import finite_bound
from deriver.language.syntax import ArgumentText
from deriver.language.terms import to_expression
from deriver.model.expressions import Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """A family with arguments, to be stated of a node."""

    family: str
    arguments: tuple[ArgumentText, ...]
    truncation: tuple[Expression | None, Expression | None] | None = None

    def truncate(self, lower: object = None, upper: object = None) -> Distribution:
        """Return the distribution restricted to (lower, upper); None leaves a side open."""
        low = finite_bound(to_expression(lower), "lower") if lower is not None else None
        high = finite_bound(to_expression(upper), "upper") if upper is not None else None
        return dataclasses.replace(self, truncation=(low, high))


def _family(name: str) -> Callable[..., Distribution]:
    def build(*values: object, **named: object) -> Distribution:
        plain = [ArgumentText(keyword=None, value=to_expression(value)) for value in values]
        keyed = [ArgumentText(keyword=word, value=to_expression(value)) for word, value in named.items()]
        return Distribution(family=name, arguments=(*plain, *keyed))

    build.__name__ = build.__qualname__ = name
    build.__doc__ = f"The distribution `{name}` of the model language."
    return build


N = _family("N")
IG = _family("IG")
Wish = _family("Wish")
Pois = _family("Pois")
Unif = _family("Unif")
Normal = _family("Normal")
InverseGamma = _family("InverseGamma")
Gamma = _family("Gamma")
Exponential = _family("Exponential")
Wishart = _family("Wishart")
InverseWishart = _family("InverseWishart")
Uniform = _family("Uniform")
Beta = _family("Beta")
Binomial = _family("Binomial")
Bernoulli = _family("Bernoulli")
Poisson = _family("Poisson")
Dirichlet = _family("Dirichlet")
Multinomial = _family("Multinomial")
StudentT = _family("StudentT")
Cauchy = _family("Cauchy")
HalfCauchy = _family("HalfCauchy")
HalfNormal = _family("HalfNormal")
Laplace = _family("Laplace")
LogNormal = _family("LogNormal")
Flat = _family("Flat")
LKJ = _family("LKJ")
Weibull = _family("Weibull")
NegativeBinomial = _family("NegativeBinomial")
Categorical = _family("Categorical")
Logistic = _family("Logistic")
Pareto = _family("Pareto")
PolyaGamma = _family("PolyaGamma")
