"""Checking, step 4: the verdict on each line of a claim.

Input: a resolved claim.  Output: a ``Result``; right lines with how it was shown, wrong ones with what differs,
a counter-example and the likely slips.
"""

from __future__ import annotations

from deriver.algebra.heads import Ref
from deriver.checking.bench import Bench
from deriver.checking.densities import Statement, judge
from deriver.checking.oracle import Oracle, Outcome, Subject, expand_coordinate, log_jacobian
from deriver.checking.records import Line, LineResult, Resolved, Result
from deriver.language.mistakes import Mistakes
from deriver.model.expressions import Expression

STATES = 12


def judge_claim(bench: Bench, claim: Resolved, mistakes: Mistakes) -> Result | None:
    """Return the verdict on a claim; None, with a mistake added, where its node cannot be judged."""
    oracle = find_oracle(bench, claim)
    if oracle is None or not oracle.groups(1):
        mistakes.add(
            "node", f"no density of {claim.claim.title} can be worked out", span=claim.claim.span,
            expected="a node, or a smooth function of one number, or the inverse of a matrix",
        )  # fmt: skip
        return None
    lines = tuple(judge_line(oracle, claim, line) for line in claim.lines)
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
    from deriver.checking.blanket import judge_blanket
    from deriver.checking.faults import explain_fault

    if line.kind == "blanket":
        return judge_blanket(oracle, claim, line)
    statement = make_statement(claim, line)
    groups = oracle.groups(STATES)
    outcomes = [judge(oracle, statement, group) for group in groups]
    if all(outcome.right for outcome in outcomes):
        return accept_line(oracle, claim, statement, len(groups))
    return explain_fault(oracle, claim, statement, outcomes)


def accept_line(oracle: Oracle, claim: Resolved, statement: Statement, states: int) -> LineResult:
    """Return the verdict on a line that agrees at all states."""
    line = statement.line
    place = line.span.line if line.span else 0
    verdict = "equal" if line.kind == "family" else "proportional"
    return LineResult(text=line.text, line=place, verdict=verdict, proof="numeric", states=states)


def wrong_blocks(outcomes: list[Outcome]) -> tuple[str, ...]:
    """Return the natural parameters that are wrong at some state."""
    return tuple(dict.fromkeys(name for outcome in outcomes for name in outcome.wrong))
