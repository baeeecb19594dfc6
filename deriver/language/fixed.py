"""Fixed elements of a random node: ``a[1] = 0`` beside ``a[k] ~ N(0, v) for k in 2..K``.

A fixed element is one that is observed: it stays, and what depends on it sees its value.  So its statement becomes a
distribution, of the family of the others and with numbers for parameters, which is a constant factor of the joint
density and tells of nothing; ``fixed`` keeps what was written.
"""

from __future__ import annotations

import dataclasses
from fractions import Fraction

from deriver.families import by_surface
from deriver.language.syntax import ArgumentText, Document, StatementLine
from deriver.model.expressions import Number, Reference, references

# Family -> the arguments of the distribution that stands for a fixed element.
_NEUTRAL: dict[str, tuple[tuple[str | None, str], ...]] = {
    "normal": ((None, "0"), ("var", "1")),
    "bernoulli": ((None, "1/2"),),
    "beta": ((None, "1"), (None, "1")),
    "gamma": (("shape", "1"), ("rate", "1")),
    "inverse_gamma": (("shape", "1"), ("scale", "1")),
    "lognormal": (("meanlog", "0"), ("sdlog", "1")),
    "poisson": ((None, "1"),),
}


def fix_elements(document: Document) -> Document:
    """Return the document with each definition of an element by numbers alone made a fixed element.

    Those that use a node, stand under ``data`` or belong to a family without a place here are left as they are, and
    refused later.
    """
    nodes = {line.target.name for line in document.statements}
    families = {line.target.name: line.family for line in document.statements if line.family}
    lines = tuple(_fix(line, nodes, families.get(line.target.name)) for line in document.statements)
    return dataclasses.replace(document, statements=lines)


def _fix(line: StatementLine, nodes: set[str], family: str | None) -> StatementLine:
    if line.expression is None or family is None or line.transform or line.layer == "data":
        return line
    whole = not line.ranges and all(isinstance(each, Reference) for each in line.target.subscripts)
    if whole or any(found.name in nodes for found in references(line.expression)):
        return line
    record = next((each for each in by_surface(family) if each.key in _NEUTRAL), None)
    if record is None:
        return line
    arguments = tuple(
        ArgumentText(keyword=keyword, value=Number(value=Fraction(text), text=text))
        for keyword, text in _NEUTRAL[record.key]
    )
    return dataclasses.replace(
        line, family=record.surface, family_span=line.target.span, arguments=arguments, expression=None,
        fixed=line.expression,
    )  # fmt: skip
