"""Right sides: every name declared, every subscript a value of the plate that it stands for.

Input: a scope whose nodes have their indices and ranges.  Output: mistakes only.  A subscript is an index or a
group column, plus or minus a whole number; whatever is seen to leave its plate for every size is refused.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from deriver.families import family as family_record
from deriver.language.affine import Affine, read_affine
from deriver.language.choice import known_keys
from deriver.language.ends import KNOWN_BEFORE
from deriver.language.mistakes import listing, suggest
from deriver.language.printer import print_expression
from deriver.language.rewrite import substitute
from deriver.language.scope import Draft, Entity, Scope
from deriver.model.expressions import (
    Binary,
    Colon,
    Expression,
    Infinity,
    Negate,
    Number,
    Reference,
    Span,
    SumOver,
    children,
    references,
)
from deriver.model.records import Given, Range


@dataclass(frozen=True, slots=True)
class Place:
    """Where an expression stands: the indices bound there, and what may be named."""

    bound: dict[str, Range]
    nodes: bool = True
    owner: str = ""


def check_places(scope: Scope) -> None:
    """Check every expression of the model."""
    for draft in scope.drafts:
        if not draft.implied:
            _check_draft(scope, draft)
    seen: set[str] = set()
    for given in scope.givens.values():
        seen.add(given.name)
        _check_given(scope, given, seen)


def _check_draft(scope: Scope, draft: Draft) -> None:
    place = Place(bound=draft.bound(), owner=draft.name)
    for expression in draft.expressions():
        check_expression(scope, expression, place)
    if draft.line.fixed is not None:
        check_expression(scope, draft.line.fixed, dataclasses.replace(place, nodes=False))
    for position, each in enumerate(draft.ranges):
        outer = Place(bound={inner.index: inner for inner in draft.ranges[:position]}, nodes=False)
        for bound in (each.lower, each.upper):
            if bound is not None and draft.line.ranges:
                check_expression(scope, bound, outer)


def _check_given(scope: Scope, given: Given, seen: set[str]) -> None:
    bound = {index: _plate_range(scope, index) for index in given.indices}
    for each in (given.support.lower, given.support.upper, given.default):
        if each is None or given.origin != "given":
            continue
        check_expression(scope, each, Place(bound=bound, nodes=False))
        for found in references(each):
            later = scope.givens.get(found.name)
            if later is not None and later.origin == "given" and later.name not in seen - {given.name}:
                scope.mistakes.add(
                    "default",
                    f"`{given.name}` rests on `{found.name}`, which is not declared before it",
                    span=found.span,
                    remedy=f"move the line of `{found.name}` up" if later.name != given.name else "",
                )


def _plate_range(scope: Scope, index: str) -> Range:
    plate = scope.plates[index]
    return Range(index=index, lower=plate.lower, upper=plate.upper)


def check_expression(scope: Scope, expression: Expression, place: Place) -> None:
    """Check one expression and all its parts."""
    match expression:
        case Reference():
            _check_reference(scope, expression, place)
        case SumOver():
            _check_sum(scope, expression, place)
        case Infinity():
            scope.mistakes.add(
                "infinity",
                "`inf` stands inside an expression",
                span=expression.span,
                expected="inf only as a bound of a given or of a truncation T(lower, upper)",
            )
        case _:
            for child in children(expression):
                check_expression(scope, child, place)


def _check_sum(scope: Scope, expression: SumOver, place: Place) -> None:
    index = expression.index
    if index not in scope.plates:
        if not scope.unread(index):
            scope.mistakes.add(
                "index",
                f"`{index}` is not the index of a plate",
                span=expression.span,
                expected=f"one of {', '.join(scope.plates)}"
                if scope.plates
                else "an index declared in `plates`",
                remedy=suggest(index, scope.plates),
            )
        return
    missing = [each for each in scope.enclosing(index) if each not in place.bound]
    if missing:
        scope.mistakes.add(
            "index",
            f"the sum runs over `{index}` within `{missing[0]}`, which has no value here",
            span=expression.span,
            remedy=f"sum over `{missing[0]}` as well: sum({missing[0]}: sum({index}: ...))",
        )
        return
    inner = dataclasses.replace(place, bound={**place.bound, index: _plate_range(scope, index)})
    for each in (*expression.conditions, expression.body):
        check_expression(scope, each, inner)


def _check_reference(scope: Scope, found: Reference, place: Place) -> None:
    name = found.name
    if scope.unread(name):
        for each in found.subscripts:
            _check_parts(scope, each, place)
    elif name in scope.plates:
        _check_index(scope, found, place)
    elif name in scope.nodes:
        if place.nodes:
            _check_node(scope, scope.nodes[name], found, place)
        else:
            scope.mistakes.add(
                "layer",
                f"`{name}` is a node, and stands here in a bound or a default",
                span=found.span,
                expected="givens, sizes and numbers only",
            )
    elif name in scope.givens:
        _check_given_reference(scope, scope.givens[name], found, place)
    else:
        _add_undeclared(scope, found)


def _add_undeclared(scope: Scope, found: Reference) -> None:
    name = found.name
    subscripts = ",".join(print_expression(each, True) for each in found.subscripts)
    declare = f"{name}[{subscripts}]" if subscripts else name
    remedy = suggest(name, scope.known())
    scope.mistakes.add(
        "undeclared",
        f"`{name}` is not declared",
        span=found.span,
        expected="a node, an index, or a name declared under `given`",
        remedy=remedy
        or f"state it with `~` or `=`, or declare `{declare}` under `given` if it is data or known",
    )


def _check_index(scope: Scope, found: Reference, place: Place) -> None:
    if found.subscripts:
        scope.mistakes.add("index", f"the index `{found.name}` has subscripts", span=found.span)
    elif found.name not in place.bound:
        bound = listing((f"`{index}`" for index in place.bound), "and")
        scope.mistakes.add(
            "index",
            f"the index `{found.name}` has no value here"
            + (f": the left side of `{place.owner}` has {bound or 'no index'}" if place.owner else ""),
            span=found.span,
            remedy=f"add `{found.name}` to the left side, or sum over it: sum({found.name}: ...)",
        )


def _check_given_reference(scope: Scope, given: Given, found: Reference, place: Place) -> None:
    if given.support.kind == "subset":
        scope.mistakes.add(
            "subset",
            f"the subset `{given.name}` stands in an expression",
            span=found.span,
            expected=f"a subset only after `for {given.support.plate} in`",
        )
        return
    ranges = tuple(_plate_range(scope, index) for index in given.indices)
    _check_subscripts(scope, found, given.indices, ranges, place)


def _check_node(scope: Scope, entity: Entity, found: Reference, place: Place) -> None:
    if entity.sound:
        _check_subscripts(scope, found, entity.indices, entity.ranges, place)
    else:
        for each in found.subscripts:
            _check_parts(scope, each, place)


def _check_subscripts(
    scope: Scope, found: Reference, indices: tuple[str, ...], ranges: tuple[Range, ...], place: Place
) -> None:
    subscripts = found.subscripts
    for each in subscripts:
        _check_parts(scope, each, place)
    if len(subscripts) < len(indices):
        whole = f"{found.name}[{','.join(indices)}]"
        scope.mistakes.add(
            "subscript",
            f"`{print_expression(found)}` has too few subscripts",
            span=found.span,
            expected=whole,
            remedy=f"write {whole}, or `:` for all values of an index",
        )
        return
    values: dict[str, Expression] = {}
    for index, each, whole_range in zip(indices, subscripts, ranges, strict=False):
        if isinstance(each, Colon):
            continue
        local = dataclasses.replace(
            whole_range,
            lower=substitute(whole_range.lower, values) if whole_range.lower is not None else None,
            upper=substitute(whole_range.upper, values) if whole_range.upper is not None else None,
        )
        _check_value(scope, found, each, local, place)
        values[index] = each


def _check_parts(scope: Scope, subscript: Expression, place: Place) -> None:
    if not isinstance(subscript, Colon):
        check_expression(scope, subscript, place)


def _check_value(scope: Scope, found: Reference, subscript: Expression, allowed: Range, place: Place) -> None:
    """Check that a subscript is a value of the plate index for which it stands."""
    match subscript:
        case Reference(name=name) if name not in scope.plates:
            if _check_group(scope, found, subscript, allowed.index):
                return
    value = read_affine(subscript)
    moving = [name for name in value.terms if name in scope.plates]
    if not _is_shift(scope, value, moving, subscript):
        _add_bad_value(scope, found, subscript, allowed.index)
        return
    if any(name not in place.bound for name in moving):
        return
    if moving and not _same_plate(scope, moving[0], allowed.index):
        _add_wrong_plate(scope, found, subscript.span, moving[0], allowed.index)
        return
    _check_limits(scope, found, subscript, value, allowed, place)


def _check_group(scope: Scope, found: Reference, subscript: Reference, index: str) -> bool:
    """Check a subscript that is a group column or a discrete node; False if it is neither."""
    given = scope.givens.get(subscript.name)
    if given is not None and given.support.kind == "index":
        target = given.support.plate or ""
        if target in scope.plates and not _same_plate(scope, target, index):
            _add_wrong_plate(scope, found, subscript.span, target, index, subscript.name)
        return True
    if given is not None and given.indices and given.origin == "given":
        column = f"{given.name} : {', '.join(given.indices)} -> {index}"
        scope.mistakes.add(
            "subscript",
            f"`{subscript.name}` is not a group column, and stands as a subscript of `{found.name}`",
            span=subscript.span,
            remedy=f"declare `{column}` under `given`",
        )
        return True
    entity = scope.nodes.get(subscript.name)
    if entity is not None:
        if not _is_discrete(entity):
            _add_bad_value(scope, found, subscript, index)
        return True
    return given is None


def _is_discrete(entity: Entity) -> bool:
    line = entity.drafts[0].line
    keys = known_keys(line.family or "")
    return entity.stochastic and all(family_record(key).support.kind == "integer" for key in keys)


def _is_shift(scope: Scope, value: Affine, moving: list[str], subscript: Expression) -> bool:
    """Tell whether a subscript is one index, or sizes, plus or minus a whole number."""
    if value.constant.denominator != 1 or any(each.denominator != 1 for each in value.terms.values()):
        return False
    if len(moving) > 1 or any(value.terms[name] != 1 for name in moving):
        return False
    named = [part for part in references(subscript) if part.name not in scope.plates]
    whole = {name for name, given in scope.givens.items() if given.support.kind == "integer"}
    plain = all(
        part.name in whole or scope.unread(part.name) or part.name not in scope.known() for part in named
    )
    return plain and not any(not isinstance(part, Number | Reference) for part in _leaves(subscript))


def _leaves(expression: Expression) -> list[Expression]:
    """Return the terms and factors of a sum of products."""
    found, waiting = [], [expression]
    while waiting:
        part = waiting.pop()
        match part:
            case Binary(operator="+" | "-" | "*", left=left, right=right):
                waiting += [left, right]
            case Negate(operand=operand):
                waiting.append(operand)
            case _:
                found.append(part)
    return found


def _same_plate(scope: Scope, first: str, second: str) -> bool:
    if first == second:
        return True
    one, two = scope.plates.get(first), scope.plates.get(second)
    return one is not None and two is not None and (one.lower, one.upper) == (two.lower, two.upper)


def _check_limits(
    scope: Scope, found: Reference, subscript: Expression, value: Affine, allowed: Range, place: Place
) -> None:
    own = place.bound.get(next((name for name in value.terms if name in scope.plates), ""))
    if allowed.subset:
        if own is None or own.subset != allowed.subset:
            _add_outside(scope, found, subscript, f"the subset {allowed.subset}")
        return
    low, high = _reach(scope, value, own)
    least = scope.least()
    _, below = low.minus(read_affine(allowed.lower or Expression())).extent(least)
    above, _ = high.minus(read_affine(allowed.upper or Expression())).extent(least)
    if (below is not None and below < 0) or (above is not None and above > 0):
        span = f"{print_expression(allowed.lower, True)}..{print_expression(allowed.upper, True)}"  # type: ignore[arg-type]
        _add_outside(scope, found, subscript, span, below is not None and below < 0)


def _reach(scope: Scope, value: Affine, own: Range | None) -> tuple[Affine, Affine]:
    if own is None:
        return value, value
    lower, upper = own.lower, own.upper
    if own.subset:
        lower, upper = scope.plates[own.index].lower, scope.plates[own.index].upper
    return (
        value.replace(own.index, read_affine(lower or Expression())),
        value.replace(own.index, read_affine(upper or Expression())),
    )


def _add_outside(
    scope: Scope, found: Reference, subscript: Expression, allowed: str, below: bool = False
) -> None:
    remedy = "end the range of the statement earlier, as in `for t in 1..T-1`"
    if allowed.startswith("the subset"):
        remedy = f"give the statement the same range, `for i in {allowed.split()[-1]}`"
    elif below:
        remedy = (
            f"state the first element of `{found.name}` by itself, or begin the range of the statement later"
        )
        if "[" in allowed:
            remedy = f"let `{found.name}` begin where its plate begins.  {KNOWN_BEFORE}"
    scope.mistakes.add(
        "outside",
        f"the subscript `{print_expression(subscript, True)}` of `{found.name}` leaves {allowed}",
        span=subscript.span or found.span,
        expected=f"a value in {allowed}",
        remedy=remedy,
    )


def _add_bad_value(scope: Scope, found: Reference, subscript: Expression, index: str) -> None:
    scope.mistakes.add(
        "subscript",
        f"the subscript `{print_expression(subscript, True)}` of `{found.name}` is not a value of the index `{index}`",
        span=subscript.span or found.span,
        expected=f"`{index}`, `{index}-1`, a whole number, a size, or a group column declared as k -> {index}",
    )


def _add_wrong_plate(
    scope: Scope, found: Reference, span: Span | None, given: str, wanted: str, column: str = ""
) -> None:
    what = f"`{column}` gives values of `{given}`" if column else f"`{given}` stands"
    scope.mistakes.add(
        "subscript",
        f"{what}, where `{found.name}` has the index `{wanted}`",
        span=span or found.span,
        expected=f"a value of `{wanted}`",
        remedy=f"check the order of the subscripts of `{found.name}`, or declare a group column {given} -> {wanted}",
    )
