"""Observations of a parameter with a prior: conjugate by construction, or deliberately not quite.

``{o}`` stands for the parameter as the observation reads it, ``{w}`` for a positive given, ``{m}`` and ``{x}`` for
real ones, ``{n}`` for a whole number, ``{u}`` for a vector, ``{h}`` for a parameter of the prior.
"""

from __future__ import annotations

from tests.random_models.draft import Draft, Indices, element, part_of, reach

OVER: tuple[Indices, ...] = (("k",), ("i",), ("i", "j"), ("i", "l"), ("t",), ("d",))
KINDS = {"w": " > 0", "m": "", "x": "", "n": " : integer >= 0", "u": " : vector(p)", "a": " : vector(p)"}
VECTORS, MATRICES = ("mvnormal",), ("wishart", "inverse_wishart")

# Family of the conditional -> observations to which a prior of that family is conjugate.
LIKELIHOODS: dict[str, tuple[str, ...]] = {
    "normal": (
        "N({o}, {w})",
        "N({x} * {o} + {m}, 1)",
        "Normal({m} - {o}, sd = 2)",
        "Normal({o} / {w}, prec = {w})",
        "LogNormal(meanlog = {x} * {o}, sdlog = 0.5)",
        "LogNormal(meanlog = {m} - {o}, preclog = 3)",
    ),
    "gamma": (
        "Pois({o})",
        "Pois({w} * {o})",
        "Exponential(rate = {o})",
        "Exponential(rate = {o} / {w})",
        "Exponential(mean = 1 / {o})",
        "Gamma(shape = 2, rate = {o})",
        "Gamma(shape = {w}, rate = {w} * {o})",
        "Gamma(shape = {w}, scale = 2 / {o})",
        "Normal({m}, prec = {o})",
        "N({m}, {w} / {o})",
        "Normal({m}, sd = 1 / sqrt({o}))",
        "LogNormal(meanlog = {m}, preclog = {o})",
        "Laplace(location = {m}, rate = {o})",
        "Pareto(shape = {o}, minimum = 0.1)",
        "Weibull(shape = 2, rate = {o})",
        "InverseGamma(shape = 2, scale = {o})",
        "HalfNormal(var = {w} / {o})",
    ),
    "inverse_gamma": (
        "N({m}, {o})",
        "Normal({m}, var = {w} * {o})",
        "Normal({m}, prec = {w} / {o})",
        "Normal({m}, sd = sqrt({o}))",
        "LogNormal(meanlog = {m}, varlog = {o})",
        "Exponential(mean = {o})",
        "Exponential(rate = {w} / {o})",
        "Gamma(shape = {w}, scale = {o})",
        "Laplace(location = {m}, scale = {o})",
        "HalfNormal(var = {o})",
        "IG(2, {o})",
        "Pois({w} / {o})",
    ),
    "beta": (
        "Bernoulli({o})",
        "Bernoulli(1 - {o})",
        "Binomial({n}, {o})",
        "Binomial(size = {n}, prob = 1 - {o})",
        "NegativeBinomial(size = 3, prob = {o})",
        "NegativeBinomial(size = {w}, prob = 1 - {o})",
    ),
    "dirichlet": ("Categorical({o})", "Multinomial(5, {o})", "Multinomial({n}, {o})"),
    "mvnormal": ("N({u}' * {o}, {w})", "N({o}, {w} * eye(p))", "N({m} * {o} + {u}, eye(p))", "Normal({u} - {o}, prec = 2 * eye(p))"),
    "wishart": (
        "N({u}, inv({o}))",
        "Normal({u}, prec = {o})",
        "Normal({u}, cov = inv({w} * {o}))",
        "Normal({u}, prec = {o} / {w})",
        "InverseWishart(df = p + 2, scale = {o})",
        "Wishart(rate = {o}, df = p + 1)",
    ),
    "inverse_wishart": ("N({u}, {o})", "Normal({u}, cov = {w} * {o})", "Wish({o}, p + 2)"),
}  # fmt: skip
# Family -> its priors; with the family that {h} has, and whether it is then conjugate itself.
PRIORS: dict[str, tuple[tuple[str, str, bool], ...]] = {
    "normal": (
        ("N(0.3, 2)", "", True),
        ("N({h}, 2)", "normal", True),
        ("Normal(2 * {h}, sd = 3)", "normal", True),
        ("N(0, {h})", "inverse_gamma", True),
        ("Normal(1, prec = {h})", "gamma", True),
        ("HalfNormal(sd = 2)", "", True),
        ("N(0.3, 2) T(-5, 5)", "", True),
        ("N({h}, 2) T(-5, inf)", "normal", False),
        ("HalfNormal(var = {h})", "inverse_gamma", True),
    ),
    "gamma": (
        ("Gamma(shape = 2, rate = 1.5)", "", True),
        ("Exponential(rate = 0.7)", "", True),
        ("Gamma(shape = 2, rate = {h})", "gamma", True),
        ("Gamma(shape = 3, scale = {h})", "inverse_gamma", True),
        ("Exponential(mean = {h})", "inverse_gamma", True),
        ("Gamma(shape = {h}, rate = 2)", "gamma", False),
        ("Gamma(shape = 2, rate = 1.5) T(0.01, 20)", "", True),
        ("Gamma(shape = 2, rate = {h}) T(0, 20)", "gamma", False),
    ),
    "inverse_gamma": (
        ("IG(2, 1)", "", True),
        ("InverseGamma(shape = 3, scale = 2)", "", True),
        ("InverseGamma(shape = 0.5, scale = 1 / {h})", "inverse_gamma", True),
        ("IG(2, {h})", "inverse_gamma", True),
        ("InverseGamma(shape = 2, scale = {h})", "gamma", True),
        ("InverseGamma(shape = {h}, scale = 1)", "gamma", False),
    ),
    "beta": (
        ("Beta(2, 3)", "", True),
        ("Beta(0.5, 0.5) T(0.05, 0.95)", "", True),
        ("Beta({h}, 3)", "gamma", False),
        ("Beta(2, 1 + {h})", "gamma", False),
    ),
    "dirichlet": (("Dirichlet(2 * ones(3))", "", True), ("Dirichlet({h} * ones(3))", "gamma", False)),
    "mvnormal": (
        ("N(ones(p), 2 * eye(p))", "", True),
        ("N({h}, 2 * eye(p))", "mvnormal", True),
        ("N(0 * ones(p), {h} * eye(p))", "inverse_gamma", True),
        ("Normal(ones(p), prec = {h})", "wishart", True),
        ("N(ones(p), {h})", "inverse_wishart", True),
    ),
    "wishart": (
        ("Wish(eye(p), p + 2)", "", True),
        ("Wishart(rate = {h}, df = p + 3)", "wishart", True),
        ("Wish({h}, p + 3)", "inverse_wishart", True),
        ("Wish({h} * eye(p), p + 1)", "inverse_gamma", True),
    ),
    "inverse_wishart": (
        ("InverseWishart(df = p + 3, scale = eye(p))", "", True),
        ("InverseWishart(df = p + 3, scale = {h})", "wishart", True),
        ("InverseWishart(df = p + 3, scale = {h} * eye(p))", "gamma", True),
    ),
}
GAMMA, IG, STANDARD = "Gamma(shape = 2, rate = 1)", "IG(2, 1)", "N(0, 1)"
# A prior and observations that look conjugate to it and are not.
NEAR_MISSES: tuple[tuple[str, str], ...] = (
    (IG, "Normal({m}, sd = {o})"),
    (GAMMA, "Normal({m}, sd = {o})"),
    (GAMMA, "N({m}, {o})"),
    (IG, "Normal({m}, prec = {o})"),
    (GAMMA, "Normal({m}, prec = {o}^2)"),
    ("HalfCauchy(scale = 1)", "Normal({m}, sd = {o})"),
    ("HalfCauchy(scale = 1)", "N({m}, {o})"),
    ("HalfNormal(sd = 1)", "Normal({m}, sd = {o})"),
    ("Exponential(rate = 1)", "N({m}, {w} * {o})"),
    ("LogNormal(meanlog = 0, sdlog = 1)", "N({m}, {o})"),
    ("Weibull(shape = 2, scale = 1)", "Pois({o})"),
    (STANDARD, "N(exp({o}), {w})"),
    (STANDARD, "N({o}^2, 1)"),
    (STANDARD, "N({x} * {o}^2, 1)"),
    (STANDARD, "N(abs({o}), 1)"),
    (STANDARD, "N(max({o}, 0), 1)"),
    (STANDARD, "N(1 / (1 + exp(-{o})), 1)"),
    (STANDARD, "N({o}, exp({o}))"),
    (STANDARD, "N({o}, 1) T(0, inf)"),
    (STANDARD, "StudentT(df = 4, mean = {o}, scale = 1)"),
    (STANDARD, "Laplace(location = {o}, scale = 1)"),
    (STANDARD, "Pois(exp({o}))"),
    (STANDARD, "Bernoulli(expit({o}))"),
    (STANDARD, "Exponential(rate = exp({x} * {o}))"),
    ("Cauchy(location = 0, scale = 1)", "N({o}, 1)"),
    ("Laplace(location = 0, scale = 1)", "N({o}, 1)"),
    ("StudentT(df = 5, mean = 0, scale = 1)", "N({o}, 1)"),
    ("Logistic(location = 0, scale = 1)", "N({o}, {w})"),
    (GAMMA, "N({o}, 1)"),
    (GAMMA, "N({o}, {o})"),
    (IG, "N({o}, {o})"),
    (IG, "N({m}, {o} + {w})"),
    (IG, "N({m}, max({o}, 1))"),
    (IG, "N({m}, {o}^2)"),
    (IG, "N({o}, 1)"),
    (IG, "N(0.3, {o}) T(0, inf)"),
    (IG, "Exponential(rate = {o})"),
    (IG, "Pois({o})"),
    (IG, "StudentT(df = 4, mean = 0, scale = {o})"),
    (GAMMA, "Pois({o} + 1)"),
    (GAMMA, "Pois({o} + {w})"),
    (GAMMA, "Pois({o}^2)"),
    (GAMMA, "Pois(sqrt({o}))"),
    (GAMMA, "Exponential(mean = {o})"),
    (GAMMA, "Gamma(shape = {o}, rate = 1)"),
    (GAMMA, "Gamma(shape = {o}, rate = {o})"),
    (GAMMA, "Gamma(shape = 2, scale = {o})"),
    (GAMMA, "Beta({o}, 2)"),
    (GAMMA, "NegativeBinomial(mean = {o}, size = 2)"),
    (GAMMA, "NegativeBinomial(size = {o}, prob = 0.4)"),
    (GAMMA, "Weibull(shape = {o}, scale = 1)"),
    (GAMMA, "StudentT(df = {o}, mean = 0, scale = 1)"),
    ("Beta(2, 2)", "Bernoulli({o}^2)"),
    ("Beta(2, 2)", "Bernoulli({o} / 2)"),
    ("Beta(2, 2)", "Binomial({n}, 0.1 + 0.8 * {o})"),
    ("Beta(2, 2)", "Pois({o})"),
    ("Beta(2, 2)", "N({o}, 1)"),
    ("Wish(eye(p), p + 2)", "N({u}, {o})"),
    ("Wish(eye(p), p + 2)", "N({u}, inv({o} + eye(p)))"),
    ("Wish(eye(p), p + 2)", "Wish({o}, p + 2)"),
    ("InverseWishart(df = p + 2, scale = eye(p))", "Normal({u}, prec = {o})"),
    ("InverseWishart(df = p + 2, scale = eye(p))", "N({u}, {o} + eye(p))"),
    ("InverseWishart(df = p + 2, scale = eye(p))", "N({u}, 2 * {o} + eye(p))"),
    ("Dirichlet(ones(3))", "Categorical(0.5 * {o} + ones(3) / 6)"),
)


