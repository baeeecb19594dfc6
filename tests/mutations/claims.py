"""Right claims: every conditional of the notes, each written in at least five equivalent ways.

Input: none.  Output: ``CLAIMS``, the records that ``mutate`` breaks.
"""

from __future__ import annotations

from .forms import Claim, Subject, inverse_gamma, kernels, mvnormal, normal, wishart
from .long_claims import long_claims

# --- models with a vector of coefficients ---------------------------------------------------------------------------

_BETA_PRIOR = r"mu|Sigma|\bQ\b|sigma2_beta|\bR\b|rho"
_DATA = r"[xXyJ]\["


def _beta(model: str, sigma2: str, *covariances: str) -> list[Claim]:
    subject = Subject(model=model, node="beta", element="beta[i]", prior=_BETA_PRIOR, child=_DATA)
    spelt = []
    data = (
        (f"sum(j: x[i,j] * x[i,j]') / {sigma2}", f"sum(j: x[i,j] * y[i,j]) / {sigma2}"),
        (f"X[i]' * X[i] / {sigma2}", f"X[i]' * y[i] / {sigma2}"),
        (f"sum(j: x[i,j] * x[i,j]' / {sigma2})", f"1 / {sigma2} * sum(j: y[i,j] * x[i,j])"),
    )
    for k, precision in enumerate(covariances):
        for square, cross in (data[k % 3], data[(k + 1) % 3]):
            spelt.append((f"{square} + {precision}", f"{precision} * mu + {cross}"))
    return mvnormal(subject, *spelt)


def _mu(model: str, *precisions: str) -> list[Claim]:
    subject = Subject(
        model=model, node="mu", element="mu", prior=r"mu0|Sigma0", child=r"beta\[|\bn\b|Sigma\b|\bQ\b|\bR\b"
    )
    spelt = []
    for precision in precisions:
        spelt += [
            (f"n * {precision} + inv(Sigma0)", f"{precision} * sum(i: beta[i]) + inv(Sigma0) * mu0"),
            (f"inv(Sigma0) + sum(i: {precision})", f"inv(Sigma0) * mu0 + sum(i: {precision} * beta[i])"),
        ]
    return mvnormal(subject, *spelt)


def _sigma2_beta(model: str) -> list[Claim]:
    subject = Subject(
        model=model,
        node="sigma2_beta",
        element="sigma2_beta",
        prior=r"[qr]_beta",
        child=r"beta\[|\bn\b|\bd\[",
    )
    two = "[1, rho; rho, 1]"
    found = (
        inverse_gamma(
            subject,
            ("n * p / 2 + q_beta", "sum(i: (beta[i] - mu)' * inv(R) * (beta[i] - mu)) / 2 + 1 / r_beta"),
            ("q_beta + p * n / 2", "1 / r_beta + sum(i: (beta[i] - mu)' * inv(R) * (beta[i] - mu) / 2)"),
            ("q_beta + n * p / 2", "1 / r_beta + tr(inv(R) * sum(i: (beta[i] - mu) * (beta[i] - mu)')) / 2"),
        )
        if model != "all_random_two"
        else []
    )
    return found + inverse_gamma(
        subject,
        ("n + q_beta", f"sum(i: (beta[i] - mu)' * inv({two}) * (beta[i] - mu)) / 2 + 1 / r_beta"),
        ("n * p / 2 + q_beta", f"1 / r_beta + 1/2 * sum(i: (mu - beta[i])' * inv({two}) * (mu - beta[i]))"),
    )


def _sigma2(model: str, *, varying: bool = False, balanced: bool = False) -> list[Claim]:
    element = "sigma2[i]" if varying else "sigma2"
    subject = Subject(
        model=model, node="sigma2", element=element, prior=r"\b[qr]\b", child=r"[xXyJ]\[|\bn\b|\bJ\b"
    )
    over = "{}" if varying else "sum(i: {})"
    shape = "J[i]" if varying else "n * J" if balanced else "sum(i: J[i])"
    squares = "sum(j: (y[i,j] - x[i,j]' * beta[i])^2)"
    rows = "(y[i] - X[i] * beta[i])' * (y[i] - X[i] * beta[i])"
    return inverse_gamma(
        subject,
        (f"{shape} / 2 + q", f"{over.format(squares)} / 2 + 1 / r"),
        (f"q + {shape} / 2", f"1 / r + {over.format(rows)} / 2"),
        (f"q + 1/2 * {shape}", f"1 / r + {over.format(f'{squares} / 2')}"),
    )


