"""Checking, step 4: the verdict on each line of a claim.

Input: a resolved claim.  Output: a ``Result``; right lines with how it was shown, wrong ones with what differs,
a counter-example and the likely slips.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from deriver.algebra.evaluate import evaluate
from deriver.algebra.heads import Ref
from deriver.checking.bench import Bench
from deriver.checking.blanket import judge_blanket
from deriver.checking.constants import constant_is_right
from deriver.checking.densities import Statement, canonical_at, judge, log_densities
from deriver.checking.faults import explain_fault
from deriver.checking.oracle import STATES, Group, Oracle, Outcome, Subject, expand_coordinate, log_jacobian
from deriver.checking.records import Line, LineResult, Resolved, Result
from deriver.checking.symbolic import shown_equal
from deriver.checking.values import Context
from deriver.derivation.numeric import Completed
from deriver.language.mistakes import Mistakes
from deriver.model.expressions import Expression


def judge_claim(bench: Bench, claim: Resolved, mistakes: Mistakes) -> Result | None:
    """Return the verdict on a claim; None, with a mistake added, where its node cannot be judged."""
    oracle = find_oracle(bench, claim)
    if oracle is None or not oracle.groups(1):
        mistakes.add(
            "node", f"no density of {claim.claim.title} can be worked out", span=claim.claim.span,
            expected="a node, or a smooth function of one number, or the inverse of a matrix",
        )  # fmt: skip
        return None
    lines = follow_lines(oracle, claim, tuple(judge_line(oracle, claim, line) for line in claim.lines))
    oracle.forget()
    span = claim.claim.span
    return Result(title=claim.claim.title, node=claim.node, line=span.line if span else 0, lines=lines)


def find_oracle(bench: Bench, claim: Resolved) -> Oracle | None:
    """Return the oracle of the claim's node and coordinate, made anew or kept from before."""
    key = ("oracle", claim.node, claim.element, claim.coordinate, claim.bound, tuple(claim.sizes.items()))
    if key not in bench.cache:
        subject = make_subject(bench, claim)
        bench.cache[key] = None if subject is None else Oracle(bench, subject, claim.sizes)
    return bench.cache[key]


def make_subject(bench: Bench, claim: Resolved) -> Subject | None:
    """Return what the claim is about, the coordinate written in the node's own element."""
    conditional = bench.derivation.node(claim.node)
    lowered = expand_coordinate(bench, bench.lowering.expression(claim.coordinate), claim.node)
    found = [ref for ref in lowered.atoms(Ref) if ref.name == claim.node]
    if len(found) != 1:
        return None
    coordinate = lowered.xreplace({found[0]: conditional.target})
    jacobian = log_jacobian(coordinate, conditional.target)
    if jacobian is None:
        return None
    return Subject(
        conditional=conditional,
        element=claim.element,
        indices=tuple(each.index for each in claim.bound),
        allowed=tuple((each.index, each.lower, each.upper, each.subset) for each in claim.bound),
        coordinate=coordinate,
        log_jacobian=jacobian,
        own=coordinate == conditional.target,
    )


def make_statement(claim: Resolved, line: Line, trees: tuple[Expression, ...] | None = None) -> Statement:
    """Return a line ready to be evaluated."""
    return Statement(
        line=line,
        trees=trees if trees is not None else line.trees(),
        definitions=claim.definitions,
        log=claim.claim.log and line.kind == "kernel",
    )


def judge_line(oracle: Oracle, claim: Resolved, line: Line) -> LineResult:
    """Return the verdict on one line, held against the joint density."""
    if line.kind == "blanket":
        return judge_blanket(oracle, claim, line)
    statement = make_statement(claim, line)
    groups = oracle.groups(STATES)
    outcomes = [judge(oracle, statement, group) for group in groups]
    defined = [group for group, outcome in zip(groups, outcomes, strict=True) if outcome.defined]
    if defined and all(outcome.right for outcome in outcomes) and same_support(oracle, statement, defined):
        return _with_note(accept_line(oracle, statement, len(groups)), outcomes)
    return explain_fault(oracle, claim, statement, outcomes)


def _with_note(result: LineResult, outcomes: list[Outcome]) -> LineResult:
    if all(outcome.defined for outcome in outcomes):
        return result
    note = "it has no value where a size is 0: there the conditional is that without the terms of the data"
    return dataclasses.replace(result, notes=(*result.notes, note))


