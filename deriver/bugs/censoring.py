"""Censored responses: ``c[i] ~ dinterval(t[i], cut[i])`` and OpenBUGS's ``C(,)``, as probabilities of what was seen.

An element of t that is missing, and known to lie beyond its cut, has the probability S(cut) of its distribution; the
program is rewritten so that the elements seen have their densities and the others that probability.  For a Weibull and
an exponential the latter is a Poisson count of zero, of rate -log S; for the others a Bernoulli one.  ``I(,)`` on a
quantity that is not data, with random parameters, is the event that it lies within the bounds, which was seen.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from deriver.bugs.elaborate import Counters, Elaborated
from deriver.bugs.evaluate import Unknown, evaluate
from deriver.bugs.syntax import (
    Apply,
    Bounds,
    Literal,
    Loop,
    Minus,
    Name,
    Operation,
    Program,
    Relation,
    Slice,
    Term,
    names_in,
)
from deriver.language.mistakes import LineMistake, Mistakes

Arrays = dict[str, np.ndarray]

WIDE = 5.0


def rewrite_censoring(
    program: Program, found: Elaborated, mistakes: Mistakes
) -> tuple[Program, Arrays] | None:
    """Return the program and its data with every censored response split; None if there is none."""
    arrays = {name: array for name, array in found.arrays.items() if name in found.given}
    relations = list(program.model)
    for relation in found.relations:
        try:
            if relation.distribution == "dinterval":
                response, bounds = _read_interval(relation, found)
                relations.remove(relation)
            elif _is_censored(relation, found):
                assert relation.bounds is not None
                response, bounds = relation, relation.bounds
            elif _is_confined(relation, found):
                relations[relations.index(relation)] = dataclasses.replace(relation, bounds=None)
                relations += _confine(relation, found, arrays)
                continue
            else:
                continue
            relations.remove(response)
            relations += _split(relation, response, bounds, found, arrays)
            _refuse_elsewhere(response, relations)
        except LineMistake as stop:
            mistakes.add_from(stop)
    if relations == list(program.model) and not mistakes:
        return None
    return dataclasses.replace(program, model=tuple(relations)), arrays


def _is_censored(relation: Relation, found: Elaborated) -> bool:
    bounds = relation.bounds
    return (
        bounds is not None and bounds.word in ("I", "C") and found.observed(relation.target.name) is not None
    )


def _is_confined(relation: Relation, found: Elaborated) -> bool:
    """Tell whether a quantity that nobody saw has bounds by ``I(,)`` beside parameters that are random."""
    bounds = relation.bounds
    if bounds is None or bounds.word != "I" or found.observed(relation.target.name) is not None:
        return False
    if not (_is_wide(bounds.lower, -1, found) and _is_wide(bounds.upper, 1, found)):
        return False
    return any(
        found.is_node(each.name) and found.observed(each.name) is None
        for term in relation.terms()
        for each in names_in(term)
    )


def _is_wide(bound: Term | None, side: int, found: Elaborated) -> bool:
    """Tell whether chains begin within a bound: they begin at standard normal values."""
    if bound is None:
        return True
    try:
        return bool(side * float(evaluate(bound, found.arrays, {})) >= WIDE)
    except (Unknown, LineMistake, TypeError):
        return False


def _confine(relation: Relation, found: Elaborated, arrays: Arrays) -> list[Relation]:
    """Return the events that a quantity lies within its bounds: ``I(,)`` leaves its density as it is between them."""
    bounds, target = relation.bounds, relation.target
    assert bounds is not None
    made = []
    for word, sign, limit in (("above", ">", bounds.lower), ("below", "<", bounds.upper)):
        if limit is not None:
            name = f"{target.name}.{word}"
            arrays[name] = np.ones(found.extents[target.name])
            seen, event = dataclasses.replace(target, name=name), _op(sign, target, limit)
            made.append(
                dataclasses.replace(
                    relation, target=seen, distribution="dbern", arguments=(event,), bounds=None
                )
            )
    return made


def _read_interval(relation: Relation, found: Elaborated) -> tuple[Relation, Bounds]:
    """Return the response that a dinterval node tells about, and its bounds: the cut as the lower one."""
    match relation.arguments:
        case (Name(name=name, subscripts=subscripts), limit) if not isinstance(limit, Slice):
            owners = [each for each in found.relations_of(name) if each.stochastic]
            same = len(owners) == 1 and owners[0].target.subscripts == subscripts
            sliced = any(isinstance(s, Slice) for each in names_in(limit) for s in each.subscripts or ())
            if same and not sliced and relation.target.name in found.arrays:
                return owners[0], Bounds(word="C", lower=limit, upper=None, span=relation.span)
    raise LineMistake(
        "`dinterval` is read here for a response with one cut only", span=relation.span, code="censoring",
        expected="c[i] ~ dinterval(t[i], cut[i]) beside t[i] ~ dweib(...), with c among the data",
        remedy="state the probability of each interval as a dcat node",
    )  # fmt: skip


def _split(
    relation: Relation, response: Relation, bounds: Bounds, found: Elaborated, arrays: Arrays
) -> list[Relation]:
    """Return the relations of the elements seen, beyond their bound and below it, and add their data."""
    data = found.arrays.get(response.target.name)
    rows: dict[str, list[Counters]] = {"seen": [], "above": [], "below": []}
    values = []
    for counters in found.counts[response]:
        value = _at(response.target, data, found, counters)
        if not np.isnan(value):
            rows["seen"].append(counters)
            values.append(value)
        else:
            rows[_side(relation, bounds, found, counters)].append(counters)
    made = []
    arrays.pop(response.target.name, None)
    if values:
        seen, _ = split_rows(response, rows["seen"], "seen", arrays)
        arrays[seen.target.name] = np.array(values)
        made.append(seen)
    for word, limit in (("above", bounds.lower), ("below", bounds.upper or bounds.lower)):
        if rows[word] and limit is not None:
            made.append(_censored(response, rows[word], word, limit, arrays))
    return made


def _at(target: Name, data: np.ndarray | None, found: Elaborated, counters: Counters) -> float:
    if data is None:
        return float("nan")
    place = tuple(int(evaluate(each, found.arrays, counters)) - 1 for each in target.subscripts or ())
    return float(data[place])


def _side(relation: Relation, bounds: Bounds, found: Elaborated, counters: Counters) -> str:
    if relation.distribution == "dinterval":
        return (
            "above"
            if _at(relation.target, found.arrays[relation.target.name], found, counters) == 1
            else "below"
        )
    if bounds.lower is not None and bounds.upper is not None:
        raise LineMistake(
            "a response censored between two bounds", span=bounds.span, code="censoring",
            remedy="state the probability of the interval as a dbern node of value 1",
        )  # fmt: skip
    return "above" if bounds.lower is not None else "below"


def _censored(response: Relation, rows: list[Counters], word: str, limit: Term, arrays: Arrays) -> Relation:
    """Return the relation of a count that is zero, or of an event that happened, for censored elements."""
    relation, columns = split_rows(response, rows, word, arrays)
    cut = substitute(limit, columns)
    total, beyond = hazard(relation, cut), survival(relation, cut)
    if beyond is None:
        raise no_survival(response)
    counted = word == "above" and total is not None
    arrays[relation.target.name] = np.zeros(len(rows)) if counted else np.ones(len(rows))
    if counted and total is not None:
        return dataclasses.replace(relation, distribution="dpois", arguments=(total,))
    one = Literal(text="1", span=beyond.span)
    seen = beyond if word == "above" else _op("-", one, beyond)
    return dataclasses.replace(relation, distribution="dbern", arguments=(seen,))


def _refuse_elsewhere(response: Relation, relations: list[Relation]) -> None:
    for relation in relations:
        for term in relation.terms():
            for each in names_in(term):
                if each.name == response.target.name:
                    raise LineMistake(
                        f"the censored response `{each.name}` stands in another statement", span=each.span,
                        code="censoring", expected="a censored response that nothing else depends on",
                        remedy="leave this statement out",
                    )  # fmt: skip


def hazard(relation: Relation, cut: Term) -> Term | None:
    """Return -log S(cut) of a Weibull or exponential response, None for other families."""
    match relation.distribution, relation.arguments:
        case (("dweib" | "dweibull"), (shape, rate)):
            return _op("*", rate, _apply("pow", cut, shape))
        case "dexp", (rate,):
            return _op("*", rate, cut)
    return None


def survival(relation: Relation, cut: Term) -> Term | None:
    """Return S(cut) of a response; None where it has no form in the language."""
    total = hazard(relation, cut)
    if total is not None:
        return _apply("exp", Minus(operand=total, span=total.span))
    match relation.distribution, relation.arguments:
        case "dnorm", (mean, precision):
            return _apply("phi", _op("*", _op("-", mean, cut), _apply("sqrt", precision)))
        case "dlnorm", (mean, precision):
            gap = _op("-", mean, _apply("log", cut))
            return _apply("phi", _op("*", gap, _apply("sqrt", precision)))
        case "dlogis", (mean, scale):
            return _apply("ilogit", _op("*", _op("-", mean, cut), scale))
    return None


def _op(operator: str, left: Term, right: Term) -> Operation:
    return Operation(operator=operator, left=left, right=right, span=left.span)


def _apply(function: str, *arguments: Term) -> Apply:
    return Apply(function=function, arguments=arguments, span=arguments[0].span)


def split_rows(
    relation: Relation, rows: list[Counters], word: str, arrays: Arrays
) -> tuple[Relation, dict[str, Name]]:
    """Return the relation over some of its rows, numbered anew by one loop; the rows become data.

    Each loop variable is looked up in a column of the data; the second result maps it to that column.
    """
    span = relation.span
    counter = Name(name=f"{relation.loops[0].variable}.{word}" if relation.loops else word, span=span)
    columns: dict[str, Name] = {}
    for loop in relation.loops:
        name = f"{loop.variable}.{word}.{relation.target.name}"
        arrays[name] = np.array([row[loop.variable] for row in rows], dtype=float)
        columns[loop.variable] = Name(name=name, subscripts=(counter,), span=span)
    one, last = Literal(text="1", span=span), Literal(text=str(len(rows)), span=span)
    loop = Loop(variable=counter.name, lower=one, upper=last, span=span)
    target = Name(name=f"{relation.target.name}.{word}", subscripts=(counter,), span=relation.target.span)
    arguments = tuple(substitute(each, columns) for each in relation.arguments)
    return dataclasses.replace(
        relation, target=target, loops=(loop,), arguments=arguments, bounds=None
    ), columns


def substitute(term: Term, values: Mapping[str, Term]) -> Term:
    """Return an expression with names without subscripts replaced."""
    match term:
        case Name(name=name, subscripts=None):
            return values.get(name, term)
        case Name(name=name, subscripts=subscripts):
            inner = tuple(substitute(each, values) for each in subscripts or ())
            return Name(name=name, subscripts=inner, span=term.span)
        case Apply(function=function, arguments=arguments):
            inner = tuple(substitute(each, values) for each in arguments)
            return Apply(function=function, arguments=inner, span=term.span)
        case Operation(left=left, right=right):
            return dataclasses.replace(term, left=substitute(left, values), right=substitute(right, values))
        case Minus(operand=operand):
            return Minus(operand=substitute(operand, values), span=term.span)
    return term


def no_survival(relation: Relation) -> LineMistake:
    """Return the mistake for a censored response whose family is not among those above."""
    return LineMistake(
        f"a censored `{relation.distribution}`", span=relation.span, code="censoring",
        expected="a censored dweib, dexp, dnorm, dlnorm or dlogis",
        remedy="state the probability of what was seen as a dbern node of value 1",
    )  # fmt: skip