def _rho() -> list[Claim]:
    subject = Subject(model="all_random_two", node="rho", element="rho", prior=r"(?!)", child=r"(?!)")
    quadratic = "sum(i: d[i]' * inv([1, rho; rho, 1]) * d[i])"
    names = (("a", "sum(i: d[i]' * d[i])"), ("c", "sum(i: d[i,1] * d[i,2])"), ("d[i]", "beta[i] - mu"))
    return kernels(
        subject,
        "-n / 2 * log(1 - rho^2) - (a - 2 * rho * c) / (2 * sigma2_beta * (1 - rho^2))",
        f"-n / 2 * log(det([1, rho; rho, 1])) - {quadratic} / (2 * sigma2_beta)",
        f"-n * log(1 - rho^2) / 2 - 1/2 * {quadratic} / sigma2_beta",
        "-n / 2 * log(1 - rho) - n / 2 * log(1 + rho) - (a / 2 - rho * c) / (sigma2_beta * (1 - rho^2))",
        names=names,
    )


def _log_sigma() -> list[Claim]:
    subject = Subject(
        model="random_log_sd",
        node="log_sigma",
        element="log_sigma[i]",
        prior=r"_sigma\b",
        child=r"[xXyJ]\[|\be\[",
    )
    s = "sum(j: (y[i,j] - x[i,j]' * beta[i])^2)"
    prior = "(log_sigma[i] - mu_sigma)^2 / (2 * sigma2_sigma)"
    own = kernels(
        subject,
        f"-J[i] * log_sigma[i] - {s} / (2 * exp(2 * log_sigma[i])) - {prior}",
        f"-J[i] * log_sigma[i] - exp(-2 * log_sigma[i]) * {s} / 2 - {prior}",
        f"-J[i] * log(sigma[i]) - {s} / (2 * sigma[i]^2) - (log(sigma[i]) - mu_sigma)^2 / (2 * sigma2_sigma)",
    )
    other = kernels(
        subject,
        f"-(J[i] + 1) * log(sigma[i]) - {s} / (2 * sigma[i]^2) - (log(sigma[i]) - mu_sigma)^2 / (2 * sigma2_sigma)",
        head="sigma[i]",
    )
    return own + other


def _poisson_beta() -> list[Claim]:
    subject = Subject(model="poisson", node="beta", element="beta[i]", prior=r"mu|\bQ\b|Sigma", child=_DATA)
    prior = "(beta[i] - mu)' * Q * (beta[i] - mu) / 2"
    return kernels(
        subject,
        f"sum(j: y[i,j] * x[i,j]' * beta[i] - exp(x[i,j]' * beta[i])) - {prior}",
        f"sum(j: y[i,j] * x[i,j])' * beta[i] - sum(j: exp(x[i,j]' * beta[i])) - {prior}",
        f"beta[i]' * X[i]' * y[i] - sum(j: exp(x[i,j]' * beta[i])) - {prior}",
        "sum(j: y[i,j] * log(z[i,j]) - z[i,j]) - (beta[i] - mu)' * inv(Sigma) * (beta[i] - mu) / 2",
        "sum(j: y[i,j] * x[i,j]' * beta[i]) - sum(j: exp(x[i,j]' * beta[i])) - beta[i]' * Q * beta[i] / 2"
        " + mu' * Q * beta[i]",
    )


def _q(model: str) -> list[Claim]:
    subject = Subject(model=model, node="Q", element="Q", prior=r"\bS\b|\bnu\b", child=r"beta\[|\bn\b")
    return wishart(
        subject, "Sigma",
        ("n + nu", "sum(i: (beta[i] - mu) * (beta[i] - mu)') + nu * S"),
        ("nu + n", "nu * S + sum(i: (mu - beta[i]) * (mu - beta[i])')"),
        ("n + nu", "nu * S + sum(i: beta[i] * beta[i]') - sum(i: beta[i]) * mu' - mu * sum(i: beta[i])' + n * mu * mu'"),
    )  # fmt: skip


