"""Factors × target → contributions: which instances of a factor touch one element, found by inverting its indices.

Every occurrence of the target in a factor gives index equations against the target's own indices: identity
(a plate index becomes the target's), projection (an index the target lacks is summed over), gather
(β[g[k]]: the k with g[k] = i), shift (z[t−1]: the instance at t + 1, gated at the boundary) and constants
(z[0]).  Several occurrences in one factor are split into cases by which of them hit the element, so that
each case is exact; cases that cannot meet (t and t−1) vanish.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import sympy as sp
from sympy import Expr, Symbol, Tuple

from deriver.algebra.heads import Condition, LogIndicator, Ref, index_symbol
from deriver.derivation.density import factor_log_density
from deriver.derivation.factors import Definitions, condition_holds_trivially, rename_bound, substitute
from deriver.derivation.isolate import expand_diagonals, free_references, isolate, range_conditions
from deriver.derivation.records import Contribution, Factor
from deriver.derivation.recursions import references_in

Indices = tuple[Expr, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A way in which instances of a factor meet the target element."""

    rules: tuple[tuple[Symbol, Expr], ...]
    bounds: tuple[Tuple, ...]
    conditions: tuple[Condition, ...]
    gates: tuple[Condition, ...]


def slice_factor(
    factor: Factor, target: Ref, ranges: tuple[Tuple, ...], definitions: Definitions
) -> tuple[Contribution, ...]:
    """Return the contributions of one factor to the conditional of the target element.

    Raises ``ValueError`` when an index map cannot be inverted.
    """
    named = _prime_bounds(factor, target)
    full = _expanded(named, target.name, definitions)
    density = expand_diagonals(factor_log_density(full), target.name)
    density = isolate(density, target, ranges)
    occurrences = _occurrences(density, target)
    return tuple(
        _contribution(named, full, density, case, target, occurrences, definitions)
        for case in _cases(named, occurrences, target, ranges)
    )


def _prime_bounds(factor: Factor, target: Ref) -> Factor:
    """Rename the factor's indices apart from the target's own."""
    rules = {bound[0]: index_symbol(bound[0].name + "′") for bound in factor.bounds}
    return replace(
        factor,
        value=factor.value.xreplace(rules),
        arguments=tuple(a.xreplace(rules) for a in factor.arguments),
        bounds=tuple(bound.xreplace(rules) for bound in factor.bounds),
        conditions=tuple(c.xreplace(rules) for c in factor.conditions),
        truncation=_on_ends(factor.truncation, lambda end: end.xreplace(rules)),
        moving_bounds=_on_ends(factor.moving_bounds, lambda end: end.xreplace(rules)),
    )


def _on_ends(
    ends: tuple[Expr | None, Expr | None] | None, change: Callable[[Expr], Expr]
) -> tuple[Expr | None, Expr | None] | None:
    if ends is None:
        return None
    lower, upper = (None if end is None else change(end) for end in ends)
    return (lower, upper)


def _inner_symbols(factor: Factor) -> list[Symbol]:
    found: set[Symbol] = set()
    for argument in factor.arguments:
        for part in sp.preorder_traversal(argument):
            found |= getattr(part, "bound_symbols", set())
    return list(sp.ordered(found))


def _expanded(factor: Factor, name: str, definitions: Definitions) -> Factor:
    """Expand the definitions above the target, and rename the indices bound inside apart from its own.

    So are those of nodes that are 0 or 1 alone: with z taken out of a log, q = 1 - z must be a number there too.
    """
    arguments = (definitions.expand(argument, name) for argument in factor.arguments)
    switched = (definitions.expand_switches(argument, factor.binary) for argument in arguments)
    full = replace(
        factor,
        arguments=tuple(map(definitions.expand_inverses, switched)),
        truncation=_on_ends(factor.truncation, lambda end: definitions.expand(end, name)),
        moving_bounds=_on_ends(factor.moving_bounds, lambda end: definitions.expand(end, name)),
    )
    return replace(
        full,
        arguments=tuple(rename_bound(argument, "″") for argument in full.arguments),
        truncation=_on_ends(full.truncation, lambda end: rename_bound(end, "″")),
        moving_bounds=_on_ends(full.moving_bounds, lambda end: rename_bound(end, "″")),
    )


