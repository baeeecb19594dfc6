"""Which family and parametrisation a statement means.

Input: the family's name, the keywords and the shapes of the arguments.  Output: the signature, the form, and
the arguments in the form's order; a mistake lists the ways to write the family.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deriver.families import by_surface, surface_names
from deriver.families.record import Family, Parametrisation
from deriver.language.mistakes import LineMistake, listing, suggest
from deriver.language.syntax import ArgumentText, StatementLine
from deriver.model.expressions import Span

_FOREIGN_FAMILIES = {
    "dnorm": "Normal(mean, prec=)", "dgamma": "Gamma(shape=, rate=)", "dunif": "Unif(lower, upper)",
    "dpois": "Pois(rate)", "dbin": "Binomial(size, prob)", "dbern": "Bernoulli(prob)", "dbeta": "Beta(a, b)",
    "dmnorm": "Normal(mean, prec=)", "multi_normal_prec": "Normal(mean, prec=)",
    "multi_normal_cholesky": "Normal(mean, chol=)", "dwish": "Wishart(rate=, df=)", "dexp": "Exponential(rate=)",
    "MvNormal": "Normal(mean, cov=)", "MVNormal": "Normal(mean, cov=)", "multi_normal": "Normal(mean, cov=)",
    "MultivariateNormal": "Normal(mean, cov=)", "dlnorm": "LogNormal(meanlog=, sdlog=)", "Ber": "Bernoulli(prob)",
    "Bin": "Binomial(size, prob)", "Ga": "Gamma(shape=, rate=)", "Be": "Beta(a, b)", "IB": "IG(q, r)",
    "Ig": "IG(q, r)", "InvGamma": "InverseGamma(shape=, scale=)", "Dir": "Dirichlet(concentration)",
    "IW": "InverseWishart(df=, scale=)", "InvWish": "InverseWishart(df=, scale=)", "Mult": "Multinomial(size, prob)",
    "Exp": "Exponential(rate=)", "Student": "StudentT(df=, mean=, scale=)", "T": "StudentT(df=, mean=, scale=)",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Choice:
    """A family with one of its forms; ``arguments`` stand in the order of the form's keywords."""

    signature: Family
    form: Parametrisation
    arguments: tuple[ArgumentText, ...]
    short: bool


def known_keys(name: str) -> tuple[str, ...]:
    """Return the keys of the families with that name."""
    return tuple(each.key for each in by_surface(name))


def choose_family(
    line: StatementLine, shapes: Sequence[str | None], wanted: str | None = None
) -> Choice | None:
    """Return the family that a statement means, or None if shapes still unknown decide.

    ``shapes`` gives ``scalar``, ``vector``, ``row`` or ``matrix`` for each argument as written, None if
    unknown; ``wanted`` the shape of the node if that is known.  Raises ``LineMistake``.
    """
    span = line.family_span or line.span or Span(1, 0, 1)
    candidates = by_surface(line.family or "")
    if not candidates:
        raise _unknown_family(line.family or "", span)
    matches = [match for each in candidates if (match := _match_form(line, each)) is not None]
    if not matches:
        raise _no_form(line, candidates, span)
    if len(matches) == 1:
        return matches[0]
    return _match_shape(matches, shapes, wanted)


def _match_shape(matches: list[Choice], shapes: Sequence[str | None], wanted: str | None) -> Choice | None:
    """Choose between the scalar and the vector family of one name."""
    scalar = next(each for each in matches if each.signature.shape == "scalar")
    vector = next(each for each in matches if each.signature.shape != "scalar")
    if any(shape not in (None, "scalar") for shape in shapes):
        return vector
    if all(shape == "scalar" for shape in shapes) or wanted == "scalar":
        return scalar
    if wanted is not None:
        return vector
    return scalar if "scalar" in shapes else None


def _match_form(line: StatementLine, face: Family) -> Choice | None:
    """Return the form whose keywords the arguments fill; None if there is none."""
    arguments = line.arguments
    plain = [each for each in arguments if each.keyword is None]
    named = {each.keyword: each for each in arguments if each.keyword is not None}
    misplaced = any(each.keyword is None for each in arguments[len(plain) :])
    if misplaced or len(named) + len(plain) != len(arguments):
        return None
    if not named and line.family == face.short:
        form = face.parametrisations[0]
        fits = len(plain) == len(form.keywords)
        return Choice(face, form, tuple(plain), True) if fits else None
    if line.family == face.short and face.short != face.surface:
        return None
    for form in face.parametrisations:
        rest = form.keywords[len(plain) :]
        if form.long and len(form.keywords) == len(arguments) and set(rest) == set(named):
            if not named and not (face.positional and form is face.parametrisations[0]):
                continue
            ordered = (*plain, *(named[keyword] for keyword in rest))
            return Choice(face, form, tuple(ordered), not named)
    return None


def _unknown_family(name: str, span: Span) -> LineMistake:
    remedy = (
        f"write {_FOREIGN_FAMILIES[name]}" if name in _FOREIGN_FAMILIES else suggest(name, surface_names())
    )
    return LineMistake(
        f"there is no distribution `{name}`",
        span=span,
        code="family",
        expected=f"one of {', '.join(surface_names())}",
        remedy=remedy,
    )


def _no_form(line: StatementLine, candidates: Sequence[Family], span: Span) -> LineMistake:
    written = ", ".join(f"{each.keyword}=" if each.keyword else "..." for each in line.arguments)
    ways = list(dict.fromkeys(way for each in candidates for way in write_forms(each)))
    named = [each.keyword for each in line.arguments if each.keyword]
    keywords = {keyword for each in candidates for form in each.parametrisations for keyword in form.keywords}
    remedy = next((suggest(word, keywords) for word in named if word not in keywords), "")
    if not named and line.family == candidates[0].surface and len(ways) > 1:
        remedy = "name the arguments, so that nobody has to guess what they are"
    if named and line.family == candidates[0].short:
        remedy = f"`{line.family}` takes its arguments in order; keywords go with `{candidates[0].surface}`"
    return LineMistake(
        f"`{line.family}({written})` is not a way to write this distribution",
        span=span,
        code="arguments",
        expected=listing(ways),
        remedy=remedy,
    )


def write_forms(face: Family) -> list[str]:
    """Return the ways to write a family, the short one first."""
    ways = []
    if face.short:
        ways.append(f"{face.short}({', '.join(_friendly(face))})")
    for form in face.parametrisations:
        if not form.long:
            continue
        plain = len(form.keywords) if face.positional and form is face.parametrisations[0] else face.leading
        parts = [word if position < plain else f"{word}=" for position, word in enumerate(form.keywords)]
        ways.append(f"{face.surface}({', '.join(parts)})")
    return ways


def _friendly(face: Family) -> list[str]:
    names = {"var": "variance", "cov": "covariance"}
    return [names.get(word, word) for word in face.parametrisations[0].keywords]
