"""Pieces with a structure of their own: indices that meet, neighbours in time, products, sums, mixtures.

Each piece takes the draft and a tag for its names, and records what must and what must not be recognised.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.random_models.draft import Draft


def meeting_columns(draft: Draft) -> tuple[str, str]:
    """Declare two group columns between the same plates, whose values can be equal."""
    draft.use("k", "i")
    draft.givens.setdefault("g", "g : k -> i")
    draft.givens.setdefault("g2", "g2 : k -> i")
    return "g", "g2"


def add_meeting_product(draft: Draft, tag: str) -> None:
    """a[g[k]] * a[h[k]]: a square where they meet."""
    g, h = meeting_columns(draft)
    name, other = f"ea{tag}", draft.choose("N(0, 1)", "Gamma(shape = 2, rate = 1)")
    draft.state(name, [f"{name}[i] ~ {other}"])
    draft.spoil(name)
    written = f"N({name}[{g}[k]] * {name}[{h}[k]], 1)"
    if other.startswith("Gamma"):
        written = draft.choose(
            f"Pois({name}[{g}[k]] + {name}[{h}[k]])", f"Pois({name}[{g}[k]] * {name}[{h}[k]])"
        )
        draft.unsure.add(name)  # the product of rates is a gamma kernel where they meet, too, in two pieces
    draft.data.append(f"y{tag}[k] ~ {written}")
    if "+" in written:
        draft.unsure.discard(name)


def add_meeting_contrast(draft: Draft, tag: str) -> None:
    """a[g[k]] - a[h[k]], or their sum: linear, the coefficient 0 or 2 where they meet."""
    g, h = meeting_columns(draft)
    name, sign = f"ea{tag}", draft.choose("-", "+", "- 0.5 *")
    draft.state(name, [f"{name}[i] ~ N(0, va{tag})"], family="normal")
    draft.state(f"va{tag}", [f"va{tag} ~ IG(2, 1)"], layer="parameters", family="inverse_gamma")
    draft.data.append(f"y{tag}[k] ~ N({name}[{g}[k]] {sign} {name}[{h}[k]], 1)")


def add_product(draft: Draft, tag: str) -> None:
    """Two nodes multiplied: conjugate in each, given the other."""
    g, h = meeting_columns(draft)
    kind = draft.choose("normal", "gamma", "variance")
    first, second = f"ea{tag}[{g}[k]]", f"eb{tag}[{h}[k]]"
    prior = {"normal": "N(0, 1)", "gamma": "Gamma(shape = 2, rate = 1)", "variance": "IG(2, 1)"}[kind]
    family = "inverse_gamma" if kind == "variance" else kind
    for name in (f"ea{tag}", f"eb{tag}"):
        draft.state(name, [f"{name}[i] ~ {prior}"], family=family)
    written = {
        "normal": f"N({first} * {second}, 1)",
        "gamma": f"Pois({first} * {second})",
        "variance": f"N(0.1, {first} * {second})",
    }
    draft.data.append(f"y{tag}[k] ~ {written[kind]}")


def add_sum_of_rates(draft: Draft, tag: str) -> None:
    """Two nodes added where a product would be conjugate."""
    kind, first, second = draft.choose("rate", "variance", "probability"), f"ea{tag}", f"eb{tag}"
    prior = {"rate": "Gamma(shape = 2, rate = 1)", "variance": "IG(2, 1)", "probability": "Beta(2, 2)"}[kind]
    draft.use("k", "i")
    draft.givens.setdefault("g", "g : k -> i")
    draft.state(first, [f"{first}[i] ~ {prior}"])
    draft.state(second, [f"{second} ~ {prior}"], layer="parameters")
    draft.spoil(first, second)
    written = {
        "rate": f"Pois({first}[g[k]] + {second})",
        "variance": f"N(0, {first}[g[k]] + {second})",
        "probability": f"Bernoulli({first}[g[k]] * {second})",
    }
    draft.data.append(f"y{tag}[k] ~ {written[kind]}")


def add_neighbours(draft: Draft, tag: str) -> None:
    """z[t] * z[t-1] never meets itself; z[t-1]^2, exp(z[t-1]) and z[t] / z[t-1] are not linear."""
    z, v = f"z{tag}", f"vz{tag}"
    draft.use("t")
    shape = draft.choose("product", "second", "square", "exp", "ratio", "scale")
    mean = {
        "product": f"0.5 * {z}[t-1]",
        "second": f"2 * {z}[t-1] - {z}[t-2]",
        "square": f"{z}[t-1]^2",
        "exp": f"exp({z}[t-1])",
        "ratio": f"0.5 * {z}[t-1]",
        "scale": "0",
    }[shape]
    spread = f"{v} * exp({z}[t-1])" if shape == "scale" else v
    starts = (-1, 0) if shape == "second" else (0,)
    lines = [f"{z}[{start}] ~ N(0, 1)" for start in starts]
    draft.state(z, [*lines, f"{z}[t] ~ N({mean}, {spread}) for t in 1..T"], family="normal")
    draft.state(v, [f"{v} ~ IG(2, 1)"], layer="parameters", family="inverse_gamma")
    if shape in ("square", "exp", "ratio", "scale"):
        draft.spoil(z)
    seen = {"product": f"{z}[t] * {z}[t-1]", "ratio": f"1 / (1 + {z}[t]^2)"}.get(shape, f"{z}[t]")
    draft.data.append(f"y{tag}[t] ~ N({seen}, 1)")


def add_vector_walk(draft: Draft, tag: str) -> None:
    """A state of several components in time, moved by a known or a random multiple of a matrix."""
    z, q = f"z{tag}", f"q{tag}"
    draft.use("t")
    transition = draft.given(f"F{tag}", (), " : matrix(p, p)")
    mean = draft.choose(f"{z}[t-1]", f"{transition} * {z}[t-1]", f"f{tag} * {z}[t-1]")
    if mean.startswith("f"):
        draft.state(f"f{tag}", [f"f{tag} ~ N(0.5, 1)"], layer="parameters", family="normal")
    lines = [f"{z}[0] ~ N(ones(p), eye(p))", f"{z}[t] ~ N({mean}, inv({q})) for t in 1..T"]
    draft.state(z, lines, family="mvnormal")
    draft.state(q, [f"{q} ~ Wish(eye(p), p + 2)"], layer="parameters", family="wishart")
    x = draft.given(f"H{tag}", ("t",), " : vector(p)")
    draft.data.append(f"y{tag}[t] ~ N({x}' * {z}[t], 1)")


def add_membership(draft: Draft, tag: str) -> None:
    """A weighted sum over a whole plate of effects."""
    draft.use("k", "l")
    weight, a = draft.given(f"W{tag}", ("k", "l")), f"ea{tag}"
    kind = draft.choose("normal", "gamma")
    if kind == "normal":
        draft.state(a, [f"{a}[l] ~ N(ma{tag}, 1)"], family="normal")
        draft.state(f"ma{tag}", [f"ma{tag} ~ N(0, 4)"], layer="parameters", family="normal")
        draft.data.append(f"y{tag}[k] ~ N(sum(l: {weight} * {a}[l]), 1)")
    else:
        draft.state(a, [f"{a}[l] ~ Gamma(shape = 2, rate = 1)"])
        draft.spoil(a)
        draft.data.append(f"y{tag}[k] ~ Pois(sum(l: {a}[l]))")


def add_two_matrices(draft: Draft, tag: str) -> None:
    """Two random matrices: conjugate in both when one is a scalar, in the first inside a congruence, never in a sum."""
    first, second = f"A{tag}", f"B{tag}"
    draft.use("k")
    kind = draft.choose("scaled", "sum", "sandwich")
    draft.state(first, [f"{first} ~ Wish(eye(p), p + 2)"], layer="parameters", family="wishart")
    if kind == "scaled":
        draft.state(second, [f"{second} ~ Gamma(shape = 2, rate = 1)"], layer="parameters", family="gamma")
    else:
        draft.state(second, [f"{second} ~ Wish(eye(p), p + 3)"], layer="parameters")
        draft.spoil(second)
        if kind != "sandwich":
            draft.spoil(first)
    precision = {
        "scaled": f"{second} * {first}",
        "sum": f"{first} + {second}",
        "sandwich": f"{second} * {first} * {second}",
    }[kind]
    u = draft.given(f"U{tag}", (), " : vector(p)")
    draft.data.append(f"y{tag}[k] ~ N({u}, inv({precision}))")


def add_shrinkage(draft: Draft, tag: str) -> None:
    """Coefficients under a horseshoe by inverse gamma mixtures, or a lasso, whose local variances are not conjugate."""
    draft.use("k", "l")
    x, b, lam, tau = draft.given(f"X{tag}", ("k", "l")), f"c{tag}", f"lam{tag}", f"tau{tag}"
    draft.state(b, [f"{b}[l] ~ N(0, {lam}[l] * {tau})"], family="normal")
    if draft.choose("horseshoe", "lasso") == "horseshoe":
        nu = f"nu{tag}"
        draft.state(
            lam, [f"{lam}[l] ~ InverseGamma(shape = 0.5, scale = 1 / {nu}[l])"], family="inverse_gamma"
        )
        draft.state(nu, [f"{nu}[l] ~ InverseGamma(shape = 0.5, scale = 1)"], family="inverse_gamma")
    else:
        rate = f"rho{tag}"
        draft.state(lam, [f"{lam}[l] ~ Exponential(rate = {rate} / 2)"])
        draft.state(rate, [f"{rate} ~ Gamma(shape = 2, rate = 1)"], layer="parameters", family="gamma")
        draft.spoil(lam)
    draft.state(tau, [f"{tau} ~ IG(2, 1)"], layer="parameters", family="inverse_gamma")
    draft.data.append(f"y{tag}[k] ~ N(sum(l: {x} * {b}[l]), 1)")


def add_uniform_end(draft: Draft, tag: str) -> None:
    """Uniform observations with an unknown end."""
    draft.use("k", "i")
    draft.givens.setdefault("g", "g : k -> i")
    end = f"top{tag}"
    prior = draft.choose("Pareto(shape = 2, minimum = 1)", "Gamma(shape = 2, rate = 1)", "Unif(0, 9)")
    draft.state(end, [f"{end}[i] ~ {prior}"])
    draft.unsure.add(end)
    draft.data.append(f"y{tag}[k] ~ Unif(0, {end}[g[k]])")


def add_transformed(draft: Draft, tag: str) -> None:
    """A transform on the left: the logarithm is the node."""
    draft.use("k", "i")
    draft.givens.setdefault("g", "g : k -> i")
    s, m = f"sig{tag}", f"ms{tag}"
    draft.state(s, [f"log({s}[i]) ~ N({m}, 0.5)"])
    draft.state(m, [f"{m} ~ N(0, 1)"], layer="parameters", family="normal")
    draft.spoil(f"log_{s}")
    draft.data.append(f"y{tag}[k] ~ " + draft.choose(f"Normal(0, sd = {s}[g[k]])", f"Pois({s}[g[k]])"))


SET_PIECES: tuple[Callable[[Draft, str], None], ...] = (
    add_meeting_contrast,
    add_meeting_product,
    add_product,
    add_sum_of_rates,
    add_neighbours,
    add_vector_walk,
    add_membership,
    add_two_matrices,
    add_shrinkage,
    add_uniform_end,
    add_transformed,
)