def add_pair(draft: Draft, tag: str) -> None:
    """Add observations of a parameter with a conjugate prior, its own parameters perhaps random again."""
    family = draft.choose(*LIKELIHOODS)
    indices = draft.choose(*OVER)
    to, subscripts = reach(draft, indices)
    name = f"o{tag}"
    add_prior(draft, name, family, to, depth=1)
    read = through_definition(draft, name, family, to, subscripts)
    for number in range(draft.choose(1, 1, 2)):
        written = draft.choose(*LIKELIHOODS[family])
        add_observation(draft, f"y{tag}_{number}", written, indices, read)


def add_near_miss(draft: Draft, tag: str) -> None:
    """Add observations of a parameter whose prior is not quite conjugate to them."""
    prior, written = draft.choose(*NEAR_MISSES)
    indices = draft.choose(*OVER)
    to, subscripts = reach(draft, indices)
    name = f"o{tag}"
    draft.use(*to)
    draft.state(name, [f"{element(name, to)} ~ {prior}"], layer=draft.choose("process", "parameters"))
    draft.spoil(name)
    add_observation(draft, f"y{tag}", written, indices, element(name, subscripts))


def add_prior(draft: Draft, name: str, family: str, to: Indices, depth: int) -> None:
    """State a prior of a family for a node, and the priors of its own parameters, up to five layers in all."""
    options = [option for option in PRIORS[family] if depth < 4 or not option[1]]
    text, above, conjugate = draft.choose(*options)
    hyper = ""
    if above:
        parent = f"{name}h"
        there, subscripts = reach(draft, to)
        add_prior(draft, parent, above, there, depth + 1)
        hyper = element(parent, subscripts)
        if not conjugate:
            draft.spoil(parent)
    draft.use(*to)
    layer = draft.choose("process", "parameters") if depth == 1 else "parameters"
    draft.state(name, [f"{element(name, to)} ~ {text.format(h=hyper)}"], layer=layer, family=family)


def through_definition(draft: Draft, name: str, family: str, to: Indices, subscripts: Indices) -> str:
    """Return how the observations read the parameter: by its name, or by that of a deterministic node."""
    if not draft.chance(15):
        return element(name, subscripts)
    factor = "" if family in ("beta", "dirichlet") else draft.choose("", "2 * ")
    draft.state(f"{name}d", [f"{element(f'{name}d', to)} = {factor}{element(name, to)}"])
    return element(f"{name}d", subscripts)


def add_observation(draft: Draft, name: str, written: str, indices: Indices, read: str) -> None:
    """Write the statement of an observed node, the givens that it wants declared."""
    parts = {"o": read}
    for symbol, kind in KINDS.items():
        if "{" + symbol + "}" in written:
            some = part_of(draft, indices)
            parts[symbol] = draft.given(f"{symbol}v_" + "".join(some), some, kind)
    draft.use(*indices)
    draft.data.append(f"{element(name, indices)} ~ {written.format(**parts)}")
