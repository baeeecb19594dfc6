"""The Pólya–gamma distribution, the scale that makes a logistic likelihood normal in its log odds.

PG(b, c) is the distribution of Σ_k 2 G_k / ((2k − 1)² π² + c²), k = 1, 2, …, the G_k independent Gamma(b, 1); its
density is that of PG(b, 0) tilted, cosh(c/2)^b exp(−c² ω / 2) PG(ω; b, 0).  For y ~ Binomial(b, expit(c)) the
powers of cosh(c/2) of the two densities cancel, and exp((y − b/2) c − ω c²/2) is left: a normal kernel in c.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from deriver.families.deferred import heads, sp
from deriver.families.numeric import NEVER, UNDEFINED, is_count
from deriver.families.record import Family, Parametrisation, SupportRule
from deriver.families.symbolic import keep

if TYPE_CHECKING:
    from sympy import Expr


_DIGITS = 20


def log_density(value: Expr, size: Expr, tilt: Expr) -> Expr:
    """log PG(value; size, tilt), written in log(1 + exp(−tilt)) as a logistic likelihood is."""
    log_cosh = tilt / 2 + sp.log(1 + sp.exp(-tilt)) - sp.log(2)
    return size * log_cosh - sp.S.Half * tilt**2 * value + heads.LogPolyaGamma(value, size)


def logpdf(value: float, size: float, tilt: float) -> float:
    """log PG(value; size, tilt), the alternating series summed with as many digits as it loses.

    PG(ω; b, 0) = 2^(b−1)/Γ(b) Σ_n (−1)^n Γ(n+b)/n! (2n+b)/√(2πω³) exp(−(2n+b)²/(8ω)) (Polson, Scott & Windle
    2013, section 2.3).
    """
    if not is_count(size):
        return UNDEFINED
    if size == 0:
        return 0.0 if value == 0 else NEVER
    if not 0 < value < math.inf:
        return NEVER
    half = abs(tilt) / 2
    log_cosh = half + math.log1p(math.exp(-2 * half)) - math.log(2.0)
    return size * log_cosh - 0.5 * tilt * tilt * value + _log_untilted(value, int(size))


def _log_untilted(value: float, size: int) -> float:
    """The terms are at most about 4^b and the sum at least exp(−π² ω / 2) or the first term, whichever governs."""
    lost = (math.pi**2 * value / 2 + size * math.log(4.0)) / math.log(10.0)
    import mpmath

    with mpmath.workdps(int(_DIGITS + lost + math.log10(1 + value) + 5)):
        x = mpmath.mpf(value)
        first = -(mpmath.mpf(size) ** 2) / (8 * x)
        least = -mpmath.mp.prec * mpmath.log(2)
        total, n, weight = mpmath.mpf(0), 0, mpmath.mpf(1)  # weight: (−1)^n Γ(n+b) / (Γ(b) n!)
        while True:
            exponent = -(mpmath.mpf(2 * n + size) ** 2) / (8 * x) - first
            total += weight * (2 * n + size) * mpmath.exp(exponent)
            if exponent + mpmath.log(abs(weight) * (2 * n + size)) < least:
                break
            weight *= -mpmath.mpf(n + size) / (n + 1)
            n += 1
        log_scale = (size - 1) * mpmath.log(2) - mpmath.log(2 * mpmath.pi * x**3) / 2
        return float(log_scale + first + mpmath.log(total))


POLYA_GAMMA = Family(
    key="polya_gamma",
    surface="PolyaGamma",
    short="PG",
    positional=True,
    shape="scalar",
    support=SupportRule(kind="real", lower="0"),
    parameters=("size", "tilt"),
    parametrisations=(
        Parametrisation(keywords=("size", "tilt"), roles=("count", "real"), to_canonical=keep),
    ),
    log_density=log_density,
    logpdf=logpdf,
    source="Polson, Scott & Windle (2013), Bayesian inference for logistic models using Pólya–gamma latent variables",
)
