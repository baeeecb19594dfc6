"""Observations with a predictor that is a sum of effects times covariates.

An effect is reached by its own indices, through a group column or a nest of two, or at an earlier time; its prior
is a constant normal, a hierarchical one, a regression, a walk in time or a vector.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.random_models.draft import COLUMNS, PARENTS, Draft, Indices, element, part_of, reach

OBSERVED: tuple[Indices, ...] = (
    ("i",),
    ("k",),
    ("i", "j"),
    ("i", "l"),
    ("t",),
    ("i", "t"),
    ("d",),
    ("i", "j", "l"),
)
LINKS = {
    "N": "N({eta}, {var})",
    "prec": "Normal({eta}, prec = 1 / ({var}))",
    "LogNormal": "LogNormal(meanlog = {eta}, varlog = {var})",
    "T": "N({eta}, {var} / {mixing})",
    "Pois": "Pois(exp({eta}))",
    "log_rate": "Poisson(log_rate = {eta})",
    "Bernoulli": "Bernoulli(expit({eta}))",
    "logit": "Binomial(size = {size}, logit = {eta})",
    "Exponential": "Exponential(rate = exp({eta}))",
    "Gamma": "Gamma(shape = 2, rate = exp({eta}))",
    "NegativeBinomial": "NegativeBinomial(mean = exp({eta}), size = 2)",
    "StudentT": "StudentT(df = 4, mean = {eta}, scale = 1)",
    "Laplace": "Laplace(location = {eta}, scale = 1)",
    "Logistic": "Logistic(location = {eta}, scale = 1)",
    "Cauchy": "Cauchy(location = {eta}, scale = 1)",
    "Weibull": "Weibull(shape = 2, scale = exp({eta}))",
}
CONJUGATE_LINKS = ("N", "prec", "LogNormal", "T")


@dataclass(slots=True)
class Terms:
    """The terms of a predictor, and the nodes that it is linear in."""

    texts: list[str] = field(default_factory=list)
    nodes: set[str] = field(default_factory=set)


def observe(draft: Draft, name: str) -> None:
    """Add an observed node with its predictor."""
    indices = draft.choose(*OBSERVED)
    draft.use(*indices)
    terms = Terms()
    for _ in range(draft.choose(1, 2, 2, 3)):
        add_term(draft, indices, terms)
    predictor = " + ".join(dict.fromkeys(terms.texts))
    if draft.chance(25):
        eta = element(f"eta_{name}", indices)
        draft.state(f"eta_{name}", [f"{eta} = {predictor}"])
        predictor = eta
    link = draft.choose(*(("N",) * 8), *CONJUGATE_LINKS, *LINKS)
    parts = {"eta": predictor}
    if link in CONJUGATE_LINKS:
        parts["var"] = variance(draft, indices)
    else:
        draft.spoil(*terms.nodes)
    if link == "T":
        parts["mixing"] = mixing(draft, indices)
    if link == "logit":
        parts["size"] = draft.given("m_" + "".join(indices), indices, " : integer >= 0")
    draft.data.append(
        f"{element(name, indices)} ~ {LINKS[link].format(**parts)}{restriction(draft, indices)}"
    )


def restriction(draft: Draft, indices: Indices) -> str:
    """Return a range over a declared subset, now and then."""
    fixed = [index for index in indices if index not in PARENTS]
    if not draft.chance(25):
        return ""
    index = draft.choose(*fixed)
    draft.givens.setdefault(f"S_{index}", f"S_{index} : subset({index})")
    return f" for {index} in S_{index}"


def mixing(draft: Draft, indices: Indices) -> str:
    """State a latent scale for every observation."""
    name = "lam_" + "".join(indices)
    own = element(name, indices)
    draft.state(name, [f"{own} ~ Gamma(shape = 2, rate = 3)"], family="gamma")
    return own


def variance(draft: Draft, indices: Indices) -> str:
    """Return the variance of a normal."""
    kind = draft.choose("shared", "shared", "given", "weighted", "by_group", "log")
    if kind in ("given", "weighted"):
        some = part_of(draft, indices)
        own = draft.given("w_" + "".join(some), some, " > 0")
        return own if kind == "given" else f"{draft.scalar('s', True)} * {own}"
    if kind == "shared":
        return draft.scalar(draft.choose("s", "s2"), True)
    to, subscripts = reach(draft, indices)
    if kind == "by_group":
        name = "s_" + "".join(to)
        draft.state(name, [f"{element(name, to)} ~ IG(2, 1)"], family="inverse_gamma")
        return element(name, subscripts)
    name = "lv_" + "".join(to)
    draft.state(name, [f"{element(name, to)} ~ N({draft.scalar('m_lv')}, 0.5)"])
    draft.spoil(name)
    return f"exp({element(name, subscripts)})"


def add_term(draft: Draft, indices: Indices, terms: Terms) -> None:
    """Add one term to a predictor."""
    if draft.chance(15):
        terms.texts.append(draft.scalar("a0"))
        terms.nodes.add("a0")
        return
    to, subscripts = reach(draft, indices)
    if draft.chance(25):
        add_vector_term(draft, indices, to, subscripts, terms)
        return
    name = "e_" + "".join(to) if to else draft.choose("a0", "a1")
    if not to:
        draft.scalar(name)
    else:
        state_effect(draft, name, to)
        if subscripts[-1] == "t" and starts_early(draft, name) and draft.chance(30):
            subscripts = (*subscripts[:-1], "t-1")
    shown = element(name, subscripts if to else ())
    if draft.chance(50):
        some = part_of(draft, indices)
        shown = f"{draft.given('x_' + ''.join(some), some)} * {shown}"
    terms.texts.append(shown)
    terms.nodes.add(name)


def starts_early(draft: Draft, name: str) -> bool:
    """Tell whether a node has a value before its plate begins."""
    firsts = (line.split("~")[0] for line in draft.process[name])
    return any("[0]" in first or ",0]" in first for first in firsts)


def add_vector_term(draft: Draft, indices: Indices, to: Indices, subscripts: Indices, terms: Terms) -> None:
    """Add x'b with a vector effect."""
    some = part_of(draft, indices)
    x = draft.given("z_" + "".join(some), some, " : vector(p)")
    name = "b_" + "".join(to)
    own = element(name, to)
    kind = draft.choose("fixed", "spherical", "free", "free") if to else "shared"
    if kind == "shared":
        omega = draft.given("Omega", (), " : matrix(p, p) = eye(p)")
        draft.state(name, [f"{own} ~ N(ones(p), {omega})"], layer="parameters", family="mvnormal")
    elif name not in draft.process:
        covariance = {"fixed": "2 * eye(p)", "spherical": "v * eye(p)", "free": "inv(Q)"}[kind]
        mean = "mu_b" if kind == "free" else "ones(p)"
        if kind == "spherical":
            draft.scalar("v", True)
        if kind == "free":
            draft.state("mu_b", ["mu_b ~ N(ones(p), 3 * eye(p))"], layer="parameters", family="mvnormal")
            draft.state("Q", ["Q ~ Wish(eye(p), p + 2)"], layer="parameters", family="wishart")
        draft.state(name, [f"{own} ~ N({mean}, {covariance})"], family="mvnormal")
    terms.texts.append(f"{x}' * {element(name, subscripts)}")
    terms.nodes.add(name)


