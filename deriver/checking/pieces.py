"""Pieces of the right log density: what a whole claim may lack, or hold too much of, wherever it should have stood.

Each factor that holds the target, each monomial of such a factor, powers of the target and the Jacobian of the
claimed coordinate, as numbers at a point.  Added to the log density of any claim they mend it without a place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import sympy as sp
from sympy import Expr

from deriver.algebra.evaluate import evaluate
from deriver.algebra.heads import Gated, LogDet, PlateSum, logdet
from deriver.algebra.normal_form import expand_in, sum_over
from deriver.checking.oracle import STATES, Group, Oracle
from deriver.checking.terms import NO_FORM, at_element, gates_hold, is_prior, resolve_gates, write_expression
from deriver.derivation.numeric import Completed
from deriver.derivation.records import Contribution

_LONGEST = 200


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Piece:
    """A term of a log density: ``value(group)`` gives it at the group's points, ``times`` how often it is added."""

    value: Callable[[Group], np.ndarray] = field(repr=False)
    times: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lack:
    """A slip as an addition to the log density: what it is called, how unlikely it is, and what is told of it.

    ``title`` is what is missing, or, where ``found`` is given, what ``found`` should be.
    """

    name: str
    cost: float
    piece: Piece
    title: str
    found: str = ""
    aliases: tuple[str, ...] = ()


def find_lacks(oracle: Oracle) -> tuple[Lack, ...]:
    """Return every addition to the log density that is worth a try, for the node and coordinate of the oracle."""
    key = ("lacks", oracle)
    cache = oracle.bench.cache
    if key not in cache:
        cache[key] = (*_jacobians(oracle), *_factors(oracle), *_powers(oracle))
    return cache[key]


def _numeric(oracle: Oracle, expr: Expr) -> Callable[[Group], np.ndarray]:
    """Return the values of an expression in the target's own element at the points of a group, kept once known."""
    definitions, indices = oracle.bench.derivation.definitions, oracle.subject.conditional.indices
    kept: dict[int, tuple[Group, np.ndarray]] = {}

    def values(group: Group) -> np.ndarray:
        found = kept.get(id(group))
        if found is None:
            own = dict(zip(indices, group.index, strict=True))
            numbers = [evaluate(expr, Completed(p.raw, definitions), own) for p in group.points]
            found = kept[id(group)] = (group, np.array(numbers, dtype=float))
        return found[1]

    return values


# --- factors and their monomials -----------------------------------------------------------------------------


def _factors(oracle: Oracle) -> Iterator[Lack]:
    for contribution in oracle.subject.conditional.contributions:
        if not any(gates_hold(oracle, contribution.gates, group) for group in oracle.groups(STATES)):
            continue
        name = "forgotten prior" if is_prior(oracle, contribution) else "missing child"
        whole = _instances(contribution, contribution.log_density)
        piece = Piece(value=_numeric(oracle, whole))
        yield Lack(name=name, cost=1.0, piece=piece, title=title_of(oracle, contribution))
        terms = expand_in(contribution.log_density, oracle.subject.conditional.target)
        terms = {monomial: coefficient for monomial, coefficient in terms.items() if monomial != 1}
        for monomial, coefficient in terms.items():
            yield from _monomial(oracle, contribution, name, monomial, coefficient)


def _monomial(
    oracle: Oracle, contribution: Contribution, name: str, monomial: Expr, coefficient: Expr
) -> Iterator[Lack]:
    """Yield a monomial as lacking, as of the wrong sign, and as half or twice what it should be."""
    value = _numeric(oracle, _instances(contribution, coefficient * monomial))
    title = _text(oracle, contribution, monomial, coefficient)
    yield Lack(name=name, cost=1.35, piece=Piece(value=value), title=f"{title} in the log density")
    changes = (("sign", 2.0, f"{title} with the other sign"), ("factor of 2", -1.0, f"twice {title}"),
               ("factor of 2", 0.5, f"half of {title}"))  # fmt: skip
    for slip, times, found in changes:
        piece = Piece(value=value, times=times)
        yield Lack(name=slip, cost=1.6, piece=piece, title=f"{title} in the log density", found=found)


