"""Left sides: the statements of a ``Document`` to drafts and nodes.

Input: a scope with plates and givens.  Output: its drafts and nodes; a transform on the left of ``~`` becomes a
node of its own and an implied definition.  Mistakes for names, subscripts and ranges of the left side.
"""

from __future__ import annotations

import dataclasses

from deriver.language.declare import check_nesting
from deriver.language.functions import INVERSE_TRANSFORMS
from deriver.language.mistakes import suggest
from deriver.language.names import refuse_name
from deriver.language.rewrite import make_number, rebuild, whole_number
from deriver.language.scope import Draft, Entity, Scope
from deriver.language.syntax import RangeText, StatementLine
from deriver.model.expressions import Binary, Call, Colon, Expression, Reference
from deriver.model.records import Range


def declare_targets(scope: Scope) -> None:
    """Fill in the drafts and nodes of the scope."""
    for line in scope.document.statements:
        if not _refuse_target(scope, line):
            for draft in _make_drafts(scope, line):
                _add_draft(scope, draft)
    _rewrite_transforms(scope)


def _refuse_target(scope: Scope, line: StatementLine) -> bool:
    name = line.target.name
    reason = refuse_name(name)
    if reason:
        scope.mistakes.add("name", reason[0], span=line.target.span, remedy=reason[1])
        scope.refused.add(name)
        return True
    if name in scope.plates or name in scope.givens:
        scope.mistakes.add(
            "duplicate",
            f"`{name}` is {scope.first_place(name)}, and is stated here as a node",
            span=line.target.span,
            remedy=_mend_taken(scope, name),
        )
        scope.refused.add(name)
        return True
    return False


def _mend_taken(scope: Scope, name: str) -> str:
    given = scope.givens.get(name)
    if given is not None and given.origin == "given":
        return "take it out of `given`: a node is declared by its statement, observed or not"
    return "give one of them another name"


def _make_drafts(scope: Scope, line: StatementLine) -> tuple[Draft, ...]:
    target = line.target
    ranges = _read_ranges(scope, line)
    if line.expression is not None:
        expression = _undo(line.transform, line.expression) if line.transform else line.expression
        draft = Draft(
            name=target.name, subscripts=target.subscripts, layer=line.layer, line=line,
            expression=expression, ranges=ranges, transform=line.transform,
        )  # fmt: skip
        return (draft,)
    if line.partly and line.layer != "data":
        _refuse_partly(scope, line)
    arguments = tuple(argument.value for argument in line.arguments)
    name = f"{line.transform}_{target.name}" if line.transform else target.name
    draft = Draft(
        name=name, subscripts=target.subscripts, layer=line.layer, line=line, arguments=arguments,
        ranges=ranges, transform=line.transform, written=target.name if line.transform else "",
    )  # fmt: skip
    if not line.transform:
        return (draft,)
    scope.written[(line.transform, target.name)] = name
    inner = Reference(name=name, subscripts=target.subscripts, span=target.span)
    definition = Draft(
        name=target.name, subscripts=target.subscripts, layer=line.layer, line=line,
        expression=_undo(line.transform, inner), ranges=ranges, implied=True,
    )  # fmt: skip
    return (draft, definition)


def _refuse_partly(scope: Scope, line: StatementLine) -> None:
    scope.mistakes.add(
        "partly",
        f"`{line.target.name}` stands under `{line.layer}`, and is partly observed",
        span=line.target.span,
        expected="a node of `data`, of which the data hold some elements",
        remedy=f"move its statement to `data`; every element of a {line.layer} node is drawn",
    )


def _undo(transform: str, expression: Expression) -> Expression:
    """Return the node itself, given its transform: exp for log, the square for sqrt."""
    function = INVERSE_TRANSFORMS[transform]
    if function == "square":
        return Binary(operator="^", left=expression, right=make_number(2), span=expression.span)
    return Call(function=function, arguments=(expression,), span=expression.span)


def _rewrite_transforms(scope: Scope) -> None:
    """Replace ``log(h[t])`` by ``log_h[t]`` wherever ``log(h[t])`` is the node that is stated."""

    def change(part: Expression) -> Expression:
        match part:
            case Call(function=function, arguments=(Reference(name=name) as inner,)):
                node = scope.written.get((function, name))
                return dataclasses.replace(inner, name=node) if node else part
        return part

    if scope.written:
        for draft in scope.drafts:
            draft.arguments = tuple(rebuild(each, change) for each in draft.arguments)
            if draft.expression is not None and not draft.implied:
                draft.expression = rebuild(draft.expression, change)


def _add_draft(scope: Scope, draft: Draft) -> None:
    name = draft.name
    if name in scope.plates or name in scope.givens:
        scope.mistakes.add(
            "duplicate",
            f"the node of `{draft.transform}({draft.written})` is called `{name}`, which is "
            f"{scope.first_place(name)}",
            span=draft.span,
            remedy=f"rename the other `{name}`",
        )
        return
    entity = scope.nodes.get(name)
    if entity is None:
        entity = scope.nodes[name] = Entity(name=name, drafts=[])
    elif not _check_restatement(scope, entity, draft):
        return
    entity.drafts.append(draft)
    scope.drafts.append(draft)
    entity.sound &= _check_subscripts(scope, draft)


