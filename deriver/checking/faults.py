"""Checking, step 5: what is wrong with a line: which parameter, where it shows, and the likely slips."""

from __future__ import annotations

from deriver.checking.counterexample import find_counterexample
from deriver.checking.densities import Statement
from deriver.checking.oracle import Oracle, Outcome
from deriver.checking.records import LineResult, Resolved, Verdict
from deriver.checking.slips import SlipFinder
from deriver.checking.surroundings import make_surroundings
from deriver.checking.symbolic import write_comparisons


def explain_fault(
    oracle: Oracle, claim: Resolved, statement: Statement, outcomes: list[Outcome]
) -> LineResult:
    """Return the verdict on a line that disagrees somewhere."""
    line = statement.line
    place = line.span.line if line.span else 0
    finder = SlipFinder(oracle, make_surroundings(oracle, claim), oracle.groups(len(outcomes)))
    repairs = finder.find(statement)
    return LineResult(
        text=line.text,
        line=place,
        verdict=_verdict(oracle, statement, outcomes),
        slips=repairs[0] if repairs else (),
        alternatives=repairs[1:],
        comparisons=write_comparisons(oracle, statement),
        counterexample=find_counterexample(oracle, statement),
        notes=_notes(statement, outcomes),
    )


def _verdict(oracle: Oracle, statement: Statement, outcomes: list[Outcome]) -> Verdict:
    """A family is right with a wrong parameter where the difference is one of its natural parameters."""
    if statement.line.choice is None:
        return "wrong"
    if not oracle.subject.conditional.statistics:
        return "wrong"
    defined = [outcome for outcome in outcomes if outcome.defined]
    return "wrong_parameter" if defined and not any(o.outside for o in defined) else "wrong"


_NATURAL = {
    "linear": "the linear term", "quadratic": "the precision", "log": "the exponent", "log_det": "the exponent",
    "inverse": "the scale", "trace": "the inverse scale",
}  # fmt: skip


def _notes(statement: Statement, outcomes: list[Outcome]) -> tuple[str, ...]:
    notes = []
    undefined = sum(not outcome.defined for outcome in outcomes)
    if undefined:
        notes.append(f"at {undefined} of {len(outcomes)} random states it is no density at all")
    wrong = dict.fromkeys(name for outcome in outcomes for name in outcome.wrong)
    if wrong:
        notes.append("what differs: " + ", ".join(_NATURAL.get(name, name) for name in wrong))
    return tuple(notes)
