"""Ranges that begin, or end, where another index says, which neither samplers nor data hold: ``t in f[i]+1..T``."""

from __future__ import annotations

from deriver.errors import Mistake, UsageError
from deriver.language.printer import print_expression
from deriver.model.expressions import Expression, references
from deriver.model.records import Model

KNOWN_BEFORE = "States that are known before are data, `partly observed`, and a 0 or 1 among the data switches their distribution"


def check_ends(model: Model) -> None:
    """Raise ``UsageError`` for ranges with an end of its own for each value of another index.

    The exception are the lengths of a ragged plate: ``j = 1..J[i]``.
    """
    indices = {plate.index for plate in model.plates}

    def moving(end: Expression | None) -> set[str]:
        return set() if end is None else {each.name for each in references(end)} & indices

    ragged = {plate.index for plate in model.plates if moving(plate.upper)}
    found = {
        f"the plate `{plate.index} = {_print(plate.lower, plate.upper)}`": (plate.index, moving(plate.lower))
        for plate in model.plates
    }
    for node in model.nodes:
        for each in node.ranges:
            plate = model.plate(each.index)
            if (each.lower, each.upper) == (plate.lower, plate.upper):
                continue
            by = moving(each.lower) | (set() if each.index in ragged else moving(each.upper))
            found[f"the range `{each.index} in {_print(each.lower, each.upper)}` of `{node.name}`"] = (
                each.index,
                by,
            )
    mistakes = [_refuse(what, index, min(by)) for what, (index, by) in found.items() if by]
    if mistakes:
        raise UsageError(mistakes, origin=model.name)


def _print(lower: Expression | None, upper: Expression | None) -> str:
    return "..".join("" if end is None else print_expression(end, True) for end in (lower, upper))


def _refuse(what: str, index: str, other: str) -> Mistake:
    return Mistake(
        code="moving-end",
        found=f"{what} has an end of its own for each `{other}`, which a sampler cannot hold",
        expected=f"the same range for every `{other}`, or a ragged plate that begins at a number",
        remedy=f"let `{index}` go over its whole plate, and leave values that are not there missing: they are left out.  "
        f"{KNOWN_BEFORE}: z[{other},{index}] ~ Bernoulli(d[{other},{index}] * phi * z[{other},{index}-1] + 1 - "
        f"d[{other},{index}])",
    )
