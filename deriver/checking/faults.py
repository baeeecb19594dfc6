"""Checking, step 5: what is wrong with a line: which parameter, where it shows, and the likely slips."""

from __future__ import annotations

from collections.abc import Iterator

from deriver.checking.counterexample import find_counterexample
from deriver.checking.densities import Statement
from deriver.checking.kernels import compare_kernels
from deriver.checking.oracle import Oracle, Outcome
from deriver.checking.records import Comparison, LineResult, Resolved, Verdict
from deriver.checking.slips import SlipFinder
from deriver.checking.surroundings import make_surroundings
from deriver.checking.symbolic import write_comparisons
from deriver.checking.terms import NO_FORM, right_parameters, write_expression
from deriver.families import family


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
        comparisons=_comparisons(oracle, statement),
        counterexample=find_counterexample(oracle, statement),
        notes=_notes(oracle, statement, outcomes),
    )


def _verdict(oracle: Oracle, statement: Statement, outcomes: list[Outcome]) -> Verdict:
    """A family is right with a wrong parameter where the difference is one of its natural parameters."""
    if statement.line.choice is None:
        return "wrong"
    if not oracle.subject.conditional.statistics:
        return "wrong"
    defined = [outcome for outcome in outcomes if outcome.defined]
    return "wrong_parameter" if defined and not any(o.outside for o in defined) else "wrong"


def _comparisons(oracle: Oracle, statement: Statement) -> tuple[Comparison, ...]:
    if statement.line.choice is None:
        return compare_kernels(oracle, statement)
    return write_comparisons(oracle, statement)


# What a natural parameter is called, by its statistic; by family where one statistic serves several.
_NATURAL = {
    "linear": "the linear term", "quadratic": "the precision", "log": "the exponent", "logdet": "the exponent",
    "reciprocal": "the scale", "trace": "the matrix", "log_complement": "the second exponent",
    ("gamma", "linear"): "the rate",
}  # fmt: skip


def _notes(oracle: Oracle, statement: Statement, outcomes: list[Outcome]) -> tuple[str, ...]:
    notes = [*_other_family(oracle, statement)]
    undefined = sum(not outcome.defined for outcome in outcomes)
    if undefined:
        notes.append(f"at {undefined} of {len(outcomes)} random states it is no density at all")
    wrong = dict.fromkeys(name for outcome in outcomes for name in outcome.wrong)
    if wrong:
        family = oracle.subject.conditional.family or ""
        names = (_NATURAL.get((family, name), _NATURAL.get(name, name)) for name in wrong)
        notes.append("what differs: " + ", ".join(names))
    return tuple(notes)


def _other_family(oracle: Oracle, statement: Statement) -> Iterator[str]:
    """Yield what the conditional is, where a claim about the node itself names another family."""
    choice, conditional = statement.line.choice, oracle.subject.conditional
    if choice is None or not oracle.subject.own or conditional.family in (None, choice.signature.key):
        return
    record = family(conditional.family)
    shown = []
    for name, expr in right_parameters(oracle).items():
        try:
            shown.append(f"{name.replace('_', ' ')} {write_expression(oracle, expr)}")
        except NO_FORM:
            shown.append(name.replace("_", " "))
    yield f"it is no {choice.signature.title} but {record.title}: " + ", ".join(shown)