def _check_restatement(scope: Scope, entity: Entity, draft: Draft) -> bool:
    first = entity.drafts[0]
    place = scope.first_place(entity.name)
    if bool(first.written) != bool(draft.written):  # one of them is the node of log(s), log_s
        under = first if first.written else draft
        found = (
            f"the node of `{under.transform}({under.written})` is called `{entity.name}`, and so is another"
        )
        remedy = f"give the other `{entity.name}` another name; it is {place}"
    elif first.layer != draft.layer:
        found = f"`{entity.name}` is stated under `{first.layer}` and under `{draft.layer}`"
        remedy = "keep the statements of a node in one block"
    elif first.stochastic != draft.stochastic:
        found = f"`{entity.name}` has a distribution and a definition; it is {place}"
        remedy = "give one of them another name"
    elif first.transform != draft.transform or first.implied != draft.implied:
        found = f"`{entity.name}` is stated under different transforms; it is {place}"
        remedy = "state all its ranges under the same transform"
    elif len(first.subscripts) != len(draft.subscripts):
        found = f"`{entity.name}` has {len(first.subscripts)} subscripts at its first place, and here "
        found += f"{len(draft.subscripts)}; it is {place}"
        remedy = "state all its ranges with the same number of subscripts"
    else:
        return True
    scope.mistakes.add("duplicate", found, span=draft.span, remedy=remedy)
    return False


def _check_subscripts(scope: Scope, draft: Draft) -> bool:
    """Check that the subscripts on the left are indices or whole numbers."""
    sound = True
    for each in draft.subscripts:
        if whole_number(each) is not None:
            continue
        if isinstance(each, Reference) and not each.subscripts and each.name in scope.plates:
            continue
        sound = False
        if isinstance(each, Reference) and scope.unread(each.name):
            continue
        plain = isinstance(each, Reference) and not each.subscripts
        found = f"a subscript on the left of `{draft.name}` is neither an index nor a whole number"
        scope.mistakes.add(
            "subscript",
            f"`{each.name}` is not the index of a plate" if plain else found,  # type: ignore[attr-defined]
            span=each.span,
            expected=f"one of {', '.join(scope.plates)}, or a number such as 0"
            if scope.plates
            else "a plate",
            remedy=_mend_subscript(scope, draft, each),
        )
    names = tuple(each.name for each in draft.subscripts if isinstance(each, Reference))
    check_nesting(scope, draft.name, names, draft.span)
    return sound and len(set(names)) == len(names)


def _mend_subscript(scope: Scope, draft: Draft, each: Expression) -> str:
    if isinstance(each, Colon):
        return "state one element, as in y[i,j], or make the row a vector node y[i]"
    if isinstance(each, Reference) and not each.subscripts:
        return suggest(each.name, scope.plates) or f"declare the plate, as in {each.name} = 1..n"
    return f"use the index, and give its values at the end: {draft.name}[t] ~ ... for t in 1..T"


def _read_ranges(scope: Scope, line: StatementLine) -> tuple[Range, ...]:
    indices = [each.name for each in line.target.subscripts if isinstance(each, Reference)]
    explicit: dict[str, Range] = {}
    for written in line.ranges:
        name = written.index.name
        if name in explicit or name not in indices:
            scope.mistakes.add(
                "range",
                f"`for {name}` stands twice"
                if name in explicit
                else f"`{name}` is not an index of the left side",
                span=written.index.span,
                expected=f"one of {', '.join(indices)}"
                if indices
                else "no `for`: the left side has no index",
                remedy=suggest(name, indices),
            )
            continue
        explicit[name] = _read_range(scope, written)
    return tuple(
        explicit.get(name)
        or Range(index=name, lower=scope.plates[name].lower, upper=scope.plates[name].upper)
        for name in indices
        if name in scope.plates
    )


def _read_range(scope: Scope, written: RangeText) -> Range:
    subset = written.subset
    if subset is None:
        return Range(index=written.index.name, lower=written.lower, upper=written.upper)
    given = scope.givens.get(subset.name)
    fits = given is not None and given.support.kind == "subset" and given.support.plate == written.index.name
    if not fits and not scope.unread(subset.name):
        scope.mistakes.add(
            "range",
            f"`{subset.name}` is not a declared subset of the values of `{written.index.name}`",
            span=subset.span,
            expected="a range 1..n or a subset",
            remedy=f"declare `{subset.name} : subset({written.index.name})` under `given`",
        )
    plate = scope.plates.get(written.index.name)
    if not fits and plate is not None:
        return Range(index=plate.index, lower=plate.lower, upper=plate.upper)
    return Range(index=written.index.name, subset=subset.name)