# --- occurrences and cases ----------------------------------------------------------------------------------


def _occurrences(density: Expr, target: Ref) -> list[Indices]:
    """Return the distinct index tuples at which the target's node stands, outside inner sums."""
    return list(dict.fromkeys(ref.indices for ref in sp.ordered(free_references(density, target))))


def _cases(
    factor: Factor, occurrences: list[Indices], target: Ref, ranges: tuple[Tuple, ...]
) -> Iterator[Case]:
    """Yield the ways to meet the target, by how many occurrences are it; those that cannot meet never are."""
    hits: list[tuple[Indices, ...]] = [()]
    while hits:
        hits = [
            (*chosen, other)
            for chosen in hits
            for other in occurrences[occurrences.index(chosen[-1]) + 1 if chosen else 0 :]
            if not _apart_from_one(other, chosen)
        ]
        for chosen in hits:
            misses = [o for o in occurrences if o not in chosen and not _apart_from_one(o, chosen)]
            yield from _solve(factor, list(chosen), misses, target, ranges)


def _apart_from_one(occurrence: Indices, others: tuple[Indices, ...]) -> bool:
    """Tell whether an occurrence is another element than one of ``others``, in any instance (t and t − 1)."""
    return any(
        sp.expand(a - b).is_number and sp.expand(a - b) != 0
        for other in others
        for a, b in zip(occurrence, other, strict=True)
    )


def _solve(
    factor: Factor, hits: list[Indices], misses: list[Indices], target: Ref, ranges: tuple[Tuple, ...]
) -> Iterator[Case]:
    """Solve the index equations of the hits; one case for each way to miss, none where no instance can satisfy them."""
    unsolved = {bound[0]: bound for bound in factor.bounds}
    rules: dict[Symbol, Expr] = {}
    equations = [(o, t) for hit in hits for o, t in zip(hit, target.indices, strict=True)]
    held: list[Condition] = []
    for occurrence, own in equations:
        occurrence = occurrence.xreplace(rules)
        symbol = next((s for s in sp.ordered(occurrence.free_symbols & set(unsolved))), None)
        shift = sp.expand(occurrence - symbol) if symbol is not None else None
        if shift is not None and shift.is_Integer:
            rules = {**rules, symbol: own - shift}
            unsolved.pop(symbol)
        else:
            sides = (own, occurrence) if occurrence.is_number else (occurrence, own)
            held.append(Condition("=", *sides))
    apart = [
        _ways_to_differ(tuple(index.xreplace(rules) for index in miss), target.indices) for miss in misses
    ]
    rules = {symbol: value.xreplace(rules) for symbol, value in rules.items()}
    inside = _range_conditions(factor, rules, ranges)
    for ways in itertools.product(*apart):
        conditions = [*held, *(each for way in ways for each in way), *factor.conditions]
        case = _make_case(factor, rules, unsolved, [*(c.xreplace(rules) for c in conditions), *inside])
        if case is not None:
            yield case


def _ways_to_differ(indices: Indices, own: Indices) -> list[tuple[Condition, ...]]:
    """Return the ways, of which one holds at a time, in which an index tuple is not the target's own.

    It differs at its first open place; or is the same there, and differs at its second; and so on.
    """
    pairs = [(a, b) for a, b in zip(indices, own, strict=True) if sp.expand(a - b) != 0]
    numeric = [pair for pair in pairs if sp.expand(pair[0] - pair[1]).is_number]
    if numeric or not pairs:
        return [(Condition("!=", *(numeric[0] if numeric else (sp.S.Zero, sp.S.Zero))),)]
    ways = []
    for place, pair in enumerate(pairs):
        same = [(b, a) if a.is_number else (a, b) for a, b in pairs[:place]]
        ways.append((*(Condition("=", *each) for each in same), Condition("!=", *pair)))
    return ways


def _range_conditions(
    factor: Factor, rules: dict[Symbol, Expr], ranges: tuple[Tuple, ...]
) -> list[Condition]:
    """Return what keeps each solved index inside its own range, unless the target's range implies it."""
    return [
        condition
        for symbol, lower, upper in factor.bounds
        if symbol in rules
        for condition in range_conditions(rules[symbol], lower.xreplace(rules), upper.xreplace(rules), ranges)
    ]


