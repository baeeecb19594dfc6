"""Contributions → a family: the kernel of the target's full conditional, matched against every family's statistics.

The log kernel is brought to a sum of coefficient × statistic of the target.  A family fits when each monomial
is one of its statistics, its support holds the target's, and its parameters are proved proper for every
state.  Which prior or likelihood the factors came from plays no part.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sympy as sp
from sympy import Expr, S, Tuple

from deriver.algebra import heads
from deriver.algebra.heads import Branch, LogIndicator, Ref
from deriver.algebra.normal_form import expand_in, merge, sum_over
from deriver.derivation.proofs import Prover, covers
from deriver.derivation.records import Contribution, Refusal, Statistic
from deriver.families import FAMILIES
from deriver.families.record import Family, Kernel

Support = tuple[str, Expr | None, Expr | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One monomial of one contribution with its coefficient, not yet summed over the contribution's indices."""

    contribution: Contribution
    monomial: Expr
    coefficient: Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A family that fits: its statistics with their coefficients, its parameters, and truncation if any.

    ``assumed`` are the conditions (expression, claim) without which the posterior would be improper.
    """

    family: Family
    statistics: tuple[Statistic, ...]
    parameters: tuple[tuple[str, Expr], ...]
    truncation: tuple[Expr | None, Expr | None] | None
    assumed: tuple[tuple[Expr, str], ...] = ()


def collect_pieces(contributions: tuple[Contribution, ...], target: Ref) -> tuple[Piece, ...]:
    """Return the target-dependent monomials of every contribution, those that cancel between factors left out."""
    pieces = tuple(
        Piece(contribution=contribution, monomial=monomial, coefficient=coefficient)
        for contribution in contributions
        for monomial, coefficient in expand_in(contribution.log_density, target).items()
        if monomial != 1
    )
    return _less_cancelled(pieces)


def _less_cancelled(pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """Leave out monomials whose coefficients add up to zero over factors that hold for the very same indices.

    So the log(1 + exp(ψ)) of a binomial response and that of its Pólya–gamma variable vanish together.  Factors
    over other ranges, or under other conditions, never cancel: beyond the one the other is still there.
    """
    together: dict[tuple, list[Piece]] = {}
    for piece in pieces:
        where = piece.contribution
        together.setdefault((piece.monomial, where.bounds, where.conditions, where.gates), []).append(piece)
    gone = {
        id(piece)
        for same in together.values()
        if len({id(piece.contribution) for piece in same}) > 1
        and sp.expand(sp.Add(*(piece.coefficient for piece in same))) == 0
        for piece in same
    }
    return tuple(piece for piece in pieces if id(piece) not in gone)


def split_cuts(pieces: tuple[Piece, ...], target: Ref, support: Support) -> tuple[tuple[Piece, ...], Support]:
    """Return the pieces that are no cut of the target's support, and the support that the cuts leave.

    A cut is the factor of a response that tells on which side of a point the target is: y = 1 where θ > c, y = 0
    elsewhere; so an order of two means is stated.  It is read where one response alone tells it, whatever the values
    of the target's indices.
    """
    cuts = [(piece, told) for piece in pieces if (told := _side_told(piece, target)) is not None]
    if len(cuts) != 1 or support != ("real", None, None):
        return pieces, support
    ((cut, (sign, point)),) = cuts
    lower = Branch(sign, point, sp.S.NegativeInfinity)
    upper = Branch(sign, sp.S.Infinity, point)
    return tuple(piece for piece in pieces if piece is not cut), ("real", lower, upper)


def _side_told(piece: Piece, target: Ref) -> tuple[Expr, Expr] | None:
    """Return (s, c), free of the target and s never zero, where a piece is the indicator of s (θ - c) > 0; else None."""
    where = piece.contribution
    if where.factor.family != "bernoulli" or where.bounds or where.conditions or where.gates:
        return None
    if not isinstance(piece.monomial, LogIndicator) or piece.coefficient != 1:
        return None
    lower, told, upper = piece.monomial.args
    terms = expand_in(told, target)
    if (lower, upper) != (0, sp.oo) or set(terms) - {target, S.One} or target not in terms:
        return None
    sign = sp.factor(terms[target])
    point = sp.cancel(-terms.get(S.One, S.Zero) / sign)
    never_zero = all(factor.is_number or _is_side(factor) for factor in sp.Mul.make_args(sign))
    return (sign, point) if never_zero else None


def _is_side(factor: Expr) -> bool:
    """Tell whether a factor is 2y - 1 for a y that is 0 or 1, so never zero."""
    refs = list(factor.atoms(Ref))
    whole = len(refs) == 1 and bool(refs[0].is_integer)
    return whole and 0 in (sp.expand(factor - (2 * refs[0] - 1)), sp.expand(factor + 2 * refs[0] - 1))


def log_kernel(pieces: tuple[Piece, ...]) -> Expr:
    """Return Σ (summed coefficient) × monomial: the log density up to a constant."""
    return sp.Add(*(monomial * coefficient for monomial, coefficient in merge(map(_summed, pieces)).items()))


def _summed(piece: Piece) -> dict[Expr, Expr]:
    """Sum one piece over its contribution's indices, the monomial outside where it is free of them.

    A gate stays around a monomial that mentions more than the target: beyond the gate its other elements
    (the neighbour of the last t) do not exist.  So it does where the gate's statement has a support of its
    own, beyond which the monomial is not finite.
    """
    contribution = piece.contribution
    bounds, conditions = contribution.bounds, contribution.conditions
    symbols = {bound[0] for bound in bounds}
    if piece.monomial.free_symbols & symbols:
        whole = sum_over(piece.coefficient * piece.monomial, bounds, conditions)
        return {_gate(whole, contribution): S.One}
    coefficient = sum_over(piece.coefficient, bounds, conditions)
    if contribution.gates and (contribution.factor.partial or len(piece.monomial.atoms(Ref)) > 1):
        return {_gate(coefficient * piece.monomial, contribution): S.One}
    return {piece.monomial: _gate(coefficient, contribution)}


def _gate(expr: Expr, contribution: Contribution) -> Expr:
    return heads.Gated(expr, contribution.gates)


def match_family(
    pieces: tuple[Piece, ...],
    target: Ref,
    support: Support,
    ranges: tuple[Tuple, ...],
    prover: Prover,
    *,
    check_proper: bool = True,
    improper: bool = False,
) -> Match | Refusal:
    """Return the family of the full conditional, or why no family fits.

    Without ``check_proper`` a kernel matches that only another factor, such as a prior, would make proper.
    ``improper`` tells that the node's own prior is: then there is a posterior only where a precision matrix of the
    data is definite (as many independent rows as coefficients), which no symbol shows, and that is assumed.
    """
    refusals: list[tuple[int, Refusal]] = []
    for candidate in candidates(target, support):
        outcome = _try_family(
            candidate, pieces, target, support, ranges, prover if check_proper else None, improper
        )
        if isinstance(outcome, Match):
            return outcome
        refusals.append(outcome)
    if not refusals:
        return _no_candidate(pieces, support)
    return max(refusals, key=lambda scored: scored[0])[1]


def candidates(target: Ref, support: Support) -> tuple[Family, ...]:
    """Return the families with a kernel whose shape and support can hold the target's."""
    shape = {0: "scalar", 1: "vector", 2: "matrix"}[len(target.variable.shape)]
    fitting = (f for f in FAMILIES if f.kernel is not None and f.shape == shape)
    return tuple(f for f in fitting if _holds_support(f, support))