def _instances(contribution: Contribution, body: Expr) -> Expr:
    """Return a term of a factor's log density, summed over the instances that hold the target."""
    return Gated(PlateSum(body, contribution.bounds, contribution.conditions), contribution.gates)


def _text(oracle: Oracle, contribution: Contribution, monomial: Expr, coefficient: Expr) -> str:
    try:
        total = sum_over(coefficient, contribution.bounds, contribution.conditions)
        text = write_expression(oracle, at_element(oracle, resolve_gates(oracle, total * monomial)))
    except NO_FORM:
        text = ""
    return text if 0 < len(text) <= _LONGEST else f"a term of {title_of(oracle, contribution)}"


def title_of(oracle: Oracle, contribution: Contribution) -> str:
    """Return a factor as a term of the Markov blanket: prod(i: [beta[i] | mu, Sigma])."""
    value, *parents = (str(at_element(oracle, ref)) for ref in (contribution.value, *contribution.parents))
    text = f"[{value} | {', '.join(parents)}]" if parents else f"[{value}]"
    for bound in reversed(contribution.bounds):
        text = f"prod({bound[0]}: {text})"
    return text


# --- powers and Jacobians ------------------------------------------------------------------------------------


def _jacobians(oracle: Oracle) -> Iterator[Lack]:
    """Yield the Jacobian of the claimed coordinate, forgotten or applied upside down."""
    subject = oracle.subject
    if subject.own:
        return
    value = _numeric(oracle, subject.log_jacobian)
    try:
        written = write_expression(oracle, at_element(oracle, sp.exp(subject.log_jacobian)))
    except NO_FORM:
        written = "|d node / d coordinate|"
    aliases = ("exponent off by one",)
    title = f"the Jacobian {written} of the change of variable"
    yield Lack(name="missing Jacobian", cost=0.8, piece=Piece(value=value), title=title, aliases=aliases)
    found = f"the Jacobian's inverse, 1 / ({written})"
    piece = Piece(value=value, times=2.0)
    yield Lack(name="missing Jacobian", cost=1.3, piece=piece, title=title, found=found, aliases=aliases)


def _powers(oracle: Oracle) -> Iterator[Lack]:
    """Yield powers of the target: an exponent off by one, or the Jacobian of a coordinate that was left."""
    target = oracle.subject.conditional.target
    if target.variable.shape:
        if len(target.variable.shape) == 2 and _has_logdet(oracle):
            side = target.variable.shape[0]
            yield from _steps(oracle, logdet(target), (sp.S.Half, sp.S.One, side / 2), side + 1, "det({})")
    elif target.is_positive:
        yield from _steps(oracle, sp.log(target), (sp.S.One, sp.S.Half), sp.Integer(2), "{}")
    elif oracle.subject.own and not target.is_integer:
        for sign in (1, -1):
            piece = Piece(value=_numeric(oracle, sign * target))
            yield Lack(
                name="missing Jacobian", cost=1.4, piece=piece, title=f"the factor exp({sign * target})"
            )


def _has_logdet(oracle: Oracle) -> bool:
    return any(c.log_density.has(LogDet) for c in oracle.subject.conditional.contributions)


def _steps(oracle: Oracle, log: Expr, steps: tuple[Expr, ...], jacobian: Expr, base: str) -> Iterator[Lack]:
    """Yield powers up and down: small steps as exponents, the Jacobian of the reciprocal by its own name."""
    named = [(step, "exponent off by one", "missing Jacobian", 1.4) for step in steps]
    named.append((jacobian, "missing Jacobian", "exponent off by one", 1.5))
    shown = base.format(at_element(oracle, oracle.subject.conditional.target))
    for step, name, other, cost in named:
        for sign in (1, -1):
            piece = Piece(value=_numeric(oracle, sign * step * log))
            title = f"the factor {shown}^({sign * step})"
            yield Lack(name=name, cost=cost, piece=piece, title=title, aliases=(other,))
