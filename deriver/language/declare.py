"""Plates and givens: the blocks `plates` and `given` to records, with the sizes and dimensions they imply.

Input: the lines of a ``Document``.  Output: the plates and givens of a ``Scope``; mistakes for names that are
taken or refused, for indices out of their plates, and for types that do not fit.
"""

from __future__ import annotations

import dataclasses

from deriver.language.mistakes import suggest
from deriver.language.names import refuse_name
from deriver.language.rewrite import make_number, whole_number
from deriver.language.scope import Scope
from deriver.language.syntax import GivenLine, PlateLine, TypeText
from deriver.model.expressions import (
    Expression,
    Infinity,
    Negate,
    Number,
    Reference,
    Span,
    children,
    references,
)
from deriver.model.records import Given, Plate, Support


def declare_plates(scope: Scope) -> None:
    """Fill in the plates of the scope, in the order written."""
    for line in scope.document.plates:
        name = line.index.name
        if _refused(scope, name, line.index.span):
            continue
        if name in scope.plates:
            _add_taken(scope, name, line.index.span)
            continue
        span = line.index.span
        scope.plates[name] = Plate(
            index=name, lower=line.lower, upper=line.upper, comment=line.comment, span=span
        )


def declare_sizes(scope: Scope) -> None:
    """Declare each size in the bounds of the plates that is not itself declared under `given`."""
    for line in scope.document.plates:
        for bound in (line.lower, line.upper):
            _check_bound(scope, line, bound)
            for found in references(bound):
                _declare_size(scope, line, found)


def _check_bound(scope: Scope, line: PlateLine, bound: Expression) -> None:
    waiting = [bound]
    while waiting:
        part = waiting.pop()
        waiting += children(part)
        fraction = isinstance(part, Number) and part.value.denominator != 1
        if fraction or not isinstance(part, Number | Reference | Negate) and not _is_sum(part):
            scope.mistakes.add(
                "bounds",
                f"the bounds of plate `{line.index.name}` are not whole numbers and sizes",
                span=part.span,
                expected="bounds such as 1..n, 0..T or 1..J[i]",
            )
            return


def _is_sum(part: Expression) -> bool:
    return getattr(part, "operator", None) in ("+", "-", "*")


def _declare_size(scope: Scope, line: PlateLine, found: Reference) -> None:
    name = found.name
    if name in scope.plates:
        _check_enclosing(scope, line, found)
        return
    if _refused(scope, name, found.span):
        return
    indices = tuple(each.name for each in found.subscripts if isinstance(each, Reference))
    if len(indices) != len(found.subscripts):
        scope.mistakes.add(
            "bounds",
            f"the size `{name}` has a subscript that is not an index",
            span=found.span,
            expected="a size such as n or J[i]",
        )
        return
    missing = [index for index in indices if index not in scope.plates]
    if missing:
        if not scope.unread(missing[0]):
            scope.mistakes.add(
                "bounds",
                f"`{missing[0]}` is not the index of a plate",
                span=found.span,
                remedy=suggest(missing[0], scope.plates) or f"declare the plate {missing[0]} above this one",
            )
        return
    old = scope.givens.get(name)
    if old is not None:
        _check_size_given(scope, old, indices, found)
        return
    lower = make_number(0 if indices else 1)
    scope.givens[name] = Given(
        name=name,
        indices=indices,
        support=Support(kind="integer", lower=lower),
        origin="size",
        span=found.span,
    )


def _check_size_given(scope: Scope, old: Given, indices: tuple[str, ...], found: Reference) -> None:
    if old.indices != indices:
        scope.mistakes.add(
            "bounds",
            f"the size `{old.name}` stands here with the indices ({', '.join(indices) or 'none'})",
            span=found.span,
            expected=f"the same indices as at its first place: ({', '.join(old.indices) or 'none'})",
        )
    elif old.support.kind != "integer":
        scope.mistakes.add(
            "bounds",
            f"`{old.name}` is the size of a plate, but is not declared as a whole number",
            span=old.span,
            remedy=f"write `{old.name} : integer > 0`, or leave the declaration out",
        )


def _check_enclosing(scope: Scope, line: PlateLine, found: Reference) -> None:
    order = list(scope.plates)
    own = line.index.name
    if own not in scope.plates:
        return
    if found.name == own or order.index(found.name) > order.index(own):
        scope.mistakes.add(
            "bounds",
            f"the bounds of plate `{own}` use the index `{found.name}`, which does not enclose it",
            span=found.span,
            expected="indices of plates declared above this one",
        )


