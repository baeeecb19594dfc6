"""Log densities and distribution functions of BUGS distributions, as formulas of the BUGS language.

Parametrisations as in the JAGS user manual (Plummer 2017, chapter 9); the value is ``x``.  Constants stand as logs, which an
exponential takes back.
"""

from __future__ import annotations

from collections.abc import Sequence

from deriver.bugs.censoring import substitute
from deriver.bugs.parser import parse_program
from deriver.bugs.syntax import Term

Formula = tuple[tuple[str, ...], str]
_GENERAL_GAMMA: Formula = (
    ("r", "mu", "beta"),
    "log(beta) + beta * r * log(mu) + (beta * r - 1) * log(x) - pow(mu * x, beta) - loggam(r)",
)
_BINOMIAL: Formula = (
    ("p", "n"),
    "logfact(n) - logfact(x) - logfact(n - x) + x * log(p) + (n - x) * log(1 - p)",
)
_NEGATIVE_BINOMIAL: Formula = (
    ("p", "r"),
    "loggam(x + r) - logfact(x) - loggam(r) + r * log(p) + x * log(1 - p)",
)
_WEIBULL: Formula = (("v", "lambda"), "log(v) + log(lambda) + (v - 1) * log(x) - lambda * pow(x, v)")
_CHI_SQUARED: Formula = (
    ("k",),
    "(k / 2 - 1) * log(x) - x / 2 - k / 2 * log(2) - loggam(k / 2)",
)
_LAPLACE: Formula = (("mu", "tau"), "log(tau) - log(2) - tau * abs(x - mu)")

# Arguments, and the log density at x.
LOG_DENSITIES: dict[str, Formula] = {
    "dgen.gamma": _GENERAL_GAMMA,
    "dggamma": _GENERAL_GAMMA,
    "dbetabin": (
        ("a", "b", "n"),
        (
            "logfact(n) - logfact(x) - logfact(n - x) + loggam(x + a) + loggam(n - x + b) - loggam(n + a + b)"
            " + loggam(a + b) - loggam(a) - loggam(b)"
        ),
    ),
    "df": (
        ("n", "m"),
        (
            "loggam((n + m) / 2) - loggam(n / 2) - loggam(m / 2) + n / 2 * log(n / m) + (n / 2 - 1) * log(x)"
            " - (n + m) / 2 * log(1 + n * x / m)"
        ),
    ),
    "dnorm": (("mu", "tau"), "0.5 * log(tau) - 0.5 * log(6.283185307179586) - 0.5 * tau * pow(x - mu, 2)"),
    "dlnorm": (
        ("mu", "tau"),
        "0.5 * log(tau) - 0.5 * log(6.283185307179586) - 0.5 * tau * pow(log(x) - mu, 2) - log(x)",
    ),
    "dexp": (("lambda",), "log(lambda) - lambda * x"),
    "dgamma": (("r", "lambda"), "r * log(lambda) + (r - 1) * log(x) - lambda * x - loggam(r)"),
    "dchisqr": _CHI_SQUARED,
    "dchisq": _CHI_SQUARED,
    "dbeta": (
        ("a", "b"),
        "loggam(a + b) - loggam(a) - loggam(b) + (a - 1) * log(x) + (b - 1) * log(1 - x)",
    ),
    "dpois": (("lambda",), "x * log(lambda) - lambda - logfact(x)"),
    "dbern": (("p",), "x * log(p) + (1 - x) * log(1 - p)"),
    "dbin": _BINOMIAL,
    "dbinom": _BINOMIAL,
    "dnegbin": _NEGATIVE_BINOMIAL,
    "dnbinom": _NEGATIVE_BINOMIAL,
    "dweib": _WEIBULL,
    "dweibull": _WEIBULL,
    "ddexp": _LAPLACE,
    "dlaplace": _LAPLACE,
    "dlogis": (("mu", "tau"), "log(tau) + tau * (x - mu) - 2 * log(1 + exp(tau * (x - mu)))"),
    "dt": (
        ("mu", "tau", "k"),
        (
            "loggam((k + 1) / 2) - loggam(k / 2) + 0.5 * log(tau / k) - 0.5 * log(3.141592653589793)"
            " - (k + 1) / 2 * log(1 + tau * pow(x - mu, 2) / k)"
        ),
    ),
    "dpar": (("alpha", "c"), "log(alpha) + alpha * log(c) - (alpha + 1) * log(x)"),
}
# Arguments, and P(X <= x), for x within the support.
DISTRIBUTION_FUNCTIONS: dict[str, Formula] = {
    "dnorm": (("mu", "tau"), "phi((x - mu) * sqrt(tau))"),
    "dlnorm": (("mu", "tau"), "phi((log(x) - mu) * sqrt(tau))"),
    "dexp": (("lambda",), "1 - exp(-lambda * x)"),
    "dunif": (("a", "b"), "(x - a) / (b - a)"),
    "dweib": (("v", "lambda"), "1 - exp(-lambda * pow(x, v))"),
    "dlogis": (("mu", "tau"), "ilogit(tau * (x - mu))"),
    "dpar": (("alpha", "c"), "1 - pow(c / x, alpha)"),
}


def write_formula(formula: Formula, value: Term, arguments: Sequence[Term]) -> Term:
    """Return a formula at a value, with its arguments."""
    names, text = formula
    (definition,) = parse_program(f"model {{ value <- {text} }}").model
    assert definition.expression is not None
    return substitute(definition.expression, dict(zip(names, arguments, strict=True)) | {"x": value})