def accept_line(oracle: Oracle, statement: Statement, states: int) -> LineResult:
    """Return the verdict on a line that agrees at all states."""
    line = statement.line
    place = line.span.line if line.span else 0
    if line.kind == "kernel":
        return accept_kernel(oracle, statement, states)
    proof = "symbolic" if shown_equal(oracle, statement) else "numeric"
    return LineResult(text=line.text, line=place, verdict="equal", proof=proof, states=states)  # type: ignore[arg-type]


def accept_kernel(oracle: Oracle, statement: Statement, states: int) -> LineResult:
    """Return ``proportional`` for a right kernel, or ``equal`` where ``=`` was written and the constant is right, too."""
    line = statement.line
    constant = constant_is_right(oracle, statement, oracle.groups(states)) if line.relation == "=" else False
    notes: tuple[str, ...] = ()
    if line.relation == "=" and not statement.log and not constant:
        notes = ("it lacks the normalising constant: write ∝",)
        if constant is None:
            notes = ("the normalising constant has no closed form here, and is not judged: write ∝",)
    return LineResult(
        text=line.text, line=line.span.line if line.span else 0, verdict="equal" if constant else "proportional",
        proof="numeric", states=states, notes=notes,
    )  # fmt: skip


def same_support(oracle: Oracle, statement: Statement, groups: list[Group]) -> bool:
    """Tell whether a claimed family lives where the conditional does: a truncation is part of the claim."""
    choice = statement.line.choice
    if choice is None or choice.signature.shape != "scalar" or not oracle.subject.own:
        return True
    return all(
        np.allclose(claimed_ends(oracle, statement, group), _right_ends(oracle, group), equal_nan=True)
        for group in groups[:2]
    )


def claimed_ends(oracle: Oracle, statement: Statement, group: Group) -> tuple[float, float]:
    """Return the ends of the claimed family's support, its truncation included."""
    point = group.points[0]
    line, choice = statement.line, statement.line.choice
    assert choice is not None
    names = dict(zip(choice.signature.parameters, canonical_at(oracle, statement, point, group), strict=True))
    rule = choice.signature.support
    ends = [
        infinite if end is None else float(names[end]) if end in names else float(end)
        for end, infinite in ((rule.lower, -math.inf), (rule.upper, math.inf))
    ]
    context = Context(point.view, point.raw, statement.named(), group.own)
    for position, written in enumerate(line.truncation or (None, None)):
        if written is not None:
            value = float(oracle.evaluator.compile(written)(context, group.own))
            ends[position] = (max, min)[position](ends[position], value)
    return ends[0], ends[1]


def _right_ends(oracle: Oracle, group: Group) -> tuple[float, float]:
    conditional, raw = oracle.subject.conditional, group.points[0].raw
    own = dict(zip(conditional.indices, group.index, strict=True))
    completed = Completed(raw, oracle.bench.derivation.definitions)
    _, lower, upper = conditional.support
    return (
        -math.inf if lower is None else float(evaluate(lower, completed, own)),
        math.inf if upper is None else float(evaluate(upper, completed, own)),
    )


def follow_lines(oracle: Oracle, claim: Resolved, lines: tuple[LineResult, ...]) -> tuple[LineResult, ...]:
    """Say of each line after the first whether it follows from the one before."""
    found = list(lines[:1])
    for before, after, result in zip(claim.lines, claim.lines[1:], lines[1:], strict=False):
        previous = found[-1]
        follows: bool | None = _follows(oracle, claim, before, after)
        if follows is None and (previous.passed or result.passed):
            follows = previous.passed and result.passed
        found.append(dataclasses.replace(result, follows=follows))
    return tuple(found)


def _follows(oracle: Oracle, claim: Resolved, before: Line, after: Line) -> bool | None:
    """Tell whether two lines are the same density; None where one of them has no values."""
    if "blanket" in (before.kind, after.kind):
        return None
    one, two = make_statement(claim, before), make_statement(claim, after)
    verdicts = []
    for group in oracle.groups(STATES):
        first, second = log_densities(oracle, one, group), log_densities(oracle, two, group)
        if first is None or second is None or not np.all(np.isfinite(first + second)):
            continue
        apart = (first - first[0]) - (second - second[0])
        scale = 1.0 + float(np.max(np.abs(first - first[0])))
        verdicts.append(bool(np.max(np.abs(apart)) <= 1e-7 * scale))
    return all(verdicts) if verdicts else None
