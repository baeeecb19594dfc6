"""The statements of one node together: which plate stands for each subscript, and that they cover it once.

Ranges are compared as sums of sizes, so ``0..0`` and ``1..T`` meet for every T.  Several subsets, whose
members are known from the data alone, are compared when the data are bound.
"""

from __future__ import annotations

from fractions import Fraction

from deriver.language.affine import Affine, read_affine
from deriver.language.printer import print_expression
from deriver.language.rewrite import whole_number
from deriver.language.scope import Draft, Entity, Scope
from deriver.model.expressions import Expression, Reference
from deriver.model.records import Range


def cover_nodes(scope: Scope) -> None:
    """Fill in the indices and ranges of every node."""
    for entity in scope.nodes.values():
        if entity.sound:
            entity.sound = _cover_node(scope, entity)


def _cover_node(scope: Scope, entity: Entity) -> bool:
    columns = list(zip(*(_segments(draft) for draft in entity.drafts), strict=True))
    indices = [_common_index(scope, entity, [each.index for each in column]) for column in columns]
    if any(index is None for index in indices):
        return False
    entity.indices = tuple(index for index in indices if index)
    different = [
        position for position, column in enumerate(columns) if len({_key(each) for each in column}) > 1
    ]
    if len(entity.drafts) > 1 and not _check_difference(scope, entity, different):
        return False
    ranges = []
    for position, column in enumerate(columns):
        found = _join_column(scope, entity, list(column)) if position in different else column[0]
        if found is None:
            return False
        ranges.append(found)
    entity.ranges = tuple(ranges)
    return True


def _segments(draft: Draft) -> list[Range]:
    """Return a range for each subscript; a constant is the range from it to itself, its index unknown."""
    bound = draft.bound()
    segments = []
    for each in draft.subscripts:
        if isinstance(each, Reference):
            segments.append(bound[each.name])
        else:
            segments.append(Range(index="", lower=each, upper=each))
    return segments


def _key(segment: Range) -> tuple[str, ...]:
    if segment.subset:
        return ("subset", segment.subset)
    return tuple(_text(read_affine(bound)) for bound in (segment.lower, segment.upper) if bound is not None)


def _text(value: Affine) -> str:
    return f"{value.constant}|" + ",".join(f"{name}*{each}" for name, each in sorted(value.terms.items()))


def _common_index(scope: Scope, entity: Entity, names: list[str]) -> str | None:
    found = list(dict.fromkeys(name for name in names if name))
    if len(found) == 1:
        return found[0]
    first = entity.drafts[0]
    if found:
        scope.mistakes.add(
            "cover",
            f"`{entity.name}` is stated with the indices {' and '.join(found)} in the same place",
            span=first.span,
            remedy="use one index for all its statements, and `for` for their ranges",
        )
    else:
        constant = next(each for each in first.subscripts if not isinstance(each, Reference))
        scope.mistakes.add(
            "cover",
            f"`{entity.name}` is stated for the subscript {print_expression(constant)} alone",
            span=first.span,
            expected="an index somewhere in that place, as in z[t] ~ ... for t in 1..T",
            remedy=f"if it is a single quantity, call it {entity.name}{abs(whole_number(constant) or 0)}",
        )
    return None


def _check_difference(scope: Scope, entity: Entity, different: list[int]) -> bool:
    if len(different) == 1:
        return True
    second = entity.drafts[1]
    place = scope.first_place(entity.name)
    if different:
        scope.mistakes.add(
            "cover",
            f"the statements of `{entity.name}` differ in several subscripts; it is {place}",
            span=second.span,
            expected="statements that differ in one subscript only",
        )
    else:
        scope.mistakes.add(
            "duplicate",
            f"`{entity.name}` is stated twice; it is {place}",
            span=second.span,
            remedy="remove one, or give each a range of its own, as in `for t in 1..T`",
        )
    return False


