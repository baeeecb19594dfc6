"""Likelihoods by their logarithm: ``dummy[i] ~ dloglik(L[i])``, and distributions that stand for their density only.

A Laplace distribution of rate exp(L) has the density exp(L) / 2 at its centre, so that ``dummy[i] ~ dloglik(L[i])`` is
``dummy[i] ~ ddexp(0, exp(L[i]))`` with dummy[i] = 0, whatever the sign of L.  A response whose distribution has no counterpart
here, but a log density in elementary functions, is stated by it in the same way; the parametrisations are those of the
JAGS user manual (Plummer 2017, chapter 9).
"""

from __future__ import annotations

import dataclasses

import numpy as np

from deriver.bugs.censoring import Arrays, substitute
from deriver.bugs.elaborate import Elaborated
from deriver.bugs.parser import parse_program
from deriver.bugs.syntax import Apply, Literal, Program, Relation, Term
from deriver.language.mistakes import LineMistake, Mistakes

_GENERAL_GAMMA = (
    ("r", "mu", "beta"),
    "log(beta) + beta * r * log(mu) + (beta * r - 1) * log(x) - pow(mu * x, beta) - loggam(r)",
)
# Arguments, and the log density at x.
LOG_DENSITIES = {
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
}


def rewrite_likelihoods(
    program: Program, found: Elaborated, mistakes: Mistakes
) -> tuple[Program, Arrays] | None:
    """Return the program and its data with such likelihoods stated by Laplace distributions; None without any."""
    arrays = {name: array for name, array in found.arrays.items() if name in found.given}
    relations = list(program.model)
    for relation in found.relations:
        try:
            value = _log_density(relation, found)
        except LineMistake as stop:
            mistakes.add_from(stop)
            continue
        if value is not None:
            relations[relations.index(relation)] = _state(relation, value, found, arrays)
    if relations == list(program.model):
        return None
    return dataclasses.replace(program, model=tuple(relations)), arrays


def _log_density(relation: Relation, found: Elaborated) -> Term | None:
    """Return the log density that a relation states, None for one that has a counterpart."""
    if relation.distribution == "dloglik":
        if len(relation.arguments) != 1:
            raise _wrong_arguments(relation, ("the log likelihood",))
        return relation.arguments[0]
    if relation.distribution not in LOG_DENSITIES:
        return None
    names, formula = LOG_DENSITIES[relation.distribution]
    if len(relation.arguments) != len(names):
        raise _wrong_arguments(relation, names)
    data = found.observed(relation.target.name)
    if data is None or np.isnan(data).any() or relation.bounds is not None:
        raise LineMistake(
            f"`{relation.distribution}` of what is not data, or within bounds", code="family",
            span=relation.distribution_span or relation.span, expected="a response of which every element was seen",
            remedy="for a quantity that is drawn, take dgamma, dweib, dbin or dt, which come near",
        )  # fmt: skip
    (definition,) = parse_program(f"model {{ value <- {formula} }}").model
    assert definition.expression is not None
    values = dict(zip(names, relation.arguments, strict=True)) | {"x": relation.target}
    return substitute(definition.expression, values)


def _wrong_arguments(relation: Relation, names: tuple[str, ...]) -> LineMistake:
    return LineMistake(
        f"`{relation.distribution}` has {len(relation.arguments)} arguments", span=relation.span,
        code="arguments", expected=f"{len(names)}: {', '.join(names)}",
    )  # fmt: skip


def _state(relation: Relation, value: Term, found: Elaborated, arrays: Arrays) -> Relation:
    """Return the statement of a zero whose density is the likelihood, and add the zeros."""
    name = f"{relation.target.name}.zero"
    arrays[name] = np.zeros(found.extents[relation.target.name])
    rate = Apply(function="exp", arguments=(value,), span=relation.span)
    return dataclasses.replace(
        relation, target=dataclasses.replace(relation.target, name=name), distribution="ddexp",
        arguments=(Literal(text="0", span=relation.span), rate), bounds=None,
    )  # fmt: skip