def state_effect(draft: Draft, name: str, to: Indices) -> None:
    """State the prior of an effect, unless it has one; a cut prior spoils what its constant depends on."""
    if name in draft.process:
        return
    if to[-1] == "t" and draft.chance(70):
        walk(draft, name, to)
        return
    spread = draft.choose("1.5", "v", "v2")
    above = {spread} - {"1.5"}
    for scalar in above:
        draft.scalar(scalar, True)
    mean, parents = effect_mean(draft, to)
    cut = " T(-9, 9)" if draft.chance(10) else ""
    if cut:
        draft.spoil(*above, *parents)
    draft.state(name, [f"{element(name, to)} ~ N({mean}, {spread}){cut}"], family="normal")


def effect_mean(draft: Draft, to: Indices) -> tuple[str, set[str]]:
    """Return the prior mean of an effect, and the nodes in it."""
    kind = draft.choose("constant", "hierarchical", "hierarchical", "regression", "nested")
    onward = next(((start, end) for start, end in COLUMNS if (start,) == to), None)
    if kind == "constant" or kind == "nested" and onward is None:
        return "0.2", set()
    if kind == "hierarchical":
        return draft.scalar("mu"), {"mu"}
    if kind == "regression":
        q = draft.given("q_" + "".join(to), to)
        return f"{draft.scalar('mu')} + {draft.scalar('slope')} * {q}", {"mu", "slope"}
    assert onward is not None
    column, parent = draft.column(*onward), f"p_{onward[1]}"
    draft.state(parent, [f"{parent}[{onward[1]}] ~ N(0, {draft.scalar('v', True)})"], family="normal")
    return f"{parent}[{column}[{onward[0]}]]", {parent}


def walk(draft: Draft, name: str, to: Indices) -> None:
    """State a walk in time that starts at 0 or at 1."""
    lead = to[:-1]
    phi = draft.choose("", "0.9 * ", "phi * ")
    if phi == "phi * ":
        draft.scalar("phi")
    spread = draft.scalar("v", True)
    first = draft.choose(0, 0, 1)
    tail = f" for t in {first + 1}..T"
    if first == 1:
        draft.givens.setdefault("T", "T : integer >= 3")
    lines = [
        f"{element(name, (*lead, str(first)))} ~ N(0, 3)",
        f"{element(name, (*lead, 't'))} ~ N({phi}{element(name, (*lead, 't-1'))}, {spread}){tail}",
    ]
    draft.state(name, lines, family="normal")
