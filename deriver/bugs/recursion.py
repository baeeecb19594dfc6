"""Definitions that recur on random quantities, stated anew so that no definition does.

``x[t+1] <- x[t] + r[t]`` beside ``r[t] ~ dnorm(m, tau)``: given x[t], the next x is r moved by a known amount, so that
``x[t+1] ~ dnorm(x[t] + m, tau)`` and ``r[t] <- x[t+1] - x[t]`` state the same joint density (the change of variables has
the determinant 1).

``x[t+1] <- x[t] * r[t]`` likewise, with the mean x[t] * m and the precision tau / x[t]^2 (the determinant is x[t], that of the
density too), and ``x[t+1] <- x[t] * exp(r[t])``, or ``log(x[t+1]) <- log(x[t]) + r[t]``, with ``x[t+1] ~ dlnorm(log(x[t]) + m, tau)``.

``x[t] ~ dnorm(mean[t], tau)`` beside ``mean[1] <- m`` and ``mean[t] <- phi * x[t-1]``: each mean stands in its place.

``a[1] <- -sum(a[2:n])`` beside ``a[j] ~ ...``: an element that is linear in the drawn ones; with a matrix of numbers C,
``a[k] <- inprod(C[k,], a.free[])``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from deriver.bugs.censoring import substitute
from deriver.bugs.elaborate import Elaborated, target_place
from deriver.bugs.elements import shorten
from deriver.bugs.evaluate import Unknown, evaluate
from deriver.bugs.syntax import (
    Apply,
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
from deriver.language.mistakes import LineMistake

Arrays = dict[str, np.ndarray]
_DISCRETE = (
    "dbern",
    "dbin",
    "dbinom",
    "dcat",
    "dpois",
    "dgeom",
    "dgeometric",
    "dnegbin",
    "dbetabin",
    "dhyper",
)


def rewrite_recursion(program: Program, found: Elaborated) -> tuple[Program, Arrays] | None:
    """Return the program and its data with every such definition stated anew; None if there is none."""
    arrays = {name: array for name, array in found.arrays.items() if name in found.given}
    relations = list(program.model)
    changed = [_split_by_means(relation, relations, found) for relation in list(found.relations)]
    changed += [_inline_means(relation, relations) for relation in list(relations)]
    changed += [_state_increment(relation, relations, found) for relation in list(found.relations)]
    names = dict.fromkeys(each.target.name for each in found.relations if _uses(each, each.target.name))
    changed += [_state_contrast(name, relations, found, arrays) for name in names]
    if not any(changed):
        return None
    return dataclasses.replace(program, model=tuple(relations)), arrays


def _uses(relation: Relation, name: str) -> bool:
    return not relation.stochastic and any(
        each.name == name for t in relation.terms() for each in names_in(t)
    )


# --- means by several definitions ---------------------------------------------------------------------------


def _inline_means(relation: Relation, relations: list[Relation]) -> bool:
    """Put a definition that recurs on the node itself, one of several, in its place; tell whether there is one."""
    if not relation.stochastic:
        return False
    definitions: dict[Name, Term] = {}
    for name in {each.name for term in relation.arguments for each in names_in(term)}:
        own = [each for each in relations if each.target.name == name]
        apart = len(own) > 1 or not all(each.loops for each in own)
        if (
            apart
            and not any(each.stochastic or each.link for each in own)
            and any(_uses(each, relation.target.name) for each in own)
        ):
            definitions |= {
                each.target: each.expression
                for each in own
                if each.loops == relation.loops and each.expression
            }
    arguments = tuple(replace_names(term, definitions) for term in relation.arguments)
    if arguments == relation.arguments:
        return False
    relations[relations.index(relation)] = dataclasses.replace(relation, arguments=arguments)
    return True


def _split_by_means(relation: Relation, relations: list[Relation], found: Elaborated) -> bool:
    """State a node apart for each definition of its mean, where these recur on it over other ranges than its own.

    So ``gamma[k] ~ dnorm(mu[k], tau)`` with ``mu[1] <- 0``, ``mu[2] <- gamma[1]``, ``mu[k] <- 2*gamma[k-1] - gamma[k-2]``.
    """
    if not relation.stochastic or len(relation.loops) != 1:
        return False
    (loop,) = relation.loops
    counter = Name(name=loop.variable, span=loop.span)
    if relation.target.subscripts != (counter,):
        return False
    for mean in {
        each for term in relation.arguments for each in names_in(term) if each.subscripts == (counter,)
    }:
        own = [each for each in relations if each.target.name == mean.name]
        plain = not any(each.stochastic or each.link or len(each.loops) > 1 for each in own)
        if (
            len(own) > 1
            and plain
            and any(_uses(each, relation.target.name) for each in own)
            and _covers(relation, own, found)
        ):
            parts = [_part(relation, mean, each) for each in own]
            made = [each for each in parts if each is not None]
            if len(made) == len(own):
                place = relations.index(relation)
                relations[place : place + 1] = made
                return True
    return False


def _covers(relation: Relation, definitions: list[Relation], found: Elaborated) -> bool:
    """Tell whether definitions of a mean are over the very elements of a node."""
    drawn = [_place(relation, counters, found) for counters in found.counts[relation]]
    stated = [
        _place(each, counters, found) for each in definitions for counters in found.counts.get(each, [])
    ]
    return sorted(drawn) == sorted(stated)


def _part(relation: Relation, mean: Name, definition: Relation) -> Relation | None:
    """Return the statement of a node over the range of one definition of its mean, which stands in its place."""
    (place,) = definition.target.subscripts or (mean,)
    (loop,) = relation.loops
    own = [each.variable for each in definition.loops]
    assert definition.expression is not None
    if own and place != Name(name=own[0], span=place.span) or not own and any(names_in(place)):
        return None
    first, last = (definition.loops[0].lower, definition.loops[0].upper) if own else (place, place)
    counter = Name(name=loop.variable, span=loop.span)
    value = substitute(definition.expression, {own[0]: counter}) if own else definition.expression
    arguments = tuple(replace_names(each, {mean: value}) for each in relation.arguments)
    return dataclasses.replace(
        relation, loops=(dataclasses.replace(loop, lower=first, upper=last),), arguments=arguments
    )


def replace_names(term: Term, values: Mapping[Name, Term]) -> Term:
    """Return an expression with some elements, subscripts and all, replaced."""
    match term:
        case Name():
            return values.get(term, term)
        case Apply(arguments=arguments):
            return dataclasses.replace(
                term, arguments=tuple(replace_names(each, values) for each in arguments)
            )
        case Operation(left=left, right=right):
            return dataclasses.replace(
                term, left=replace_names(left, values), right=replace_names(right, values)
            )
        case Minus(operand=operand):
            return dataclasses.replace(term, operand=replace_names(operand, values))
    return term


# --- a random increment -------------------------------------------------------------------------------------


def _state_increment(relation: Relation, relations: list[Relation], found: Elaborated) -> bool:
    """Give a recursion the distribution of its increment, and define the increment; tell whether it could be done."""
    plain = relation.link in (None, "log") and relation.target.name not in found.arrays
    if not _uses(relation, relation.target.name) or not plain:
        return False
    for increment, state in _steps(relation):
        own = [each for each in relations if each.target.name == increment.name]
        if len(own) != 1 or own[0].distribution != "dnorm" or increment.name in found.arrays:
            continue
        same = own[0].loops == relation.loops and own[0].target.subscripts == increment.subscripts
        rest = (state.shift, *filter(None, (state.scale,)))
        if own[0].bounds is not None or not same or any(_names(each, increment.name) for each in rest):
            continue
        if state.scale is not None and not all(_is_never_0(e, found) for e in names_in(state.scale)):
            continue
        family, *arguments = state.distribution(*own[0].arguments)
        drawn = dataclasses.replace(
            relation, link=None, expression=None, distribution=family, arguments=tuple(arguments),
            distribution_span=own[0].distribution_span,
        )  # fmt: skip
        defined = dataclasses.replace(own[0], distribution=None, arguments=(), expression=state.increment)
        relations[relations.index(relation)] = drawn
        relations[relations.index(own[0])] = defined
        return True
    return False


def _is_never_0(name: Name, found: Elaborated) -> bool:
    """Tell whether a factor is 0 with probability 0: numbers other than 0, or what is drawn from a density."""
    if name.name in found.arrays:
        return not (found.arrays[name.name] == 0).any()
    own = found.relations_of(name.name)
    if not own:  # the variable of a loop, in a subscript
        return name.subscripts is None
    return any(each.stochastic for each in own) and not any(each.distribution in _DISCRETE for each in own)


def _names(term: Term, name: str) -> bool:
    return any(each.name == name for each in names_in(term))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """A state, or its log if ``logged``, by its increment r: ``shift + scale * r``, ``scale`` being None for 1."""

    target: Name
    sign: str = "+"
    shift: Term
    scale: Term | None = None
    logged: bool = False

    def distribution(self, mean: Term, precision: Term) -> tuple[Any, ...]:
        """Return the family of the state and its parameters, where the increment is normal."""
        family = "dlnorm" if self.logged else "dnorm"
        if self.scale is None:
            return family, _op(self.sign, self.shift, mean), precision
        square = _apply("pow", self.scale, Literal(text="2", span=mean.span))
        return family, _op(self.sign, self.shift, _op("*", self.scale, mean)), _op("/", precision, square)

    @property
    def increment(self) -> Term:
        """Return the increment, by the state."""
        state: Term = _apply("log", self.target) if self.logged else self.target
        gap = _op("-", state, self.shift) if self.sign == "+" else _op("-", self.shift, state)
        return gap if self.scale is None else _op("/", gap, self.scale)


def _op(operator: str, left: Term, right: Term) -> Term:
    return shorten(Operation(operator=operator, left=left, right=right, span=left.span))


def _apply(function: str, *arguments: Term) -> Apply:
    return Apply(function=function, arguments=arguments, span=arguments[0].span)


def _steps(relation: Relation) -> Iterator[tuple[Name, _Step]]:
    """Yield each name by which a state may move from the one before, with how it does."""
    target, term = relation.target, relation.expression
    assert term is not None
    for sign, increment, rest in _increments(term):
        yield increment, _Step(target=target, sign=sign, shift=rest, logged=relation.link == "log")
    if relation.link:
        return
    for sign, product, rest in _terms(term):
        for factor, scale in _factors(product):
            if isinstance(factor, Name):
                yield factor, _Step(target=target, sign=sign, shift=rest, scale=scale)
    for factor, rest in _factors(term):
        match factor:
            case Apply(function="exp", arguments=(Name(subscripts=subscripts) as increment,)) if subscripts:
                yield increment, _Step(target=target, shift=_apply("log", rest), logged=True)


def _terms(term: Term) -> Iterator[tuple[str, Term, Term]]:
    """Yield (sign, product, the rest) for each product that is a term of a sum, or the whole of it."""
    if isinstance(term, Operation) and term.operator in "+-":
        yield term.operator, term.right, term.left
        if term.operator == "+":
            yield "+", term.left, term.right
        return
    yield "+", term, Literal(text="0", span=term.span)


def _factors(term: Term) -> Iterator[tuple[Term, Term]]:
    """Yield (factor, the rest) for each factor of a product, names with subscripts and exp(...)."""
    if not isinstance(term, Operation) or term.operator != "*":
        return
    for one, two in ((term.left, term.right), (term.right, term.left)):
        if isinstance(one, Apply) or isinstance(one, Name) and one.subscripts:
            yield one, two
    for factor, rest in _factors(term.left):
        yield factor, dataclasses.replace(term, left=rest)


def _increments(term: Term) -> Iterator[tuple[str, Name, Term]]:
    """Yield (sign, name, the rest) for each name with subscripts that is a term of a sum of its own."""
    if not isinstance(term, Operation) or term.operator not in "+-":
        return
    if isinstance(term.right, Name) and term.right.subscripts:
        yield term.operator, term.right, term.left
    if isinstance(term.left, Name) and term.left.subscripts and term.operator == "+":
        yield "+", term.left, term.right
    for sign, name, rest in _increments(term.left):
        yield sign, name, dataclasses.replace(term, left=rest)


# --- an element that is linear in the others ----------------------------------------------------------------


def _state_contrast(name: str, relations: list[Relation], found: Elaborated, arrays: Arrays) -> bool:
    """State a vector of which some elements are linear in the drawn ones by these and a matrix of numbers."""
    own = [each for each in relations if each.target.name == name]
    drawn = [each for each in own if each.stochastic]
    extents = found.extents[name]
    if len(drawn) != 1 or len(extents) != 1 or name in found.arrays or any(each.link for each in own):
        return False
    if any(each.name == name for term in drawn[0].terms() for each in names_in(term)):
        return False
    places = [_place(drawn[0], counters, found) for counters in found.counts[drawn[0]]]
    matrix = _contrast([each for each in own if not each.stochastic], places, extents[0], found, name)
    if matrix is None or places != list(range(places[0], places[0] + len(places))):
        return False
    span = drawn[0].target.span
    (subscript,) = drawn[0].target.subscripts or ()
    shift = Literal(text=str(places[0]), span=span)
    free = Name(
        name=f"{name}.free",
        span=span,
        subscripts=(Operation(operator="-", left=subscript, right=shift, span=span),),
    )
    arrays[f"{name}.contrast"] = matrix
    counter = Name(name=f"{name}.k", span=span)
    row = Name(name=f"{name}.contrast", subscripts=(counter, Slice(span=span)), span=span)
    whole = Name(name=free.name, subscripts=(Slice(span=span),), span=span)
    one, last = Literal(text="1", span=span), Literal(text=str(extents[0]), span=span)
    defined = Relation(
        target=Name(name=name, subscripts=(counter,), span=span), span=own[0].span,
        loops=(Loop(variable=counter.name, lower=one, upper=last, span=span),),
        expression=Apply(function="inprod", arguments=(row, whole), span=span),
    )  # fmt: skip
    relations[relations.index(drawn[0])] = dataclasses.replace(drawn[0], target=free)
    for each in own:
        if not each.stochastic:
            relations.remove(each)
    relations.append(defined)
    return True


def _place(relation: Relation, counters: dict[str, int], found: Elaborated) -> int:
    place = target_place(relation.target, found.arrays, counters)[0]
    return place if isinstance(place, int) else -1


def _contrast(
    definitions: list[Relation], places: list[int], extent: int, found: Elaborated, name: str
) -> np.ndarray | None:
    """Return the matrix from the drawn elements to all, or None where the definitions are not linear in them."""

    def complete(drawn: np.ndarray) -> np.ndarray:
        whole = np.full(extent, np.nan)
        whole[places] = drawn
        for relation in definitions:
            for counters in found.counts[relation]:
                assert relation.expression is not None
                whole[_place(relation, counters, found)] = evaluate(
                    relation.expression, {**found.arrays, name: whole}, counters
                )
        return whole

    if -1 in places or not places:
        return None
    try:
        matrix = np.column_stack([complete(row) for row in np.eye(len(places))])
        probe = np.linspace(0.3, 1.7, len(places)) ** 2
        linear = np.allclose(complete(probe), matrix @ probe) and np.allclose(complete(0 * probe), 0)
    except (Unknown, LineMistake):
        return None
    return matrix if linear and not np.isnan(matrix).any() else None