# --- models of numbers ----------------------------------------------------------------------------------------------


def _level(model: str, node: str, child: str, variance: str, mean: str, spread: str) -> list[Claim]:
    """The mean of a population of numbers."""
    subject = Subject(
        model=model, node=node, element=node, prior=rf"\b({mean}|{spread})\b", child=rf"{child}|\bn\b"
    )
    return normal(
        subject,
        (f"n / {variance} + 1 / {spread}", f"sum(i: {child}[i]) / {variance} + {mean} / {spread}"),
        (f"1 / {spread} + n / {variance}", f"{mean} / {spread} + sum(i: {child}[i] / {variance})"),
    )


def _spread(model: str, node: str, child: str, mean: str, shape: str, scale: str) -> list[Claim]:
    """The variance of a population of numbers."""
    subject = Subject(
        model=model, node=node, element=node, prior=rf"\b({shape}|{scale})\b", child=rf"{child}|\bn\b"
    )
    return inverse_gamma(
        subject,
        (f"n / 2 + {shape}", f"sum(i: ({child}[i] - {mean})^2) / 2 + 1 / {scale}"),
        (f"{shape} + n / 2", f"1 / {scale} + sum(i: ({mean} - {child}[i])^2 / 2)"),
        (
            f"{shape} + 1/2 * n",
            f"1 / {scale} + (sum(i: {child}[i]^2) - 2 * {mean} * sum(i: {child}[i]) + n * {mean}^2) / 2",
        ),
    )


def _error(model: str, mean: str, shape: str = "q", scale: str = "r", balanced: bool = False) -> list[Claim]:
    """The variance of the data."""
    subject = Subject(
        model=model,
        node="sigma2",
        element="sigma2",
        prior=rf"\b({shape}|{scale})\b",
        child=r"[xyJ]\[|\bn\b|\bJ\b",
    )
    count = "n * J" if balanced else "sum(i: J[i])"
    return inverse_gamma(
        subject,
        (f"{count} / 2 + {shape}", f"sum(i: sum(j: (y[i,j] - ({mean}))^2)) / 2 + 1 / {scale}"),
        (f"{shape} + {count} / 2", f"1 / {scale} + sum(i: sum(j: (y[i,j] - ({mean}))^2) / 2)"),
        (f"{shape} + 1/2 * {count}", f"1 / {scale} + 1/2 * sum(i: sum(j: ({mean} - y[i,j])^2))"),
    )


def _each(
    model: str, node: str, x: str, rest: str, mean: str, spread: str, balanced: bool = False
) -> list[Claim]:
    """A coefficient per individual, of ``x`` (1 for an intercept), where ``rest`` is the rest of the mean."""
    subject = Subject(
        model=model,
        node=node,
        element=f"{node}[i]",
        prior=rf"\b({mean}|{spread})\b",
        child=r"[xyJ]\[|\bJ\b|\bsigma2\b",
    )
    count = "J" if balanced else "J[i]"
    square = count if x == "1" else "sum(j: x[i,j]^2)"
    other = count if x == "1" else "sum(j: x[i,j] * x[i,j])"
    left = f"y[i,j] - {rest}"
    cross = f"sum(j: {left})" if x == "1" else f"sum(j: x[i,j] * ({left}))"
    turned = f"sum(j: {left})" if x == "1" else f"sum(j: ({left}) * x[i,j])"
    return normal(
        subject,
        (f"{square} / sigma2 + 1 / {spread}", f"{cross} / sigma2 + {mean} / {spread}"),
        (f"1 / {spread} + {other} / sigma2", f"{mean} / {spread} + 1 / sigma2 * {turned}"),
    )


