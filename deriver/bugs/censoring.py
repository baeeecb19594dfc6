"""Censored responses: ``c[i] ~ dinterval(t[i], cut[i])`` and OpenBUGS's ``C(,)``, as probabilities of what was seen.

An element of t that is missing, and known to lie beyond its cut, has the probability S(cut) of its distribution; the
program is rewritten so that the elements seen have their densities and the others that probability.  For a Weibull and
an exponential the latter is a Poisson count of zero, of rate -log S; for the others a Bernoulli one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from deriver.bugs.confined import confine, is_confined
from deriver.bugs.elaborate import Counters, Elaborated
from deriver.bugs.evaluate import evaluate, whole
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
    with_parts,
)
from deriver.language.mistakes import LineMistake, Mistakes

Arrays = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True, slots=True)
class Cuts:
    """The cuts of a response: written one by one, or as a vector of which each is an element."""

    listed: tuple[Term, ...]
    vector: Name | None

    def above(self, code: int, found: Elaborated) -> bool:
        """Tell whether nothing bounds a response of this code from above."""
        return code == self.count(found)

    def count(self, found: Elaborated) -> int:
        """Return the number of cuts."""
        if self.vector is None:
            return len(self.listed)
        place = next(k for k, each in enumerate(self.vector.subscripts or ()) if isinstance(each, Slice))
        part = (self.vector.subscripts or ())[place]
        assert isinstance(part, Slice)
        known = found.arrays.get(self.vector.name)
        extents = known.shape if known is not None else found.extents[self.vector.name]
        low = 1 if part.lower is None else whole(part.lower, found.arrays, {})
        high = extents[place] if part.upper is None else whole(part.upper, found.arrays, {})
        return high - low + 1

    def at(self, code: int, found: Elaborated) -> Term:
        """Return the cut of a number, from 1."""
        if self.vector is None:
            return self.listed[code - 1]
        span = self.vector.span

        def element(part: Term) -> Term:
            if not isinstance(part, Slice):
                return part
            low = 1 if part.lower is None else whole(part.lower, found.arrays, {})
            return Literal(text=str(low + code - 1), span=span)

        return Name(
            name=self.vector.name, subscripts=tuple(map(element, self.vector.subscripts or ())), span=span
        )


def rewrite_censoring(
    program: Program, found: Elaborated, mistakes: Mistakes
) -> tuple[Program, Arrays] | None:
    """Return the program and its data with every censored response split; None if there is none."""
    arrays = {name: array for name, array in found.arrays.items() if name in found.given}
    relations = list(program.model)
    limits: Bounds | Cuts
    for relation in found.relations:
        try:
            if relation.distribution == "dinterval" and _is_event(relation, found):
                relations[relations.index(relation)] = _state_event(relation)
                continue
            if relation.distribution == "dinterval":
                response, limits = _read_interval(relation, found)
                relations.remove(relation)
            elif _is_censored(relation, found) and _is_read(relation, found):
                relations[relations.index(relation)] = dataclasses.replace(relation, bounds=None)
                relations += confine(relation, found, arrays)
                continue
            elif _is_censored(relation, found) or _is_grouped(relation, found):
                assert relation.bounds is not None
                response, limits = relation, relation.bounds
            elif is_confined(relation, found):
                relations[relations.index(relation)] = dataclasses.replace(relation, bounds=None)
                relations += confine(relation, found, arrays)
                continue
            else:
                continue
            relations.remove(response)
            relations += _split(relation, response, limits, found, arrays)
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


def _is_read(relation: Relation, found: Elaborated) -> bool:
    """Tell whether other statements rest on a quantity, as on a covariate of which some are missing."""
    return any(
        each.name == relation.target.name for r in found.relations for t in r.terms() for each in names_in(t)
    )


def _is_grouped(relation: Relation, found: Elaborated) -> bool:
    """Tell whether a quantity that nobody saw and nothing else reads has bounds by ``I(,)`` from the data.

    So a response in classes is stated by a latent one, ``z[i] ~ dnorm(mu[i], 1) I(lower[y[i]], upper[y[i]])``.
    """
    bounds = relation.bounds
    if bounds is None or bounds.word not in ("I", "C") or relation.target.name in found.arrays:
        return False
    limits = [each for each in (bounds.lower, bounds.upper) if each is not None]
    varies = any(
        each.name in {loop.variable for loop in relation.loops}
        for limit in limits
        for each in names_in(limit)
    )
    return (
        varies
        and not _is_read(relation, found)
        and not any(found.is_node(each.name) for limit in limits for each in names_in(limit))
    )


def _read_interval(relation: Relation, found: Elaborated) -> tuple[Relation, Cuts]:
    """Return the response that a dinterval node tells about, and the cuts between which it lies."""
    match relation.arguments:
        case (Name(name=name, subscripts=subscripts), limit):
            owners = [each for each in found.relations_of(name) if each.stochastic]
            same = len(owners) == 1 and owners[0].target.subscripts == subscripts
            codes = found.arrays.get(relation.target.name)
            if same and codes is not None and not np.isnan(codes).any():
                return owners[0], _cuts_of(limit, relation)
    raise LineMistake(
        "`dinterval` is read here for a response that is stated by one distribution",
        span=relation.span, code="censoring",
        expected="c[i] ~ dinterval(t[i], cut[i]) beside t[i] ~ dweib(...), with c among the data",
        remedy="state the probability of each interval as a dcat node",
    )  # fmt: skip


def _is_event(relation: Relation, found: Elaborated) -> bool:
    """Tell whether a dinterval node with one cut tells about a definition: it is an event then."""
    match relation.arguments:
        case (Name(name=name), limit):
            own = found.relations_of(name)
            sliced = any(isinstance(s, Slice) for n in names_in(limit) for s in n.subscripts or ())
            return bool(own) and not any(each.stochastic for each in own) and not sliced
    return False


def _state_event(relation: Relation) -> Relation:
    """Return the event that a quantity is above its cut."""
    value, limit = relation.arguments
    return dataclasses.replace(relation, distribution="dbern", arguments=(_op(">", value, limit),))


def _cuts_of(limit: Term, relation: Relation) -> Cuts:
    """Return how the k-th cut is written, and whether there are several."""
    match limit:
        case Apply(function="c", arguments=arguments):
            return Cuts(tuple(arguments), None)
        case Name(subscripts=subscripts) if subscripts and any(isinstance(s, Slice) for s in subscripts):
            slices = [each for each in subscripts if isinstance(each, Slice)]
            if len(slices) == 1:
                return Cuts((), limit)
        case _ if not any(isinstance(s, Slice) for n in names_in(limit) for s in n.subscripts or ()):
            return Cuts((limit,), None)
    raise LineMistake(
        "the cuts of a `dinterval` are not one vector", span=limit.span, code="censoring",
        expected="cut[i], or cut[] or cut[i,1:2] for several cuts",
    )  # fmt: skip


def _split(
    relation: Relation, response: Relation, bounds: Bounds | Cuts, found: Elaborated, arrays: Arrays
) -> list[Relation]:
    """Return the relations of the elements seen, and of those in each interval, and add their data."""
    data = found.arrays.get(response.target.name)
    seen: list[Counters] = []
    unseen: dict[int, list[Counters]] = {}
    values = []
    for counters in found.counts[response]:
        value = _at(response.target, data, found, counters)
        if not np.isnan(value):
            seen.append(counters)
            values.append(value)
        elif isinstance(bounds, Bounds):
            unseen.setdefault(0, []).append(counters)
        else:
            code = int(_at(relation.target, found.arrays[relation.target.name], found, counters))
            unseen.setdefault(code, []).append(counters)
    made = []
    arrays.pop(response.target.name, None)
    if values:
        known, _ = split_rows(response, seen, "seen", arrays)
        arrays[known.target.name] = np.array(values)
        made.append(known)
    for code, rows in sorted(unseen.items()):
        made.append(_interval(response, rows, code, bounds, found, arrays))
    return made


def _interval(
    response: Relation, rows: list[Counters], code: int, bounds: Bounds | Cuts, found: Elaborated, arrays: Arrays
) -> Relation:  # fmt: skip
    """Return the relation of the elements within one interval."""
    if isinstance(bounds, Bounds):
        lower, upper, several = bounds.lower, bounds.upper, False
    else:
        count = bounds.count(found)
        if not 0 <= code <= count:
            raise LineMistake(
                f"a code of {code} for {count} cut{'' if count == 1 else 's'}", span=response.span,
                code="censoring", expected=f"0 to {count}, the number of cuts below the response",
            )  # fmt: skip
        lower = bounds.at(code, found) if code else None
        upper = None if code == count else bounds.at(code + 1, found)
        several = count > 1
    word = "within" if lower is not None and upper is not None else "above" if lower is not None else "below"
    return _censored(response, rows, f"{word}{code}" if several else word, (lower, upper), arrays)


def _at(target: Name, data: np.ndarray | None, found: Elaborated, counters: Counters) -> float:
    if data is None:
        return float("nan")
    place = tuple(int(evaluate(each, found.arrays, counters)) - 1 for each in target.subscripts or ())
    return float(data[place])


def _censored(
    response: Relation, rows: list[Counters], word: str, limits: tuple[Term | None, Term | None], arrays: Arrays
) -> Relation:  # fmt: skip
    """Return the relation of a count that is zero, or of an event that happened, for censored elements."""
    relation, columns = split_rows(response, rows, word, arrays)
    lower, upper = (None if each is None else substitute(each, columns) for each in limits)
    total = None if lower is None else hazard(relation, lower)
    counted = upper is None and total is not None
    arrays[relation.target.name] = np.zeros(len(rows)) if counted else np.ones(len(rows))
    if counted and total is not None:
        return dataclasses.replace(relation, distribution="dpois", arguments=(total,))
    above, beyond = (None if each is None else survival(relation, each) for each in (lower, upper))
    if (lower is not None and above is None) or (upper is not None and beyond is None):
        raise no_survival(response)
    first: Term = above if above is not None else Literal(text="1", span=relation.span)
    seen = first if beyond is None else _op("-", first, beyond)
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
    if isinstance(term, Name) and term.subscripts is None:
        return values.get(term.name, term)
    return with_parts(term, lambda each: substitute(each, values))


def no_survival(relation: Relation) -> LineMistake:
    """Return the mistake for a censored response whose family is not among those above."""
    return LineMistake(
        f"a censored `{relation.distribution}`", span=relation.span, code="censoring",
        expected="a censored dweib, dexp, dnorm, dlnorm or dlogis",
        remedy="state the probability of what was seen as a dbern node of value 1",
    )  # fmt: skip