def _holds_support(family: Family, support: Support) -> bool:
    kind, lower, upper = support
    if kind != family.support.kind:
        return False
    if kind != "real":
        return True
    own_lower, own_upper = family_bounds(family)
    if family.shape == "vector":
        return lower is None and upper is None
    below = own_lower is None or (lower is not None and bool((lower - own_lower).is_nonnegative))
    above = own_upper is None or (upper is not None and bool((own_upper - upper).is_nonnegative))
    return below and above


def family_bounds(family: Family) -> tuple[Expr | None, Expr | None]:
    """Return the bounds of a family's support, None where infinite."""
    ends = (family.support.lower, family.support.upper)
    lower, upper = (None if end is None else sp.Integer(int(end)) for end in ends)
    return lower, upper


def _try_family(
    family: Family,
    pieces: tuple[Piece, ...],
    target: Ref,
    support: Support,
    ranges: tuple[Tuple, ...],
    prover: Prover | None,
    improper: bool,
) -> Match | tuple[int, Refusal]:
    kernel = family.kernel
    assert kernel is not None
    natural: list[tuple[Contribution, str, Expr]] = []
    stray = None
    for piece in pieces:
        found = kernel.collect(piece.monomial, target)
        if found is None:
            stray = stray or piece
            continue
        name, factor = found
        bounds, conditions = piece.contribution.bounds, piece.contribution.conditions
        summed = sum_over(piece.coefficient * factor, bounds, conditions)
        natural.append((piece.contribution, name, _gate(summed, piece.contribution)))
    if stray is not None:
        return len(natural), _stray_refusal(stray, family, target)
    collected = _collect(natural, kernel)
    truncation = _truncation(family, support)
    unproved = _unproved(kernel, natural, target, support, ranges, prover) if prover is not None else None
    assumed: tuple[tuple[Expr, str], ...] = ()
    if (
        unproved is not None
        and unproved[1] == "positive_definite"
        and improper
        and _has_rows(natural, ranges)
    ):
        assumed, unproved = (unproved,), None
    if unproved is not None:
        return len(natural), _improper_refusal(*unproved, family)
    forms = kernel.statistic_forms(target)
    return Match(
        family=family,
        statistics=tuple(
            Statistic(name=name, form=forms[name], coefficient=collected[name]) for name in kernel.statistics
        ),
        parameters=tuple(kernel.to_standard(collected, target).items()),
        truncation=truncation,
        assumed=assumed,
    )