def _common(model: str, node: str, x: str, rest: str, mean: str, spread: str) -> list[Claim]:
    """A coefficient that all share."""
    subject = Subject(
        model=model, node=node, element=node, prior=rf"\b({mean}|{spread})\b", child=r"[xyJ]\[|\bsigma2\b"
    )
    square = "sum(i: J[i])" if x == "1" else "sum(i: sum(j: x[i,j]^2))"
    inner = f"y[i,j] - {rest}" if x == "1" else f"x[i,j] * (y[i,j] - {rest})"
    return normal(
        subject,
        (f"{square} / sigma2 + 1 / {spread}", f"sum(i: sum(j: {inner})) / sigma2 + {mean} / {spread}"),
        (f"1 / {spread} + {square} / sigma2", f"{mean} / {spread} + sum(i: sum(j: {inner}) / sigma2)"),
    )


def _state_space() -> list[Claim]:
    def at(element: str, prior: str, child: str, ranges: str = "") -> Subject:
        return Subject(
            model="state_space", node="z", element=element, prior=prior, child=child, ranges=ranges
        )

    inside = at("z[t]", r"z\[t-1\]", r"z\[t\+1\]|y\[|sigma2_y|phi\^2", "t in 1..T-1")
    first = at("z[0]", r"\b(m0|v0)\b", r"phi")
    last = at("z[T]", r"sigma2_z", r"sigma2_y")
    phi = Subject(model="state_space", node="phi", element="phi", prior=r"_phi", child=r"z\[")
    found = normal(
        inside,
        ("1 / sigma2_y + (1 + phi^2) / sigma2_z", "y[t] / sigma2_y + phi * (z[t-1] + z[t+1]) / sigma2_z"),
        (
            "1 / sigma2_z + phi^2 / sigma2_z + 1 / sigma2_y",
            "phi * z[t-1] / sigma2_z + phi * z[t+1] / sigma2_z + y[t] / sigma2_y",
        ),
    )
    found += normal(
        first,
        ("phi^2 / sigma2_z + 1 / v0", "phi * z[1] / sigma2_z + m0 / v0"),
        ("1 / v0 + phi * phi / sigma2_z", "m0 / v0 + z[1] * phi / sigma2_z"),
    )
    found += normal(
        last,
        ("1 / sigma2_y + 1 / sigma2_z", "y[T] / sigma2_y + phi * z[T-1] / sigma2_z"),
        ("1 / sigma2_z + 1 / sigma2_y", "z[T-1] * phi / sigma2_z + y[T] / sigma2_y"),
    )
    found += normal(
        phi,
        ("sum(t: z[t-1]^2) / sigma2_z + 1 / v_phi", "sum(t: z[t] * z[t-1]) / sigma2_z + m_phi / v_phi"),
        ("1 / v_phi + sum(t: z[t-1]^2 / sigma2_z)", "m_phi / v_phi + 1 / sigma2_z * sum(t: z[t-1] * z[t])"),
    )
    for mark, left in (("y", "y[t] - z[t]"), ("z", "z[t] - phi * z[t-1]")):
        node = f"sigma2_{mark}"
        variance = Subject(
            model="state_space", node=node, element=node, prior=rf"\b[qr]_{mark}\b", child=r"z\[|\bT\b"
        )
        found += inverse_gamma(
            variance,
            (f"T / 2 + q_{mark}", f"sum(t: ({left})^2) / 2 + 1 / r_{mark}"),
            (f"q_{mark} + T / 2", f"1 / r_{mark} + sum(t: ({left})^2 / 2)"),
        )
    return found