def declare_givens(scope: Scope) -> None:
    """Fill in the givens of the scope, in the order written."""
    for line in scope.document.givens:
        for item in line.items:
            if _refused(scope, item.name, item.span):
                continue
            if item.name in scope.givens or item.name in scope.plates:
                _add_taken(scope, item.name, item.span)
                continue
            scope.givens[item.name] = _make_given(scope, line, item)


def declare_dimensions(scope: Scope) -> None:
    """Declare each dimension in the shape of a given that is not itself declared."""
    for given in tuple(scope.givens.values()):
        for dimension in dict.fromkeys(given.shape):
            if isinstance(dimension, Reference) and not _is_whole(scope, dimension.name):
                _declare_dimension(scope, dimension)


def _is_whole(scope: Scope, name: str) -> bool:
    given = scope.givens.get(name)
    return given is not None and given.support.kind == "integer" and not given.indices


def _declare_dimension(scope: Scope, dimension: Reference) -> None:
    if _refused(scope, dimension.name, dimension.span):
        return
    if dimension.name in scope.plates or dimension.name in scope.givens:
        scope.mistakes.add(
            "type",
            f"`{dimension.name}` is {scope.first_place(dimension.name)}, and stands here as a dimension",
            span=dimension.span,
            remedy="use another name for the dimension, or declare it `: integer > 0`",
        )
        return
    scope.givens[dimension.name] = Given(
        name=dimension.name,
        support=Support(kind="integer", lower=make_number(1)),
        origin="dimension",
        span=dimension.span,
    )


def _make_given(scope: Scope, line: GivenLine, item: Reference) -> Given:
    indices = _given_indices(scope, line, item)
    shape, support = _read_type(scope, line, item)
    return Given(
        name=item.name,
        indices=indices,
        shape=shape,
        support=support,
        default=line.default,
        comment=line.comment,
        span=item.span,
    )


def _given_indices(scope: Scope, line: GivenLine, item: Reference) -> tuple[str, ...]:
    subscripts: tuple[Expression, ...] = item.subscripts
    if line.type and line.type.word == "group":
        if item.subscripts:
            written = _group_text(line.type)
            scope.mistakes.add(
                "type",
                f"`{item.name}` has subscripts, and its indices stand before `->` as well",
                span=item.span,
                remedy=f"write `{item.name} : {written}`",
            )
        subscripts = line.type.arguments[:-1]
    found: list[str] = []
    for each in subscripts:
        name = each.name if isinstance(each, Reference) and not each.subscripts else ""
        if name not in scope.plates and not scope.unread(name):
            scope.mistakes.add(
                "subscript",
                f"a subscript of the given `{item.name}` is not the index of a plate",
                span=each.span,
                expected=f"one of {', '.join(scope.plates)}"
                if scope.plates
                else "an index declared in `plates`",
                remedy=suggest(name, scope.plates) or "declare the plate, as in i = 1..n",
            )
        found.append(name)
    if any(name not in scope.plates for name in found):
        scope.refused.add(item.name)
    check_nesting(scope, item.name, tuple(found), item.span)
    return tuple(name for name in found if name in scope.plates)


def _group_text(written: TypeText) -> str:
    *indices, target = [each.name for each in written.arguments if isinstance(each, Reference)]
    return f"{', '.join(indices)} -> {target}"


def check_nesting(scope: Scope, name: str, indices: tuple[str, ...], span: Span | None) -> None:
    """Record a mistake if an index stands twice, or without the indices that its plate depends on before it."""
    for position, index in enumerate(indices):
        if index in indices[:position]:
            scope.refused.add(name)
            scope.mistakes.add("subscript", f"the index `{index}` stands twice on `{name}`", span=span)
        missing = [each for each in scope.enclosing(index) if each not in indices[:position]]
        if missing:
            scope.refused.add(name)
            full = ",".join([*missing, *(each for each in indices if each not in missing)])
            scope.mistakes.add(
                "subscript",
                f"the plate `{index}` lies within `{missing[0]}`, which does not stand before it on `{name}`",
                span=span,
                remedy=f"write {name}[{full}]",
            )