def _join_column(scope: Scope, entity: Entity, column: list[Range]) -> Range | None:
    """Return the union of the ranges in one place; None, with a mistake, if they overlap or leave a hole."""
    index = next(each.index for each in column if each.index)
    if any(each.subset for each in column):
        return _join_subsets(scope, entity, column, index)
    order = _chain(column)
    if order is None:
        _add_gap(scope, entity, column)
        return None
    for position, segment in enumerate(column):
        if not _never_negative(scope, segment):
            _add_short(scope, entity, entity.drafts[position], segment)
            return None
    return Range(index=index, lower=order[0].lower, upper=order[-1].upper)


def _join_subsets(scope: Scope, entity: Entity, column: list[Range], index: str) -> Range | None:
    names = [each.subset for each in column]
    if all(names) and len(set(names)) == len(names):
        plate = scope.plates[index]
        return Range(index=index, lower=plate.lower, upper=plate.upper)
    scope.mistakes.add(
        "cover",
        f"the statements of `{entity.name}` mix subsets and ranges, or use a subset twice",
        span=entity.drafts[1].span,
        expected="ranges only, or subsets that are all different",
        remedy="declare a subset for each statement",
    )
    return None


def _chain(column: list[Range]) -> list[Range] | None:
    """Return the segments in order, each beginning right after the one before; None if there is no such order."""
    starts = {_text(_lower(segment)): segment for segment in column}
    nexts = {id(segment): starts.get(_text(_after(segment))) for segment in column}
    followed = {id(segment) for segment in nexts.values() if segment is not None}
    first = [segment for segment in column if id(segment) not in followed]
    if len(starts) < len(column) or len(first) != 1:
        return None
    order = [first[0]]
    while nexts[id(order[-1])] is not None and len(order) <= len(column):
        order.append(nexts[id(order[-1])])  # type: ignore[arg-type]
    return order if len(order) == len(column) else None


def _lower(segment: Range) -> Affine:
    return read_affine(segment.lower or Expression())


def _upper(segment: Range) -> Affine:
    return read_affine(segment.upper or Expression())


def _after(segment: Range) -> Affine:
    return _upper(segment).plus(Affine(Fraction(1)))


def _never_negative(scope: Scope, segment: Range) -> bool:
    """Tell whether a segment can be shown to have no fewer than no elements, for every size."""
    smallest, _ = _upper(segment).minus(_lower(segment)).extent(scope.least())
    return smallest is not None and smallest >= -1


def _add_gap(scope: Scope, entity: Entity, column: list[Range]) -> None:
    written = [f"{print_expression(each.lower)}..{print_expression(each.upper)}" for each in column]  # type: ignore[arg-type]
    fault = _describe_fault(column)
    scope.mistakes.add(
        "cover",
        f"the statements of `{entity.name}` {fault}: they hold for {' and '.join(written)}",
        span=entity.drafts[-1].span,
        expected="ranges that follow each other, such as z[0] and z[t] for t in 1..T",
    )


def _describe_fault(column: list[Range]) -> str:
    if len(column) == 2:
        for first, second in (column, column[::-1]):
            step = _lower(second).minus(_upper(first))
            back = _lower(first).minus(_upper(second))
            apart = not step.terms and step.constant > 1 and (back.terms or back.constant <= 0)
            if apart:
                return "leave a hole"
        step, back = _lower(column[1]).minus(_upper(column[0])), _lower(column[0]).minus(_upper(column[1]))
        if any(not each.terms and each.constant <= 0 for each in (step, back)):
            return "overlap"
    return "do not cover it once each"


def _add_short(scope: Scope, entity: Entity, draft: Draft, segment: Range) -> None:
    length = _upper(segment).minus(_lower(segment))
    size = next(iter(length.terms), "T")
    least = -1 - length.constant
    scope.mistakes.add(
        "cover",
        f"the range {print_expression(segment.lower)}..{print_expression(segment.upper)} of `{entity.name}` runs "  # type: ignore[arg-type]
        f"backwards for small {size}, and its statements then overlap",
        span=draft.span,
        remedy=f"declare `{size} : integer >= {least}` under `given`",
    )
