"""Stage: the distribution families that models are written in and conditionals are matched to.

Adding a family is one record in one file here, named below, and one template macro.
"""

from __future__ import annotations

from functools import partial

from deriver.algebra.log_masses import LOG_MASSES
from deriver.families.bernoulli import BERNOULLI
from deriver.families.beta import BETA
from deriver.families.binomial import BINOMIAL
from deriver.families.categorical import CATEGORICAL
from deriver.families.cauchy import CAUCHY
from deriver.families.dirichlet import DIRICHLET
from deriver.families.exponential import EXPONENTIAL
from deriver.families.flat import FLAT
from deriver.families.flat_vector import FLAT_VECTOR
from deriver.families.gamma import GAMMA
from deriver.families.half_cauchy import HALF_CAUCHY
from deriver.families.half_normal import HALF_NORMAL
from deriver.families.inverse_gamma import INVERSE_GAMMA
from deriver.families.inverse_wishart import INVERSE_WISHART
from deriver.families.laplace import LAPLACE
from deriver.families.lkj import LKJ
from deriver.families.logistic import LOGISTIC
from deriver.families.lognormal import LOGNORMAL
from deriver.families.multinomial import MULTINOMIAL
from deriver.families.mvnormal import MVNORMAL
from deriver.families.negative_binomial import NEGATIVE_BINOMIAL
from deriver.families.normal import NORMAL
from deriver.families.pareto import PARETO
from deriver.families.poisson import POISSON
from deriver.families.polya_gamma import POLYA_GAMMA
from deriver.families.record import Family
from deriver.families.sqrt_inverse_gamma import SQRT_INVERSE_GAMMA
from deriver.families.student_t import STUDENT_T
from deriver.families.truncation import log_mass
from deriver.families.uniform import UNIFORM
from deriver.families.weibull import WEIBULL
from deriver.families.wishart import WISHART

FAMILIES: tuple[Family, ...] = (
    NORMAL,
    MVNORMAL,
    GAMMA,
    INVERSE_GAMMA,
    SQRT_INVERSE_GAMMA,
    EXPONENTIAL,
    UNIFORM,
    WISHART,
    INVERSE_WISHART,
    BETA,
    DIRICHLET,
    BERNOULLI,
    BINOMIAL,
    POISSON,
    NEGATIVE_BINOMIAL,
    CATEGORICAL,
    MULTINOMIAL,
    STUDENT_T,
    CAUCHY,
    HALF_CAUCHY,
    HALF_NORMAL,
    LAPLACE,
    LOGISTIC,
    LOGNORMAL,
    WEIBULL,
    PARETO,
    FLAT,
    FLAT_VECTOR,
    LKJ,
    POLYA_GAMMA,
)

_BY_KEY = {record.key: record for record in FAMILIES}

LOG_MASSES.update((record.key, partial(log_mass, record)) for record in FAMILIES)


def family(key: str) -> Family:
    """Return the family of that key; raise ``KeyError`` if there is none."""
    return _BY_KEY[key]


def by_surface(name: str) -> tuple[Family, ...]:
    """Return the families written so in the language, by long or short name; empty if there are none."""
    return tuple(record for record in FAMILIES if name in (record.surface, record.short))


def surface_names() -> tuple[str, ...]:
    """Return every name that the language takes for a family, short before long, once each."""
    names = [name for record in FAMILIES for name in (record.short, record.surface) if name]
    return tuple(dict.fromkeys(names))