def _read_type(scope: Scope, line: GivenLine, item: Reference) -> tuple[tuple[Expression, ...], Support]:
    word = line.type.word if line.type else ""
    if line.type and word in ("group", "subset"):
        return (), _index_support(scope, line.type, item, line)
    shape = line.type.arguments if line.type and word in ("vector", "matrix", "simplex") else ()
    for dimension in shape:
        _check_dimension(scope, dimension)
    if word == "simplex" or len(shape) == 2:
        _refuse_bounds(scope, line, item)
        return shape, Support(kind="simplex" if word == "simplex" else "real")
    return shape, _interval_support(scope, line, word == "integer")


def _check_dimension(scope: Scope, dimension: Expression) -> None:
    if isinstance(dimension, Reference) and not dimension.subscripts:
        return
    value = whole_number(dimension)
    if value is None or value < 1:
        scope.mistakes.add(
            "type",
            "a dimension is neither a name nor a whole number",
            span=dimension.span,
            expected="a name such as p, or a number such as 2",
        )


def _refuse_bounds(scope: Scope, line: GivenLine, item: Reference) -> None:
    if line.bounds:
        scope.mistakes.add(
            "bounds",
            f"`{item.name}` is not a number, and has bounds",
            span=line.bounds[0][1].span,
            remedy="leave the bounds out",
        )


def _index_support(scope: Scope, written: TypeText, item: Reference, line: GivenLine) -> Support:
    target = written.arguments[-1]
    name = target.name if isinstance(target, Reference) else ""
    _refuse_bounds(scope, line, item)
    if line.default is not None:
        scope.mistakes.add(
            "default", f"`{item.name}` comes from the data, and has a default", span=line.default.span
        )
    if written.word == "subset" and item.subscripts:
        scope.mistakes.add("type", f"the subset `{item.name}` has subscripts", span=item.span)
    if name not in scope.plates:
        scope.mistakes.add(
            "type",
            f"`{name}` is not the index of a plate",
            span=target.span,
            expected=f"one of {', '.join(scope.plates)}" if scope.plates else "an index declared in `plates`",
            remedy=suggest(name, scope.plates) or f"declare the plate, as in {name or 'i'} = 1..n",
        )
    elif scope.enclosing(name):
        scope.mistakes.add(
            "type",
            f"the plate `{name}` lies within `{scope.enclosing(name)[0]}`: its numbers begin again for each",
            span=target.span,
            remedy="number the groups through, with a plate of their own",
        )
    return Support(kind="index" if written.word == "group" else "subset", plate=name)


def _interval_support(scope: Scope, line: GivenLine, integer: bool) -> Support:
    lower: Expression | None = None
    upper: Expression | None = None
    for relation, bound in line.bounds:
        bound_value = _finite(bound)
        if not integer and relation in (">=", "<="):
            scope.mistakes.add(
                "bounds",
                f"a real number with `{relation}`: its bounds are open",
                span=bound.span,
                remedy=f"write `{relation[0]}`, or `in (lower, upper)`; `: integer` before the bounds for counts",
            )
        if integer and relation in (">", "<") and bound_value is not None:
            bound_value = _closed(scope, relation, bound)
        if relation[0] == ">":
            lower = bound_value
        else:
            upper = bound_value
    return Support(kind="integer" if integer else "real", lower=lower, upper=upper)


def _finite(bound: Expression) -> Expression | None:
    infinite = (
        isinstance(bound, Infinity) or isinstance(bound, Negate) and isinstance(bound.operand, Infinity)
    )
    return None if infinite else bound


def _closed(scope: Scope, relation: str, bound: Expression) -> Expression:
    value = whole_number(bound)
    if value is None:
        scope.mistakes.add(
            "bounds",
            f"a whole number with `{relation}` and a bound that is not one",
            span=bound.span,
            remedy=f"write `{relation}= ...`",
        )
        return bound
    return dataclasses.replace(make_number(value + 1 if relation == ">" else value - 1), span=bound.span)


def _refused(scope: Scope, name: str, span: Span | None) -> bool:
    reason = refuse_name(name)
    if reason:
        scope.mistakes.add("name", reason[0], span=span, remedy=reason[1])
        scope.refused.add(name)
    return reason is not None


def _add_taken(scope: Scope, name: str, span: Span | None) -> None:
    scope.mistakes.add(
        "duplicate",
        f"the name `{name}` is taken: it is {scope.first_place(name)}",
        span=span,
        remedy="give one of them another name",
    )
