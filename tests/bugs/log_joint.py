"""The log joint density of a BUGS program, loop by loop and element by element: a second opinion on a translation.

Nothing of the translation is used but the counts of its loops: definitions are computed one element at a time, and each
element of a stochastic node adds the log density that the JAGS user manual gives, by SciPy.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import stats

from deriver.bugs.elaborate import Elaborated, target_place, undo_link
from deriver.bugs.evaluate import Unknown, evaluate
from deriver.bugs.syntax import Relation

DENSITIES = {
    "dnorm": lambda x, m, tau: stats.norm.logpdf(x, m, tau**-0.5),
    "dgamma": lambda x, r, rate: stats.gamma.logpdf(x, r, scale=1 / rate),
    "dexp": lambda x, rate: stats.expon.logpdf(x, scale=1 / rate),
    "dunif": lambda x, a, b: stats.uniform.logpdf(x, a, b - a),
    "dbeta": lambda x, a, b: stats.beta.logpdf(x, a, b),
    "dbern": lambda x, p: stats.bernoulli.logpmf(x, p),
    "dbin": lambda x, p, n: stats.binom.logpmf(x, n, p),
    "dpois": lambda x, m: stats.poisson.logpmf(x, m),
    "dpar": lambda x, a, c: stats.pareto.logpdf(x, a, scale=c),
    "dt": lambda x, m, tau, k: stats.t.logpdf(x, k, m, tau**-0.5),
    "ddexp": lambda x, m, tau: stats.laplace.logpdf(x, m, 1 / tau),
    "dcat": lambda x, p: np.log((p / p.sum())[int(x) - 1]),
    "ddirch": lambda x, a: stats.dirichlet.logpdf(x / x.sum(), a),
    "dmulti": lambda x, p, n: stats.multinomial.logpmf(x, n, p / p.sum()),
    "dmnorm": lambda x, m, q: stats.multivariate_normal.logpdf(x, m, np.linalg.inv(q)),
    "dloglik": lambda x, value: value,
    "dgen.gamma": lambda x, r, mu, b: stats.gengamma.logpdf(x, r, b, scale=1 / mu),
    "dbetabin": lambda x, a, b, n: stats.betabinom.logpmf(x, n, a, b),
    "df": lambda x, n, m: stats.f.logpdf(x, n, m),
    "dinterval": lambda code, x, cut: 0.0 if (x > cut) == (code == 1) else -np.inf,
    "dwish": lambda x, r, k: stats.wishart.logpdf(x, float(k), np.linalg.inv(r)),
}

# T(,) divides the density by the probability of its interval, which matters where the parameters are drawn.
PROBABILITIES = {
    "dnorm": lambda x, m, tau: stats.norm.cdf(x, m, tau**-0.5),
    "dgamma": lambda x, r, rate: stats.gamma.cdf(x, r, scale=1 / rate),
    "dbeta": lambda x, a, b: stats.beta.cdf(x, a, b),
}


def log_joint(found: Elaborated, drawn: Mapping[str, np.ndarray]) -> float:
    """Return the log joint density, up to a constant; ``drawn`` holds the unobserved nodes, NaN elsewhere."""
    arrays = {name: array.copy() for name, array in found.arrays.items()}
    for name, value in drawn.items():
        arrays[name] = np.where(np.isnan(value), arrays.get(name, value), value)
    observed = set(found.arrays)
    define(found, arrays)
    total = 0.0
    for relation in found.relations:
        if relation.stochastic:
            for counters in found.counts[relation]:
                value = arrays[relation.target.name][target_place(relation.target, found.arrays, counters)]
                if relation.target.name in observed and np.isnan(value).any():
                    continue  # a missing response, which nothing depends on
                arguments = [evaluate(each, arrays, counters) for each in relation.arguments]
                total += float(DENSITIES[relation.distribution or ""](value, *arguments))
                total -= log_probability(relation, arguments, arrays, counters)
    return total


def log_probability(
    relation: Relation, arguments: list[np.ndarray], arrays: dict[str, np.ndarray], counters: dict[str, int]
) -> float:
    """Return the log probability of the interval T(,) that the relation is truncated to; 0 without one."""
    if relation.bounds is None or relation.bounds.word != "T":
        return 0.0
    below = PROBABILITIES[relation.distribution or ""]
    lower, upper = relation.bounds.lower, relation.bounds.upper
    left = 0.0 if lower is None else below(evaluate(lower, arrays, counters), *arguments)
    right = 1.0 if upper is None else below(evaluate(upper, arrays, counters), *arguments)
    return float(np.log(right - left))


def define(found: Elaborated, arrays: dict[str, np.ndarray]) -> None:
    """Compute the definitions, each element as soon as what it rests on is there."""
    waiting: list[tuple[Relation, dict[str, int]]] = []
    for relation in found.relations:
        if not relation.stochastic:
            arrays.setdefault(relation.target.name, np.full(found.extents[relation.target.name], np.nan))
            waiting += [(relation, counters) for counters in found.counts[relation]]
    while waiting:
        left = []
        for relation, counters in waiting:
            try:
                assert relation.expression is not None
                value = undo_link(relation.link, evaluate(relation.expression, arrays, counters))
                arrays[relation.target.name][target_place(relation.target, found.arrays, counters)] = value
            except Unknown:
                left.append((relation, counters))
        if len(left) == len(waiting):
            raise AssertionError(f"nothing gives {left[0][0].target.name}")
        waiting = left
