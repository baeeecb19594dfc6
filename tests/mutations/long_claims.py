"""Right claims about models in long format: rows k, the group of each in a column, sums over the rows of a group.

Input: none.  Output: claims about ``random_intercepts_long``, ``nested_groups`` and ``crossed_groups``, whose texts
and joint densities stand in ``tests/hand``.
"""

from __future__ import annotations

from .forms import Claim, Subject, inverse_gamma, mvnormal, normal, wishart


def long_claims() -> list[Claim]:
    """Return the claims about all models in long format."""
    return _intercepts() + _nested() + _crossed()


def _subject(model: str, element: str, prior: str, child: str) -> Subject:
    return Subject(model=model, node=element.partition("[")[0], element=element, prior=prior, child=child)


def _of_group(
    model: str, element: str, rows: str, left: str, noise: str, mean: str, spread: str
) -> list[Claim]:
    """An effect of a group: ``left`` is what a row leaves to it, ``rows`` the index and condition of its rows."""
    subject = _subject(
        model, element, rf"{mean.partition('[')[0]}\b|{spread}\b", rf"\by\[|\ba\[c|\b{noise}\b"
    )
    return normal(
        subject,
        (f"sum({rows}: 1) / {noise} + 1 / {spread}", f"sum({rows}: {left}) / {noise} + {mean} / {spread}"),
        (
            f"1 / {spread} + sum({rows}: 1 / {noise})",
            f"{mean} / {spread} + 1 / {noise} * sum({rows}: {left})",
        ),
    )


def _over_plate(
    model: str, node: str, index: str, size: str, child: str, noise: str, m: str, v: str
) -> list[Claim]:
    """The mean of a population of effects, of which there are ``size``."""
    subject = _subject(model, node, rf"\b({m}|{v})\b", rf"\b{child}\[|\b{size}\b")
    return normal(
        subject,
        (f"{size} / {noise} + 1 / {v}", f"sum({index}: {child}[{index}]) / {noise} + {m} / {v}"),
        (f"1 / {v} + {size} / {noise}", f"{m} / {v} + sum({index}: {child}[{index}] / {noise})"),
    )


def _slope(model: str, effect: str, m: str, v: str) -> list[Claim]:
    """A slope that all rows share."""
    subject = _subject(model, "beta1", rf"\b({m}|{v})\b", r"\b[xy]\[|\bsigma2\b")
    left = f"y[k] - {effect}[g[k]]"
    return normal(
        subject,
        (f"sum(k: x[k]^2) / sigma2 + 1 / {v}", f"sum(k: x[k] * ({left})) / sigma2 + {m} / {v}"),
        (f"1 / {v} + sum(k: x[k] * x[k]) / sigma2", f"{m} / {v} + 1 / sigma2 * sum(k: ({left}) * x[k])"),
    )


def _variance(model: str, node: str, index: str, size: str, left: str, shape: str, scale: str) -> list[Claim]:
    """The variance of ``size`` deviations ``left``."""
    subject = _subject(model, node, rf"\b({shape}|{scale})\b", rf"\[{index}\]|\b{size}\b")
    return inverse_gamma(
        subject,
        (f"{size} / 2 + {shape}", f"sum({index}: ({left})^2) / 2 + 1 / {scale}"),
        (f"{shape} + {size} / 2", f"1 / {scale} + sum({index}: ({left})^2 / 2)"),
        (f"{shape} + 1/2 * {size}", f"1 / {scale} + 1/2 * sum({index}: ({left}) * ({left}))"),
    )


def _intercepts() -> list[Claim]:
    name = "random_intercepts_long"
    rows = "k where g[k] = i"
    found = _of_group(name, "beta0[i]", rows, "y[k] - beta1 * x[k]", "sigma2", "mu0", "sigma2_0")
    found += _over_plate(name, "mu0", "i", "n", "beta0", "sigma2_0", "mu00", "sigma2_00")
    found += _slope(name, "beta0", "mu1", "sigma2_1")
    found += _variance(name, "sigma2_0", "i", "n", "beta0[i] - mu0", "q0", "r0")
    return found + _variance(name, "sigma2", "k", "K", "y[k] - beta0[g[k]] - beta1 * x[k]", "q1", "r1")


def _nested() -> list[Claim]:
    name = "nested_groups"
    found = _of_group(
        name, "a[c]", "k where g[k] = c", "y[k] - beta1 * x[k]", "sigma2", "u[school[c]]", "sigma2_a"
    )
    found += _of_group(name, "u[i]", "c where school[c] = i", "a[c]", "sigma2_a", "mu", "sigma2_u")
    found += _over_plate(name, "mu", "i", "n", "u", "sigma2_u", "m", "v") + _slope(name, "a", "m1", "v1")
    found += _variance(name, "sigma2_u", "i", "n", "u[i] - mu", "q_u", "r_u")
    found += _variance(name, "sigma2_a", "c", "C", "a[c] - u[school[c]]", "q_a", "r_a")
    return found + _variance(name, "sigma2", "k", "K", "y[k] - a[g[k]] - beta1 * x[k]", "q", "r")


def _crossed() -> list[Claim]:
    name = "crossed_groups"
    beta = _subject(name, "beta[i]", r"\bmu\b|\bQ\b", r"\b[xy]\[")
    rows, left = "k where f[k] = i", "(y[k] - a[h[k]])"
    found = mvnormal(
        beta,
        (f"sum({rows}: x[k] * x[k]') / sigma2 + Q", f"sum({rows}: x[k] * {left}) / sigma2 + Q * mu"),
        (f"Q + 1 / sigma2 * sum({rows}: x[k] * x[k]')", f"Q * mu + sum({rows}: {left} * x[k]) / sigma2"),
    )
    item, rows, left = (
        _subject(name, "a[l]", r"sigma2_a", r"\by\["),
        "k where h[k] = l",
        "y[k] - x[k]' * beta[f[k]]",
    )
    found += normal(
        item,
        (f"sum({rows}: 1) / sigma2 + 1 / sigma2_a", f"sum({rows}: {left}) / sigma2"),
        (f"1 / sigma2_a + sum({rows}: 1 / sigma2)", f"1 / sigma2 * sum({rows}: {left})"),
    )
    precision = _subject(name, "Q", r"\bS\b|\bnu\b", r"beta\[|\bn\b")
    found += wishart(
        precision, "inv(Q)",
        ("n + nu", "sum(i: (beta[i] - mu) * (beta[i] - mu)') + nu * S"),
        ("nu + n", "nu * S + sum(i: (mu - beta[i]) * (mu - beta[i])')"),
    )  # fmt: skip
    found += _variance(name, "sigma2_a", "l", "L", "a[l]", "q_a", "r_a")
    return found + _variance(name, "sigma2", "k", "K", "y[k] - x[k]' * beta[f[k]] - a[h[k]]", "q", "r")
