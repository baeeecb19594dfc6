"""Edits of a claim as a whole: a term of the log density that it lacks, and the family that it names.

They need no place in the claim, so that a slip is found however the claim is written.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from itertools import permutations

from deriver.checking.densities import Statement
from deriver.checking.places import Edit, Surroundings, Titled
from deriver.families import FAMILIES
from deriver.families.record import Family, Parametrisation
from deriver.language.choice import Choice
from deriver.model.expressions import Expression

# Families of x and of 1/x: to take one for the other is to take a variance for a precision.
_RECIPROCAL = ({"gamma", "inverse_gamma"}, {"wishart", "inverse_wishart"})


def edits_of_density(statement: Statement, around: Surroundings) -> Iterator[Edit]:
    """Yield the claim with each piece added that it may lack, and with each family that takes its arguments."""
    for lack in around.lacks:
        yield Edit(
            name=lack.name, cost=lack.cost, old=Titled(title=lack.found) if lack.found else None,
            new=Titled(title=lack.title), aliases=lack.aliases,
            statement=dataclasses.replace(statement, pieces=(*statement.pieces, lack.piece)),
        )  # fmt: skip
    if statement.line.choice is not None:
        yield from _other_families(statement, statement.line.choice)


def _other_families(statement: Statement, choice: Choice) -> Iterator[Edit]:
    claimed = choice.signature
    for record in FAMILIES:
        if record.key == claimed.key or record.shape != claimed.shape or record.improper:
            continue
        reciprocal = {record.key, claimed.key} in _RECIPROCAL
        for form, trees in _arguments(statement, choice.form, record):
            other = Choice(record, form, choice.arguments, False)
            yield Edit(
                name="wrong family", cost=0.85 if reciprocal else 1.2,
                aliases=("variance for precision", "inverse") if reciprocal else (),
                old=Titled(title=_written(claimed, choice.form)), new=Titled(title=_written(record, form)),
                statement=dataclasses.replace(
                    statement, trees=trees, line=dataclasses.replace(statement.line, choice=other)
                ),
            )  # fmt: skip


def _arguments(
    statement: Statement, form: Parametrisation, record: Family
) -> Iterator[tuple[Parametrisation, tuple[Expression, ...]]]:
    """Yield the forms of a family that take the same arguments, each argument in a place of its own role."""
    seen = set()
    for other in record.parametrisations:
        if sorted(other.roles) != sorted(form.roles):
            continue
        orders = permutations(range(len(form.roles)))
        order = next(
            o for o in orders if all(form.roles[k] == r for k, r in zip(o, other.roles, strict=True))
        )
        if other.keywords not in seen and other.long:
            seen.add(other.keywords)
            yield other, tuple(statement.trees[k] for k in order)


def _written(record: Family, form: Parametrisation) -> str:
    return f"{record.surface}({', '.join(f'{keyword}=' for keyword in form.keywords)})"