def _all() -> tuple[Claim, ...]:
    spread = ("inv(Sigma)", "inv(sigma2_beta * R)", "inv(R) / sigma2_beta")
    found = _beta("all_random", "sigma2", *spread) + _mu("all_random", *spread)
    found += (
        _sigma2_beta("all_random") + _sigma2("all_random") + _sigma2("all_random balanced", balanced=True)
    )
    found += _sigma2_beta("all_random_two") + _rho()
    found += _beta("varying_variance", "sigma2[i]", *spread) + _mu("varying_variance", *spread[:2])
    found += _sigma2("varying_variance", varying=True) + _sigma2_beta("varying_variance")
    found += _beta("random_log_sd", "sigma[i]^2", *spread[:2]) + _log_sigma() + _sigma2_beta("random_log_sd")
    found += _mu("random_log_sd", "inv(Sigma)")
    found += _level("random_log_sd", "mu_sigma", "log_sigma", "sigma2_sigma", "m", "v")
    found += _spread("random_log_sd", "sigma2_sigma", "log_sigma", "mu_sigma", "q_sigma", "r_sigma")
    found += _beta("wishart", "sigma2", "Q", "inv(Sigma)") + _mu("wishart", "Q", "inv(Sigma)")
    found += _q("wishart") + _sigma2("wishart")
    found += _beta("free_covariance", "sigma2", "inv(Sigma)") + _mu("free_covariance", "inv(Sigma)")
    found += _sigma2("free_covariance") + _mu("poisson", "Q", "inv(Sigma)") + _q("poisson") + _poisson_beta()
    for key in ("random_intercepts", "random_intercepts balanced"):
        balanced = key.endswith("balanced")
        found += _each(key, "beta0", "1", "beta1 * x[i,j]", "mu0", "sigma2_0", balanced)
        found += _error(key, "beta0[i] + beta1 * x[i,j]", "q1", "r1", balanced)
    found += _level("random_intercepts", "mu0", "beta0", "sigma2_0", "mu00", "sigma2_00")
    found += _spread("random_intercepts", "sigma2_0", "beta0", "mu0", "q0", "r0")
    found += _common("random_intercepts", "beta1", "x", "beta0[i]", "mu1", "sigma2_1")
    found += _common("random_slopes", "beta0", "1", "beta1[i] * x[i,j]", "m0", "v0")
    found += _each("random_slopes", "beta1", "x", "beta0", "mu1", "sigma2_1")
    found += _level("random_slopes", "mu1", "beta1", "sigma2_1", "mu10", "sigma2_10")
    found += _spread("random_slopes", "sigma2_1", "beta1", "mu1", "q1", "r1")
    found += _error("random_slopes", "beta0 + beta1[i] * x[i,j]")
    found += _as_printed()
    found += _each("independent_effects", "beta0", "1", "beta1[i] * x[i,j]", "mu0", "sigma2_0")
    found += _each("independent_effects", "beta1", "x", "beta0[i]", "mu1", "sigma2_1")
    for k in "01":
        found += _level("independent_effects", f"mu{k}", f"beta{k}", f"sigma2_{k}", f"mu{k}0", f"sigma2_{k}0")
        found += _spread("independent_effects", f"sigma2_{k}", f"beta{k}", f"mu{k}", f"q{k}", f"r{k}")
    found += _error("independent_effects", "beta0[i] + beta1[i] * x[i,j]")
    found += _state_space() + long_claims()
    return tuple({claim.subject.model + claim.text(): claim for claim in found}.values())


def _as_printed() -> list[Claim]:
    name = "random_slopes_as_printed"
    mean = Subject(model=name, node="mu1", element="mu1", prior=r"mu10|sigma2_10", child=r"beta1|sigma2_1\b")
    spread = Subject(
        model=name, node="sigma2_1", element="sigma2_1", prior=r"\b[qr]1\b", child=r"beta1|^1 / 2$"
    )
    found = _each(name, "beta0", "1", "beta1 * x[i,j]", "mu0", "sigma2_0")
    found += _common(name, "beta1", "x", "beta0[i]", "mu1", "sigma2_1")
    found += normal(
        mean,
        ("1 / sigma2_1 + 1 / sigma2_10", "beta1 / sigma2_1 + mu10 / sigma2_10"),
        ("1 / sigma2_10 + 1 / sigma2_1", "mu10 / sigma2_10 + beta1 / sigma2_1"),
    )
    found += inverse_gamma(
        spread,
        ("1/2 + q1", "(beta1 - mu1)^2 / 2 + 1 / r1"),
        ("q1 + 0.5", "1 / r1 + 1/2 * (mu1 - beta1)^2"),
    )
    return found + _error(name, "beta0[i] + beta1 * x[i,j]")


CLAIMS = _all()
