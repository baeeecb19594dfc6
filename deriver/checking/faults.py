"""Checking, step 5: what is wrong with a line: which parameter, where it shows, and the likely slips."""

from __future__ import annotations

from deriver.checking.densities import Statement
from deriver.checking.oracle import Oracle, Outcome
from deriver.checking.records import LineResult, Resolved
from deriver.checking.slips import SlipFinder
from deriver.checking.surroundings import make_surroundings


def explain_fault(
    oracle: Oracle, claim: Resolved, statement: Statement, outcomes: list[Outcome]
) -> LineResult:
    """Return the verdict on a line that disagrees somewhere."""
    line = statement.line
    place = line.span.line if line.span else 0
    outside = any(outcome.outside or not outcome.defined for outcome in outcomes)
    verdict = "wrong" if outside or line.kind == "kernel" else "wrong_parameter"
    finder = SlipFinder(oracle, make_surroundings(oracle, claim), oracle.groups(len(outcomes)))
    repairs = finder.find(statement)
    return LineResult(
        text=line.text, line=place, verdict=verdict, slips=repairs[0] if repairs else (), alternatives=repairs[1:]
    )