def _make_case(
    factor: Factor, rules: dict[Symbol, Expr], unsolved: dict[Symbol, Tuple], held: list[Condition]
) -> Case | None:
    conditions: list[Condition] = []
    gates: list[Condition] = []
    if _contradict(held):
        return None
    for condition in held:
        verdict = condition_holds_trivially(condition)
        if verdict is False:
            return None
        if verdict is True:
            continue
        (conditions if condition.free_symbols & set(unsolved) else gates).append(condition)
    bounds = tuple(bound.xreplace(rules) for bound in factor.bounds if bound[0] in unsolved)
    return Case(
        rules=tuple(rules.items()),
        bounds=bounds,
        conditions=tuple(dict.fromkeys(conditions)),
        gates=tuple(dict.fromkeys(gates)),
    )


def _contradict(held: list[Condition]) -> bool:
    """Tell whether an index is said to be two numbers, or to be a thing and not to be it."""
    same = [(c.left, c.right) for c in held if c.relation == "="]
    numbers: dict[Expr, Expr] = {}
    for pair in same:
        for side, other in (pair, pair[::-1]):
            if other.is_number and numbers.setdefault(side, other) != other:
                return True
    equal = {*same, *(pair[::-1] for pair in same)}
    return any((c.left, c.right) in equal for c in held if c.relation == "!=")


def _contribution(
    named: Factor,
    full: Factor,
    density: Expr,
    case: Case,
    target: Ref,
    occurrences: list[Indices],
    definitions: Definitions,
) -> Contribution:
    """Write the factor in the target's indices, the target itself standing in it exactly."""
    own: dict[Expr, Expr] = dict(case.rules)
    hits = _hit_references(case, target, occurrences)
    plain = _plain_names(full, case, target)

    def rewrite(expr: Expr) -> Expr:
        return substitute(substitute(substitute(expr, own), hits), plain)

    value = rewrite(full.value)
    if value == target and not full.partial:
        density = substitute(density, dict.fromkeys(density.atoms(LogIndicator), sp.S.Zero))
    return Contribution(
        factor=replace(named, value=rewrite(named.value), arguments=tuple(map(rewrite, named.arguments))),
        value=value,
        arguments=tuple(map(rewrite, full.arguments)),
        parents=_parents(tuple(map(rewrite, named.arguments)), named.parents, definitions),
        bounds=tuple(bound.xreplace(plain) for bound in case.bounds),
        conditions=tuple(c.xreplace(plain) for c in case.conditions),
        gates=case.gates,
        log_density=rewrite(density),
    )


def _hit_references(case: Case, target: Ref, occurrences: list[Indices]) -> dict[Expr, Expr]:
    """Map the references that the case makes equal to the target (a[g[k]] where g[k] = i) to the target."""
    rules = dict(case.rules)
    equal = {(c.left, c.right) for c in (*case.conditions, *case.gates) if c.relation == "="}
    hits: dict[Expr, Expr] = {}
    for occurrence in occurrences:
        indices = tuple(index.xreplace(rules) for index in occurrence)
        same = all(
            sp.expand(a - b) == 0 or (a, b) in equal or (b, a) in equal
            for a, b in zip(indices, target.indices, strict=True)
        )
        if same:
            hits[Ref(target.variable, *indices)] = target
    return hits


def _parents(
    arguments: tuple[Expr, ...], names: tuple[str, ...], definitions: Definitions
) -> tuple[Ref, ...]:
    """Return the stochastic elements that the factor is conditioned on, in the order of ``names``."""
    refs = {ref for a in arguments for ref in references_in(definitions.expand(a)) if ref.name in names}
    return tuple(sorted(sp.ordered(refs), key=lambda ref: names.index(ref.name)))


def _plain_names(factor: Factor, case: Case, target: Ref) -> dict[Symbol, Symbol]:
    """Give the summed indices their plain names back where nothing else uses them."""
    taken = {symbol.name for index in target.indices for symbol in index.free_symbols}
    names = {}
    for symbol in [bound[0] for bound in case.bounds] + _inner_symbols(factor):
        plain = symbol.name.rstrip("′″")
        if plain not in taken:
            taken.add(plain)
            names[symbol] = index_symbol(plain)
    return names