def _has_rows(natural: Iterable[tuple[Contribution, str, Expr]], ranges: tuple[Tuple, ...]) -> bool:
    """Tell whether every element of the target surely has a factor besides its improper prior."""
    filled = [
        c for c, _, _ in natural if not c.conditions and all((b[2] - b[1]).is_nonnegative for b in c.bounds)
    ]
    gates = [Tuple(*contribution.gates) for contribution in filled]
    return any(not gate.args for gate in gates) or (bool(gates) and covers(gates, ranges))


def _collect(natural: Iterable[tuple[Contribution, str, Expr]], kernel: Kernel) -> dict[str, Expr]:
    """Return the natural parameters: by statistic, the sum of the terms."""
    terms = list(natural)
    return {name: sp.Add(*(term for _, own, term in terms if own == name)) for name in kernel.statistics}


def _unproved(
    kernel: Kernel,
    natural: list[tuple[Contribution, str, Expr]],
    target: Ref,
    support: Support,
    ranges: tuple[Tuple, ...],
    prover: Prover,
) -> tuple[Expr, str] | None:
    """Return a condition (expression, claim) of a proper kernel that is not proved, or None.

    What a normal factor adds to a precision is semidefinite, however it is written: minus twice its log
    density is nonnegative on the whole line, so its quadratic part is.  It may then be left out of the proof.
    """

    def proved(expr: Expr, claim: str) -> bool:
        if claim == "positive":
            return prover.positive(expr, ranges) or prover.positive_almost_surely(expr)
        return prover.definite(expr, ranges)

    def fails(terms: Iterable[tuple[Contribution, str, Expr]]) -> tuple[Expr, str] | None:
        proper = kernel.proper(_collect(terms, kernel), target)
        return next(((expr, claim) for expr, claim in proper if not proved(expr, claim)), None)

    unproved = fails(natural)
    if unproved is None or "quadratic" not in kernel.statistics or None not in support[1:]:
        return unproved
    kept = [
        entry for entry in natural if not _is_quadratic_loss(entry[0], target) or _is_own(entry[0], target)
    ]
    return unproved if len(kept) == len(natural) or fails(kept) is not None else None


def _is_quadratic_loss(contribution: Contribution, target: Ref) -> bool:
    """Tell whether a factor is a normal density whose variance is free of the target."""
    normal = contribution.factor.family in ("normal", "mvnormal")
    return normal and not contribution.arguments[1].has(target)


def _is_own(contribution: Contribution, target: Ref) -> bool:
    return contribution.value == target


def _truncation(family: Family, support: Support) -> tuple[Expr | None, Expr | None] | None:
    """Return the target's bounds where they are narrower than the family's."""
    if support[0] != "real" or support[1:] == family_bounds(family):
        return None
    own = family_bounds(family)
    bounds = tuple(end if end != limit else None for end, limit in zip(support[1:], own, strict=True))
    return None if bounds == (None, None) else bounds  # type: ignore[return-value]


def _stray_refusal(stray: Piece, family: Family, matched: int) -> Refusal:
    fits_in_part = f"the {family.title} family, whose kernel its other terms have"
    kernel = fits_in_part if matched else "any family on its support"
    name = stray.contribution.value.name
    return Refusal(
        factor=name,
        term=stray.monomial,
        why=f"it enters the factor of {name} through a term that is no statistic of {kernel}",
    )


def _improper_refusal(expr: Expr, claim: str, family: Family) -> Refusal:
    words = "positive" if claim == "positive" else "positive definite"
    return Refusal(
        factor="",
        term=expr,
        why=f"the {family.title} kernel fits, but a parameter is not proved to be {words}",
        remedy="give the node a proper prior of that family, or declare the bounds that make it so",
    )


def _no_candidate(pieces: tuple[Piece, ...], support: Support) -> Refusal:
    kind = {"integer": "is discrete", "correlation": "is a correlation matrix"}.get(
        support[0], "has a support that no conjugate family holds"
    )
    first = pieces[0] if pieces else None
    return Refusal(
        factor=first.contribution.factor.value.name if first else "",
        term=first.monomial if first else None,
        why=f"the node {kind}",
    )
