"""Likelihoods by their logarithm: ``dummy[i] ~ dloglik(L[i])``, and distributions that stand for their density only.

A Laplace distribution of rate exp(L) has the density exp(L) / 2 at its centre, so that ``dummy[i] ~ dloglik(L[i])`` is
``dummy[i] ~ ddexp(0, exp(L[i]))`` with dummy[i] = 0, whatever the sign of L.  A response whose distribution has no counterpart
here, but a log density in elementary functions, is stated by it in the same way.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from deriver.bugs.censoring import Arrays
from deriver.bugs.densities import LOG_DENSITIES, write_formula
from deriver.bugs.elaborate import Elaborated
from deriver.bugs.families import FAMILIES
from deriver.bugs.hypergeometric import hypergeometric_log_density
from deriver.bugs.syntax import Apply, Literal, Program, Relation, Term
from deriver.language.mistakes import LineMistake, Mistakes


def rewrite_likelihoods(
    program: Program, found: Elaborated, mistakes: Mistakes
) -> tuple[Program, Arrays] | None:
    """Return the program and its data with such likelihoods stated by Laplace distributions; None without any."""
    arrays = {name: array for name, array in found.arrays.items() if name in found.given}
    relations = list(program.model)
    for relation in found.relations:
        try:
            value = _log_density(relation, found, arrays)
        except LineMistake as stop:
            mistakes.add_from(stop)
            continue
        if value is not None:
            relations[relations.index(relation)] = _state(relation, value, found, arrays)
    if relations == list(program.model):
        return None
    return dataclasses.replace(program, model=tuple(relations)), arrays


def _log_density(relation: Relation, found: Elaborated, arrays: Arrays) -> Term | None:
    """Return the log density that a relation states, None for one that has a counterpart."""
    if relation.distribution == "dloglik":
        if len(relation.arguments) != 1:
            raise _wrong_arguments(relation, ("the log likelihood",))
        return relation.arguments[0]
    if relation.distribution == "dhyper":
        return hypergeometric_log_density(relation, found, arrays)
    if relation.distribution not in LOG_DENSITIES or relation.distribution in FAMILIES:
        return None
    names, _ = LOG_DENSITIES[relation.distribution]
    if len(relation.arguments) != len(names):
        raise _wrong_arguments(relation, names)
    data = found.observed(relation.target.name)
    if data is None or np.isnan(data).any() or relation.bounds is not None:
        raise LineMistake(
            f"`{relation.distribution}` of what is not data, or within bounds", code="family",
            span=relation.distribution_span or relation.span, expected="a response of which every element was seen",
            remedy="for a quantity that is drawn, take dgamma, dweib, dbin or dt, which come near",
        )  # fmt: skip
    return write_formula(LOG_DENSITIES[relation.distribution], relation.target, relation.arguments)


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
